package harfanglab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

func TestThreatsAreAskedForAsTheManagerTakesIt(t *testing.T) {
	for _, tt := range []struct {
		name string
		q    pull.ThreatQuery
		want string
	}{
		{"everything", pull.ThreatQuery{}, "limit=100&offset=0&ordering=creation_date"},
		{"created", pull.ThreatQuery{CreatedSince: noon.Add(time.Millisecond), Statuses: []string{"new", "investigating"}},
			"creation_date__gte=2026-03-02T12:00:00Z&limit=100&offset=0&ordering=creation_date&status=new,investigating"},
		{"changed", pull.ThreatQuery{ChangedSince: noon}, "last_update__gte=2026-03-02T12:00:00Z&limit=100&offset=0&ordering=last_update"},
		{"both", pull.ThreatQuery{ChangedSince: noon, CreatedSince: noon.Add(-time.Hour)},
			"creation_date__gte=2026-03-02T11:00:00Z&last_update__gte=2026-03-02T12:00:00Z&limit=100&offset=0&ordering=last_update"},
	} {
		x := &index{}
		if err := x.serve(t).Threats(t.Context(), tt.q, (&got{}).threats); err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		var asked []string
		for _, q := range x.asked {
			asked = append(asked, strings.NewReplacer("%3A", ":", "%2C", ",").Replace(q.Encode()))
		}
		if d := cmp.Diff(tt.want, strings.Join(asked, "\n")); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}

func TestThreatsPastTheLimit(t *testing.T) {
	rows := spread(2500, time.Minute)
	for i, r := range rows {
		r.changed = noon.Add(time.Duration(len(rows)-i) * time.Second)
	}
	for name, q := range map[string]pull.ThreatQuery{"all": {}, "created": {CreatedSince: noon}, "changed": {ChangedSince: noon}} {
		x := &index{rows: rows, window: 1000}
		var g got
		if err := x.serve(t).Threats(t.Context(), q, g.threats); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		g.once(t, idsOf(rows))
		if len(x.asked) > 35 {
			t.Errorf("%s: %d requests", name, len(x.asked))
		}
	}
}

func TestThreatsAreFilteredHereToo(t *testing.T) {
	rows := []*row{
		{id: "old", at: noon.Add(-time.Hour), changed: noon.Add(time.Hour), status: "new"},
		{id: "calm", at: noon, status: "new"},
		{id: "open", at: noon, changed: noon.Add(time.Hour), status: "investigating"},
		{id: "shut", at: noon.Add(time.Second), changed: noon.Add(2 * time.Hour), status: "closed"},
	}
	for _, tt := range []struct {
		name string
		q    pull.ThreatQuery
		want string
	}{
		{"created", pull.ThreatQuery{CreatedSince: noon}, "calm open shut"},
		{"changed", pull.ThreatQuery{ChangedSince: noon.Add(time.Minute)}, "old open shut"},
		{"created and changed", pull.ThreatQuery{CreatedSince: noon.Add(time.Second), ChangedSince: noon}, "shut"},
		{"by status", pull.ThreatQuery{Statuses: []string{"new", "investigating"}}, "calm old open"},
	} {
		for _, deaf := range [][]string{nil, {"creation_date__gte", "last_update__gte", "status", "ordering"}} {
			x := &index{rows: rows, deaf: deaf}
			var g got
			if err := x.serve(t).Threats(t.Context(), tt.q, g.threats); err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
			if d := cmp.Diff(tt.want, g.sorted()); d != "" {
				t.Errorf("%s, %d ignored (-want +got):\n%s", tt.name, len(deaf), d)
			}
		}
	}
}

func TestThreatsInEveryForm(t *testing.T) {
	whole := `{"id": "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d", "slug": "swift-otter-42", "status": "investigating", "level": "high", "creation_date": "2026-03-02T12:00:00Z",
		"first_seen": "2026-03-02T11:59:00Z", "last_seen": "2026-03-02T08:00:00-05:00", "last_update": "2026-03-02T13:00:05Z", "total_security_event_count": 2,
		"top_agents": [{"agent_id": "a1", "agent_hostname": "WKS-042", "agent_ostype": "windows", "agent_osproducttype": "Windows 11 Pro"}],
		"top_impacted_users": [{"user_name": "EXAMPLE\\m", "user_sid": "S-1-5-21-1"}], "top_rules": [{"rule_name": "IOC file check"}], "mitre_tactics": ["persistence"],
		"note": {"title": "swift-otter-42", "content": "Looks real.", "creation_date": "2026-03-02T12:30:00Z"}}`
	for _, tt := range []struct {
		name, raw string
		want      alert.Threat
	}{
		{"as listed", whole, alert.Threat{
			ID: "6d2b8a1e-2f7b-4a47-9c0d-3e5f7a9b1c2d", Slug: "swift-otter-42", Status: alert.Investigating, Level: "high", Created: noon, FirstSeen: noon.Add(-time.Minute),
			LastSeen: noon.Add(time.Hour), LastUpdate: noon.Add(time.Hour + 5*time.Second), Count: 2,
			Agents: []alert.Agent{{ID: "a1", Hostname: "WKS-042", OS: "windows", OSProduct: "Windows 11 Pro"}}, Users: []alert.User{{Name: `EXAMPLE\m`, SID: "S-1-5-21-1"}},
			Rules: []string{"IOC file check"}, Note: &alert.Note{Title: "swift-otter-42", Content: "Looks real.", Created: noon.Add(30 * time.Minute)}, NoteTold: true,
		}},
		{"as exported", `{"id": 4257, "creation_date": "2026-03-02T07:00:00-05:00", "total_security_event_count": "7",
			"agents": [{"agent_id": "a1", "agent_hostname": "h1"}, {"agent_id": "a1", "agent_hostname": "h1 again"}, {"agent_hostname": "h2"}, {"agent_hostname": "h2"}, {}],
			"impacted_users": [{"user_name": "m"}, {"user_name": "m"}, {}], "rules": [{"id": 5, "rule_name": "r1"}, {"rule_name": "r2"}, {"rule_name": "r1"}, {"rule_name": null}]}`,
			alert.Threat{ID: "4257", Created: noon, Count: 7, Agents: []alert.Agent{{ID: "a1", Hostname: "h1"}, {Hostname: "h2"}}, Users: []alert.User{{Name: "m"}}, Rules: []string{"r1", "r2"}}},
		{"short lists and long ones", `{"id": 1, "creation_date": "2026-03-02T12:00:00Z", "top_agents": [{"agent_id": "a1", "agent_ostype": "linux"}],
			"agents": [{"agent_id": "a1"}, {"agent_id": "a2"}], "top_rules": [{"rule_name": "r2"}], "rules": [{"rule_name": "r1"}, {"rule_name": "r2"}]}`,
			alert.Threat{ID: "1", Created: noon, Agents: []alert.Agent{{ID: "a1", OS: "linux"}, {ID: "a2"}}, Rules: []string{"r2", "r1"}}},
		{"with nothing", `{"id": "1", "creation_date": "2026-03-02T12:00:00Z", "top_agents": [], "agents": null, "top_impacted_users": "x", "top_rules": [null, "x"], "note": null, "last_seen": null}`,
			alert.Threat{ID: "1", Created: noon, NoteTold: true}},
		{"with an empty note", `{"id": "1", "creation_date": "2026-03-02T12:00:00Z", "note": {"title": "", "content": null}}`, alert.Threat{ID: "1", Created: noon, NoteTold: true}},
	} {
		x := &index{rows: []*row{{raw: tt.raw}}}
		var all []alert.Threat
		err := x.serve(t).Threats(t.Context(), pull.ThreatQuery{}, func(rows []alert.Threat, bad []alert.Bad) error {
			all = append(all, rows...)
			for _, b := range bad {
				t.Errorf("%s: %v", tt.name, b.Err)
			}
			return nil
		})
		if d := cmp.Diff([]alert.Threat{tt.want}, all); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
		}
	}
}

