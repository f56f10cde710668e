package pattern

import (
	"hash/fnv"
	"io"
	"slices"
	"strings"
)

// Comparison is one test of a term. Op is =, LIKE, MATCHES, ISSUBSET, <, <=, > or >=; != and NOT are Negated.
// IN is = with several values, of which one has to hold.
type Comparison struct {
	Object  string
	Path    string // such as parent_ref.name, hashes.MD5 or values[*].data
	Negated bool
	Op      string
	Values  []string
}

var termOps = map[tokenKind]string{
	tokEqual: "=", tokNotEqual: "=", tokIn: "=", tokLike: "LIKE", tokMatches: "MATCHES", tokIsSubset: "ISSUBSET",
	tokLess: "<", tokLessEqual: "<=", tokGreater: ">", tokGreaterEqual: ">=",
}

// Terms is a pattern in disjunctive form: it holds of what one event shows if all comparisons of one term
// do. ok is false for a pattern that joins several observations by anything but OR, has a qualifier, tests
// with EXISTS or ISSUPERSET, that asks in one term for two items of a list by their numbers, or has more than 1000 terms or 256 KiB of them.
func Terms(src string) (terms [][]Comparison, ok bool) {
	p, err := Parse(src)
	if err != nil {
		return nil, false
	}
	var f form
	ok = f.add(p.root)
	return f.terms, ok
}

// form is a disjunctive form as far as it is built.
type form struct {
	terms [][]Comparison
	size  int
}

func (to *form) add(o *node) (ok bool) {
	switch {
	case len(o.qualifiers) > 0:
		return false
	case !o.bracket:
		return o.op == opOr && !slices.ContainsFunc(o.kids, func(kid *node) bool { return !to.add(kid) })
	}
	f := newFormula(o, false, map[string]int{})
	if to.size += f.size; len(to.terms)+f.terms > maxTerms || to.size > maxForm {
		return false
	}
	for n := range f.terms {
		var term []Comparison
		items := map[uint64]string{}
		for _, a := range f.term(n, nil) {
			op, known := termOps[a.test.op]
			if !known || len(a.literals) == 0 || !a.test.path.among(items) {
				return false
			}
			c := Comparison{Object: a.test.path.object, Path: a.test.path.text(), Negated: a.test.negated != (a.test.op == tokNotEqual), Op: op}
			for _, l := range a.literals {
				c.Values = append(c.Values, l.text)
			}
			term = append(term, c)
		}
		to.terms = append(to.terms, term)
	}
	return true
}

// among says whether a path speaks of the same items of a list as the paths of items, by the digest of the list, and notes it
// there.
func (p *path) among(items map[uint64]string) bool {
	list := fnv.New64a()
	_, _ = io.WriteString(list, p.object) // a hash never fails
	for _, s := range p.steps {
		if !s.index {
			_, _ = io.WriteString(list, "."+s.text)
			continue
		}
		if s.text != "*" {
			at := list.Sum64()
			if other := items[at]; other != "" && other != s.text {
				return false
			}
			items[at] = s.text
		}
		_, _ = io.WriteString(list, "[]")
	}
	return true
}

// text is a path without its object; every index is *.
func (p *path) text() string {
	var b strings.Builder
	for i, s := range p.steps {
		switch {
		case s.index:
			b.WriteString("[*]")
			continue
		case i > 0:
			b.WriteByte('.')
		}
		b.WriteString(s.text)
	}
	return b.String()
}
