package exclude

import (
	"maps"
	"net/netip"
	"slices"
)

// networks finds an entry that overlaps with an address or a CIDR, without a walk over all of them.
type networks struct {
	entries map[netip.Prefix]entry // masked
	lengths [2][]int               // prefix lengths in use, shortest first: IPv4, IPv6
	sorted  []netip.Prefix         // by address, then shortest first
}

// index makes what overlap looks at out of the entries.
func (n *networks) index() {
	n.sorted = slices.SortedFunc(maps.Keys(n.entries), netip.Prefix.Compare)
	for _, p := range n.sorted {
		f := family(p)
		n.lengths[f] = append(n.lengths[f], p.Bits())
	}
	for f := range n.lengths {
		slices.Sort(n.lengths[f])
		n.lengths[f] = slices.Compact(n.lengths[f])
	}
}

// overlap gives the broadest entry that holds p, else the first one inside of p.
func (n *networks) overlap(p netip.Prefix) (entry, bool) {
	for _, bits := range n.lengths[family(p)] {
		if bits > p.Bits() {
			break
		}
		if e, hit := n.entries[netip.PrefixFrom(p.Addr(), bits).Masked()]; hit {
			return e, true
		}
	}
	if p.IsSingleIP() {
		return entry{}, false
	}
	i, _ := slices.BinarySearchFunc(n.sorted, p.Masked().Addr(), func(q netip.Prefix, first netip.Addr) int {
		return q.Addr().Compare(first)
	})
	if i < len(n.sorted) && p.Contains(n.sorted[i].Addr()) {
		return n.entries[n.sorted[i]], true
	}
	return entry{}, false
}

func family(p netip.Prefix) int {
	if p.Addr().Is4() {
		return 0
	}
	return 1
}
