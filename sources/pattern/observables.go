package pattern

import (
	"maps"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// findings are the traits of a pattern that decide what its observables may add.
type findings struct {
	temporal bool // qualifiers, FOLLOWEDBY
	negation bool // NOT, !=
	operator bool // anything but =, IN and LIKE without a wildcard
	and      bool // of comparisons or observations
	subset   bool // ISSUBSET; deployable, yet more than an equality
	fileName bool // file:name is compared
}

// survey looks at every part of a pattern.
func (f *findings) survey(n *node) {
	f.temporal = f.temporal || len(n.qualifiers) > 0 || n.op == opFollowedBy
	f.and = f.and || n.op == opAnd
	for _, kid := range n.kids {
		f.survey(kid)
	}
	if len(n.kids) > 0 {
		return
	}
	a := newAtom(&n.test)
	f.negation = f.negation || a.verdict == negated
	f.operator = f.operator || a.verdict == unequal
	f.subset = f.subset || a.verdict == subset
	f.fileName = f.fileName || a.meaning == fileNamePath
}

func surveyOf(p *Pattern) (f findings) {
	f.survey(p.root)
	return f
}

// closed says that no observable may add anything: the pattern holds more than equalities.
func (f *findings) closed() bool { return f.temporal || f.negation || f.operator || f.subset }

// MayGive says whether an observable may add a value of a type to those of a pattern, as Deploy does.
func MayGive(src, typ string) bool {
	p, err := Parse(src)
	if err != nil {
		return false
	}
	switch f := surveyOf(p); {
	case f.closed():
		return false
	case f.and:
		return typ == Hash
	case typ == FileName, typ == FilePath:
		return f.fileName
	}
	return slices.Contains([]string{Hash, DomainName, BothIP, URL}, typ)
}

// attach deploys what the observables say beyond the pattern, and never more than the pattern means:
// nothing if it holds more than equalities; with an AND only further hashes of a file that the
// pattern itself deployed; else every value.
func (d *deployer) attach(p *Pattern, observables []reconcile.Observable) {
	if len(observables) == 0 {
		return
	}
	found := surveyOf(p)
	if found.closed() {
		return
	}
	known := slices.Clip(d.files) // only files of the pattern, not of other observables
	said := make(literals)
	said.gather(p.root)
	for i := range observables {
		o := &observables[i]
		switch {
		case found.and:
			d.furtherHashes(o, known)
		case !said.has(o):
			d.observable(o, found.fileName)
		}
	}
}

// ban notes the hashes of attached files of which one is excluded: another would block that file just the same.
func (d *deployer) ban(observables []reconcile.Observable) {
	if d.options.Excluded == nil {
		return
	}
	for i := range observables {
		if !isFile(&observables[i]) {
			continue
		}
		_, hashes, _ := readHashes(&observables[i])
		for _, v := range hashes {
			err := d.excluded(v)
			if err == nil {
				continue
			}
			if d.banned == nil {
				d.banned = map[string]*ValueError{}
			}
			for _, other := range hashes {
				d.banned[other.Value] = err
			}
			break
		}
	}
}

// furtherHashes deploys the hashes of an observable that is one of the known files.
func (d *deployer) furtherHashes(o *reconcile.Observable, known []file) {
	if !isFile(o) {
		return
	}
	f, hashes, _ := readHashes(o)
	if slices.ContainsFunc(known, func(k file) bool { return k.same(&f) }) {
		d.file(f, hashes, func() string { return observableSubject(o, "") })
	}
}

func isFile(o *reconcile.Observable) bool { return o.Type == "StixFile" || o.Type == "Artifact" }

// observable deploys every value of one observable. Its types are OpenCTI's entity types (contract
// opencti-api 2.4).
func (d *deployer) observable(o *reconcile.Observable, names bool) {
	switch o.Type {
	case "StixFile", "Artifact":
		d.fileObservable(o, names)
	case "Domain-Name", "Hostname":
		v, err := hostValue(o.Value, BothIP)
		d.observed(o, v, err)
	case "IPv4-Addr", "IPv6-Addr":
		v, err := canonicalOf(reconcile.Value{Type: BothIP, Value: o.Value})
		d.observed(o, v, err)
	case "Url":
		v, err := canonicalOf(reconcile.Value{Type: URL, Value: o.Value})
		d.observed(o, v, err)
	default:
		d.skip(reconcile.UnsupportedType, observableSubject(o, o.Value), causes[reconcile.UnsupportedType])
	}
}

func (d *deployer) observed(o *reconcile.Observable, v reconcile.Value, err *ValueError) {
	d.value(v, err, func() string { return observableSubject(o, v.Value) })
}

// fileObservable deploys the hashes of a file, or its name if it has none at all. Hashes of other
// algorithms are a skip only where the file has nothing better: most files carry some.
func (d *deployer) fileObservable(o *reconcile.Observable, names bool) {
	f, hashes, rest := readHashes(o)
	if len(hashes) == 0 && len(rest) == 0 {
		if names && o.Type == "StixFile" && strings.TrimSpace(o.Name) != "" {
			v, err := fileValue(o.Name)
			d.observed(o, v, err)
		}
		return
	}
	unsupported := false
	for _, r := range rest {
		if r.err.Reason == reconcile.UnsupportedHash {
			unsupported = true
			continue
		}
		d.skipValue(r.value, r.err, observableSubject(o, r.value.Value))
	}
	if unsupported && len(hashes) == 0 {
		d.skip(reconcile.UnsupportedHash, observableSubject(o, o.Name), causes[reconcile.UnsupportedHash])
	}
	d.file(f, hashes, func() string { return observableSubject(o, "") })
}

// refused is a hash that gives no rule.
type refused struct {
	value reconcile.Value
	err   *ValueError
}

// readHashes gives the hashes of an observable, MD5 first, and those that give no rule.
func readHashes(o *reconcile.Observable) (f file, hashes []reconcile.Value, rest []refused) {
	for _, name := range slices.Sorted(maps.Keys(o.Hashes)) {
		text := o.Hashes[name]
		if strings.TrimSpace(text) == "" {
			continue
		}
		alg := parseAlgorithm(name)
		v, err := hashValue(alg, literal{tokString, text})
		if err == nil && f[alg] != "" && f[alg] != v.Value {
			err = invalid("the file has another " + alg.String() + " as well")
		}
		if err != nil {
			rest = append(rest, refused{v, err})
			continue
		}
		f[alg] = v.Value
	}
	for _, hash := range f {
		if hash != "" {
			hashes = append(hashes, reconcile.Value{Type: Hash, Value: hash})
		}
	}
	return f, hashes, rest
}

// observableSubject names an observable in a detail.
func observableSubject(o *reconcile.Observable, value string) string {
	name := "observable " + o.Type
	for _, s := range []string{value, o.Value, o.Name, o.ID} {
		if s != "" {
			return name + " " + s
		}
	}
	return name
}
