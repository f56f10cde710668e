package reconcile_test

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/marker"

	"github.com/google/uuid"
)

const (
	us   = "11111111-1111-4111-8111-111111111111"
	them = "22222222-2222-4222-8222-222222222222"
	list = "from_OpenCTI"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// tb is what the helpers need of a test, a benchmark or a property.
type tb interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Cleanup(f func())
}

// canon folds case, as the pattern package does for the types used here.
func canon(typ, value string) string {
	if typ == "url" || typ == "filename" || typ == "filepath" {
		return value
	}
	return strings.ToLower(value)
}

func policy() reconcile.Policy {
	return reconcile.Policy{
		Own: reconcile.Identity{Instance: us}, List: list, Base: "https://cti.example",
		Maturity: "stable", Unmanaged: reconcile.ReportUnmanaged, Mode: reconcile.SyncMode,
	}
}

// std is the standard id of an indicator, and plain that id as tests write it.
func std(id string) string {
	s := "indicator--" + uuid.NewSHA1(uuid.NameSpaceOID, []byte(id)).String()
	standards.Store(s, "indicator--"+id)
	return s
}

func plain(standardID string) string {
	if s, known := standards.Load(standardID); known {
		return s.(string)
	}
	return standardID
}

var standards sync.Map

// ind is an indicator whose pattern is, for the tests, its values: "domain_name a.example; url x".
func ind(id, pattern string) reconcile.Indicator {
	score, yes := 50, true
	return reconcile.Indicator{ID: id, StandardID: std(id), Name: "name of " + id, Description: "about " + id,
		Pattern: pattern, PatternType: "stix", Score: &score, Detection: &yes, CreatedAt: noon.AddDate(0, -1, 0), UpdatedAt: noon.AddDate(0, 0, -7)}
}

const sigmaBody = "title: t\nlogsource:\n    product: windows\ndetection:\n    sel:\n        Image: evil.exe\n    condition: sel\n"

// sigma is a Sigma indicator; an empty ruleID leaves the id out of its YAML.
func sigma(id, ruleID string) reconcile.Indicator {
	i := ind(id, sigmaBody)
	i.PatternType = "sigma"
	if ruleID != "" {
		i.Pattern = "id: " + ruleID + "\n" + i.Pattern
	}
	return i
}

func yara(id string) reconcile.Indicator {
	i := ind(id, "rule "+id+" {\n    condition: true\n}\n")
	i.PatternType = "yara"
	return i
}

func with(i reconcile.Indicator, change func(*reconcile.Indicator)) reconcile.Indicator {
	change(&i)
	return i
}

func valuesOf(i *reconcile.Indicator) []reconcile.Value {
	var out []reconcile.Value
	if i.PatternType != "stix" {
		return nil
	}
	for v := range strings.SplitSeq(i.Pattern, ";") {
		if typ, value, ok := strings.Cut(strings.TrimSpace(v), " "); ok {
			out = append(out, reconcile.Value{Type: typ, Value: value})
		}
	}
	return out
}

func wantedOf(t tb, inds ...reconcile.Indicator) *reconcile.Wanted {
	t.Helper()
	return wantedBy(t, nil, inds...)
}

func wantedBy(t tb, m reconcile.Mapping, inds ...reconcile.Indicator) *reconcile.Wanted {
	t.Helper()
	w := reconcile.NewWanted()
	w.Map(m)
	for i := range inds {
		if inds[i].Revoked {
			w.Pass(&inds[i], reconcile.Revoked, "revoked")
			continue
		}
		if inds[i].Unread != "" {
			w.Pass(&inds[i], reconcile.Unreadable, inds[i].Unread)
			continue
		}
		w.Add(&inds[i], reconcile.Given{Values: valuesOf(&inds[i])})
	}
	if err := w.Seal(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.Close() })
	return w
}

