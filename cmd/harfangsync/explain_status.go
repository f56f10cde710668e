package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"harfangsync/reconcile"
	"harfangsync/reconcile/render"
	"harfangsync/sources/pattern"
)

// standing is how a value or an indicator stands on both sides.
type standing struct {
	Input      string              `json:"input"`
	Excluded   string              `json:"excluded,omitempty"`
	Indicators []indicatorStanding `json:"indicators"`
	Rows       []rowStanding       `json:"rows"`
}

type indicatorStanding struct {
	ID      string           `json:"indicator_id"`
	Name    string           `json:"name"`
	Score   *int             `json:"score"`
	Wanted  bool             `json:"wanted"`
	Reason  reconcile.Reason `json:"reason,omitempty"`
	Detail  string           `json:"detail,omitempty"`
	Rules   []explainedRule  `json:"rules"`
	Skipped []explainedSkip  `json:"skipped"`
}

type rowStanding struct {
	ID      string `json:"id"`
	Kind    string `json:"kind"`
	Type    string `json:"type,omitempty"`
	Value   string `json:"value,omitempty"`
	Name    string `json:"name,omitempty"`
	Enabled bool   `json:"enabled"`
	Whose   string `json:"whose"` // ours, foreign or unmanaged
}

// explainIndicator answers for one indicator: whether it is wanted, what it gives, what of that is held.
func (p *program) explainIndicator(ctx context.Context, e *explaining) error {
	return p.on(ctx, &shaping{}, true, func(ctx context.Context, t *target) error {
		found, err := t.job.Source.ByIDs(ctx, []string{e.indicator}, false)
		if err != nil {
			return err
		}
		s := standing{Input: e.indicator, Indicators: []indicatorStanding{}, Rows: []rowStanding{}}
		if len(found) > 0 {
			matching, err := t.job.Source.ByIDs(ctx, []string{e.indicator}, true)
			if err != nil {
				return err
			}
			st := t.stand(&found[0].Indicator, len(matching) > 0)
			s.Indicators = append(s.Indicators, st)
			for _, r := range st.Rules {
				if s.Rows, err = t.addRows(ctx, s.Rows, r); err != nil {
					return err
				}
			}
		}
		return e.printStanding(p.stdout, s)
	})
}

// explainValue answers for one value: every indicator that names it, and every row that holds it.
func (p *program) explainValue(ctx context.Context, e *explaining) error {
	return p.on(ctx, &shaping{}, true, func(ctx context.Context, t *target) error {
		s, err := t.standingOf(ctx, e.value)
		if err != nil {
			return err
		}
		return e.printStanding(p.stdout, s)
	})
}

func (t *target) standingOf(ctx context.Context, value string) (standing, error) {
	s := standing{Input: value, Indicators: []indicatorStanding{}, Rows: []rowStanding{}}
	candidates := spellings(value)
	for _, v := range candidates {
		if s.Excluded == "" {
			s.Excluded, _ = t.cfg.Sync.Excluded.Match(v)
		}
	}
	// Everything is read, not only what the filter lets through: "why not" is asked as often as "why".
	var ids []string
	byID := map[string]*reconcile.Indicator{}
	_, err := t.every.Read(ctx, t.now(), func(page []reconcile.Indicator) error {
		for i := range page {
			if t.gives(&page[i], value, candidates) {
				if byID[page[i].ID] == nil {
					ids = append(ids, page[i].ID)
				}
				byID[page[i].ID] = &page[i]
			}
		}
		return nil
	})
	if err != nil {
		return s, err
	}
	matching := map[string]bool{}
	if len(ids) > 0 {
		found, err := t.job.Source.ByIDs(ctx, ids, true)
		if err != nil {
			return s, err
		}
		for _, f := range found {
			matching[f.Asked] = true
		}
	}
	for _, id := range ids {
		s.Indicators = append(s.Indicators, t.stand(byID[id], matching[id]))
	}
	for _, v := range candidates {
		if s.Rows, err = t.addRows(ctx, s.Rows, explainedRule{Kind: "ioc", Type: v.Type, Value: v.Value}); err != nil {
			return s, err
		}
	}
	return s, nil
}

// gives says whether an indicator's rules hold a value, or whether its pattern names it and something
// of it is skipped.
func (t *target) gives(ind *reconcile.Indicator, value string, candidates []reconcile.Value) bool {
	st := t.stand(ind, true)
	for _, r := range st.Rules {
		if slices.Contains(candidates, reconcile.Value{Type: r.Type, Value: r.Value}) {
			return true
		}
	}
	return len(st.Skipped) > 0 && strings.Contains(ind.Pattern, value)
}

// spellings are the rules that a value as a person types it could be.
func spellings(value string) []reconcile.Value {
	var out []reconcile.Value
	for _, typ := range []string{"hash", "ip_both", "ip_src", "ip_dst", "domain_name", "url", "filename", "filepath"} {
		if v, err := pattern.Canonical(typ, value); err == nil {
			out = append(out, reconcile.Value{Type: typ, Value: v})
		}
	}
	return out
}

