package pull_test

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// platforms is both platforms as a pull meets them, in memory: HarfangLab holds alerts and threats, and
// OpenCTI takes a bundle as contract opencti-api 9 says. Its clock moves only while a pull waits.
type platforms struct {
	now time.Time

	alerts  []alert.Alert
	threats []alert.Threat
	notes   map[string]*alert.Note
	silent  bool                    // the list of threats says nothing of notes
	unread  error                   // what every read of alerts ends with after its rows
	broken  map[string]error        // what reading one alert gives
	asked   []pull.AlertQuery       // in order
	changed func(*pull.ThreatQuery) // is told of each read of threats; may be nil

	rows       []reconcile.Located // rules of HarfangLab
	looked     []string            // look-ups of rules
	indicators map[string]string   // standard ids by internal id
	things     map[string]*thing   // incidents, cases and notes by id
	owned      map[string][]string
	sights     []*pull.Sighted

	withdraws bool              // a bundle that waits can be taken back
	workless  bool              // bundles are tied to no work
	blind     bool              // the account may not see endpoints
	spares    int               // so many imported objects keep them before
	strips    int               // so many imported objects lose their author and their marking
	firm      map[string]int    // confidence of objects of which nobody is the author
	bare      map[string]bool   // those that have none
	from      map[string]string // of relationships, by id
	works     map[string]*pull.Work
	pushes    []string
	// take is told of every push; what it gives is the answer, and import does the import, at once or
	// later. nil imports at once.
	take    func(r *platforms, bundle, work string) error
	refuse  func(o memObject) bool // objects that fail
	failing map[string]error       // by the name of a method of Knowledge
	down    bool                   // errA was given: nothing else is answered any more
	waited  func(r *platforms)     // is called at each wait
	reads   map[string]int         // calls by method
	closed  []string               // works that were closed
}

// thing is an object with a text.
type thing struct {
	id, text string
	parts    int // of a case
}

// memObject is an object as the importer of this test writes it.
type memObject struct {
	Type, ID string
	Text     string `json:"description"`
	From, To string
	Parts    int // of a case
	Seen     alert.Sighting
}

var (
	t0   = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	errA = error(&memFault{reconcile.Fault{Side: true}, "a side is down"})
	// errOne is what one request gives while all others are answered.
	errOne = error(&memFault{reconcile.Fault{Side: true}, "500 of one request"})
)

func newPlatforms() *platforms {
	return &platforms{
		now: t0.Add(time.Hour), notes: map[string]*alert.Note{}, broken: map[string]error{}, indicators: map[string]string{"a": "indicator--a", "b": "indicator--b"},
		things: map[string]*thing{}, owned: map[string][]string{}, works: map[string]*pull.Work{}, failing: map[string]error{}, reads: map[string]int{}, bare: map[string]bool{}, from: map[string]string{},
	}
}

// saw adds an alert: a number, the host, the indicators whose rule fired.
func (r *platforms) saw(n int, host, owners string) *alert.Alert {
	r.alerts = append(r.alerts, alert.Alert{ID: fmt.Sprintf("alert-%03d", n), Status: alert.New, RuleName: "rule", RuleContent: owners, Type: "ioc",
		Time: t0.Add(time.Duration(n) * time.Second), Agent: alert.Agent{Hostname: host}})
	return &r.alerts[len(r.alerts)-1]
}

// triage changes an alert's status, a second after whatever happened before.
func (r *platforms) triage(n int, s alert.Status) {
	i := slices.IndexFunc(r.alerts, func(a alert.Alert) bool { return a.ID == fmt.Sprintf("alert-%03d", n) })
	r.now = r.now.Add(time.Second)
	r.alerts[i].Status, r.alerts[i].LastUpdate = s, r.now
}