func TestRowsThatAreNoThreats(t *testing.T) {
	x := &index{rows: []*row{{raw: "7"}, {raw: `{"slug": "s"}`}, {raw: `{"id": 4257}`}, {raw: `{"id": "u", "creation_date": [1]}`}, {id: "good", at: noon}}}
	var g got
	if err := x.serve(t).Threats(t.Context(), pull.ThreatQuery{CreatedSince: noon}, g.threats); err != nil {
		t.Error(err)
	}
	want := []string{`: 7 in place of a threat`, `: a threat without an id: {"slug": "s"}`, `4257: threat 4257 without a time: it has no creation_date`,
		`u: threat u without a time: its creation_date is [1]`}
	if d := cmp.Diff(want, g.bad); d != "" || g.sorted() != "good" {
		t.Errorf("visited %q, unreadable rows (-want +got):\n%s", g.ids, d)
	}
	x = &index{rows: []*row{{raw: `{"id": 5, "creation_date": "2026-03-02T12:00:00Z", "last_update": 5}`}}}
	g = got{}
	if err := x.serve(t).Threats(t.Context(), pull.ThreatQuery{ChangedSince: noon}, g.threats); err != nil || strings.Join(g.bad, "") != "5: threat 5: its last_update is 5, which is no time" {
		t.Errorf("told %q, %v", g.bad, err)
	}
}