// stand judges one indicator as a run would.
func (t *target) stand(ind *reconcile.Indicator, matches bool) indicatorStanding {
	st := indicatorStanding{ID: ind.ID, Name: ind.Name, Score: ind.Score, Wanted: true, Rules: []explainedRule{}, Skipped: []explainedSkip{}}
	if st.Reason, st.Detail = t.job.Selection.Judge(ind, t.now()); st.Reason == "" && !matches {
		st.Reason, st.Detail = reconcile.OutOfFilter, "the filter does not let it through"
	}
	st.Wanted = st.Reason == ""
	if !strings.EqualFold(ind.PatternType, "stix") {
		if r, err := reconcile.CheckRule(ind); err == nil {
			st.Rules = append(st.Rules, explainedRule{Kind: ind.PatternType, Name: r.Name, ID: r.ID, Mapping: explainMapping(t.cfg.Sync.Mapping, ind, strings.ToLower(ind.PatternType), "")})
		} else {
			st.Skipped = append(st.Skipped, explainedSkip{reconcile.InvalidRule, err.Error()})
		}
		return st
	}
	values, skips := t.job.Meaning(ind)
	for _, v := range values {
		st.Rules = append(st.Rules, explainedRule{Kind: "ioc", Type: v.Type, Value: v.Value, Mapping: explainMapping(t.cfg.Sync.Mapping, ind, "ioc", v.Type)})
	}
	for _, s := range skips {
		st.Skipped = append(st.Skipped, explainedSkip{s.Reason, s.Detail})
	}
	return st
}

// addRows looks a rule up in its list.
func (t *target) addRows(ctx context.Context, rows []rowStanding, r explainedRule) ([]rowStanding, error) {
	kind, err := reconcile.ParseKind(r.Kind)
	if err != nil {
		return rows, err
	}
	list, err := t.job.Sink.FindList(ctx, kind, t.cfg.HarfangLab.ListName)
	if err != nil || list == nil {
		return rows, err
	}
	held, err := t.job.Sink.Lookup(ctx, kind, list.ID, queryOf(kind, r))
	if err != nil {
		return rows, err
	}
	for i := range held {
		row := &held[i].Row
		mine, foreign, _ := reconcile.Whose(row, t.job.Policy.Own, t.job.Canon)
		whose := "unmanaged"
		if mine {
			whose = "ours"
		} else if foreign {
			whose = "foreign"
		}
		rows = append(rows, rowStanding{ID: row.ID, Kind: r.Kind, Type: row.Type, Value: row.Value, Name: row.Name, Enabled: row.Enabled, Whose: whose})
	}
	return rows, nil
}

func (e *explaining) printStanding(w io.Writer, s standing) error {
	if e.json {
		return writeJSON(w, s)
	}
	fmt.Fprintln(w, render.Escape(s.Input))
	if s.Excluded != "" {
		fmt.Fprintln(w, "  never deployed: excluded by "+render.Escape(s.Excluded))
	}
	if len(s.Indicators) == 0 {
		fmt.Fprintln(w, "  no indicator in OpenCTI gives it")
	}
	for _, st := range s.Indicators {
		word := "wanted by"
		if !st.Wanted {
			word = fmt.Sprintf("not wanted (%s: %s) from", st.Reason, st.Detail)
		}
		fmt.Fprintln(w, "  "+render.Escape(fmt.Sprintf("%s %s (%s)", word, st.Name, st.ID)))
		for _, r := range st.Rules {
			fmt.Fprintln(w, "    + "+render.Escape(strings.Join(nonEmpty(r.Kind, r.Type, r.Value, r.Name, r.ID), " ")))
			if words := r.Mapping.words(); words != "" {
				fmt.Fprintln(w, "      "+words)
			}
		}
		for _, sk := range st.Skipped {
			fmt.Fprintf(w, "    ? %s: %s\n", sk.Reason, render.Escape(sk.Detail))
		}
	}
	if len(s.Rows) == 0 {
		fmt.Fprintln(w, "  no rule in HarfangLab holds it: not blocked")
	}
	for _, r := range s.Rows {
		state := "enabled"
		if !r.Enabled {
			state = "disabled"
		}
		fmt.Fprintln(w, "  "+render.Escape(fmt.Sprintf("held: %s, %s, %s, row %s", strings.Join(nonEmpty(r.Kind, r.Type, r.Value, r.Name), " "), state, r.Whose, r.ID)))
	}
	return nil
}

func queryOf(k reconcile.Kind, r explainedRule) reconcile.Query {
	if k == reconcile.IOC {
		return reconcile.Query{Type: r.Type, Value: r.Value}
	}
	return reconcile.Query{Name: r.Name, RuleID: r.ID}
}
