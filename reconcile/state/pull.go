package state

import (
	"slices"
	"time"
)

// Pull is what the import of alerts remembers. Times are the manager's own.
type Pull struct {
	Alerts  time.Time `json:"alerts,omitzero"`  // every alert that the manager made until then is dealt with
	Changes time.Time `json:"changes,omitzero"` // and so is every change of an alert until then
	Pending *Pending  `json:"pending,omitempty"`
	Failed  []Failed  `json:"failed,omitempty"` // oldest first, and those last that were given up
	// Doubted is the time of the last alert that failed and was forgotten: a new one from before then may be counted
	// in a sighting already.
	Doubted time.Time `json:"doubted,omitzero"`
}

// Pending is a bundle that was pushed and is not known to be imported.
type Pending struct {
	Work   string    `json:"work,omitempty"` // "" for a platform that does not tie bundles to works
	At     time.Time `json:"at"`
	Handed bool      `json:"handed,omitempty"` // it is in OpenCTI's queue; otherwise a run that ended may not have come to that
	Alerts []Failed  `json:"alerts"`
	Totals []Total   `json:"totals,omitempty"`
	// Threats are those whose cases lack what the bundle brings, while no later run reads its alerts again.
	Threats []string `json:"threats,omitempty"`
	// Doubted says that the push failed, and OpenCTI may have taken the bundle all the same.
	Doubted bool `json:"doubted,omitempty"`
}

// Total is what a sighting is to say once its bundle is imported.
type Total struct {
	Indicator string `json:"i"` // internal id
	Endpoint  string `json:"e"` // standard id of the identity
	Count     int    `json:"n"`
	Negative  bool   `json:"x,omitempty"`
}

// Failed is an alert or a threat that OpenCTI did not take, so far; a threat that was not tried yet is one whose case lacks
// an alert that came late.
type Failed struct {
	ID     string    `json:"id"`
	At     time.Time `json:"at"` // its alert_time, or when the threat was made
	Tries  int       `json:"tries,omitempty"`
	Threat bool      `json:"threat,omitempty"`
}

// MostFailed is how many alerts that failed are remembered.
const MostFailed = 100

// Stream is where the reading of a live stream stopped.
type Stream struct {
	Position string `json:"position,omitempty"` // everything before it is in the lists
	ID       string `json:"id,omitempty"`       // of the stream
	Filter   string `json:"filter,omitempty"`   // digest of the filter it was read with
}

func (p Pull) clone() Pull {
	p.Failed = slices.Clone(p.Failed)
	if p.Pending != nil {
		q := *p.Pending
		q.Alerts, q.Totals, q.Threats = slices.Clone(q.Alerts), slices.Clone(q.Totals), slices.Clone(q.Threats)
		p.Pending = &q
	}
	return p
}
