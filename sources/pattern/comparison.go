package pattern

// comparison reads one test, or a group in parentheses.
func (p *parser) comparison() *node {
	if p.tok.kind == tokLeftParen {
		return p.group(opOr, true)
	}
	n := &p.pattern.first.node
	if n.test.path.object != "" {
		n = new(node)
	}
	p.test(&n.test)
	return n
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
	if f := &p.pattern.first; f.steps[0].text == "" && &f.node.test.path == to {
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
