package run_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

const us = "11111111-1111-4111-8111-111111111111"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fault is an adapter's error that says what a run asks of it.
type fault struct{ is reconcile.Fault }

func (f *fault) Error() string { return "fault: " + f.is.Words }

func (f *fault) Fault() reconcile.Fault { return f.is }

// source is an OpenCTI: what a read gives, and what it knows by id.
type source struct {
	read       []reconcile.Indicator
	known      map[string]reconcile.Indicator // also by standard id; nil means what is read
	unfiltered map[string]bool                // ids that the filter does not let through
	fail       []error                        // of the next reads
	failByID   []error
	broken     map[string]bool // ids that it cannot give
	onRead     func()          // may be nil, as onAsk
	onAsk      func()
	asked      []string // by id
}

func pop(errs *[]error) error {
	if len(*errs) == 0 {
		return nil
	}
	err := (*errs)[0]
	*errs = (*errs)[1:]
	return err
}

func (s *source) Read(_ context.Context, _ time.Time, visit func(page []reconcile.Indicator, total int) error) (int, error) {
	if s.onRead != nil {
		s.onRead()
	}
	if err := pop(&s.fail); err != nil {
		return 0, errors.Join(visit(s.read[:len(s.read)/2], len(s.read)), err)
	}
	var page []reconcile.Indicator
	becomes(func() {
		page = slices.Clone(s.read)
		for i := range page {
			if s.broken[page[i].ID] {
				page[i] = unread(page[i].ID)
			}
		}
	})
	return len(page), visit(page, len(page))
}

// changing is held while a test changes what an OpenCTI holds that is asked at the same time.
var changing sync.Mutex

// becomes changes it.
func becomes(other func()) {
	changing.Lock()
	defer changing.Unlock()
	other()
}

func unread(id string) reconcile.Indicator {
	return reconcile.Indicator{ID: id, StandardID: "indicator--" + id, Unread: "it cannot be resolved"}
}

func (s *source) Ask(_ context.Context, ids []string) (a reconcile.Answer, err error) {
	if s.onAsk != nil {
		s.onAsk()
	}
	changing.Lock()
	defer changing.Unlock()
	s.asked = append(s.asked, ids...)
	if err := pop(&s.failByID); err != nil {
		return a, err
	}
	for _, id := range ids {
		if s.broken[id] {
			a.Found = append(a.Found, reconcile.Found{Asked: id, Indicator: unread(id), Passes: true})
			continue
		}
		ind, ok := s.known[id]
		for _, r := range s.read {
			if s.known == nil && r.ID == id {
				ind, ok = r, true
			}
		}
		if ok {
			a.Found = append(a.Found, reconcile.Found{Asked: id, Indicator: ind, Passes: !s.unfiltered[id]})
		}
	}
	return a, nil
}

// sink is a HarfangLab with state.
type sink struct {
	mu    sync.Mutex
	lists map[reconcile.Kind]*reconcile.List
	rows  []reconcile.Row
	made  int
	munge func(*reconcile.Row)
	// take is what it makes of the flag, the state and the overrides of a request; nil knows them all. sent has
	// the others, too.
	take     func(r *reconcile.Row, sent reconcile.Patch) error
	comments int                         // longest comment taken
	fail     func(what, id string) error // before a write or a look-up; nil passes
	log      []string
}

func newSink() *sink { return &sink{lists: map[reconcile.Kind]*reconcile.List{}} }

func (s *sink) note(what, id string) error {
	s.log = append(s.log, strings.TrimSpace(what+" "+id))
	if s.fail != nil {
		return s.fail(what, id)
	}
	return nil
}

func (s *sink) FindList(_ context.Context, k reconcile.Kind, _ string) (*reconcile.List, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lists[k], nil
}

func (s *sink) CreateList(_ context.Context, k reconcile.Kind, name string) (*reconcile.List, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	l := &reconcile.List{ID: "list-" + k.String(), Name: name, Found: s.lists[k] != nil}
	s.lists[k] = l
	return l, s.note("create list", k.String())
}

func (s *sink) Rows(_ context.Context, k reconcile.Kind, list string, visit func(page []reconcile.Row, total int) error) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note("read", k.String()); err != nil {
		return 0, err
	}
	var page []reconcile.Row
	for _, r := range s.rows {
		if r.Kind == k && s.lists[k] != nil && s.lists[k].ID == list {
			page = append(page, r)
		}
	}
	return len(page), visit(page, len(page))
}

