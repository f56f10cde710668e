package reconcile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Impact is what HarfangLab's telemetry tells of a value that begins to detect: how many endpoints saw it.
type Impact struct {
	Status    ImpactStatus `json:"status"`
	Endpoints int          `json:"endpoints"`           // that saw it
	Events    int          `json:"events"`              // in which they did
	LastSeen  *time.Time   `json:"last_seen,omitempty"` // the last of these, nil for none
	Names     []string     `json:"names,omitempty"`     // of some of the endpoints, the last to see it first
	Why       string       `json:"why,omitempty"`       // what the numbers leave out, or why there are none
	Own       bool         `json:"own,omitempty"`       // it is the address of an endpoint
}

// ImpactStatus says what the numbers of an Impact are worth.
type ImpactStatus string

// The statuses. Those of ImpactUnknown and the ones after it are no estimate: a zero there is not none.
const (
	ImpactExact       ImpactStatus = "exact"
	ImpactAtLeast     ImpactStatus = "at_least"
	ImpactUnknown     ImpactStatus = "unknown"
	ImpactUnsupported ImpactStatus = "unsupported" // this manager cannot be asked
	ImpactNotAsked    ImpactStatus = "not_asked"
)

// Estimate is what is known of the impact of a whole plan.
type Estimate struct {
	Days      int      `json:"days"`      // that were looked back
	Endpoints int      `json:"endpoints"` // that were active within them; 0 is unknown
	Asked     int      `json:"asked"`     // values
	NotAsked  int      `json:"not_asked"` // likewise
	Requests  int      `json:"requests"`  // that it took
	Budget    int      `json:"budget"`    // of requests
	Notes     []string `json:"notes"`     // what no number covers
}

// Felt are the places of the changes of rules that begin to detect a value, in the order in which their impact is asked
// for: the highest score first, then the newest.
func (p *Plan) Felt(w *Wanted) (places []int) {
	type one struct {
		at, score int
		born      int64
	}
	var all []one
	for i := range p.Changes.Len() {
		if a := p.Changes.Action(i); p.Changes.Kind(i) != IOC || a != Create && a != Enable {
			continue
		}
		ch := p.Changes.At(i)
		if !ch.begins() {
			continue
		}
		f := one{i, -1, w.born(ch.Key)}
		for _, o := range ch.Owners {
			if o.Score != nil {
				f.score = max(f.score, *o.Score)
			}
		}
		all = append(all, f)
	}
	slices.SortStableFunc(all, func(a, b one) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.born, a.born)) })
	for _, f := range all {
		places = append(places, f.at)
	}
	return places
}

// born is when the newest indicator that wants a rule was made, in seconds.
func (w *Wanted) born(k Key) (newest int64) {
	at, _ := slices.BinarySearchFunc(w.wants, k, func(e want, k Key) int { return e.key.Compare(k) })
	for ; at < len(w.wants) && w.wants[at].key == k; at++ {
		newest = max(newest, w.wants[at].created)
	}
	return newest
}

// fewestFelt is how many endpoints may always see a value.
const fewestFelt = 5

// ImpactLimit is how many of some endpoints may see a value: so many percent, and five in any case.
func ImpactLimit(endpoints, percent int) int { return max(fewestFelt, endpoints*percent/100) }

const (
	gateImpact   = "impact"
	acceptImpact = "--accept-impact "
	fewFelt      = 5 // values that a message names
)

// felt says whether more endpoints than may saw what a change blocks, as far as that is known, or it is the address of
// one.
func (ch *Change) felt(limit int) bool {
	im := ch.Impact
	if im == nil || !ch.begins() {
		return false
	}
	known := im.Status == ImpactExact || im.Status == ImpactAtLeast
	return im.Own || known && im.Endpoints > limit
}

