package pattern

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Options say what counts. The zero value deploys every hash of a pattern, reads no observables and
// excludes nothing.
type Options struct {
	StrongestHash bool // of one file only SHA-256, else SHA-1, else MD5
	Observables   bool // attached observables count too

	// Excluded reports whether a canonical value must never be deployed, and the entry that says so.
	Excluded func(reconcile.Value) (entry string, hit bool)
}

// Result is what a pattern becomes. Values are canonical, without repeats, in order of appearance:
// the pattern's, then those of the observables. Skipped are the branches, values and observables that
// give no rule, in the same order; a value that could not be deployed is named once. Their details are
// one line of at most 200 characters without control characters, and name no indicator. Excluded are the
// values that an exclusion takes away, also by another hash of the same file.
type Result struct {
	Values   []reconcile.Value
	Skipped  []reconcile.Skip
	Excluded []reconcile.Value
}

// Deploy gives the values that a STIX pattern and its attached observables declare bad, each on its
// own. A value is the literal of a positive equality; half of an AND is never deployed, nor the
// inverse of a NOT.
func Deploy(src string, observables []reconcile.Observable, o Options) Result {
	d := deployer{options: o}
	p, err := Parse(src)
	if err != nil {
		d.skip(reconcile.PatternSyntax, "", err.Error())
		return d.result
	}
	d.ban(observables)
	if !o.Observables {
		observables = nil
	}
	d.track = len(observables) > 0
	d.observation(p.root)
	d.attach(p, observables)
	return d.result
}

// deployer collects the result.
type deployer struct {
	options Options
	result  Result
	seen    map[reconcile.Value]struct{} // values deployed, once there are many
	skipped map[skipped]struct{}         // values skipped
	tests   int                          // in the terms of all ANDs that multiply
	track   bool                         // observables follow: files are wanted
	files   []file                       // each file that the pattern deployed by its hashes
	banned  map[string]*ValueError       // hashes of attached files of which another hash is excluded
}

type skipped struct {
	reason reconcile.Reason
	value  reconcile.Value
}

// manyValues is from where on a map finds repeats faster than a walk.
const manyValues = 16

// value deploys a value that may be deployed, and says whether it did.
func (d *deployer) value(v reconcile.Value, err *ValueError, subject func() string) bool {
	if err == nil {
		err = d.excluded(v)
	}
	if err != nil {
		if err.Reason == reconcile.Excluded {
			d.result.Excluded = append(d.result.Excluded, v)
		}
		d.skipValue(v, err, subject())
		return false
	}
	d.add(v)
	return true
}

// excluded is an error that names the entry, nil when the value may be deployed.
func (d *deployer) excluded(v reconcile.Value) *ValueError {
	if d.options.Excluded != nil {
		if entry, hit := d.options.Excluded(v); hit {
			return &ValueError{reconcile.Excluded, "excluded by " + entry}
		}
	}
	if v.Type == Hash {
		return d.banned[v.Value]
	}
	return nil
}

// add deploys a value unless it is there already.
func (d *deployer) add(v reconcile.Value) {
	if len(d.result.Values) >= manyValues && d.seen == nil {
		d.seen = make(map[reconcile.Value]struct{})
		for _, known := range d.result.Values {
			d.seen[known] = struct{}{}
		}
	}
	_, known := d.seen[v]
	if known || d.seen == nil && slices.Contains(d.result.Values, v) {
		return
	}
	if d.seen != nil {
		d.seen[v] = struct{}{}
	}
	d.result.Values = append(d.result.Values, v)
}

// skip records what was not deployed.
func (d *deployer) skip(why reconcile.Reason, subject, cause string) {
	d.result.Skipped = append(d.result.Skipped, reconcile.Skip{Reason: why, Detail: detail(subject, cause)})
}

// skipValue records a value once for each reason, however often pattern and observables name it.
// What has no rule type is no value, and each mention counts.
func (d *deployer) skipValue(v reconcile.Value, err *ValueError, subject string) {
	if err.Reason != reconcile.UnsupportedType && err.Reason != reconcile.UnsupportedHash {
		key := skipped{err.Reason, v}
		if _, known := d.skipped[key]; known {
			return
		}
		if d.skipped == nil {
			d.skipped = make(map[skipped]struct{})
		}
		d.skipped[key] = struct{}{}
	}
	d.skip(err.Reason, subject, err.Msg)
}

