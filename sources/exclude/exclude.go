// Package exclude knows the values that are never deployed: addresses without meaning outside of one
// network, public resolvers, the empty file, names of system files, public suffixes, and what the
// user's own files list. A list says of a value whether it is excluded, and by which entry.
package exclude

import (
	"strings"

	"golang.org/x/net/publicsuffix"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// List is a set of entries. It is immutable and safe for concurrent use; a nil List excludes nothing.
type List struct {
	networks networks
	domains  map[string]entry // these and the names under them
	exact    map[string]entry // these domains alone
	hashes   map[string]entry
	files    map[string]entry // names in lower case
	paths    map[string]entry // as foldPath gives them
	urls     map[string]entry
	suffixes bool // every bare public suffix too
	passed   []string
}

// Passed names the files of folders that were of no use.
func (l *List) Passed() []string { return l.passed }

// entry is a line of a list: as written, and where it comes from.
type entry struct {
	text, source string
	builtin      bool
}

// String names both, as in "10.0.0.0/8 (RFC 1918, private use; built-in list 1)".
func (e entry) String() string { return e.text + " (" + e.source + ")" }

// Match reports whether a canonical value is excluded, and names the entry and its source. A network
// is excluded where it overlaps with an entry. A URL is excluded by itself, by an address as its host in
// whatever notation, and by a domain of a file as its host; never by a built-in domain, since one page of a
// well-known site may well be bad.
func (l *List) Match(v reconcile.Value) (string, bool) {
	if l == nil {
		return "", false
	}
	e, hit := l.match(v)
	if !hit {
		return "", false
	}
	return e.String(), true
}

func (l *List) match(v reconcile.Value) (entry, bool) {
	switch v.Type {
	case pattern.SourceIP, pattern.DestIP, pattern.BothIP:
		return l.matchAddress(v.Value)
	case pattern.DomainName:
		return l.matchDomain(v.Value)
	case pattern.Hash:
		e, hit := l.hashes[v.Value]
		return e, hit
	case pattern.FileName:
		e, hit := l.files[strings.ToLower(v.Value)]
		return e, hit
	case pattern.FilePath:
		e, hit := l.paths[foldPath(v.Value)]
		return e, hit
	case pattern.URL:
		return l.matchURL(v.Value)
	}
	return entry{}, false
}

func (l *List) matchAddress(s string) (entry, bool) {
	p, ok := pattern.ParseAddress(s)
	if !ok {
		return entry{}, false
	}
	if e, hit := l.networks.overlap(p); hit {
		return e, true
	}
	if inner, ok := embedded(p); ok {
		return l.networks.overlap(inner)
	}
	return entry{}, false
}

func (l *List) matchURL(url string) (entry, bool) {
	if e, hit := l.urls[url]; hit {
		return e, true
	}
	host := hostOf(url)
	if addr, ok := hostAddress(host); ok {
		return l.matchAddress(addr.String())
	}
	return l.named(host, true)
}

// matchDomain looks for an entry of a name. A leading dot stands for all names below and is as broad as what
// follows it.
func (l *List) matchDomain(value string) (entry, bool) {
	name := strings.TrimLeft(value, ".")
	if e, hit := l.named(name, false); hit {
		return e, true
	}
	if l.suffixes && isPublicSuffix(name) {
		return entry{value, "Public Suffix List; built-in list " + Version(), true}, true
	}
	return entry{}, false
}

// longestName is that of the DNS; a value may be of any length.
const longestName = 253

// named looks at the name, then at each name above it, for entries of all lists or of files alone.
func (l *List) named(name string, files bool) (entry, bool) {
	if e, hit := l.exact[name]; hit && !(files && e.builtin) {
		return e, true
	}
	for above := name; len(l.domains) > 0; {
		if len(above) <= longestName {
			if e, hit := l.domains[above]; hit && !(files && e.builtin) {
				return e, true
			}
		}
		_, rest, more := strings.Cut(above, ".")
		if !more {
			break
		}
		above = rest
	}
	return entry{}, false
}

// isPublicSuffix knows the suffixes of registries (co.uk) and of companies (github.io), and the parents of
// wildcards: of *.compute.example everybody may rent a name, so compute.example would be too much, and a name
// right below it is a host. The library takes an address for a suffix, and any last label too, also of names
// that are on no list; such a name is a suffix only if it is nothing but that label.
func isPublicSuffix(name string) bool {
	if _, ok := pattern.ParseAddress(name); ok {
		return false
	}
	if suffix, _ := publicsuffix.PublicSuffix(name); suffix != name {
		return isWildcard(name)
	}
	_, parent, more := strings.Cut(name, ".")
	return !more || !isWildcard(parent)
}

// PublicSuffix says whether everybody may rent a name right below a name, as below com and co.uk. A label that no list
// knows is none.
func PublicSuffix(name string) bool {
	_, listed := publicsuffix.PublicSuffix(name)
	return isPublicSuffix(name) && (listed || strings.Contains(name, "."))
}

// isWildcard says whether any name right below is a suffix.
func isWildcard(name string) bool {
	const nobody = "zz--nobody."
	suffix, _ := publicsuffix.PublicSuffix(nobody + name)
	return suffix == nobody+name
}
