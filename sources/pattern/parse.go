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
	p.pattern.root = p.chain(opFollowedBy, false)
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

// chain reads a chain of observations, or of the comparisons in a bracket, under one operator. Each
// link is a chain of the next tighter one: FOLLOWEDBY, then OR, then AND.
func (p *parser) chain(op operator, inBracket bool) *node {
	switch {
	case op <= opAnd:
	case inBracket:
		return p.comparison()
	default:
		return p.observation()
	}
	left := p.chain(op+1, inBracket)
	if p.err != nil || p.tok.kind != op.token() {
		return left
	}
	all := &node{op: op}
	all.add(left)
	for p.err == nil && p.tok.kind == op.token() {
		p.advance()
		all.add(p.chain(op+1, inBracket))
	}
	return all
}

// add appends a kid, or its kids if it is the same operation without brackets or qualifiers of its own.
func (n *node) add(kid *node) {
	if kid != nil && kid.op == n.op && !kid.bracket && len(kid.qualifiers) == 0 {
		n.kids = append(n.kids, kid.kids...)
		return
	}
	n.kids = append(n.kids, kid)
}

// group reads a chain in parentheses.
func (p *parser) group(loosest operator, inBracket bool) *node {
	if p.depth++; p.depth > maxDepth && p.err == nil {
		p.err = syntaxError(p.tok.pos, "parentheses are nested more than %d deep", maxDepth)
	}
	p.advance()
	var n *node
	if p.err == nil {
		n = p.chain(loosest, inBracket)
	}
	p.take(tokRightParen)
	p.depth--
	return n
}

// observation reads a bracket or a group, and its qualifiers.
func (p *parser) observation() *node {
	var n *node
	switch p.tok.kind {
	case tokLeftBracket:
		p.advance()
		if n = p.chain(opOr, true); n != nil {
			n.bracket = true
		}
		p.take(tokRightBracket)
	case tokLeftParen:
		n = p.group(opFollowedBy, false)
		if p.err == nil && len(n.qualifiers) > 0 && p.atQualifier() {
			n = &node{kids: []*node{n}}
		}
	default:
		p.fail("expected [ or (")
	}
	for p.err == nil && p.atQualifier() {
		n.qualifiers = append(n.qualifiers, p.qualifier())
	}
	return n
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

func (o operator) token() tokenKind {
	switch o {
	case opAnd:
		return tokAnd
	case opOr:
		return tokOr
	}
	return tokFollowedBy
}
