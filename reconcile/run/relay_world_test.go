package run_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"harfangsync/reconcile"
	"harfangsync/reconcile/alert"
	"harfangsync/reconcile/run"
	"harfangsync/reconcile/state"
)

// relayed is both platforms as a pull meets them, in memory: HarfangLab holds alerts and threats, and
// OpenCTI takes a bundle as contract opencti-api 9 says. Its clock moves only while a pull waits.
type relayed struct {
	now time.Time

	alerts  []alert.Alert
	threats []alert.Threat
	notes   map[string]*alert.Note
	unread  error                  // what every read of alerts ends with after its rows
	broken  map[string]error       // what reading one alert gives
	asked   []run.AlertQuery       // in order
	changed func(*run.ThreatQuery) // is told of each read of threats; may be nil

	indicators map[string]string // standard ids by internal id
	things     map[string]*thing // incidents, cases and notes by id
	owned      map[string][]string
	sights     []*run.Sighted

	workless bool // bundles are tied to no work
	works    map[string]*run.Work
	pushes   []string
	// take is told of every push; what it gives is the answer, and import does the import, at once or
	// later. nil imports at once.
	take    func(r *relayed, bundle, work string) error
	refuse  func(o memObject) bool // objects that fail
	failing map[string]error       // by the name of a method of Knowledge
	waited  func(r *relayed)       // is called at each wait
	reads   map[string]int         // calls by method
	closed  []string               // works that were closed
}

// thing is an object with a text.
type thing struct {
	id, text string
}

// memObject is an object as the scribe of this test writes it.
type memObject struct {
	Type, ID, Text string
	From, To       string
	Seen           alert.Sighting
}

var (
	t0   = time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	errA = errors.New("a side is down")
)

func newRelayed() *relayed {
	return &relayed{
		now: t0.Add(time.Hour), notes: map[string]*alert.Note{}, broken: map[string]error{}, indicators: map[string]string{"a": "indicator--a", "b": "indicator--b"},
		things: map[string]*thing{}, owned: map[string][]string{}, works: map[string]*run.Work{}, failing: map[string]error{}, reads: map[string]int{},
	}
}

// saw adds an alert: a number, the host, the indicators whose rule fired.
func (r *relayed) saw(n int, host, owners string) *alert.Alert {
	r.alerts = append(r.alerts, alert.Alert{ID: fmt.Sprintf("alert-%03d", n), Status: alert.New, RuleName: "rule", RuleContent: owners, Type: "ioc",
		Time: t0.Add(time.Duration(n) * time.Second), Agent: alert.Agent{Hostname: host}})
	return &r.alerts[len(r.alerts)-1]
}

// triage changes an alert's status, a second after whatever happened before.
func (r *relayed) triage(n int, s alert.Status) {
	i := slices.IndexFunc(r.alerts, func(a alert.Alert) bool { return a.ID == fmt.Sprintf("alert-%03d", n) })
	r.now = r.now.Add(time.Second)
	r.alerts[i].Status, r.alerts[i].LastUpdate = s, r.now
}

