package reconcile

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// Mapping turns what is known of an indicator into fields of its rules that are otherwise left alone. The first
// entry that matches counts, and no other.
type Mapping []MapEntry

// MapEntry is one line of a mapping: what an indicator must be, and what its rules are then asked to be. What is
// left empty matches anything and asks for nothing.
type MapEntry struct {
	Name     string // for people
	MinScore *int   // an indicator without a score matches neither bound
	MaxScore *int
	Kinds    []Kind
	Types    []string // of IOC rules
	Labels   []string // any of, without case
	Mapped
}

// Mapped are fields of a rule, in HarfangLab's words (contract harfanglab-api 4.1); "" is left as it is. State never
// is disabled, and carries the flags for enabled, blocking and quarantine (4.5).
type Mapped struct {
	Level      string // rule_level_override
	Confidence string // rule_confidence_override
	State      string // global_state
	Maturity   string // hl_status, in place of Policy.Maturity
}

// The words of Mapped.
var (
	Levels      = []string{"informational", "low", "medium", "high", "critical"}
	Confidences = []string{"weak", "moderate", "strong"}
	States      = []string{"alert", "block", "quarantine", "backend_alert"} // the last for IOC rules alone
	Maturities  = []string{"stable", "testing"}
)

// Match finds the entry for a rule of an indicator. typ is the type of an IOC rule, "" for other kinds; at is -1 when
// no entry matches.
func (m Mapping) Match(ind *Indicator, k Kind, typ string) (to Mapped, at int) {
	for i := range m {
		if m[i].matches(ind, k, typ) {
			return m[i].Mapped, i
		}
	}
	return Mapped{}, -1
}

func (e *MapEntry) matches(ind *Indicator, k Kind, typ string) bool {
	switch {
	case e.MinScore != nil && (ind.Score == nil || *ind.Score < *e.MinScore),
		e.MaxScore != nil && (ind.Score == nil || *ind.Score > *e.MaxScore),
		len(e.Kinds) > 0 && !slices.Contains(e.Kinds, k),
		len(e.Types) > 0 && !slices.Contains(e.Types, typ):
		return false
	}
	if len(e.Labels) == 0 {
		return true
	}
	_, found := common(ind.Labels, e.Labels)
	return found
}

// Digest covers what a mapping does, and not what its entries are called; "" is no mapping.
func (m Mapping) Digest() string {
	if len(m) == 0 {
		return ""
	}
	bare := slices.Clone(m)
	for i := range bare {
		bare[i].Name = ""
	}
	b, err := json.Marshal(bare)
	if err != nil {
		panic(err) // texts and numbers always encode
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:8])
}

// Words name the fields that are asked for, as "level high, global_state block".
func (m Mapped) Words() string {
	var words []string
	for _, f := range [][2]string{{"level", m.Level}, {"confidence", m.Confidence}, {"global_state", m.State}, {"maturity", m.Maturity}} {
		if f[1] != "" {
			words = append(words, f[0]+" "+f[1])
		}
	}
	return strings.Join(words, ", ")
}

// fields are those that a row can be compared in: maturity has a rule of its own, because the server moves it.
func (m Mapped) fields() marker.Fields {
	if m.Level == "" && m.Confidence == "" && m.State == "" {
		return marker.Fields{}
	}
	return marker.FieldsOf(m.Level, m.Confidence, m.State)
}

// fieldNames are the API's names of what a marker.Fields holds, by place.
var fieldNames = [3]string{marker.Level: "rule_level_override", marker.Confidence: "rule_confidence_override", marker.State: "global_state"}

// Map sets what rules are asked to be beside what their indicators say, for all that is added afterwards.
func (w *Wanted) Map(m Mapping) { w.mapping = m }

// mapped is what a mapping asks of a rule with this winner.
func (w *Wanted) mapped(win want) Mapped {
	if win.mapEntry == 0 {
		return Mapped{}
	}
	return w.mapping[win.mapEntry-1].Mapped
}
