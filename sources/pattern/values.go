package pattern

import (
	"strings"

	"harfangsync/reconcile"
)

// value gives the rule for one literal. With an error it still says, as well as it can, which value
// was meant.
func (a *atom) value(lit literal) (Value, *ValueError) {
	as := Value{a.test.path.object, lit.text}
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
		as.Type = DomainName
	case urlPath:
		as.Type = URL
	case fileNamePath:
		return fileValue(lit.text)
	}
	return as.canonical()
}

func refuse(why reconcile.Reason) *ValueError { return &ValueError{why, causes[why]} }

// endpoint gives the type of a network-traffic end by the form of its value.
func (a *atom) endpoint(address, value string) string {
	if a.verdict == subset || looksLikeAddress(value) {
		return address
	}
	return DomainName
}

// canonical gives the value in canonical form, or as it is with an error.
func (v Value) canonical() (Value, *ValueError) {
	text, err := canonical(v.Type, v.Value)
	if err != nil {
		return Value{v.Type, strings.TrimSpace(v.Value)}, err
	}
	return Value{v.Type, text}, nil
}

// hashValue judges a hash. A hex literal is the same as its digits in a string.
func hashValue(alg algorithm, lit literal) (Value, *ValueError) {
	as := Value{Hash, strings.ToLower(strings.TrimSpace(lit.text))}
	switch {
	case alg == otherHash:
		return as, refuse(reconcile.UnsupportedHash)
	case lit.kind != tokString && lit.kind != tokHex:
		return as, invalid("a hash is compared with a string only")
	}
	v, err := as.canonical()
	if err == nil && len(v.Value) != alg.length() {
		err = invalid("the hash has not the length of " + alg.String())
	}
	return v, err
}

// fileValue gives the rule for a file name: an absolute path is a path; any other name with a
// separator is neither.
func fileValue(name string) (Value, *ValueError) {
	name = strings.TrimSpace(name)
	if isAbsolute(name) {
		return Value{FilePath, name}.canonical()
	}
	v, err := Value{FileName, name}.canonical()
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
func pathValue(dir, name string) (Value, *ValueError) {
	dir, name = strings.TrimSpace(dir), strings.TrimSpace(name)
	as := Value{FilePath, dir + `\` + name}
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
	return as.canonical()
}