// relay is a pull of it that remembers in store.
func (r *relayed) relay(t testing.TB, store state.Store) *run.Relay {
	t.Helper()
	k, err := state.Open(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	return r.with(k)
}

func (r *relayed) with(k *state.Keeper) *run.Relay {
	return &run.Relay{
		Alerts: r, Knowledge: r, Scribe: memScribe{}, Classify: memClassify, Own: reconcile.Identity{Instance: "me"},
		Canon: func(_, v string) string { return v }, List: "list", Statuses: []string{"new", "investigating"}, Start: t0.Add(-time.Hour), Parallel: 1,
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
func (r *relayed) pull(t testing.TB, store state.Store) *run.PullReport {
	t.Helper()
	report, err := r.relay(t, store).Pull(t.Context())
	if err != nil {
		t.Fatalf("pull: %v", err)
	}
	return report
}

// graph is what OpenCTI holds, in lines.
func (r *relayed) graph() []string {
	var lines []string
	for _, o := range r.things {
		first, _, _ := strings.Cut(o.text, "\n")
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
func (r *relayed) sight(indicator, host string, count int, negative bool, ids ...string) *run.Sighted {
	s := &run.Sighted{IDs: append([]string{"internal-" + indicator + host}, ids...), Endpoint: []string{"identity--" + host}, Count: count, First: t0, Last: t0.Add(time.Minute), Negative: negative}
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
	run.Fault
	words string
}

func (e *memFault) Error() string { return e.words }

func memClassify(err error) run.Fault {
	if e, ok := errors.AsType[*memFault](err); ok {
		return e.Fault
	}
	return run.Fault{Side: errors.Is(err, errA)}
}

func (r *relayed) Alerts(_ context.Context, q run.AlertQuery, visit func([]alert.Alert, []alert.Bad) error) error {
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

func (r *relayed) Alert(_ context.Context, id string) (*alert.Alert, error) {
	if err := r.broken[id]; err != nil {
		return nil, err
	}
	for _, a := range r.alerts {
		if a.ID == id {
			return &a, nil
		}
	}
	return nil, nil
}

func (r *relayed) Threats(_ context.Context, q run.ThreatQuery, visit func([]alert.Threat, []alert.Bad) error) error {
	if r.changed != nil {
		r.changed(&q)
	}
	var page []alert.Threat
	for _, t := range r.threats {
		if t.Created.Before(q.CreatedSince) || t.LastUpdate.Before(q.ChangedSince) || q.Statuses != nil && !slices.Contains(q.Statuses, string(t.Status)) {
			continue
		}
		page = append(page, t)
	}
	return visit(page, nil)
}

func (r *relayed) Note(_ context.Context, threat string) (*alert.Note, error) {
	return r.notes[threat], nil
}

func (r *relayed) FindList(_ context.Context, k reconcile.Kind, name string) (*run.List, error) {
	return &run.List{ID: k.String(), Name: name}, nil
}

func (r *relayed) Lookup(context.Context, reconcile.Kind, string, run.Query) ([]run.Located, error) {
	return nil, nil
}

func (r *relayed) Rule(context.Context, reconcile.Kind, string) (*run.Located, error) {
	return nil, nil
}

func (r *relayed) YARAByRule(context.Context, string, string) ([]run.Located, error) { return nil, nil }

// read counts a call, and gives the error that is due.
func (r *relayed) read(method string) error {
	r.reads[method]++
	return r.failing[method]
}

func (r *relayed) Indicators(_ context.Context, ids []string) (out []run.Found, err error) {
	for _, id := range ids {
		if standard, there := r.indicators[id]; there {
			out = append(out, run.Found{Asked: id, Indicator: reconcile.Indicator{ID: id, StandardID: standard}})
		}
	}
	return out, r.read("Indicators")
}

func (r *relayed) found(method string, ids []string) (out []run.Stored, err error) {
	for _, id := range ids {
		if o := r.things[id]; o != nil {
			out = append(out, run.Stored{IDs: []string{"internal-" + id, id}, Description: o.text})
		}
	}
	return out, r.read(method)
}

func (r *relayed) Incidents(_ context.Context, ids []string) ([]run.Stored, error) {
	return r.found("Incidents", ids)
}
func (r *relayed) Cases(_ context.Context, ids []string) ([]run.Stored, error) {
	return r.found("Cases", ids)
}
func (r *relayed) Notes(_ context.Context, ids []string) ([]run.Stored, error) {
	return r.found("Notes", ids)
}
func (r *relayed) Techniques(context.Context, []string) ([]run.Stored, error) { return nil, nil }

func (r *relayed) Sightings(_ context.Context, indicator string) (out []run.Sighted, err error) {
	for _, s := range r.sights {
		if slices.Contains(r.owned["of "+s.IDs[0]], indicator) {
			out = append(out, *s)
		}
	}
	return out, r.read("Sightings")
}

func (r *relayed) IncidentsOf(_ context.Context, indicator string) ([]run.Stored, error) {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(r.things)) {
		if slices.Contains(r.owned[id], indicator) {
			ids = append(ids, id)
		}
	}
	return r.found("IncidentsOf", ids)
}

func (r *relayed) IndicatorsOf(_ context.Context, incidents []string) (map[string][]string, error) {
	out := map[string][]string{}
	for _, id := range incidents {
		out[id] = r.owned[strings.TrimPrefix(id, "internal-")]
	}
	return out, r.read("IndicatorsOf")
}

func (r *relayed) AddWork(context.Context, string) (string, error) {
	if r.workless {
		return "", r.read("AddWork")
	}
	id := fmt.Sprintf("work-%d", len(r.works)+1)
	r.works[id] = &run.Work{}
	return id, r.read("AddWork")
}

func (r *relayed) Push(_ context.Context, bundle, work string) error {
	r.pushes = append(r.pushes, bundle)
	if r.take != nil {
		return r.take(r, bundle, work)
	}
	r.importBundle(bundle, work)
	return nil
}

func (r *relayed) Work(_ context.Context, id string) (*run.Work, error) {
	if err := r.read("Work"); err != nil {
		return nil, err
	}
	return r.works[id], nil
}

func (r *relayed) CloseWork(_ context.Context, id, _ string) error {
	r.closed = append(r.closed, id)
	return nil
}

// memObjects are the objects of a bundle.
func memObjects(bundle string) (out []memObject) {
	for line := range strings.Lines(bundle) {
		var o memObject
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			panic(err)
		}
		out = append(out, o)
	}
	return out
}

// importBundle is what the workers do.
func (r *relayed) importBundle(bundle, work string) {
	w := r.works[work]
	if w == nil {
		w = &run.Work{}
	}
	for _, o := range memObjects(bundle) {
		w.Expected, w.Processed, w.Complete = w.Expected+1, w.Processed+1, true
		if r.refuse != nil && r.refuse(o) {
			w.Errors = append(w.Errors, run.WorkError{Message: o.Type + " refused", Source: o.ID})
			continue
		}
		r.importObject(o)
	}
}

func (r *relayed) importObject(o memObject) {
	switch o.Type {
	case "incident", "case-incident", "note":
		if r.things[o.ID] == nil {
			r.things[o.ID] = &thing{id: o.ID}
		}
		r.things[o.ID].text = o.Text
	case "relationship":
		for internal, standard := range r.indicators {
			if standard == o.From && !slices.Contains(r.owned[o.To], internal) {
				r.owned[o.To] = append(r.owned[o.To], internal)
			}
		}
	case "sighting":
		r.importSighting(o)
	}
}

// importSighting adds counts up where the range grows, and replaces the count otherwise (contract
// opencti-api 9).
func (r *relayed) importSighting(o memObject) {
	var internal string
	for id, standard := range r.indicators {
		if standard == o.Seen.Indicator {
			internal = id
		}
	}
	if internal == "" {
		return
	}
	for _, s := range r.sights {
		if !slices.Contains(s.IDs, o.Seen.ID) {
			continue
		}
		if o.Seen.First.Before(s.First) || o.Seen.Last.After(s.Last) {
			s.Count += o.Seen.Count
		} else {
			s.Count = o.Seen.Count
		}
		if o.Seen.First.Before(s.First) {
			s.First = o.Seen.First
		}
		if o.Seen.Last.After(s.Last) {
			s.Last = o.Seen.Last
		}
		s.Negative = o.Seen.Negative
		return
	}
	s := &run.Sighted{IDs: []string{"internal-" + o.Seen.ID, o.Seen.ID}, Endpoint: []string{o.Seen.Endpoint}, Count: o.Seen.Count, First: o.Seen.First, Last: o.Seen.Last, Negative: o.Seen.Negative}
	r.sights = append(r.sights, s)
	r.owned["of "+s.IDs[0]] = []string{internal}
}

// memScribe writes objects as lines. An alert whose level is "unwritable" cannot be written.
type memScribe struct{}

func memLine(o memObject) alert.Object {
	b, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	return alert.Object{ID: o.ID, Type: o.Type, JSON: b}
}

func (memScribe) Author() alert.Object {
	return memLine(memObject{Type: "identity", ID: "identity--author"})
}

func (memScribe) IncidentID(a *alert.Alert) string {
	if a.ID == "" {
		return ""
	}
	return "incident--" + a.ID
}

func (memScribe) EndpointID(a *alert.Alert) string {
	if a.Agent.Hostname == "" {
		return ""
	}
	return "identity--" + a.Agent.Hostname
}

func (memScribe) SightingID(indicator, endpoint string) string {
	return "sighting--" + indicator + "-" + endpoint
}
func (memScribe) TechniqueIDs(*alert.Alert) []string { return nil }

func (s memScribe) Alert(a *alert.Alert, indicators []string, _ func(string) bool) ([]alert.Object, error) {
	if a.Level == "unwritable" {
		return nil, errors.New("it cannot be written")
	}
	out := []alert.Object{memLine(memObject{Type: "incident", ID: s.IncidentID(a), Text: string(a.Status) + " " + s.EndpointID(a)})}
	for _, id := range indicators {
		out = append(out, memLine(memObject{Type: "relationship", ID: "relationship--" + id + a.ID, From: id, To: s.IncidentID(a)}))
	}
	return out, nil
}

func (memScribe) Sighting(s alert.Sighting) alert.Object {
	o := memObject{Type: "sighting", ID: s.ID, Seen: s}
	return memLine(o)
}

func (memScribe) CaseID(t *alert.Threat) string { return "case-incident--" + t.ID }

func (s memScribe) Threat(t *alert.Threat, refs []string) ([]alert.Object, error) {
	out := []alert.Object{memLine(memObject{Type: "case-incident", ID: s.CaseID(t), Text: fmt.Sprintf("%s, %d of %d alerts, %d objects", t.Status, t.Imported, t.Count, len(refs))})}
	if t.Note != nil {
		out = append(out, memLine(memObject{Type: "note", ID: "note--" + t.ID, Text: t.Note.Content}))
	}
	return out, nil
}

func (memScribe) Bundle(objects []alert.Object) (string, error) {
	lines := make([]string, len(objects))
	for i, o := range objects {
		lines[i] = string(o.JSON)
	}
	return strings.Join(lines, "\n"), nil
}

func (memScribe) Read(description string) (alert.Status, string, bool) {
	status, endpoint, ok := strings.Cut(description, " ")
	return alert.Status(status), endpoint, ok
}

func (memScribe) Description(o alert.Object) string {
	var m memObject
	if json.Unmarshal(o.JSON, &m) != nil {
		return ""
	}
	return m.Text
}

func (memScribe) Fired(a *alert.Alert) []alert.Hint {
	if a.RuleContent == "" {
		return nil
	}
	return []alert.Hint{{From: alert.ByContent, Kind: reconcile.IOC, Owners: strings.Fields(a.RuleContent)}}
}
