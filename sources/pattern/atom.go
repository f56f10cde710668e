package pattern

import "strings"

// maxTerms bounds the disjunctive form of one AND, which multiplies, and maxTermsOfAll those of a whole pattern,
// which may come from anybody. They are counted before they are built. What does not multiply has no bound.
const (
	maxTerms      = 1000
	maxTermsOfAll = 100 * maxTerms
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

// formula is a comparison that knows how many terms its disjunctive form has, and can give each of
// them alone, so that the form itself is never held in memory.
type formula struct {
	op    operator
	kids  []formula
	atom  atom
	terms int // at most maxTerms+1, which stands for more
}

// newFormula counts terms. Inside an AND an IN counts once for each of its values; alone it is one
// term with several values.
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
			f.terms = min(f.terms*f.kids[i].terms, maxTerms+1)
		} else {
			f.terms = min(f.terms+f.kids[i].terms, maxTerms+1)
		}
	}
	return f
}

func leaf(a atom, inAnd bool, ids map[string]int) formula {
	if !inAnd {
		return formula{atom: a, terms: 1}
	}
	if a.verdict != equal || len(a.literals) < 2 {
		a.number(ids)
		return formula{atom: a, terms: 1}
	}
	f := formula{op: opOr, terms: min(len(a.literals), maxTerms+1)}
	if f.terms > maxTerms {
		return f // never asked for its terms
	}
	for i := range a.literals {
		one := a
		one.literals = a.literals[i : i+1]
		one.number(ids)
		f.kids = append(f.kids, formula{atom: one, terms: 1})
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
