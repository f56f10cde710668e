package exclude

import (
	"net/netip"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// Unblocked says which of a list a rule falls under, as reconcile.Unblocks.Of does: the rule of the value itself in
// whatever type; of a domain or an address URLs on it; of an address networks that hold it, and of a network what is in
// it; of an indicator all that names it as an owner; of a Sigma rule's id that rule. Of several in the list the first is
// named.
func Unblocked(list []reconcile.Unblock) func(reconcile.Kind, reconcile.Value, []string) int {
	l := empty()
	ids := map[string]int{}
	for i := range list {
		ids[strings.ToLower(list[i].Value)] = i
		for _, v := range pattern.Spellings(list[i].Value) {
			l.unblock(v, entry{text: v.Value, source: strconv.Itoa(i)})
		}
	}
	l.networks.index()
	return func(k reconcile.Kind, v reconcile.Value, owners []string) int {
		for _, id := range owners {
			if i, hit := ids[id]; hit {
				return i
			}
		}
		if k != reconcile.IOC {
			if i, hit := ids[strings.ToLower(v.Value)]; hit && v.Value != "" {
				return i
			}
			return -1
		}
		e, hit := l.match(v)
		if !hit {
			return -1
		}
		i, _ := strconv.Atoi(e.source)
		return i
	}
}

// unblock adds one spelling of a value.
func (l *List) unblock(v reconcile.Value, e entry) {
	switch v.Type {
	case pattern.BothIP:
		if prefix, ok := pattern.ParseAddress(v.Value); ok {
			put(l.networks.entries, prefix, e)
		}
	case pattern.DomainName:
		put(l.exact, v.Value, e)
	case pattern.Hash:
		put(l.hashes, v.Value, e)
	case pattern.URL:
		put(l.urls, v.Value, e)
	case pattern.FileName:
		put(l.files, strings.ToLower(v.Value), e)
	case pattern.FilePath:
		put(l.paths, foldPath(v.Value), e)
	}
}

// empty is a list without an entry.
func empty() *List {
	return &List{networks: networks{entries: map[netip.Prefix]entry{}}, domains: map[string]entry{}, exact: map[string]entry{},
		hashes: map[string]entry{}, files: map[string]entry{}, paths: map[string]entry{}, urls: map[string]entry{}}
}
