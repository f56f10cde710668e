package reconcile

import (
	"cmp"
	"slices"
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

// Felt are the changes of rules that begin to detect a value, in the order in which their impact is asked for: the
// highest score first, then the newest.
func (p *Plan) Felt(w *Wanted) []*Change {
	type one struct {
		*Change
		score int
		born  int64
	}
	var all []one
	for i := range p.Changes {
		if ch := &p.Changes[i]; ch.Kind == IOC && ch.begins() {
			f := one{ch, -1, w.born(ch.Key)}
			for _, o := range ch.Owners {
				if o.Score != nil {
					f.score = max(f.score, *o.Score)
				}
			}
			all = append(all, f)
		}
	}
	slices.SortStableFunc(all, func(a, b one) int { return cmp.Or(cmp.Compare(b.score, a.score), cmp.Compare(b.born, a.born)) })
	changes := make([]*Change, len(all))
	for i := range all {
		changes[i] = all[i].Change
	}
	return changes
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
