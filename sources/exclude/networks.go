package exclude

import (
	"net/netip"
	"slices"
)

// networks finds an entry that overlaps with an address or a CIDR, without a walk over all of them.
type networks struct {
	all     []network              // as they were listed
	entries map[netip.Prefix]entry // masked
	lengths [2][]int               // prefix lengths in use, shortest first: IPv4, IPv6
	sorted  []netip.Prefix         // by address, then shortest first
}

func newNetworks(all []network) networks {
	n := networks{all: all, entries: make(map[netip.Prefix]entry, len(all))}
	for _, one := range all {
		if _, there := n.entries[one.prefix]; there {
			continue
		}
		n.entries[one.prefix] = one.entry
		n.sorted = append(n.sorted, one.prefix)
		f := family(one.prefix)
		if !slices.Contains(n.lengths[f], one.prefix.Bits()) {
			n.lengths[f] = append(n.lengths[f], one.prefix.Bits())
		}
	}
	slices.Sort(n.lengths[0])
	slices.Sort(n.lengths[1])
	slices.SortFunc(n.sorted, netip.Prefix.Compare)
	return n
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
