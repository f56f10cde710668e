package exclude

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"harfangsync/sources/pattern"
)

//go:embed builtin.txt
var builtin string

// builtinList is read once, when it is first asked for.
var builtinList = sync.OnceValue(readBuiltin)

// Builtin gives the list that ships with the program: private, loopback, link-local, multicast and
// unspecified addresses, public resolvers, the empty file, system file names, and every bare public
// suffix of golang.org/x/net/publicsuffix. Each entry names its source and the list's version.
func Builtin() *List { return builtinList() }

func readBuiltin() *List {
	head, rest, _ := strings.Cut(builtin, "\n")
	version := strings.TrimPrefix(head, "version ")
	p := parser{list: newList()}
	p.list.version, p.list.suffixes = version, true
	for line := range strings.SplitSeq(rest, "\n") {
		text, source, _ := strings.Cut(line, "\t")
		if text = strings.TrimSpace(text); text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		if err := p.entry(text, strings.TrimSpace(source)+"; built-in list "+version); err != nil {
			panic(fmt.Sprintf("built-in exclusions: %s: %v", text, err))
		}
	}
	p.list.networks = newNetworks(p.networks)
	return p.list
}

// maxLine bounds a line of an exclusion file, in bytes.
const maxLine = 1 << 20

// Parse reads an exclusion file; name stands in messages and as the source of its entries. One entry
// a line; # begins a comment at the start of a line and after a blank. An entry is an address or a
// CIDR, a domain (with the names under it), =domain (that one alone), a hash, file:NAME, or a URL.
// All bad lines are reported together, each with file and line number.
func Parse(r io.Reader, name string) (*List, error) {
	p := parser{list: newList()}
	var problems []error
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	n := 0
	for lines.Scan() {
		n++
		text := lines.Text()
		if n == 1 {
			text = strings.TrimPrefix(text, "\ufeff")
		}
		if text = withoutComment(text); text == "" {
			continue
		}
		if err := p.entry(text, fmt.Sprintf("%s line %d", name, n)); err != nil {
			problems = append(problems, fmt.Errorf("%s:%d: %q: %w", name, n, text, err))
		}
	}
	if err := lines.Err(); err != nil {
		problems = append(problems, fmt.Errorf("%s:%d: %w", name, n+1, err))
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	p.list.networks = newNetworks(p.networks)
	return p.list, nil
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

// parser fills a list.
type parser struct {
	list     *List
	networks []network
}

// entry tells the forms apart and adds one. Of equal entries the first stays.
func (p *parser) entry(text, source string) error {
	e := entry{text, source}
	name, isFile := strings.CutPrefix(text, "file:")
	domain, isExact := strings.CutPrefix(text, "=")
	switch {
	case isFile && !strings.HasPrefix(name, "//"):
		return addFile(p.list.files, name, e)
	case isExact:
		return addDomain(p.list.exact, domain, e)
	case strings.Contains(text, "://"):
		return add(p.list.urls, pattern.URL, text, e)
	}
	if prefix, ok := pattern.ParseAddress(text); ok {
		p.networks = append(p.networks, network{prefix, e})
		return nil
	}
	switch {
	case isHash(text):
		return add(p.list.hashes, pattern.Hash, text, e)
	case strings.Contains(text, "/") && !looksLikeNetwork(text):
		return add(p.list.urls, pattern.URL, text, e)
	}
	return addDomain(p.list.domains, text, e)
}

func add(to map[string]entry, typ, text string, e entry) error {
	key, err := pattern.Canonical(typ, text)
	if err != nil {
		return err
	}
	put(to, key, e)
	return nil
}

func put(to map[string]entry, key string, e entry) {
	if _, there := to[key]; !there {
		to[key] = e
	}
}

func addFile(to map[string]entry, name string, e entry) error {
	key, err := pattern.Canonical(pattern.FileName, name)
	if err != nil {
		return err
	}
	if strings.ContainsAny(key, `/\`) {
		return errors.New("file: takes a name without a path")
	}
	put(to, strings.ToLower(key), e)
	return nil
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
	put(to, strings.TrimPrefix(key, above), e)
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