func (s *sink) Lookup(_ context.Context, k reconcile.Kind, list string, q reconcile.Query) ([]reconcile.Located, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note("look up", q.Value+q.Name); err != nil {
		return nil, err
	}
	var out []reconcile.Located
	for _, r := range s.rows {
		if r.Kind == k && (k == reconcile.IOC && r.Type == q.Type && strings.EqualFold(r.Value, q.Value) || q.RuleID != "" && r.RuleID == q.RuleID || k != reconcile.IOC && r.Name == q.Name) {
			out = append(out, reconcile.Located{Row: r, List: list})
		}
	}
	return out, nil
}

// Written knows of no writes, so that each row is looked up.
func (s *sink) Written(context.Context, string, []string) ([]reconcile.Located, error) {
	return nil, nil
}

func (s *sink) Create(_ context.Context, _ string, r reconcile.Row) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note("create", r.Value+r.Name); err != nil {
		return "", err
	}
	if s.comments > 0 && len(r.Comment) > s.comments {
		return "", &fault{reconcile.Fault{Verdict: true, Words: "comment too long", Fields: []string{"comment"}}}
	}
	if r.Kind != reconcile.YARA && slices.ContainsFunc(s.rows, func(h reconcile.Row) bool {
		return h.Kind == r.Kind && h.Type == r.Type && h.Value == r.Value && h.RuleID == r.RuleID
	}) {
		return "", &fault{reconcile.Fault{Verdict: true, Exists: true, Words: "already exists"}}
	}
	sent := reconcile.Patch{Level: &r.Level, Confidence: &r.Confidence}
	if r.State != "" {
		sent.State = &r.State
	} else {
		sent.Enabled = &r.Enabled
	}
	stored := r
	stored.Enabled, stored.Level, stored.Confidence, stored.State = false, "", "", ""
	if err := s.taken(&stored, sent); err != nil {
		return "", err
	}
	r = stored
	s.made++
	r.ID, r.Created = fmt.Sprintf("row-%03d", s.made), fmt.Sprintf("2026-01-01T00:00:00.%06dZ", s.made)
	s.store(&r)
	s.rows = append(s.rows, r)
	return r.ID, nil
}

func (s *sink) store(r *reconcile.Row) {
	if r.Kind == reconcile.Sigma {
		if rule, err := marker.ReadSigma(r.Content); err == nil {
			r.RuleID = rule.ID
		}
	}
	if s.munge != nil {
		s.munge(r)
	}
}

func (s *sink) at(id string) int {
	return slices.IndexFunc(s.rows, func(r reconcile.Row) bool { return r.ID == id })
}

