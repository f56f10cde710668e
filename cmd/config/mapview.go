package config

import "harfangsync/reconcile"

// mapEntry is an entry of a mapping as it is written.
type mapEntry struct {
	Name       string    `json:"name,omitempty" yaml:"name,omitempty"`
	Match      *mapMatch `json:"match,omitempty" yaml:"match,omitempty"`
	Level      string    `json:"level,omitempty" yaml:"level,omitempty"`
	Confidence string    `json:"confidence,omitempty" yaml:"confidence,omitempty"`
	State      string    `json:"global_state,omitempty" yaml:"global_state,omitempty"`
	Maturity   string    `json:"maturity,omitempty" yaml:"maturity,omitempty"`
}

type mapMatch struct {
	MinScore *int     `json:"min_score,omitempty" yaml:"min_score,omitempty"`
	MaxScore *int     `json:"max_score,omitempty" yaml:"max_score,omitempty"`
	Kind     []string `json:"kind,omitempty" yaml:"kind,omitempty"`
	Type     []string `json:"type,omitempty" yaml:"type,omitempty"`
	Label    []string `json:"label,omitempty" yaml:"label,omitempty"`
}

// viewOf is a mapping in the form in which it can be read again.
func viewOf(m reconcile.Mapping) []mapEntry {
	out := make([]mapEntry, len(m))
	for i, e := range m {
		out[i] = mapEntry{Name: e.Name, Level: e.Level, Confidence: e.Confidence, State: e.State, Maturity: e.Maturity}
		match := mapMatch{MinScore: e.MinScore, MaxScore: e.MaxScore, Type: e.Types, Label: e.Labels}
		for _, k := range e.Kinds {
			match.Kind = append(match.Kind, k.String())
		}
		if match.MinScore != nil || match.MaxScore != nil || len(match.Kind)+len(match.Type)+len(match.Label) > 0 {
			out[i].Match = &match
		}
	}
	return out
}

// mappingSchema is the JSON Schema of the setting.
func mappingSchema() object {
	several := func(words []string) object {
		return object{"anyOf": []any{object{"type": "string"}, object{"type": "array", "items": wordSchema(words)}}}
	}
	closed := func(properties object) object {
		return object{"type": "object", "properties": properties, "additionalProperties": false}
	}
	entry := closed(object{
		"name": object{"type": []string{"string", "number"}},
		"match": closed(object{
			"min_score": intSchema(0, 100), "max_score": intSchema(0, 100),
			"kind": several(mapKinds), "type": several(mapTypes),
			"label": object{"anyOf": []any{object{"type": "string"}, object{"type": "array", "items": object{"type": []string{"string", "number"}}}}},
		}),
		"level": wordSchema(reconcile.Levels), "confidence": wordSchema(reconcile.Confidences), "global_state": wordSchema(reconcile.States), "maturity": wordSchema(reconcile.Maturities),
	})
	return object{"anyOf": []any{object{"type": "string"}, object{"type": "array", "items": entry}}}
}
