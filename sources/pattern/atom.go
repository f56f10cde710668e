package pattern

import "strings"

// What multiplies may come from anybody, so it is counted before it is built: maxTerms bounds the terms in the
// disjunctive form of one AND, maxTests the comparisons of all such terms of a pattern, and maxForm the bytes of all
// terms that are to be held at once. What does not multiply has no bound.
const (
	maxTerms = 1000
	maxTests = 100_000
	maxForm  = 1 << 18
)

// verdict says whether a test, taken alone, names values.
type verdict uint8

const (
	equal   verdict = iota // =, IN, LIKE without a wildcard
	subset                 // ISSUBSET on an address
	negated                // NOT, !=
	unequal                // any other operator
)

// atom is a test as the rules see it: what its path means and what its operator allows. An IN that
// stands in an AND is cut into atoms of one literal.
type atom struct {
	test      *test
	literals  []literal
	id        int    // equal atoms of an AND share one; set below an AND only
	text      string // printed; set below an AND only
	meaning   meaning
	algorithm algorithm
	verdict   verdict
}

func newAtom(t *test) atom {
	a := atom{test: t, literals: t.literals}
	a.meaning, a.algorithm = t.path.meaning()
	switch {
	case t.negated, t.op == tokNotEqual:
		a.verdict = negated
	case t.op == tokEqual, t.op == tokIn:
		a.verdict = equal
	case t.op == tokLike && !strings.ContainsAny(t.literals[0].text, "%_"):
		a.verdict = equal
	case t.op == tokIsSubset && a.meaning.mayBeNetwork():
		a.verdict = subset
	default:
		a.verdict = unequal
	}
	return a
}

// mayBeNetwork reports whether ISSUBSET has a meaning for the path. For a path that has no rule type
// it is left to that fact.
func (m meaning) mayBeNetwork() bool {
	return m == addressPath || m == sourcePath || m == destPath || m == otherPath
}

// String prints the atom as the test it stands for.
func (a *atom) String() string {
	if a.text != "" {
		return a.text
	}
	if a.verdict != equal || len(a.literals) != 1 {
		return subject(a.test.print)
	}
	one := test{path: a.test.path, op: tokEqual, literals: a.literals}
	return subject(one.print)
}

// extent is how large a disjunctive form is: its terms, the comparisons of all of them, and the bytes of these. One
// more than the most stands for more.
type extent struct{ terms, tests, size int }

func (e extent) atMost() extent {
	return extent{min(e.terms, maxTerms+1), min(e.tests, maxTests+1), min(e.size, maxForm+1)}
}

func (e extent) or(o extent) extent {
	return extent{e.terms + o.terms, e.tests + o.tests, e.size + o.size}.atMost()
}

func (e extent) and(o extent) extent {
	return extent{e.terms * o.terms, e.tests*o.terms + o.tests*e.terms, e.size*o.terms + o.size*e.terms}.atMost()
}

// extent is that of an atom alone: what it says, with what surrounds it and each of its literals.
func (a *atom) extent() extent {
	const around, each = 64, 16
	size := around + len(a.test.path.object)
	for _, s := range a.test.path.steps {
		size += len(s.text)
	}
	for _, l := range a.literals {
		size += each + len(l.text)
	}
	return extent{1, 1, size}.atMost()
}

// formula is a comparison that knows how large its disjunctive form is, and can give each term of it
// alone, so that the form itself is never held in memory.
type formula struct {
	extent
	op   operator
	kids []formula
	atom atom
}

// newFormula counts. Inside an AND an IN counts once for each of its values; alone it is one term with
// several values.
func newFormula(c *node, inAnd bool, ids map[string]int) formula {
	if c.op == 0 {
		return leaf(newAtom(&c.test), inAnd, ids)
	}
	f := formula{op: c.op, kids: make([]formula, len(c.kids))}
	if c.op == opAnd {
		f.terms = 1
	}
	for i, kid := range c.kids {
		f.kids[i] = newFormula(kid, inAnd || c.op == opAnd, ids)
		if c.op == opAnd {
			f.extent = f.and(f.kids[i].extent)
		} else {
			f.extent = f.or(f.kids[i].extent)
		}
	}
	return f
}

func leaf(a atom, inAnd bool, ids map[string]int) formula {
	if !inAnd {
		return formula{atom: a, extent: a.extent()}
	}
	if a.verdict != equal || len(a.literals) < 2 {
		a.number(ids)
		return formula{atom: a, extent: a.extent()}
	}
	f := formula{op: opOr}
	if len(a.literals) > maxTerms {
		f.terms = maxTerms + 1
		return f // never asked for its terms
	}
	for i := range a.literals {
		one := a
		one.literals = a.literals[i : i+1]
		one.number(ids)
		f.kids = append(f.kids, formula{atom: one, extent: one.extent()})
		f.extent = f.or(one.extent())
	}
	return f
}

// number sets the text of an atom, and the id that belongs to that text.
func (a *atom) number(ids map[string]int) {
	a.text = a.String()
	id, known := ids[a.text]
	if !known {
		id = len(ids)
		ids[a.text] = id
	}
	a.id = id
}

// term appends term n, counted from 0, to the atoms given. The first of several ANDed comparisons
// changes slowest.
func (f *formula) term(n int, to []*atom) []*atom {
	switch {
	case len(f.kids) == 0:
		return append(to, &f.atom)
	case f.op == opOr:
		for i := range f.kids {
			kid := &f.kids[i]
			if n < kid.terms {
				return kid.term(n, to)
			}
			n -= kid.terms
		}
		return to
	}
	below := f.terms
	for i := range f.kids {
		kid := &f.kids[i]
		below /= kid.terms
		to = kid.term(n/below, to)
		n %= below
	}
	return to
}