func rowsOf(t tb, p reconcile.Policy, w *reconcile.Wanted, rows ...reconcile.Row) *reconcile.Rows {
	t.Helper()
	r := reconcile.NewRows(p.Own, canon)
	for i := range rows {
		r.Add(&rows[i])
	}
	if err := r.Seal(w); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// decide is Compute on plain slices, after a run with the same mapping.
func decide(t tb, p reconcile.Policy, rows []reconcile.Row, inds ...reconcile.Indicator) *reconcile.Plan {
	t.Helper()
	return decideKnowing(t, p, reconcile.Memory{LastGood: reconcile.LastGood{Mapping: p.Mapping.Digest()}}, rows, inds...)
}

func decideKnowing(t tb, p reconcile.Policy, m reconcile.Memory, rows []reconcile.Row, inds ...reconcile.Indicator) *reconcile.Plan {
	t.Helper()
	w := wantedBy(t, p.Mapping, inds...)
	plan, err := reconcile.Compute(rowsOf(t, p, w, rows...), w, p, m)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// applied is what the lists hold after a complete apply against an obedient server.
func applied(t tb, p reconcile.Policy, inds ...reconcile.Indicator) []reconcile.Row {
	t.Helper()
	return obedient().apply(t, decide(t, p, nil, inds...), p, nil)
}

func edit(rows []reconcile.Row, change func(*reconcile.Row)) []reconcile.Row {
	out := slices.Clone(rows)
	for i := range out {
		change(&out[i])
	}
	return out
}

func off(r *reconcile.Row) { r.Enabled = false }

// brief turns a plan into lines that fit a table: what changes, what is held, what is skipped, and
// the number of unchanged rows.
func brief(p *reconcile.Plan) []string {
	lines := []string{}
	for i := range p.Changes.Len() {
		c := p.Changes.At(i)
		why := string(c.Reason)
		if c.Cause != "" {
			why += "/" + string(c.Cause)
		}
		line := fmt.Sprintf("%s %s %s", c.Action.Symbol(), c.Label(), why)
		if len(c.Fields) > 0 {
			line += " (" + strings.Join(c.Fields, ",") + ")"
		}
		lines = append(lines, line+ownerWords(c.Owners))
	}
	for _, h := range p.Held.All() {
		lines = append(lines, fmt.Sprintf("held %s %s%s", h.Reason, h.Label(), ownerWords(h.Owners)))
	}
	for _, s := range p.Skipped.All() {
		lines = append(lines, fmt.Sprintf("skip %s %s", s.Reason, s.Indicator))
	}
	return append(lines, fmt.Sprintf("= %d", p.Unchanged))
}

func ownerWords(owners []reconcile.Owner) string {
	words := []string{}
	for _, o := range owners {
		words = append(words, cmp.Or(o.ID, plain(o.StandardID)))
	}
	if len(words) == 0 {
		return ""
	}
	return " by " + strings.Join(words, ",")
}

// oldRow is an IOC row as an old connector left it.
func oldRow(id, typ, value, owner string) reconcile.Row {
	return reconcile.Row{Kind: reconcile.IOC, ID: id, Created: "2024-01-01T00:00:00Z", Type: typ, Value: value, Description: "old words", Enabled: true, HLStatus: "experimental",
		Comment: fmt.Sprintf(`{"indicator_id": %q, "indicator_score": 40, "indicator_platforms": []}`, std(owner))}
}

// server is a model of what a manager does to what it is sent.
type server struct {
	munge       func(*reconcile.Row) // what it makes of a stored row
	stateless   bool                 // it is of a generation without states and overrides
	mostComment int                  // longer comments are refused; 0 takes any
	made        int
}

func obedient() *server { return &server{munge: func(*reconcile.Row) {}} }

// apply carries out a plan as reconcile/run does: every change, then one read-back with its note.
func (s *server) apply(t tb, plan *reconcile.Plan, p reconcile.Policy, rows []reconcile.Row) []reconcile.Row {
	t.Helper()
	rows = slices.Clone(rows)
	at := func(id string) int {
		return slices.IndexFunc(rows, func(r reconcile.Row) bool { return r.ID == id })
	}
	for i := range plan.Changes.Len() {
		ch := plan.Changes.At(i)
		id := ch.ID
		switch ch.Action {
		case reconcile.Delete:
			rows = slices.Delete(rows, at(id), at(id)+1)
			continue
		case reconcile.Create:
			for s.made++; at(fmt.Sprintf("made-%06d", s.made)) >= 0; {
				s.made++
			}
			row := ch.Row()
			row.ID = fmt.Sprintf("made-%06d", s.made)
			row.Created = fmt.Sprintf("2026-01-01T00:00:00.%06dZ", s.made)
			id, rows = row.ID, append(rows, row)
			s.store(&rows[len(rows)-1], ch.After, ch)
		default:
			s.store(&rows[at(id)], ch.After, ch)
		}
		back := ch.Verify(&rows[at(id)], p.Own, canon, false)
		if back.Note != nil {
			s.store(&rows[at(id)], back.Note, ch)
			back = ch.Verify(&rows[at(id)], p.Own, canon, true)
		}
		if back.Problem != "" {
			t.Fatalf("%s %s: %s\nrow %+v", ch.Action, ch.Label(), back.Problem, rows[at(id)])
		}
	}
	return rows
}

// state derives the flag and the global state from each other.
func (s *server) state(row *reconcile.Row, b *reconcile.Body) {
	row.Enabled = b.Enabled
	if s.stateless {
		return
	}
	switch {
	case b.State != nil:
		row.State = *b.State
	case !b.Enabled:
		row.State = "disabled"
	case row.State == "disabled" || row.State == "":
		row.State = "alert"
	}
	for _, f := range []struct{ to, from *string }{{&row.Level, b.Level}, {&row.Confidence, b.Confidence}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
}

func (s *server) store(row *reconcile.Row, b *reconcile.Body, ch *reconcile.Change) {
	s.state(row, b)
	row.HLStatus = b.HLStatus
	for _, f := range []struct{ to, from *string }{{&row.Description, b.Description}, {&row.Comment, b.Comment}, {&row.Name, b.Name}, {&row.Content, b.Content}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if s.mostComment > 0 && len([]rune(row.Comment)) > s.mostComment {
		row.Comment, _ = reconcile.ShortComment(row.Comment)
	}
	if row.Kind == reconcile.Sigma {
		if rule, err := marker.ReadSigma(row.Content); err == nil {
			row.RuleID = rule.ID
		}
	}
	s.munge(row)
}
