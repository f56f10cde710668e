package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// status is how a value or an indicator stands on both sides.
type status struct {
	Input string `json:"input"`
	*conclusion
	Excluded   string            `json:"excluded,omitempty"`
	Indicators []indicatorStatus `json:"indicators"`
	Rows       []rowStatus       `json:"rows"`
	Unread     []string          `json:"unread,omitempty"` // indicators that OpenCTI cannot give, and that may give the value
}

type indicatorStatus struct {
	ID     string           `json:"indicator_id"`
	Name   string           `json:"name"`
	Score  *int             `json:"score"`
	Wanted bool             `json:"wanted"`
	Reason reconcile.Reason `json:"reason,omitempty"`
	Detail string           `json:"detail,omitempty"`
	explainedMeaning
}

type rowStatus struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Type    string `json:"type,omitempty"`
	Value   string `json:"value,omitempty"`
	Name    string `json:"name,omitempty"`
	Enabled bool   `json:"enabled"`
	Whose   string `json:"whose"`           // ours, foreign or unmanaged
	Match   match  `json:"match,omitempty"` // how it hits the value that was asked for
	// Next is what the next plan does with it; only of an indicator that is gone or cannot be read.
	Next string `json:"next,omitempty"`
}

// explainStatus answers for a value or an indicator.
func (p *program) explainStatus(ctx context.Context, e *explaining) error {
	return p.on(ctx, &shaping{}, true, func(ctx context.Context, t *target) error {
		s := status{Input: e.value + e.indicator, Indicators: []indicatorStatus{}, Rows: []rowStatus{}}
		of := t.statusOfValue
		if e.indicator != "" {
			of = t.statusOfIndicator
		}
		if err := of(ctx, &s); err != nil {
			return err
		}
		return e.printStatus(p.screen(e.json), s)
	})
}

// statusOfIndicator says whether an indicator is wanted, what it gives, and what of that is held.
func (t *target) statusOfIndicator(ctx context.Context, s *status) error {
	answer, err := t.job.Source.Ask(ctx, []string{s.Input})
	if err == nil && len(answer.Found) == 0 {
		return t.leftBy(ctx, s)
	}
	if err != nil {
		return err
	}
	st := t.statusOf(&answer.Found[0].Indicator, answer.Found[0].Passes)
	s.Indicators = append(s.Indicators, st)
	if answer.Found[0].Unread != "" {
		return t.leftBy(ctx, s)
	}
	plan, values := t.planner(ctx), []*status{}
	for i := range st.Rules {
		r, from := &st.Rules[i], len(s.Rows)
		if err := t.addRows(ctx, s, *r); err != nil {
			return err
		}
		if r.Kind == reconcile.IOC.String() {
			values = append(values, &status{Input: r.Value})
		} else if r.conclusion, err = t.ruleVerdict(ctx, &st, r, s.Rows[from:], plan); err != nil {
			return err
		}
	}
	if len(values) == 0 {
		return nil
	}
	if err := t.find(ctx, findingsOf(values...), plan); err != nil {
		return err
	}
	for i := range st.Rules {
		if r := &st.Rules[i]; r.Kind == reconcile.IOC.String() {
			r.conclusion, values = values[0].conclusion, values[1:]
		}
	}
	return nil
}

// leftBy names the rules of an indicator that is gone or cannot be read, and what the next plan does with them.
func (t *target) leftBy(ctx context.Context, s *status) error {
	planned, err := t.job.Plan(ctx, t.now())
	if err != nil {
		return err
	}
	its := func(o reconcile.Owner) bool { return o.ID == s.Input || o.StandardID == s.Input }
	refused := ""
	if g := standsAgainst(planned.Plan); g != nil {
		refused = ", and gate " + g.ID + " refuses that plan"
	}
	for _, ch := range planned.Plan.Changes.All() {
		if ch.Before != nil && slices.ContainsFunc(ch.Owners, its) {
			s.Rows = append(s.Rows, rowStatus{ID: ch.ID, Kind: ch.Kind.String(), Type: ch.Type, Value: ch.Value, Name: ch.Name, Enabled: ch.Before.Enabled, Whose: "ours",
				Next: fmt.Sprintf("the next plan would %s it (%s)%s", ch.Action, ch.Reason, refused)})
		}
	}
	for _, h := range planned.Plan.Held.All() {
		if h.ID != "" && slices.ContainsFunc(h.Owners, its) {
			s.Rows = append(s.Rows, rowStatus{ID: h.ID, Kind: h.Kind.String(), Type: h.Type, Value: h.Value, Name: h.Name, Enabled: h.Action.Removal(), Whose: "ours",
				Next: fmt.Sprintf("the next plan would leave it alone (%s: %s)%s", h.Reason, h.Detail, refused)})
		}
	}
	if err := planned.Plan.Err(); err != nil {
		return err
	}
	return t.leaveAlone(ctx, s, its)
}

