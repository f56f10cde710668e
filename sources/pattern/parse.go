package pattern

import "unicode/utf8"

// maxDepth bounds how deep parentheses may be nested. Written patterns stay below ten; the bound
// keeps hostile input from exhausting the stack.
const maxDepth = 200

// parser reads one token ahead. The first error wins and is kept in err; every method returns at
// once after it.
type parser struct {
	lex     lexer
	tok     token
	err     *SyntaxError
	depth   int
	pattern *Pattern
}

// Parse reads a STIX 2.1 pattern. Every error is a *SyntaxError. Text that is not UTF-8, and
// parentheses more than 200 deep, are syntax errors too.
func Parse(src string) (*Pattern, error) {
	if !utf8.ValidString(src) {
		pos := 0
		for pos < len(src) {
			r, n := utf8.DecodeRuneInString(src[pos:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			pos += n
		}
		return nil, syntaxError(pos, "the pattern is not UTF-8")
	}
	p := parser{lex: lexer{src: src}, pattern: new(Pattern)}
	p.advance()
	p.pattern.root = p.observations(opFollowedBy)
	if p.err == nil && p.tok.kind != tokEOF {
		p.fail("expected AND, OR, FOLLOWEDBY, a qualifier or the end")
	}
	if p.err != nil {
		return nil, p.err
	}
	return p.pattern, nil
}

// advance reads the next token; after an error the current one stays.
func (p *parser) advance() {
	if p.err != nil {
		return
	}
	tok, err := p.lex.next()
	if err != nil {
		p.err = err
		return
	}
	p.tok = tok
}

// fail records what was expected at the current token.
func (p *parser) fail(what string) {
	if p.err != nil {
		return
	}
	found := spelling[p.tok.kind]
	if p.tok.kind >= tokName || p.tok.kind == tokBool {
		found = p.tok.text
	}
	p.err = syntaxError(p.tok.pos, "%s, found %s", what, found)
}

// take consumes a token of that kind, or fails.
func (p *parser) take(kind tokenKind) token {
	tok := p.tok
	if tok.kind != kind {
		p.fail("expected " + spelling[kind])
		return token{}
	}
	p.advance()
	return tok
}

// enter and leave count nesting.
func (p *parser) enter() {
	if p.depth++; p.depth > maxDepth && p.err == nil {
		p.err = syntaxError(p.tok.pos, "parentheses are nested more than %d deep", maxDepth)
	}
}

func (p *parser) leave() { p.depth-- }

// observations reads a chain of one operator, each link being a chain of the next tighter one:
// FOLLOWEDBY, then OR, then AND.
func (p *parser) observations(op operator) *observation {
	if op > opAnd {
		return p.qualified()
	}
	left := p.observations(op + 1)
	if p.err != nil || p.tok.kind != op.token() {
		return left
	}
	all := &observation{op: op}
	all.add(left)
	for p.err == nil && p.tok.kind == op.token() {
		p.advance()
		all.add(p.observations(op + 1))
	}
	return all
}

// add appends a kid, or its kids if it is the same operation without qualifiers of its own.
func (o *observation) add(kid *observation) {
	if kid != nil && kid.op == o.op && len(kid.qualifiers) == 0 {
		o.kids = append(o.kids, kid.kids...)
		return
	}
	o.kids = append(o.kids, kid)
}

// qualified reads a bracket or a group, and its qualifiers.
func (p *parser) qualified() *observation {
	var o *observation
	switch p.tok.kind {
	case tokLeftBracket:
		p.advance()
		if o = &p.pattern.first.observation; o.comparison != nil {
			o = new(observation)
		}
		o.comparison = p.comparisons(opOr)
		p.take(tokRightBracket)
	case tokLeftParen:
		p.enter()
		p.advance()
		if p.err == nil {
			o = p.observations(opFollowedBy)
		}
		p.take(tokRightParen)
		p.leave()
		if p.err == nil && len(o.qualifiers) > 0 && p.atQualifier() {
			o = &observation{kids: []*observation{o}}
		}
	default:
		p.fail("expected [ or (")
	}
	for p.err == nil && p.atQualifier() {
		o.qualifiers = append(o.qualifiers, p.qualifier())
	}
	return o
}

func (p *parser) atQualifier() bool {
	return p.tok.kind == tokWithin || p.tok.kind == tokRepeats || p.tok.kind == tokStart
}

// qualifier reads WITHIN n SECONDS, REPEATS n TIMES or START t'...' STOP t'...'.
func (p *parser) qualifier() qualifier {
	q := qualifier{kind: p.tok.kind}
	p.advance()
	switch q.kind {
	case tokWithin:
		if p.tok.kind == tokFloat && p.tok.text[0] != '-' {
			q.a = p.tok.text
			p.advance()
		} else {
			q.a = p.positive()
		}
		p.take(tokSeconds)
	case tokRepeats:
		q.a = p.positive()
		p.take(tokTimes)
	case tokStart:
		q.a = p.take(tokTimestamp).text
		p.take(tokStop)
		q.b = p.take(tokTimestamp).text
	}
	return q
}

// positive reads an integer that has no minus sign.
func (p *parser) positive() string {
	if p.tok.kind == tokInt && p.tok.text[0] == '-' {
		p.fail("expected a number without a sign")
	}
	return p.take(tokInt).text
}

// comparisons reads a chain of OR or AND.
func (p *parser) comparisons(op operator) *comparison {
	if op > opAnd {
		return p.comparison()
	}
	left := p.comparisons(op + 1)
	if p.err != nil || p.tok.kind != op.token() {
		return left
	}
	all := &comparison{op: op}
	all.add(left)
	for p.err == nil && p.tok.kind == op.token() {
		p.advance()
		all.add(p.comparisons(op + 1))
	}
	return all
}

// add appends a kid, or its kids if it is the same operation.
func (c *comparison) add(kid *comparison) {
	if kid != nil && kid.op == c.op {
		c.kids = append(c.kids, kid.kids...)
		return
	}
	c.kids = append(c.kids, kid)
}

func (o operator) token() tokenKind {
	switch o {
	case opAnd:
		return tokAnd
	case opOr:
		return tokOr
	}
	return tokFollowedBy
}

// comparison reads one test, or a group in parentheses.
func (p *parser) comparison() *comparison {
	if p.tok.kind == tokLeftParen {
		p.enter()
		p.advance()
		var c *comparison
		if p.err == nil {
			c = p.comparisons(opOr)
		}
		p.take(tokRightParen)
		p.leave()
		return c
	}
	c := &p.pattern.first.comparison
	if c.test.path.object != "" {
		c = new(comparison)
	}
	p.test(&c.test)
	return c
}

// test reads "path NOT? operator literal" or "NOT? EXISTS path".
func (p *parser) test(t *test) {
	if p.tok.kind == tokNot {
		t.negated = true
		p.advance()
		if p.err == nil && p.tok.kind != tokExists {
			p.fail("NOT stands after the object path; before it only as NOT EXISTS")
		}
	}
	if p.tok.kind == tokExists {
		t.op = tokExists
		p.advance()
		p.path(&t.path)
		return
	}
	p.path(&t.path)
	if p.err == nil && p.tok.kind == tokNot {
		t.negated = true
		p.advance()
	}
	t.op = p.tok.kind
	switch t.op {
	case tokEqual, tokNotEqual:
		p.advance()
		t.literals = p.literal(p.literals(), true)
	case tokLess, tokLessEqual, tokGreater, tokGreaterEqual:
		p.advance()
		t.literals = p.literal(nil, false)
	case tokIn:
		p.advance()
		t.literals = p.set()
	case tokLike, tokMatches, tokIsSubset, tokIsSuperset:
		p.advance()
		t.literals = append(p.literals(), literal{tokString, p.take(tokString).text})
	default:
		p.fail("expected a comparison operator")
	}
}

// literals gives an empty slice: the first time one with room in the pattern itself.
func (p *parser) literals() []literal {
	if f := &p.pattern.first; f.literals[0].kind == tokEOF {
		return f.literals[:0:1]
	}
	return nil
}

// literal appends one constant. Booleans have no order, so < and its kin refuse them.
func (p *parser) literal(to []literal, boolToo bool) []literal {
	if p.tok.kind < tokString || p.tok.kind > tokBool || p.tok.kind == tokBool && !boolToo {
		p.fail("expected a literal")
		return to
	}
	to = append(to, literal{p.tok.kind, p.tok.text})
	p.advance()
	return to
}

// set reads the literals of IN, which may be none.
func (p *parser) set() []literal {
	var all []literal
	p.take(tokLeftParen)
	if p.tok.kind == tokRightParen {
		p.advance()
		return all
	}
	for p.err == nil {
		all = p.literal(all, true)
		if p.tok.kind != tokComma {
			break
		}
		p.advance()
	}
	p.take(tokRightParen)
	return all
}

// path reads an object path.
func (p *parser) path(to *path) {
	if p.tok.kind != tokName && p.tok.kind != tokHyphenName {
		p.fail("expected an object path such as file:name")
		return
	}
	to.object = p.tok.text
	p.advance()
	p.take(tokColon)
	if f := &p.pattern.first; f.steps[0].text == "" && &f.comparison.test.path == to {
		to.steps = f.steps[:0]
	}
	to.steps = p.key(to.steps)
	for p.err == nil {
		switch p.tok.kind {
		case tokDot:
			p.advance()
			to.steps = p.key(to.steps)
		case tokLeftBracket:
			p.advance()
			if p.tok.kind != tokStar && p.tok.kind != tokInt {
				p.fail("expected an index or *")
				return
			}
			text := p.tok.text
			if p.tok.kind == tokStar {
				text = "*"
			}
			to.steps = append(to.steps, step{text, true})
			p.advance()
			p.take(tokRightBracket)
		default:
			return
		}
	}
}

// key appends a property: a plain name, or a quoted one.
func (p *parser) key(to []step) []step {
	if p.tok.kind == tokHyphenName {
		p.fail("a property with a hyphen stands between quotes, such as hashes.'SHA-256'")
	}
	if p.tok.kind != tokName && p.tok.kind != tokString {
		p.fail("expected a property name")
		return to
	}
	to = append(to, step{p.tok.text, false})
	p.advance()
	return to
}
