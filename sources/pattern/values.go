package pattern

import (
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
)

// value gives the rule for one literal. With an error it still says, as well as it can, which value
// was meant.
func (a *atom) value(lit literal) (reconcile.Value, *ValueError) {
	as := reconcile.Value{Type: a.test.path.object, Value: lit.text}
	switch a.meaning {
	case otherPath, sourceType, destType, directoryPath:
		return as, refuse(reconcile.UnsupportedType)
	case hashPath:
		return hashValue(a.algorithm, lit)
	}
	if lit.kind != tokString {
		return as, invalid("the path is compared with a string only")
	}
	switch a.meaning {
	case addressPath:
		as.Type = BothIP
	case sourcePath:
		as.Type = a.endpoint(SourceIP, lit.text)
	case destPath:
		as.Type = a.endpoint(DestIP, lit.text)
	case domainPath:
		return hostValue(lit.text, BothIP)
	case urlPath:
		as.Type = URL
	case fileNamePath:
		return fileValue(lit.text)
	}
	return canonicalOf(as)
}

func refuse(why reconcile.Reason) *ValueError { return &ValueError{why, causes[why]} }

// endpoint gives the type of a network-traffic end by the form of its value.
func (a *atom) endpoint(address, value string) string {
	if a.verdict == subset || looksLikeAddress(value) {
		return address
	}
	return DomainName
}

// hostValue gives the rule for a domain or host name; one that is an address gives the address, as the
// type that is named.
func hostValue(name, address string) (reconcile.Value, *ValueError) {
	v, err := canonicalOf(reconcile.Value{Type: DomainName, Value: name})
	for _, text := range []string{strings.TrimRight(strings.TrimSpace(name), "."), v.Value} { // full-width digits are digits once mapped
		if looksLikeAddress(text) && !strings.Contains(text, "/") {
			if _, ok := ParseAddress(text); ok {
				return canonicalOf(reconcile.Value{Type: address, Value: text})
			}
		}
	}
	return v, err
}

// canonicalOf gives a value in canonical form, or as it is with an error.
func canonicalOf(v reconcile.Value) (reconcile.Value, *ValueError) {
	text, err := canonical(v.Type, v.Value)
	if err != nil {
		return reconcile.Value{Type: v.Type, Value: strings.TrimSpace(v.Value)}, err
	}
	return reconcile.Value{Type: v.Type, Value: text}, nil
}

// hashValue judges a hash. A hex literal is the same as its digits in a string.
func hashValue(alg algorithm, lit literal) (reconcile.Value, *ValueError) {
	as := reconcile.Value{Type: Hash, Value: strings.ToLower(strings.TrimSpace(lit.text))}
	switch {
	case alg == otherHash:
		return as, refuse(reconcile.UnsupportedHash)
	case lit.kind != tokString && lit.kind != tokHex:
		return as, invalid("a hash is compared with a string only")
	}
	v, err := canonicalOf(as)
	if err == nil && len(v.Value) != alg.length() {
		err = invalid("the hash has not the length of " + alg.String())
	}
	return v, err
}

// fileValue gives the rule for a file name: an absolute path is a path; any other name with a
// separator is neither.
func fileValue(name string) (reconcile.Value, *ValueError) {
	name = strings.TrimSpace(name)
	if isAbsolute(name) {
		return canonicalOf(reconcile.Value{Type: FilePath, Value: name})
	}
	v, err := canonicalOf(reconcile.Value{Type: FileName, Value: name})
	if err == nil && strings.ContainsAny(name, `/\`) {
		err = invalid("a file name with a separator is neither a name nor an absolute path")
	}
	return v, err
}

// isAbsolute knows /usr/bin/x, \\server\share\x, C:\x and C:/x.
func isAbsolute(s string) bool {
	if strings.HasPrefix(s, "/") || strings.HasPrefix(s, `\\`) {
		return true
	}
	return len(s) > 2 && s[0] != '_' && isNameStart(s[0]) && s[1] == ':' && (s[2] == '\\' || s[2] == '/')
}

// pathValue joins a directory and a name.
func pathValue(dir, name string) (reconcile.Value, *ValueError) {
	dir, name = strings.TrimSpace(dir), strings.TrimSpace(name)
	as := reconcile.Value{Type: FilePath, Value: dir + `\` + name}
	if dir == "" || name == "" {
		return as, invalid("the directory or the name is empty")
	}
	if strings.ContainsAny(name, `/\`) {
		return as, invalid("a name in a directory holds no separator")
	}
	separator, ends := `\`, `\/`
	if dir[0] == '/' {
		separator, ends = "/", "/"
	}
	if strings.IndexByte(ends, dir[len(dir)-1]) >= 0 {
		separator = ""
	}
	as.Value = dir + separator + name
	return canonicalOf(as)
}