// impact is G15: which values that begin to detect are felt by too many endpoints.
func (j *judging) impact() []Gate {
	e := j.plan.Estimate
	if e == nil {
		return nil
	}
	g := Gate{ID: "G15", Name: gateImpact, Kind: IOC, OK: true, Base: e.Endpoints, Limit: ImpactLimit(e.Endpoints, j.limits.Impact)}
	var labels, flags, accepted []string
	for _, ch := range j.plan.Changes.All() {
		if ch.Impact != nil && ch.Impact.Status != ImpactUnknown {
			g.Value = max(g.Value, ch.Impact.Endpoints)
		}
		switch flag := acceptImpact + shellWord(ch.Value); {
		case !ch.felt(g.Limit):
		case j.over.felt(ch.Value):
			accepted = append(accepted, flag)
		default:
			labels, flags = append(labels, ch.Label()), append(flags, flag)
		}
	}
	g.Message = fmt.Sprintf("no value that begins to detect was seen on more than %s", Count(g.Limit, "endpoint"))
	switch {
	case len(flags) > 0:
		g.OK, g.Override = false, strings.Join(slices.Compact(flags), " ")
		if n := len(labels) - fewFelt; n > 0 {
			labels = append(labels[:fewFelt], fmt.Sprintf("and %d more", n))
		}
		g.Message = fmt.Sprintf("more than %s saw, or have, what begins to detect: %s; if that is right, pass %s", Count(g.Limit, "endpoint"), strings.Join(labels, ", "), g.Override)
	case len(accepted) > 0:
		g.Override = strings.Join(slices.Compact(accepted), " ")
		g.Message = fmt.Sprintf("more than %s saw, or have, what begins to detect, and that is accepted", Count(g.Limit, "endpoint"))
	}
	return []Gate{g}
}

// felt says whether a value was accepted by name.
func (o *Overrides) felt(value string) bool { return acceptedAs(o.AcceptImpact, value) >= 0 }

// acceptedAs is the place of a value among some that were accepted, -1 for none.
func acceptedAs(accepted [][]string, value string) int {
	return slices.IndexFunc(accepted, func(spellings []string) bool {
		return slices.ContainsFunc(spellings, func(v string) bool { return strings.EqualFold(v, value) })
	})
}

// Vain are the accepted values that are none which too many endpoints saw, as they were typed, and those that gate G15
// still holds.
func (p *Plan) Vain(o *Overrides) (vain, held []string) {
	limit := 0
	for i := range p.Gates {
		if p.Gates[i].Name == gateImpact {
			limit = p.Gates[i].Limit
		}
	}
	meant := map[int]bool{}
	find := func(value string) {
		at := acceptedAs(o.AcceptImpact, value)
		meant[at] = true
		if at < 0 {
			held = append(held, value)
		}
	}
	for _, ch := range p.Changes.All() {
		if ch.felt(limit) {
			find(ch.Value)
		}
	}
	for i := range p.Held.Len() {
		if p.Held.Gate(i) == gateImpact {
			find(p.Held.At(i).Value)
		}
	}
	for i, spellings := range o.AcceptImpact {
		if !meant[i] {
			vain = append(vain, spellings[0])
		}
	}
	return vain, held
}

// acceptFelt says whether all values that an override names were accepted.
func (o *Overrides) acceptFelt(override string) bool {
	for word := range strings.SplitSeq(strings.TrimPrefix(override, acceptImpact), " "+acceptImpact) {
		if !slices.ContainsFunc(o.AcceptImpact, func(spellings []string) bool {
			return slices.ContainsFunc(spellings, func(v string) bool { return strings.EqualFold(shellWord(v), word) })
		}) {
			return false
		}
	}
	return true
}

// shellWord is a value as a shell takes it for one word.
func shellWord(v string) string {
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("._-:/@%+=,", r)
	}
	if v != "" && !strings.ContainsFunc(v, func(r rune) bool { return !plain(r) }) {
		return v
	}
	return "'" + strings.ReplaceAll(v, "'", `'\''`) + "'"
}
