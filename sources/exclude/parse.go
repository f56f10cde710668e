package exclude

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"

	"github.com/harfangsync/harfangsync/sources/pattern"
)

//go:embed builtin.txt
var builtin string

// Version is the version of the built-in data.
func Version() string {
	head, _, _ := strings.Cut(builtin, "\n")
	return strings.TrimPrefix(head, "version ")
}

// Builtin gives the list that ships with the program: private, loopback, link-local, multicast and
// unspecified addresses, public resolvers, the empty file, names and paths of system files, and every bare public
// suffix of golang.org/x/net/publicsuffix. Each entry names its source and the list's version.
func Builtin() *List {
	l, _ := New(true) // without a file there is nothing to be wrong
	return l
}

// File is a file with entries. Its name stands in messages and as the source of its entries.
type File struct {
	Name    string
	Content []byte
	OneOf   bool // a whole folder: a warning list that is of no use here is passed over
}

// New makes a list of the built-in entries, when these are asked for, and of those of files. One entry a
// line; # begins a comment at the start of a line and after a blank. An entry is an address or a CIDR, a
// domain (with the names under it, and with URLs on them), =domain (that one alone), a hash, file:NAME, or a URL.
// A file may also be a warning list of MISP. Where an entry stands twice, the first is the one that is named. All
// bad lines are joined in the error, each with file and line number.
func New(withBuiltin bool, files ...File) (*List, error) {
	l := empty()
	l.suffixes = withBuiltin
	if withBuiltin {
		l.readBuiltin()
	}
	var problems []error
	for _, f := range files {
		problems = append(problems, l.read(f)...)
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	l.networks.index()
	return l, nil
}

func (l *List) readBuiltin() {
	version := Version()
	_, rest, _ := strings.Cut(builtin, "\n")
	for line := range strings.SplitSeq(rest, "\n") {
		text, source, _ := strings.Cut(line, "\t")
		if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		e := entry{text, strings.TrimSpace(source) + "; built-in list " + version, true}
		if path, whole := strings.CutPrefix(text, "path:"); whole {
			put(l.paths, foldPath(path), e)
		} else if err := l.entry(e); err != nil {
			panic(fmt.Sprintf("built-in exclusions: %s: %v", text, err))
		}
	}
}

// maxLine bounds a line of an exclusion file, in bytes.
const maxLine = 1 << 20

func (l *List) read(f File) (problems []error) {
	content := strings.TrimPrefix(string(f.Content), "\ufeff")
	if isWarningList(content) {
		switch err := l.readWarningList(f, content); {
		case f.OneOf && errors.Is(err, errNoUse):
			l.passed = append(l.passed, f.Name)
		case err != nil:
			return []error{err}
		}
		return nil
	}
	n := 0
	for line := range strings.Lines(content) {
		n++
		text := withoutComment(line)
		if len(text) > maxLine {
			problems = append(problems, fmt.Errorf("%s:%d: is longer than %d bytes", f.Name, n, maxLine))
		} else if text != "" {
			if err := l.entry(entry{text: text, source: fmt.Sprintf("%s line %d", f.Name, n)}); err != nil {
				problems = append(problems, fmt.Errorf("%s:%d: %q: %w", f.Name, n, text, err))
			}
		}
	}
	return problems
}

// withoutComment leaves a # inside a word alone: URLs have fragments.
func withoutComment(line string) string {
	line = strings.TrimSpace(line)
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return strings.TrimSpace(line[:i])
		}
	}
	return line
}

// entry tells the forms apart and adds one. Of equal entries the first stays.
func (l *List) entry(e entry) error {
	text := e.text
	name, isFile := strings.CutPrefix(text, "file:")
	domain, isExact := strings.CutPrefix(text, "=")
	switch {
	case isFile && !strings.HasPrefix(name, "//"):
		return addFile(l.files, name, e)
	case isExact:
		return addDomain(l.exact, domain, e)
	case strings.Contains(text, "://"):
		return add(l.urls, pattern.URL, text, e)
	}
	if prefix, ok := pattern.ParseAddress(text); ok {
		put(l.networks.entries, prefix, e)
		return nil
	}
	switch {
	case isHash(text):
		return add(l.hashes, pattern.Hash, text, e)
	case strings.Contains(text, "/") && !looksLikeNetwork(text):
		return add(l.urls, pattern.URL, text, e)
	}
	return addDomain(l.domains, text, e)
}

func add(to map[string]entry, typ, text string, e entry) error {
	key, err := pattern.Canonical(typ, text)
	if err != nil {
		return err
	}
	put(to, key, e)
	return nil
}

func put[K comparable](to map[K]entry, key K, e entry) {
	if _, there := to[key]; !there {
		to[key] = e
	}
}

func addFile(to map[string]entry, name string, e entry) error {
	if strings.ContainsAny(name, `/\`) {
		return errors.New("file: takes a name without a path")
	}
	return add(to, pattern.FileName, strings.ToLower(name), e)
}

// longHex is from how many hex digits on a word is a hash with a slip, not a label.
const longHex = 16

// addDomain takes a single label too, such as an internal "corp": it covers the names under it.
func addDomain(to map[string]entry, name string, e entry) error {
	name = strings.TrimSpace(name)
	switch {
	case strings.HasPrefix(name, "*.") || strings.HasPrefix(name, "."):
		return fmt.Errorf("a domain covers the names under it: write %s", strings.TrimLeft(name, "*."))
	case name == "" || strings.ContainsAny(name, " \t/\\:*@,;|%[]()<>\"'"), looksLikeNetwork(name):
		return errors.New("no address, CIDR, domain, =domain, hash, file:NAME or URL")
	case len(name) >= longHex && strings.Trim(name, "0123456789abcdefABCDEF") == "":
		return fmt.Errorf("%d hex digits are no MD5, SHA-1 or SHA-256", len(name))
	}
	const above = "x."
	key, err := pattern.Canonical(pattern.DomainName, above+name)
	if err != nil {
		return err
	}
	if key = strings.TrimPrefix(key, above); len(key) > longestName {
		return fmt.Errorf("no name has more than %d characters", longestName)
	}
	if old, there := to[key]; !there || old.builtin && !e.builtin { // a file's covers more: URLs too
		to[key] = e
	}
	return nil
}

// isHash reports hex digits in the length of a known hash. Such a word is no domain: it has no dot.
func isHash(s string) bool {
	_, err := pattern.Canonical(pattern.Hash, s)
	return err == nil
}

// looksLikeNetwork reports what is meant as an address, so that a slip in it is an error and not a
// domain that never matches: digits and dots, or hex digits and colons.
func looksLikeNetwork(s string) bool {
	host, _, _ := strings.Cut(s, "/")
	rest := strings.Trim(host, "0123456789.")
	if strings.Contains(host, ":") {
		rest = strings.Trim(host, "0123456789abcdefABCDEF:.")
	}
	return host != "" && rest == ""
}