func (s *sink) Update(_ context.Context, _ reconcile.Kind, id string, p reconcile.Patch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note("update", id); err != nil {
		return err
	}
	i := s.at(id)
	if i < 0 {
		return &fault{reconcile.Fault{Missing: true, Words: "not found"}}
	}
	if s.comments > 0 && p.Comment != nil && len(*p.Comment) > s.comments {
		return &fault{reconcile.Fault{Verdict: true, Words: "comment too long", Fields: []string{"comment"}}}
	}
	r := &s.rows[i]
	for _, f := range []struct{ to, from *string }{{&r.Description, p.Description}, {&r.Comment, p.Comment}, {&r.HLStatus, p.HLStatus}, {&r.Name, p.Name}, {&r.Content, p.Content}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	before := *r
	if err := s.taken(r, p); err != nil {
		*r = before
		return err
	}
	s.store(r)
	return nil
}

func (s *sink) taken(r *reconcile.Row, sent reconcile.Patch) error {
	if s.take != nil {
		return s.take(r, sent)
	}
	switch {
	case sent.State != nil:
		r.State, r.Enabled = *sent.State, *sent.State != "disabled"
	case sent.Enabled != nil && *sent.Enabled != r.Enabled || r.State == "":
		r.Enabled = *sent.Enabled
		r.State = map[bool]string{true: "alert", false: "disabled"}[r.Enabled]
	}
	for _, f := range []struct{ to, from *string }{{&r.Level, sent.Level}, {&r.Confidence, sent.Confidence}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	return nil
}

func (s *sink) Delete(_ context.Context, _ reconcile.Kind, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.note("delete", id); err != nil {
		return err
	}
	i := s.at(id)
	if i < 0 {
		return &fault{reconcile.Fault{Missing: true, Words: "not found"}}
	}
	s.rows = slices.Delete(s.rows, i, i+1)
	return nil
}

func (s *sink) writes() int {
	n := 0
	for _, l := range s.log {
		if !strings.HasPrefix(l, "read") && !strings.HasPrefix(l, "look up") {
			n++
		}
	}
	return n
}

// job is a run between the two; its patterns are values, "domain_name a.example; url x".
func job(t *testing.T, src *source, snk *sink) *run.Job {
	t.Helper()
	keeper, err := state.Open(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return &run.Job{
		Source: src, Sink: snk,
		Meaning: func(ind *reconcile.Indicator) (g reconcile.Given) {
			for v := range strings.SplitSeq(ind.Pattern, ";") {
				if typ, value, ok := strings.Cut(strings.TrimSpace(v), " "); ok && ind.PatternType == "stix" {
					g.Values = append(g.Values, reconcile.Value{Type: typ, Value: value})
				}
			}
			return g
		},
		Canon: func(_, v string) string { return v },
		Policy: reconcile.Policy{Own: reconcile.Identity{Instance: us}, List: "from_OpenCTI", Base: "https://cti.example", Maturity: "stable",
			Unmanaged: reconcile.ReportUnmanaged, Mode: reconcile.SyncMode},
		Limits: reconcile.Limits{SourceShrink: 20, Additions: 1000, Changes: 200, Failures: 3, Window: 24 * time.Hour}, Filter: "f", Markings: []string{"TLP:AMBER"}, Parallel: 2,
		Keeper: keeper, Log: slog.New(slog.DiscardHandler), Clock: func() time.Time { return noon },
	}
}

func ind(id, pattern string) reconcile.Indicator {
	return reconcile.Indicator{ID: id, StandardID: "indicator--" + id, Name: "name of " + id, Description: "about " + id, Pattern: pattern, PatternType: "stix",
		CreatedAt: noon.AddDate(0, -1, 0), UpdatedAt: noon.AddDate(0, 0, -7)}
}

func sigma(id, rule string) reconcile.Indicator {
	i := ind(id, "id: "+rule+"\ntitle: t\nlogsource: {product: windows}\ndetection: {sel: {a: b}, condition: sel}\n")
	i.PatternType = "sigma"
	return i
}

func yara(id string) reconcile.Indicator {
	i := ind(id, "rule r { condition: true }\n")
	i.PatternType = "yara"
	return i
}

func plan(t *testing.T, j *run.Job) *run.Planned {
	t.Helper()
	p, err := j.Plan(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func apply(t *testing.T, j *run.Job, p *run.Planned, recheck bool) *run.Report {
	t.Helper()
	r, err := j.Apply(t.Context(), p, recheck)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sync plans and applies, and wants everything done.
func syncAll(t *testing.T, j *run.Job) {
	t.Helper()
	p := plan(t, j)
	if r := apply(t, j, p, false); p.Plan.Refused() || !r.Clean() {
		t.Fatalf("refused %t, %q", p.Plan.Refused(), brief(r))
	}
}

func brief(r *run.Report) []string {
	lines := []string{}
	for i, it := range r.Items {
		lines = append(lines, fmt.Sprintf("%s %s %s", r.Changes.Action(i).Symbol(), r.Changes.At(i).Label(), it.Outcome))
	}
	return append(lines, r.Problems...)
}

func changes(p *run.Planned) []string {
	lines := []string{}
	for i := range p.Plan.Changes.Len() {
		c := p.Plan.Changes.At(i)
		lines = append(lines, fmt.Sprintf("%s %s %s", c.Action.Symbol(), c.Label(), c.Reason))
	}
	for i := range p.Plan.Held.Len() {
		lines = append(lines, fmt.Sprintf("held %s %s", p.Plan.Held.At(i).Reason, p.Plan.Held.At(i).Label()))
	}
	for _, s := range p.Plan.Skipped.All() {
		lines = append(lines, fmt.Sprintf("skip %s %s", s.Reason, s.Indicator))
	}
	return lines
}

func refused(p *run.Planned) []string {
	out := []string{}
	for _, g := range p.Plan.Gates {
		if !g.OK {
			out = append(out, g.ID)
		}
	}
	return out
}
