package main

import (
	"fmt"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// explainedMapping is an entry of the mapping, and what it asks of a rule.
type explainedMapping struct {
	Entry      int    `json:"entry"` // counted from 1
	Name       string `json:"name,omitempty"`
	Level      string `json:"level,omitempty"`
	Confidence string `json:"confidence,omitempty"`
	State      string `json:"global_state,omitempty"`
	Maturity   string `json:"maturity,omitempty"`
}

// explainMapping finds the entry that counts for a rule of an indicator.
func explainMapping(m reconcile.Mapping, ind *reconcile.Indicator, kind, typ string) *explainedMapping {
	k, err := reconcile.ParseKind(kind)
	if err != nil {
		return nil
	}
	to, at := m.Match(ind, k, typ)
	if at < 0 {
		return nil
	}
	return &explainedMapping{Entry: at + 1, Name: m[at].Name, Level: to.Level, Confidence: to.Confidence, State: to.State, Maturity: to.Maturity}
}

// words are one line for a person, "" without an entry.
func (x *explainedMapping) words() string {
	if x == nil {
		return ""
	}
	asks := reconcile.Mapped{Level: x.Level, Confidence: x.Confidence, State: x.State, Maturity: x.Maturity}.Words()
	if asks == "" {
		asks = "left as it is"
	}
	name := ""
	if x.Name != "" {
		name = fmt.Sprintf(" %q", x.Name)
	}
	return render.Escape(fmt.Sprintf("mapping entry %d%s: %s", x.Entry, name, asks))
}
