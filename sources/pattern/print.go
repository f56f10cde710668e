package pattern

import "strings"

// String prints the pattern in normal form: one space around operators, "=" and "!=" for their
// other spellings, quotes only around properties that need them, no parentheses that change
// nothing, no comments. Parsing the result gives an equal pattern.
func (p *Pattern) String() string {
	var b strings.Builder
	p.root.print(&b)
	return b.String()
}

func (o *observation) print(b *strings.Builder) {
	if o.comparison != nil {
		b.WriteByte('[')
		o.comparison.print(b)
		b.WriteByte(']')
	} else {
		group := len(o.qualifiers) > 0
		if group {
			b.WriteByte('(')
		}
		for i, kid := range o.kids {
			if i > 0 {
				b.WriteString(" " + spelling[o.op.token()] + " ")
			}
			// A kid that binds less tightly needs parentheses; one with qualifiers prints its own.
			loose := kid.op != 0 && kid.op < o.op && len(kid.qualifiers) == 0
			parens(b, loose, kid.print)
		}
		if group {
			b.WriteByte(')')
		}
	}
	for _, q := range o.qualifiers {
		b.WriteByte(' ')
		q.print(b)
	}
}

func (q qualifier) print(b *strings.Builder) {
	switch q.kind {
	case tokWithin:
		b.WriteString("WITHIN " + q.a + " SECONDS")
	case tokRepeats:
		b.WriteString("REPEATS " + q.a + " TIMES")
	case tokStart:
		b.WriteString("START t'" + q.a + "' STOP t'" + q.b + "'")
	}
}

func (c *comparison) print(b *strings.Builder) {
	if c.op == 0 {
		c.test.print(b)
		return
	}
	for i, kid := range c.kids {
		if i > 0 {
			b.WriteString(" " + spelling[c.op.token()] + " ")
		}
		parens(b, kid.op != 0 && kid.op < c.op, kid.print)
	}
}

func parens(b *strings.Builder, on bool, print func(*strings.Builder)) {
	if on {
		b.WriteByte('(')
	}
	print(b)
	if on {
		b.WriteByte(')')
	}
}

func (t *test) print(b *strings.Builder) {
	if t.op == tokExists {
		if t.negated {
			b.WriteString("NOT ")
		}
		b.WriteString("EXISTS ")
		t.path.print(b)
		return
	}
	t.path.print(b)
	if t.negated {
		b.WriteString(" NOT")
	}
	b.WriteString(" " + spelling[t.op] + " ")
	if t.op != tokIn {
		t.literals[0].print(b)
		return
	}
	b.WriteByte('(')
	for i, lit := range t.literals {
		if i > 0 {
			b.WriteString(", ")
		}
		lit.print(b)
	}
	b.WriteByte(')')
}

func (p *path) print(b *strings.Builder) {
	b.WriteString(p.object)
	for i, s := range p.steps {
		switch {
		case s.index:
			b.WriteString("[" + s.text + "]")
			continue
		case i == 0:
			b.WriteByte(':')
		default:
			b.WriteByte('.')
		}
		if isPlainName(s.text) {
			b.WriteString(s.text)
		} else {
			printString(b, s.text)
		}
	}
}

// isPlainName reports whether a property may stand without quotes.
func isPlainName(s string) bool {
	if s == "" || !isNameStart(s[0]) {
		return false
	}
	for i := range len(s) {
		if !isNameStart(s[i]) && !isDigit(s[i]) {
			return false
		}
	}
	_, reserved := keyword(s)
	return !reserved
}

func (l literal) print(b *strings.Builder) {
	switch l.kind {
	case tokString:
		printString(b, l.text)
	case tokHex:
		b.WriteString("h'" + l.text + "'")
	case tokBinary:
		b.WriteString("b'" + l.text + "'")
	case tokTimestamp:
		b.WriteString("t'" + l.text + "'")
	default:
		b.WriteString(l.text)
	}
}

func printString(b *strings.Builder, s string) {
	b.WriteByte('\'')
	for i := range len(s) {
		if s[i] == '\'' || s[i] == '\\' {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	b.WriteByte('\'')
}