// observation judges the branches of an observation OR one by one, and anything else as a whole.
func (d *deployer) observation(o *node) {
	switch {
	case len(o.qualifiers) > 0:
	case o.bracket:
		d.comparison(o)
		return
	case o.op == opOr:
		for _, kid := range o.kids {
			d.observation(kid)
		}
		return
	}
	var f findings
	f.survey(o)
	why := reasonFor(f)
	d.skip(why, subject(o.print), causes[why])
}

// reasonFor gives the first reason, in the fixed order, why what was found cannot be deployed.
func reasonFor(f findings) reconcile.Reason {
	switch {
	case f.temporal:
		return reconcile.PatternTemporal
	case f.negation:
		return reconcile.PatternNegation
	case f.operator:
		return reconcile.PatternOperator
	}
	return reconcile.PatternAnd
}

var causes = map[reconcile.Reason]string{
	reconcile.PatternTemporal: "a rule cannot express order, time or repetition",
	reconcile.PatternNegation: "a negation does not name a bad value",
	reconcile.PatternOperator: "the operator does not name one exact value",
	reconcile.PatternAnd:      "no single value stands for this AND",
	reconcile.TooLong:         "more than 1000 alternatives",
	reconcile.UnsupportedType: "no HarfangLab rule type expresses this",
	reconcile.UnsupportedHash: "HarfangLab rules hold MD5, SHA-1 and SHA-256 only",
}

// comparison judges the branches of a comparison OR one by one, however many they are, and of an AND the terms
// of its disjunctive form, unless these are too many.
func (d *deployer) comparison(c *node) {
	switch c.op {
	case 0:
		a := newAtom(&c.test)
		d.term([]*atom{&a})
		return
	case opOr:
		for _, kid := range c.kids {
			d.comparison(kid)
		}
		return
	}
	ids := make(map[string]int)
	f := newFormula(c, false, ids)
	cause := ""
	switch {
	case f.terms > maxTerms:
		cause = causes[reconcile.TooLong]
	case f.terms > 1:
		if d.tests += f.tests; d.tests > maxTests {
			cause = "its alternatives, with those before, have more than 100000 comparisons"
		}
	}
	if cause != "" {
		bare := *c
		bare.bracket = false
		d.skip(reconcile.TooLong, subject(bare.print), cause)
		return
	}
	var atoms []*atom
	last := make([]int, len(ids)) // by id: the last term that held the atom, from 1
	for n := range f.terms {
		atoms = distinct(f.term(n, atoms[:0]), last, n+1)
		d.term(atoms)
	}
}

// distinct drops atoms that the term has already.
func distinct(atoms []*atom, last []int, term int) []*atom {
	kept := atoms[:0]
	for _, a := range atoms {
		if last[a.id] != term {
			last[a.id] = term
			kept = append(kept, a)
		}
	}
	return kept
}

// term judges one conjunction of distinct atoms.
func (d *deployer) term(atoms []*atom) {
	var f findings
	for _, a := range atoms {
		f.negation = f.negation || a.verdict == negated
		f.operator = f.operator || a.verdict == unequal
	}
	switch {
	case f.negation || f.operator:
		d.skipTerm(reasonFor(f), atoms)
	case len(atoms) > 1:
		d.conjunction(atoms)
	case len(atoms[0].literals) == 0:
		d.skip(reconcile.InvalidValue, atoms[0].String(), "the set is empty")
	default:
		for i := range atoms[0].literals {
			d.single(atoms[0], i)
		}
	}
}

func (d *deployer) skipTerm(why reconcile.Reason, atoms []*atom) {
	d.skip(why, termSubject(atoms), causes[why])
}

// termSubject prints a term as far as a detail can show it.
func termSubject(atoms []*atom) string {
	var b strings.Builder
	for i, a := range atoms {
		if i > 0 {
			b.WriteString(" AND ")
		}
		if b.Len() > maxDetail*utf8.UTFMax {
			break
		}
		b.WriteString(a.String())
	}
	return b.String()
}

// single judges one literal of an equality that stands alone.
func (d *deployer) single(a *atom, i int) {
	v, err := a.value(a.literals[i])
	deployed := d.value(v, err, func() string {
		one := *a
		one.literals = a.literals[i : i+1]
		return one.String()
	})
	if deployed && d.track && a.meaning == hashPath {
		var f file
		f[a.algorithm] = v.Value
		d.files = append(d.files, f)
	}
}
