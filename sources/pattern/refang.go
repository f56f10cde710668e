package pattern

import (
	"regexp"
	"strings"
	"unicode"

	"github.com/harfangsync/harfangsync/reconcile"
)

// Refang gives a value back what people take from it so that nobody opens it by mistake: hxxp for http, and brackets
// around dots and colons. Of a URL only what comes before its path is changed: brackets are common behind. It is for
// what a person types, and never for what a pattern says.
func Refang(s string) string {
	s = strings.TrimSpace(s)
	if m := scheme.FindStringSubmatch(s); m != nil {
		s = "http" + strings.ToLower(m[1]) + "://" + s[len(m[0]):]
	}
	host, marks := 0, `/?#\`
	if i := strings.IndexAny(s, marks); i > 0 && strings.HasPrefix(s[i-1:], "://") {
		host = i + len("//")
	}
	end := len(s)
	if i := strings.IndexAny(s[host:], marks); i >= 0 {
		end = host + i
	}
	return s[:host] + unbracket.Replace(s[host:end]) + s[end:]
}

var (
	scheme    = regexp.MustCompile(`(?i)^h(?:xx|\*\*|tt)p(s?)(?:\[:\]//|\[://\]|\[:\]\\\\|://)`)
	unbracket = strings.NewReplacer("[.]", ".", "(.)", ".", "{.}", ".", "[dot]", ".", "(dot)", ".", "[DOT]", ".", "[.", ".", ".]", ".", "[:]", ":", "[://]", "://", "[@]", "@")
)

// Spellings are the values of rules that what a person types may mean: in any spelling, defanged too.
func Spellings(typed string) []reconcile.Value {
	typed = Refang(typed)
	var out []reconcile.Value
	for _, typ := range []string{Hash, BothIP, SourceIP, DestIP, DomainName, URL, FileName, FilePath} {
		if v, _ := Canonical(typ, typed); v != "" { // "" is one that this type cannot hold
			out = append(out, reconcile.Value{Type: typ, Value: v})
		}
	}
	return out
}

// Telling says whether the form alone of what a person types shows a value of a rule: an address or a network, a hash, a
// domain name, a URL, a path, or a file name with an extension. Any other text may be the name of some file, or a slip.
func Telling(typed string) bool {
	for _, v := range Spellings(typed) {
		told := false
		switch v.Type {
		case Hash, BothIP:
			told = true
		case DomainName:
			told = nameForm.MatchString(v.Value)
		case URL:
			told = urlForm(v.Value)
		case FileName:
			told = fileForm.MatchString(v.Value) && strings.ContainsFunc(v.Value, unicode.IsLetter)
		case FilePath:
			told = pathForm.MatchString(v.Value)
		}
		if told {
			return true
		}
	}
	return false
}

var (
	nameForm = regexp.MustCompile(`^([a-z0-9_-]+\.)+[a-z][a-z0-9-]+$`)
	fileForm = regexp.MustCompile(`^[^\\/:*?"<>|]*[^\\/:*?"<>|.\s]\.\w{1,10}$`)
	pathForm = regexp.MustCompile(`^([A-Za-z]:[\\/]|[/~%].|.*\\)`)
)

// urlForm takes a host without a scheme for one only if it is a name: an address with a slash is a network with a slip.
func urlForm(url string) bool {
	host := Host(url)
	if strings.Contains(url, "://") {
		return host != "" && !strings.ContainsFunc(host, unicode.IsSpace)
	}
	return strings.ContainsAny(url, "/:") && nameForm.MatchString(strings.ToLower(host))
}
