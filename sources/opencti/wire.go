package opencti

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// moment is a DateTime; null and the dates that mean "unknown", the start of 1970 and the year 5138,
// are zero, as they are missing for the platform's filters (contract opencti-api 3.3).
type moment struct{ time.Time }

const farFuture = 5138

func (m *moment) UnmarshalJSON(b []byte) error {
	s := string(b)
	if s == "null" || s == `""` {
		return nil
	}
	if len(s) < 2 || s[0] != '"' {
		return fmt.Errorf("%.40s is not a time", s)
	}
	t, err := time.Parse(time.RFC3339Nano, s[1:len(s)-1])
	if err != nil {
		return fmt.Errorf("%.40s is not a time", s)
	}
	if t = t.UTC(); t.Unix() != 0 && t.Year() < farFuture {
		m.Time = t
	}
	return nil
}

type wireIndicator struct {
	ID          string    `json:"id"`
	StandardID  string    `json:"standard_id"`
	StixIDs     []*string `json:"x_opencti_stix_ids"`
	Name        *string   `json:"name"`
	Description *string   `json:"description"`
	Pattern     *string   `json:"pattern"`
	PatternType *string   `json:"pattern_type"`
	ValidFrom   moment    `json:"valid_from"`
	ValidUntil  moment    `json:"valid_until"`
	Revoked     *bool     `json:"revoked"`
	CreatedAt   moment    `json:"created_at"`
	UpdatedAt   moment    `json:"updated_at"`
	Score       *int      `json:"x_opencti_score"`
	Detection   *bool     `json:"x_opencti_detection"`
	Platforms   []*string `json:"x_mitre_platforms"`
	Markings    []*struct {
		Type       *string `json:"definition_type"`
		Definition *string `json:"definition"`
	} `json:"objectMarking"`
	Labels []*struct {
		Value *string `json:"value"`
	} `json:"objectLabel"`
	Author *struct {
		Name *string `json:"name"`
	} `json:"createdBy"`
	Phases []*struct {
		Chain *string `json:"kill_chain_name"`
		Phase *string `json:"phase_name"`
	} `json:"killChainPhases"`

	// What only a filter asks for.
	MainType   *string   `json:"x_opencti_main_observable_type"`
	Types      []*string `json:"indicator_types"`
	Confidence *int      `json:"confidence"`
	Created    moment    `json:"created"`
	Modified   moment    `json:"modified"`
	LabelIDs   []*hasID  `json:"labels"`
	MarkingIDs []*hasID  `json:"markings"`
	AuthorID   *hasID    `json:"author"`
	Creators   []*hasID  `json:"creators"`
	PhaseIDs   []*hasID  `json:"phases"`
}

func (w *wireIndicator) ids() []string {
	ids := []string{w.ID, w.StandardID}
	for _, s := range w.StixIDs {
		if s != nil {
			ids = append(ids, *s)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// indicator checks a node's shape. One that lacks what a rule is made of is unread: leaving it out would make its rules look
// unwanted.
func (w *wireIndicator) indicator(f *FilterGroup) (reconcile.Indicator, error) {
	const mostID = 200 // internal ids have 36 characters, standard ids some more
	switch {
	case w.ID == "":
		return reconcile.Indicator{}, errors.New("an indicator without an id")
	case len(w.ID) > mostID || len(w.StandardID) > mostID: // it can be neither asked for nor named
		return reconcile.Indicator{}, fmt.Errorf("an indicator whose ids have %d and %d bytes", len(w.ID), len(w.StandardID))
	}
	if w.Pattern == nil || w.PatternType == nil || w.Revoked == nil {
		return reconcile.Indicator{ID: w.ID, StandardID: w.StandardID, Unread: fmt.Sprintf("indicator %s without pattern, pattern type or revoked", oneLine(w.ID))}, nil
	}
	ind := reconcile.Indicator{
		ID: w.ID, StandardID: w.StandardID, Name: value(w.Name), Description: value(w.Description), Pattern: *w.Pattern, PatternType: strings.ToLower(*w.PatternType),
		Revoked: *w.Revoked, Detection: w.Detection, Score: w.Score, ValidFrom: w.ValidFrom.Time, ValidUntil: w.ValidUntil.Time,
		CreatedAt: w.CreatedAt.Time, UpdatedAt: w.UpdatedAt.Time, Outside: f.passes(w) == no,
	}
	for _, p := range w.Platforms {
		if p != nil {
			ind.Platforms = append(ind.Platforms, *p)
		}
	}
	for _, l := range w.Labels {
		if l != nil && l.Value != nil {
			ind.Labels = append(ind.Labels, *l.Value)
		}
	}
	if w.Author != nil {
		ind.Author = value(w.Author.Name)
	}
	for _, p := range w.Phases {
		if p != nil && p.Phase != nil {
			ind.Phases = append(ind.Phases, value(p.Chain)+":"+*p.Phase)
		}
	}
	for _, m := range w.Markings {
		if m != nil {
			ind.Markings = append(ind.Markings, reconcile.Marking{Type: value(m.Type), Definition: value(m.Definition)})
		}
	}
	return ind, nil
}

// value is what a pointer points to, or the zero value for null.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

type wireRelation struct {
	ID     string  `json:"id"`
	FromID string  `json:"fromId"`
	ToID   string  `json:"toId"`
	ToType *string `json:"toType"`
	To     *struct {
		ID         string     `json:"id"`
		EntityType *string    `json:"entity_type"`
		Value      *string    `json:"observable_value"`
		FileName   *string    `json:"file_name"`
		Hashes     wireHashes `json:"hashes"`
	} `json:"to"`
}

// observable is a relationship's target. One that the account may not see has a type alone.
func (w *wireRelation) observable() reconcile.Observable {
	o := reconcile.Observable{ID: w.ToID, Type: value(w.ToType)}
	if w.To == nil {
		return o
	}
	if t := value(w.To.EntityType); t != "" {
		o.Type = t
	}
	o.Name, o.Value = value(w.To.FileName), value(w.To.Value)
	o.Hashes = w.To.Hashes.byAlgorithm()
	return o
}

type wireHashes []*struct {
	Algorithm *string `json:"algorithm"`
	Hash      *string `json:"hash"`
}

// byAlgorithm are the hashes that are there, nil for none.
func (w wireHashes) byAlgorithm() map[string]string {
	var all map[string]string
	for _, h := range w {
		if h == nil || h.Algorithm == nil || h.Hash == nil || *h.Hash == "" {
			continue
		}
		if all == nil {
			all = map[string]string{}
		}
		all[*h.Algorithm] = *h.Hash
	}
	return all
}
