package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// explanation is what one pattern means.
type explanation struct {
	Input string `json:"input"`
	explainedMeaning
}

// explainedMeaning is what an indicator gives.
type explainedMeaning struct {
	Rules   []explainedRule `json:"rules"`
	Skipped []explainedSkip `json:"skipped"`
}

type explainedRule struct {
	Kind  string `json:"kind"`
	Type  string `json:"type,omitempty"`
	Value string `json:"value,omitempty"`
	Name  string `json:"name,omitempty"`
	ID    string `json:"id,omitempty"`
	// Text is a Sigma rule's where it is deployed otherwise than it is written; Changes says how.
	Text    string   `json:"text,omitempty"`
	Changes []string `json:"changes,omitempty"`
	Notes   []string `json:"notes,omitempty"`
	// Mapping is the entry of sync.mapping that counts for it; nil where none does, or no indicator is known.
	Mapping *explainedMapping `json:"mapping,omitempty"`
	// How it stands, where an indicator is asked for.
	*conclusion
}

type explainedSkip struct {
	Reason reconcile.Reason `json:"reason"`
	Detail string           `json:"detail"`
}

// explained is the meaning of an indicator, to which a mapping may say more.
func explained(ind *reconcile.Indicator, meaning func(*reconcile.Indicator) reconcile.Given, mapping reconcile.Mapping) explainedMeaning {
	x := explainedMeaning{Rules: []explainedRule{}, Skipped: []explainedSkip{}}
	if ind.Unread != "" {
		return x
	}
	given := meaning(ind)
	if !strings.EqualFold(ind.PatternType, "stix") && len(given.Skips) == 0 {
		if r, err := reconcile.CheckRule(ind, &given); err == nil {
			rule := explainedRule{Kind: ind.PatternType, Name: r.Name, ID: r.ID, Changes: given.Changes, Notes: given.Notes, Mapping: explainMapping(mapping, ind, strings.ToLower(ind.PatternType), "")}
			if given.Text != ind.Pattern {
				rule.Text = given.Text
			}
			x.Rules = append(x.Rules, rule)
		} else {
			x.Skipped = append(x.Skipped, explainedSkip{reconcile.InvalidRule, err.Error()})
		}
	}
	for _, v := range given.Values {
		x.Rules = append(x.Rules, explainedRule{Kind: "ioc", Type: v.Type, Value: v.Value, Mapping: explainMapping(mapping, ind, "ioc", v.Type)})
	}
	for _, c := range given.Compiled {
		x.Rules = append(x.Rules, explainedRule{Kind: "sigma", Name: c.Name, ID: c.ID, Text: c.Text, Notes: c.Notes, Mapping: explainMapping(mapping, ind, "sigma", "")})
	}
	for _, s := range given.Skips {
		x.Skipped = append(x.Skipped, explainedSkip{s.Reason, s.Detail})
	}
	return x
}

// lines print a meaning, each line behind indent.
func (x *explainedMeaning) lines(w io.Writer, indent string) {
	for _, r := range x.Rules {
		fmt.Fprintln(w, indent+"+ "+render.Escape(joined(r.Kind, r.Type, r.Value, r.Name, r.ID)))
		if r.conclusion != nil {
			for _, line := range append([]string{r.Verdict}, r.Ways...) {
				fmt.Fprintln(w, indent+"  "+render.Escape(line))
			}
		}
		if words := r.Mapping.words(); words != "" {
			fmt.Fprintln(w, indent+"  "+words)
		}
		for _, what := range slices.Concat(r.Changes, r.Notes) {
			fmt.Fprintln(w, indent+"  "+render.Escape(what))
		}
		for line := range strings.Lines(r.Text) {
			fmt.Fprintln(w, indent+"  | "+render.Escape(strings.TrimRight(line, "\r\n")))
		}
	}
	for _, s := range x.Skipped {
		fmt.Fprintf(w, "%s? %s: %s\n", indent, s.Reason, render.Escape(s.Detail))
	}
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// joined are the words that are not empty.
func joined(words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), " ")
}