// puller is a pull of it that remembers in store.
func (r *platforms) puller(t testing.TB, store state.Store) *pull.Puller {
	t.Helper()
	k, err := state.Open(t.Context(), store, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r.with(k)
}

func (r *platforms) with(k *state.Keeper) *pull.Puller {
	return &pull.Puller{
		Alerts: r, Knowledge: r, Importer: memImporter{}, Own: reconcile.Identity{Instance: "me"},
		Canon: func(_, v string) string { return v }, List: "list", Statuses: []string{"new", "investigating"}, Start: t0.Add(-time.Hour), Parallel: 1, Marking: "marking",
		Keeper: k, Log: slog.New(slog.NewTextHandler(io.Discard, nil)), Clock: func() time.Time { return r.now },
		Wait: func(ctx context.Context, d time.Duration) error {
			r.now = r.now.Add(d)
			if r.waited != nil {
				r.waited(r)
			}
			return ctx.Err()
		},
	}
}

// pull is one pull that has to come to its end.
func (r *platforms) pull(t testing.TB, store state.Store) *pull.Report {
	t.Helper()
	report, err := r.puller(t, store).Pull(t.Context())
	if err != nil {
		t.Fatalf("pull: %v", err)
	}
	return report
}

// graph is what OpenCTI holds, in lines.
func (r *platforms) graph() []string {
	var lines []string
	for _, o := range r.things {
		first, _, _ := strings.Cut(o.text, "\n")
		if strings.HasPrefix(o.id, "case") {
			first += fmt.Sprintf(", %d objects", o.parts)
		}
		lines = append(lines, o.id+" "+first)
	}
	for _, s := range r.sights {
		sign := "+"
		if s.Negative {
			sign = "-"
		}
		lines = append(lines, fmt.Sprintf("%s on %s %s%d", s.IDs[1], s.Endpoint[0], sign, s.Count))
	}
	slices.Sort(lines)
	return lines
}

// sight stores a sighting as somebody else left it, or a part of an import.
func (r *platforms) sight(indicator, host string, count int, negative bool, ids ...string) *pull.Sighted {
	s := &pull.Sighted{IDs: append([]string{"internal-" + indicator + host}, ids...), Endpoint: []string{"identity--" + host}, Count: count, First: t0, Last: t0.Add(time.Minute), Negative: negative}
	if len(ids) == 0 {
		s.IDs = append(s.IDs, "sighting--indicator--"+indicator+"-identity--"+host)
	}
	r.sights = append(r.sights, s)
	r.owned["of "+s.IDs[0]] = []string{indicator}
	return s
}

// memStore is a state that stays.
type memStore struct{ text string }

func (m *memStore) Load(context.Context) (string, error)      { return m.text, nil }
func (m *memStore) Save(_ context.Context, text string) error { m.text = text; return nil }
func (m *memStore) doc(t testing.TB) state.Document {
	t.Helper()
	d, err := state.Parse(m.text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// memFault is an error of a platform with what it means.
type memFault struct {
	is    reconcile.Fault
	words string
}

func (e *memFault) Error() string          { return e.words }
func (e *memFault) Fault() reconcile.Fault { return e.is }

func (r *platforms) Alerts(_ context.Context, q pull.AlertQuery, visit func([]alert.Alert, []alert.Bad) error) error {
	r.asked = append(r.asked, q)
	var page []alert.Alert
	for _, a := range r.alerts {
		switch {
		case !q.From.IsZero() && a.Time.Before(q.From), !q.To.IsZero() && a.Time.After(q.To), q.Threat != "" && q.Threat != a.ThreatKey,
			!q.ChangedSince.IsZero() && a.LastUpdate.Before(q.ChangedSince), q.Statuses != nil && !slices.Contains(q.Statuses, string(a.Status)):
			continue
		}
		page = append(page, a)
	}
	if err := visit(page, nil); err != nil {
		return err
	}
	return r.unread
}

func (r *platforms) Alert(_ context.Context, id string) (*alert.Alert, error) {
	if err := r.broken[id]; err != nil {
		return nil, r.fails(err)
	}
	for _, a := range r.alerts {
		if a.ID == id {
			return &a, nil
		}
	}
	return nil, nil
}

func (r *platforms) Threats(_ context.Context, q pull.ThreatQuery, visit func([]alert.Threat, []alert.Bad) error) error {
	if r.changed != nil {
		r.changed(&q)
	}
	var page []alert.Threat
	for _, t := range r.threats {
		if t.Created.Before(q.CreatedSince) || t.LastUpdate.Before(q.ChangedSince) || q.Statuses != nil && !slices.Contains(q.Statuses, string(t.Status)) {
			continue
		}
		if !r.silent {
			t.Note, t.NoteTold = r.notes[t.ID], true
		}
		page = append(page, t)
	}
	return visit(page, nil)
}

func (r *platforms) Note(_ context.Context, threat string) (*alert.Note, error) {
	return r.notes[threat], cmp.Or(r.fails(r.broken[threat]), r.read("Note"))
}

// fails is an error, after which nothing is answered if it is errA.
func (r *platforms) fails(err error) error {
	r.down = r.down || err == errA
	return err
}

func (r *platforms) FindList(_ context.Context, k reconcile.Kind, name string) (*reconcile.List, error) {
	return &reconcile.List{ID: k.String(), Name: name}, r.read("FindList")
}

func (r *platforms) Lookup(_ context.Context, k reconcile.Kind, list string, q reconcile.Query) (out []reconcile.Located, err error) {
	r.looked = append(r.looked, fmt.Sprint(k, " ", q.Type, " ", q.Value, q.RuleID, q.Title, q.Name))
	for _, l := range r.rows {
		if l.Kind == k && (list == "" || l.List == list) && l.Type == q.Type && l.Value == q.Value && (q.RuleID == "" || l.RuleID == q.RuleID) && (q.Name == "" || l.Name == q.Name) && (q.Title == "" || l.Name == q.Title) {
			out = append(out, l)
		}
	}
	return out, cmp.Or(r.broken[q.Value], r.read("Lookup"))
}

func (r *platforms) Values(_ context.Context, list string, values []reconcile.Value) (out []reconcile.Located, err error) {
	r.looked = append(r.looked, fmt.Sprint("values ", values))
	for _, v := range values {
		for _, l := range r.rows {
			if l.Kind == reconcile.IOC && l.List == list && strings.EqualFold(l.Value, v.Value) {
				out = append(out, l)
			}
		}
		err = cmp.Or(err, r.broken[v.Value])
	}
	return out, cmp.Or(err, r.read("Lookup"))
}

func (r *platforms) Networks(_ context.Context, list string) (out []reconcile.Located, err error) {
	r.looked = append(r.looked, "networks")
	for _, l := range r.rows {
		if l.List == list && strings.Contains(l.Value, "/") {
			out = append(out, l)
		}
	}
	return out, nil
}

func (r *platforms) Rule(_ context.Context, k reconcile.Kind, id string) (*reconcile.Located, error) {
	r.looked = append(r.looked, "rule "+id)
	for _, l := range r.rows {
		if l.Kind == k && l.ID == id {
			return &l, nil
		}
	}
	return nil, nil
}

func (r *platforms) YARAByRule(_ context.Context, list, rule string) (out []reconcile.Located, err error) {
	r.looked = append(r.looked, "yara rule "+rule)
	for _, l := range r.rows {
		if l.Kind == reconcile.YARA && l.List == list && strings.Contains(l.Content, "rule "+rule+" ") {
			out = append(out, l)
		}
	}
	return out, nil
}