// leaveAlone adds the rows of an indicator that the next plan has nothing to say of.
func (t *target) leaveAlone(ctx context.Context, s *status, its func(reconcile.Owner) bool) error {
	for _, k := range t.job.Policy.Included() {
		_, out := t.unblocks(k)
		if err := t.eachRow(ctx, k, func(row *reconcile.Row, v reconcile.Value) {
			listed := func(r rowStatus) bool { return r.ID == row.ID && r.Kind == k.String() }
			if !slices.ContainsFunc(reconcile.OwnersOf(row), its) || slices.ContainsFunc(s.Rows, listed) {
				return
			}
			st := t.rowStatusOf(row)
			st.Next = "the next plan would leave it alone"
			if u := out(v, ownerIDs(row)...); u != nil {
				st.Next += " (unblocked: " + u.Words() + ")"
			}
			s.Rows = append(s.Rows, st)
		}); err != nil {
			return err
		}
	}
	return nil
}

// statusOf judges one indicator as a run would.
func (t *target) statusOf(ind *reconcile.Indicator, matches bool) indicatorStatus {
	st := indicatorStatus{ID: ind.ID, Name: ind.Name, Score: ind.Score, explainedMeaning: explained(ind, t.job.Meaning, t.cfg.Sync.Mapping)}
	if st.Reason, st.Detail = t.job.Selection.Judge(ind, t.now()); st.Reason == "" && !matches {
		st.Reason, st.Detail = reconcile.OutOfFilter, "the filter does not let it through"
	}
	st.Wanted = st.Reason == ""
	return st
}

// addRows looks a rule up in its list.
func (t *target) addRows(ctx context.Context, s *status, r explainedRule) error {
	kind, err := reconcile.ParseKind(r.Kind)
	if err != nil {
		return err
	}
	list, err := t.job.Sink.FindList(ctx, kind, t.cfg.HarfangLab.ListName)
	if err != nil || list == nil {
		return err
	}
	query := reconcile.Query{Name: r.Name, RuleID: r.ID}
	if kind == reconcile.IOC {
		query = reconcile.Query{Type: r.Type, Value: r.Value}
	}
	held, err := t.job.Sink.Lookup(ctx, kind, list.ID, query)
	if err != nil {
		return err
	}
	for i := range held {
		s.Rows = append(s.Rows, t.rowStatusOf(&held[i].Row))
	}
	return nil
}

// rowStatusOf is how a row stands.
func (t *target) rowStatusOf(row *reconcile.Row) rowStatus {
	mine, foreign, _ := reconcile.Whose(row, t.job.Policy.Own, t.job.Canon)
	whose := "unmanaged"
	if mine {
		whose = ours
	} else if foreign {
		whose = "foreign"
	}
	return rowStatus{ID: row.ID, Kind: row.Kind.String(), Type: row.Type, Value: row.Value, Name: row.Name, Enabled: row.Enabled, Whose: whose}
}

const ours = "ours"

func (e *explaining) printStatus(w io.Writer, s status) error {
	if e.json {
		return writeJSON(w, s)
	}
	if s.conclusion != nil {
		fmt.Fprintln(w, render.Escape(s.Verdict))
	}
	fmt.Fprintln(w, render.Escape(s.Input))
	if s.Excluded != "" {
		fmt.Fprintln(w, "  never deployed: excluded by "+render.Escape(s.Excluded))
	}
	if len(s.Indicators) == 0 {
		fmt.Fprintln(w, "  no indicator in OpenCTI gives it")
	}
	if n := len(s.Unread); n > 0 {
		fmt.Fprintln(w, "  "+render.Escape(fmt.Sprintf("%s in OpenCTI cannot be read, and may give it: %s", reconcile.Count(n, "indicator"), strings.Join(s.Unread, ", "))))
	}
	for _, st := range s.Indicators {
		word := "wanted by"
		if !st.Wanted {
			word = fmt.Sprintf("not wanted (%s: %s) from", st.Reason, st.Detail)
		}
		fmt.Fprintln(w, "  "+render.Escape(joined(word, st.Name, "("+st.ID+")")))
		st.lines(w, "    ")
	}
	if len(s.Rows) == 0 {
		fmt.Fprintln(w, "  no rule in HarfangLab holds it: not blocked")
	}
	for _, r := range s.Rows {
		state := "enabled"
		if !r.Enabled {
			state = "disabled"
		}
		line := fmt.Sprintf("held: %s, %s, %s, row %s", joined(r.Kind, r.Type, r.Value, r.Name), state, r.Whose, r.ID)
		if words := matchWords[r.Match]; words != "" {
			line += ", " + words
		}
		if r.Next != "" {
			line += "; " + r.Next
		}
		fmt.Fprintln(w, "  "+render.Escape(line))
	}
	if s.conclusion != nil {
		for _, way := range s.Ways {
			fmt.Fprintln(w, render.Escape(way))
		}
	}
	return nil
}
