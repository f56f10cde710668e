package pattern

import "strings"

// print writes a node in normal form: one space around operators, "=" and "!=" for their other spellings,
// quotes only around properties that need them, no parentheses that change nothing, no comments.
func (n *node) print(b *strings.Builder) {
	switch {
	case n.bracket:
		b.WriteByte('[')
	case len(n.qualifiers) > 0:
		b.WriteByte('(')
	}
	if len(n.kids) == 0 {
		n.test.print(b)
	}
	for i, kid := range n.kids {
		if i > 0 {
			b.WriteString(" " + spelling[n.op.token()] + " ")
		}
		// A kid that binds less tightly needs parentheses; brackets and qualifiers print their own.
		if kid.op != 0 && kid.op < n.op && !kid.bracket && len(kid.qualifiers) == 0 {
			b.WriteByte('(')
			kid.print(b)
			b.WriteByte(')')
		} else {
			kid.print(b)
		}
	}
	switch {
	case n.bracket:
		b.WriteByte(']')
	case len(n.qualifiers) > 0:
		b.WriteByte(')')
	}
	for _, q := range n.qualifiers {
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
	l := lexer{src: s}
	t, err := l.name()
	return err == nil && t.kind == tokName && l.pos == len(s)
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

var escape = strings.NewReplacer(`'`, `\'`, `\`, `\\`)

func printString(b *strings.Builder, s string) {
	b.WriteByte('\'')
	_, _ = escape.WriteString(b, s)
	b.WriteByte('\'')
}
