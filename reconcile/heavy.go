package reconcile

import (
	"fmt"
	"maps"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// weigh finds the owners that give more rules than one may.
func (c *computation) weigh() {
	if c.p.Values <= 0 {
		return
	}
	c.heavy = map[uint64]int{}
	for _, s := range c.w.seen {
		if s.passed && int(s.gives) > c.p.Values {
			c.heavy[s.owner] = int(s.gives)
		}
	}
}

// noteHeavy notes the owners of a rule that begins to detect if all of them give too many.
func (c *computation) noteHeavy(ch *Change) {
	if len(c.heavy) == 0 || !ch.begins() {
		return
	}
	for _, o := range ch.Owners {
		if c.heavy[marker.OwnersDigest(o.ID)] == 0 {
			return
		}
	}
	if c.plan.heavy == nil {
		c.plan.heavy = map[string]int{}
	}
	for _, o := range ch.Owners {
		c.plan.heavy[o.ID] = c.heavy[marker.OwnersDigest(o.ID)]
	}
}

// heavyAlone says whether all owners of a rule give more rules than one may.
func (p *Plan) heavyAlone(ch *Change) bool {
	return len(p.heavy) > 0 && len(ch.Owners) > 0 && !slices.ContainsFunc(ch.Owners, func(o Owner) bool { return p.heavy[o.ID] == 0 })
}

// heavyWords names the indicators that give more rules than one may.
func (p *Plan) heavyWords() string {
	ids := slices.Sorted(maps.Keys(p.heavy))
	if len(ids) == 1 {
		return fmt.Sprintf("indicator %s gives %s", ids[0], Count(p.heavy[ids[0]], "rule"))
	}
	return fmt.Sprintf("%d indicators give too many rules, the first, %s, %d", len(ids), ids[0], p.heavy[ids[0]])
}
