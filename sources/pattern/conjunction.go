package pattern

import "github.com/harfangsync/harfangsync/reconcile"

// file is what is known of one file: its hash for each algorithm, "" where unknown.
type file [algorithms]string

// conjunction judges two or more distinct positive tests under AND. Three forms name a value: hashes
// of one file (with anything else said of the same object), a name in a directory, and a
// network-traffic end with its type. The rest is pattern_and.
func (d *deployer) conjunction(atoms []*atom) {
	for _, a := range atoms {
		if len(a.literals) == 0 {
			d.skip(reconcile.InvalidValue, termSubject(atoms), "a set is empty")
			return
		}
	}
	if hashes := hashesOf(atoms); hashes != nil {
		d.hashes(atoms, hashes)
		return
	}
	var v reconcile.Value
	var err *ValueError
	first, second := atoms[0], atoms[1]
	if first.meaning > second.meaning {
		first, second = second, first
	}
	switch {
	case len(atoms) > 2:
		d.skipTerm(reconcile.PatternAnd, atoms)
		return
	case first.meaning == fileNamePath && second.meaning == directoryPath:
		v, err = directoryAndName(second.literals[0], first.literals[0])
	case first.meaning == sourcePath && second.meaning == sourceType:
		v, err = first.typed(SourceIP, second.literals[0])
	case first.meaning == destPath && second.meaning == destType:
		v, err = first.typed(DestIP, second.literals[0])
	default:
		d.skipTerm(reconcile.PatternAnd, atoms)
		return
	}
	d.value(v, err, func() string { return termSubject(atoms) })
}

func directoryAndName(dir, name literal) (reconcile.Value, *ValueError) {
	if dir.kind != tokString || name.kind != tokString {
		return reconcile.Value{Type: FilePath, Value: name.text}, invalid("names and directories are compared with strings only")
	}
	return pathValue(dir.text, name.text)
}

// typed gives the rule for the value of a network-traffic end whose type is given.
func (a *atom) typed(address string, typ literal) (reconcile.Value, *ValueError) {
	lit := a.literals[0]
	v := reconcile.Value{Type: address, Value: lit.text}
	if typ.kind != tokString || lit.kind != tokString {
		return v, invalid("types and values are compared with strings only")
	}
	switch typ.text {
	case "ipv4-addr", "ipv6-addr":
	case "domain-name", "hostname", "x-opencti-hostname":
		if a.verdict == subset {
			return v, refuse(reconcile.PatternOperator)
		}
		return hostValue(lit.text, address)
	default:
		return v, refuse(reconcile.UnsupportedType)
	}
	return canonicalOf(v)
}

// hashesOf gives the hash tests of a conjunction that identifies one file, nil for any other: all
// tests are equalities on one file or artifact or on the image of one process, and no algorithm has two
// values. A command line or a user is no property of the image: of such an AND the hash is one half.
func hashesOf(atoms []*atom) []*atom {
	var hashes []*atom
	texts := make(map[string]string) // by algorithm
	for _, a := range atoms {
		if p := &a.test.path; a.verdict != equal || p.object != atoms[0].test.path.object || p.object == "process" && !p.begins("image_ref") {
			return nil
		}
		if a.meaning != hashPath {
			continue
		}
		name, text := a.algorithmName(), a.hashText()
		if other, known := texts[name]; known && other != text {
			return nil
		}
		texts[name] = text
		hashes = append(hashes, a)
	}
	return hashes
}

func (a *atom) algorithmName() string {
	return foldAlgorithm(a.test.path.steps[len(a.test.path.steps)-1].text)
}

func (a *atom) hashText() string {
	v, _ := hashValue(a.algorithm, a.literals[0])
	return v.Value
}

// hashes deploys a file known by several hashes. Hashes that no rule can hold are skips of their
// own; the others identify the file without them. If one hash is excluded the file is, since its
// other hashes would block it just the same.
func (d *deployer) hashes(atoms, hashes []*atom) {
	var f file
	var good []reconcile.Value
	for _, h := range hashes {
		v, err := hashValue(h.algorithm, h.literals[0])
		if err != nil {
			d.skipValue(v, err, h.String())
			continue
		}
		f[h.algorithm] = v.Value
		good = append(good, v)
	}
	if d.file(f, good, func() string { return termSubject(atoms) }) && d.track {
		d.files = append(d.files, f)
	}
}

// file deploys the hashes of one file, or the strongest of them, and reports whether it did.
func (d *deployer) file(f file, hashes []reconcile.Value, subject func() string) bool {
	for _, v := range hashes {
		if err := d.excluded(v); err != nil {
			d.result.Excluded = append(d.result.Excluded, hashes...)
			d.skipValue(v, err, subject())
			return false
		}
	}
	for _, v := range hashes {
		if !d.options.StrongestHash || v.Value == f.strongest() {
			d.add(v)
		}
	}
	return len(hashes) > 0
}

func (f *file) strongest() string {
	for alg := sha256; alg > otherHash; alg-- {
		if f[alg] != "" {
			return f[alg]
		}
	}
	return ""
}

// same reports whether both share a hash and contradict each other in none.
func (f *file) same(g *file) bool {
	shared := false
	for alg := range f {
		if f[alg] == "" || g[alg] == "" {
			continue
		}
		if f[alg] != g[alg] {
			return false
		}
		shared = true
	}
	return shared
}
