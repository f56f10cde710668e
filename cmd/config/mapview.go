package config

import "github.com/harfangsync/harfangsync/reconcile"

// mapEntry is an entry of a mapping as it is written.
type mapEntry struct {
	Name       string   `json:"name,omitempty" yaml:"name,omitempty"`
	Match      mapMatch `json:"match,omitzero" yaml:"match,omitempty"`
	Level      string   `json:"level,omitempty" yaml:"level,omitempty"`
	Confidence string   `json:"confidence,omitempty" yaml:"confidence,omitempty"`
	State      string   `json:"global_state,omitempty" yaml:"global_state,omitempty"`
	Maturity   string   `json:"maturity,omitempty" yaml:"maturity,omitempty"`
}

type mapMatch struct {
	MinScore *int             `json:"min_score,omitempty" yaml:"min_score,omitempty"`
	MaxScore *int             `json:"max_score,omitempty" yaml:"max_score,omitempty"`
	Kind     []reconcile.Kind `json:"kind,omitempty" yaml:"kind,omitempty"`
	Type     []string         `json:"type,omitempty" yaml:"type,omitempty"`
	Label    []string         `json:"label,omitempty" yaml:"label,omitempty"`
}

// viewOf is a mapping in the form in which it can be read again.
func viewOf(m reconcile.Mapping) []mapEntry {
	out := make([]mapEntry, len(m))
	for i, e := range m {
		out[i] = mapEntry{e.Name, mapMatch{e.MinScore, e.MaxScore, e.Kinds, e.Types, e.Labels}, e.Level, e.Confidence, e.State, e.Maturity}
	}
	return out
}