func TestNotes(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		note   *alert.Note
		want   string // of the error
	}{
		{"a note", 200, `{"title": "slug", "content": "Real.\n", "creation_date": "2026-03-02T12:00:00.5Z", "last_update": null}`, &alert.Note{Title: "slug", Content: "Real.\n", Created: noon.Add(500 * time.Millisecond)}, ""},
		{"a note without a title", 200, `{"content": "c"}`, &alert.Note{Content: "c"}, ""},
		{"an empty body", 200, ``, nil, ""},
		{"blanks", 200, " \n", nil, ""},
		{"no content", 204, ``, nil, ""},
		{"null", 200, `null`, nil, ""},
		{"an empty object", 200, `{}`, nil, ""},
		{"nothing written", 200, `{"title": null, "content": ""}`, nil, ""},
		{"404", 404, `{"detail": "Not found."}`, nil, ""},
		{"404 of a proxy", 404, `<html>Not Found`, nil, "404 with an HTML page; check harfanglab.url"},
		{"HTML", 200, `<html>`, nil, "HTML where JSON is due"},
		{"a list", 200, `[1]`, nil, "no note"},
		{"401", 401, `{"detail": "Invalid token."}`, nil, "401 Invalid token"},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(tt.status); fmt.Fprint(w, tt.body) })
		note, err := client(t, m.URL).Note(t.Context(), "4257")
		if d := cmp.Diff(tt.note, note); d != "" || (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q (-want +got):\n%s", tt.name, err, tt.want, d)
		}
		if r := m.requests()[0]; r.method != http.MethodGet || r.path != "/api/data/alert/alert/Threat/4257/note/" {
			t.Errorf("%s: %s %s", tt.name, r.method, r.path)
		}
	}
	if note, err := client(t, "http://127.0.0.1:1").Note(t.Context(), ""); note != nil || err != nil {
		t.Errorf("no threat: %v, %v", note, err)
	}
	// A read may be sent again: the manager was busy, then failed, then cut its answer.
	tries := 0
	m := serve(t, func(w http.ResponseWriter, _ request) {
		switch tries++; tries {
		case 1:
			w.WriteHeader(429)
		case 2:
			w.WriteHeader(500)
		default:
			fmt.Fprint(w, `{"title": "t"}`)
		}
	})
	if note, err := client(t, m.URL).Note(t.Context(), "1"); err != nil || note == nil || tries != 3 {
		t.Errorf("after %d tries: %v, %v", tries, note, err)
	}
}

// Whatever a row holds: no panic, no failed page, and either a threat or a word about it.
func FuzzThreatRow(f *testing.F) {
	for _, seed := range []string{
		"null", "{}", `{"id": 4257, "creation_date": "2026-03-02T12:00:00Z", "note": {"content": 5}, "agents": [[]]}`, `{"id": "u", "creation_date": "2026-03-02T07:00:00-05:00", "top_agents": {"agent_id": 1}}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if !json.Valid([]byte(raw)) {
			return
		}
		x := &index{rows: []*row{{raw: raw}}}
		n := 0
		err := x.serve(t).Threats(t.Context(), pull.ThreatQuery{}, func(rows []alert.Threat, bad []alert.Bad) error {
			n += len(rows) + len(bad)
			for _, r := range rows {
				if r.ID == "" || r.Created.IsZero() && !strings.Contains(raw, "0001") {
					t.Errorf("threat %+v", r)
				}
			}
			return nil
		})
		if e, ok := errors.AsType[*harfanglab.Error](err); ok || n != 1 {
			t.Errorf("%q came %d times, %v", raw, n, e)
		}
	})
}
