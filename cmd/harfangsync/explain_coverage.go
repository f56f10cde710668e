package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// coverage is what becomes of the indicators of one kind of pattern, for the people who write them.
type coverage struct {
	PatternType string                   `json:"pattern_type"`
	Indicators  int                      `json:"indicators"`
	Deployed    int                      `json:"deployed"`
	Partly      int                      `json:"partly"` // of the deployed: some branches are skipped, or events are missed
	Reasons     map[reconcile.Reason]int `json:"reasons"`
	Unknown     []counted                `json:"unknown"` // what most often keeps a rule from being said
	Notes       []counted                `json:"notes"`   // of the deployed
	Authors     []authored               `json:"authors"`
}

// authored is what becomes of the indicators of one author.
type authored struct {
	Author     string `json:"author"`
	Indicators int    `json:"indicators"`
	Deployed   int    `json:"deployed"`
}

type counted struct {
	What  string `json:"what"`
	Count int    `json:"count"`
}

// explainCoverage reads all indicators and says what becomes of them.
func (p *program) explainCoverage(ctx context.Context, e *explaining) error {
	return p.on(ctx, &shaping{alone: true}, true, func(ctx context.Context, t *target) error {
		last := map[string]indicatorStatus{}     // one that changed during the read comes again
		read := map[string]reconcile.Indicator{} // by id, without what is long
		_, err := t.job.Source.Read(ctx, t.now(), func(page []reconcile.Indicator, _ int) error {
			for i := range page {
				read[page[i].ID] = reconcile.Indicator{PatternType: strings.ToLower(page[i].PatternType), Author: page[i].Author}
				last[page[i].ID] = t.statusOf(&page[i], true)
			}
			return nil
		})
		t.read()
		if err != nil {
			return err
		}
		unread := 0
		for _, st := range last {
			if st.Reason == reconcile.Unreadable {
				unread++
			}
		}
		if unread > 0 {
			p.log.Warn("OpenCTI cannot give some indicators, which are counted nowhere", "indicators", unread)
		}
		return e.printCoverage(p.screen(e.json), coverageOf(last, read))
	})
}

func coverageOf(statuses map[string]indicatorStatus, read map[string]reconcile.Indicator) []coverage {
	var out []coverage
	for _, typ := range []string{"stix", "sigma", "yara"} {
		c := coverage{PatternType: typ, Reasons: map[reconcile.Reason]int{}}
		unknown, notes, of, deployed := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
		for id, st := range statuses {
			if read[id].PatternType != typ {
				continue
			}
			of[read[id].Author]++
			if c.add(&st, unknown, notes) {
				deployed[read[id].Author]++
			}
		}
		c.Unknown, c.Notes, c.Authors = mostOf(unknown), mostOf(notes), []authored{}
		for _, a := range mostOf(of) {
			if a.What != "" {
				c.Authors = append(c.Authors, authored{a.What, a.Count, deployed[a.What]})
			}
		}
		out = append(out, c)
	}
	return out
}

// add counts one indicator, each of its reasons once, and says whether it is deployed.
func (c *coverage) add(st *indicatorStatus, unknown, notes map[string]int) bool {
	c.Indicators++
	why := map[reconcile.Reason]bool{}
	if !st.Wanted {
		why[st.Reason] = true
	}
	for _, s := range st.Skipped {
		why[s.Reason] = true
		for _, name := range unknownNames(s) {
			unknown[name]++
		}
	}
	noted := map[string]bool{}
	for _, r := range st.Rules {
		for _, n := range r.Notes {
			noted[n] = true
		}
	}
	deployed := st.Wanted && len(st.Rules) > 0
	if deployed {
		c.Deployed++
		if len(why)+len(noted) > 0 {
			c.Partly++
		}
	}
	for r := range why {
		c.Reasons[r]++
	}
	for n := range noted {
		notes[n]++
	}
	return deployed
}

// unknownNames are the logsource, the fields or the events that a skip names, each by itself.
func unknownNames(s explainedSkip) []string {
	switch s.Reason {
	case reconcile.UnsupportedLogsource:
		return []string{strings.TrimPrefix(s.Detail, "no agent knows ")}
	case reconcile.UnsupportedField, reconcile.UnsupportedEvent:
		where, names, _ := strings.Cut(s.Detail, " has no ")
		out := strings.Split(names, ", ")
		for i := range out {
			out[i] = where + ": " + out[i]
		}
		return out
	}
	return nil
}

// mostOf are the most frequent, the most frequent first.
func mostOf(n map[string]int) []counted {
	const most = 20
	out := []counted{}
	for _, what := range slices.SortedFunc(maps.Keys(n), func(a, b string) int { return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b)) }) {
		out = append(out, counted{what, n[what]})
	}
	return out[:min(len(out), most)]
}

func (e *explaining) printCoverage(w io.Writer, all []coverage) error {
	if e.json {
		return writeJSON(w, all)
	}
	for _, c := range all {
		fmt.Fprintf(w, "%s: %d of %s deployed%s\n", c.PatternType, c.Deployed, reconcile.Count(c.Indicators, "indicator"), inPart(c.Partly))
		reasons := map[string]int{}
		for r, n := range c.Reasons {
			reasons[string(r)] = n
		}
		for _, part := range []struct {
			head string
			list []counted
		}{{"not, or not whole", mostOf(reasons)}, {"unknown to HarfangLab", c.Unknown}, {"deployed with a note", c.Notes}} {
			if len(part.list) > 0 {
				fmt.Fprintf(w, "  %s:\n", part.head)
			}
			for _, x := range part.list {
				fmt.Fprintf(w, "  %6d  %s\n", x.Count, render.Escape(x.What))
			}
		}
		for _, a := range c.Authors {
			fmt.Fprintf(w, "  of %s: %d of %d deployed\n", render.Escape(a.Author), a.Deployed, a.Indicators)
		}
	}
	return nil
}

func inPart(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d of them in part", n)
}
