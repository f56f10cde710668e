package hlsim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestLoadAlerts(t *testing.T) {
	at := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	tests := []struct {
		name, lines string
		held        int
		errs        []string
		want        string // a part of the list
	}{
		{"one a line", "{\"id\":\"a\"}\n\n  \r\n{\"id\":\"b\"}", 2, nil, `{"alert_time":"2026-03-02T08:00:00.000000Z","id":"b"}`},
		{"an id is given where there is none", `{"alert_time":"2026-03-02T07:00:00Z"}`, 1, nil, `"id":"`},
		{"a null id is none", `{"id":null,"alert_time":null}`, 1, nil, `{"alert_time":"2026-03-02T08:00:00.000000Z","id":"`},
		{"an alert_time that is no time is kept", `{"id":"a","alert_time":"noon"}`, 1, nil, `"alert_time":"noon"`},
		{"bad lines are named, the others held", "x\n{\"id\":1}\n{\"id\":\"a\"}\n{\"id\":\"a\"}\n[]\nnull\n{\"id\":\"\"}\n{\"id\":\"b\"} {}\n{\"a\":\"\xff\"}", 1,
			[]string{"line 1: ", "line 2: its id is no text", `line 4: the alert "a" already exists`, "line 5: it is no object\nline 6: it is no object", "line 7: its id is no text", "line 8: ", "line 9: it is not UTF-8"}, `{"count":1,`},
		{"of many bad lines the first are named", strings.Repeat("x\n", 30) + `{"id":"a"}`, 1, []string{"line 20: ", "and 10 more"}, `"id":"a"`},
		{"members of other shapes are kept", `{"id":"a","agent":[1],"process":"p","mitre_cells":{},"threat_key":{},"level":[],"status":7,"last_update":5}`, 1, nil, `"agent":[1]`},
		{"nothing", "", 0, nil, `"results":[]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, Options{Now: func() time.Time { return at }})
			file := filepath.Join(t.TempDir(), "alerts.jsonl")
			if err := os.WriteFile(file, []byte(tt.lines), 0o600); err != nil {
				t.Fatal(err)
			}
			n, err := m.LoadAlertsFile(file)
			if n != tt.held || n != m.AlertCount() || (err != nil) != (tt.errs != nil) {
				t.Errorf("%d held (%d), %v", n, m.AlertCount(), err)
			}
			for _, part := range tt.errs {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("no %q in: %v", part, err)
				}
			}
			m.get(alertPath).want(t, 200, tt.want)
		})
	}
	t.Run("ids look like those of an index", func(t *testing.T) {
		m := held(t, Options{}, `{}`, `{}`)
		got := m.get(alertPath).column(t, "id")
		if like := regexp.MustCompile(`^[A-Za-z0-9_-]{20}$`); !like.MatchString(got[0]) || !like.MatchString(got[1]) || got[0] == got[1] {
			t.Errorf("ids %v", got)
		}
	})
	t.Run("no file", func(t *testing.T) {
		if _, err := New(Options{}).LoadAlertsFile("none"); err == nil {
			t.Error("loaded")
		}
	})
}

// A list is what a naive reading of the alerts gives, whatever order they came in.
func TestAlertListsEqualANaiveReading(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := New(Options{})
		type one struct {
			id, status string
			at         time.Time
		}
		var all []one
		from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
		statuses := []string{"new", "closed", "investigating"}
		for i := range rapid.IntRange(1, 4).Draw(t, "loads") {
			var docs []json.RawMessage
			for j := range rapid.IntRange(0, 30).Draw(t, "alerts") {
				e := one{fmt.Sprint(i, "-", j), rapid.SampledFrom(statuses).Draw(t, "status"), from.Add(time.Duration(rapid.IntRange(0, 40).Draw(t, "at")) * time.Second / 2)}
				all = append(all, e)
				docs = append(docs, fmt.Appendf(nil, `{"id":%q,"status":%q,"alert_time":%q}`, e.id, e.status, e.at.Format(time.RFC3339Nano)))
			}
			if _, err := s.LoadAlerts(docs); err != nil {
				t.Fatal(err)
			}
		}
		for range rapid.IntRange(0, 5).Draw(t, "changes") {
			if len(all) == 0 {
				break
			}
			e := &all[rapid.IntRange(0, len(all)-1).Draw(t, "changed")]
			e.status = rapid.SampledFrom(statuses).Draw(t, "to")
			e.at = from.Add(time.Duration(rapid.IntRange(0, 20).Draw(t, "moved")) * time.Second)
			change := map[string]json.RawMessage{"status": quoted(e.status), "alert_time": quoted(seconds(e.at))}
			if there, err := s.PatchAlert(e.id, change); !there || err != nil {
				t.Fatal(there, err)
			}
		}
		lower, upper := rapid.IntRange(0, 21).Draw(t, "lower"), rapid.IntRange(0, 21).Draw(t, "upper")
		status, down := rapid.SampledFrom(statuses).Draw(t, "asked"), rapid.Bool().Draw(t, "down")
		not := rapid.Bool().Draw(t, "not")
		q := url.Values{
			"alert_time__gte": {seconds(from.Add(time.Duration(lower) * time.Second))}, "alert_time__lt": {seconds(from.Add(time.Duration(upper) * time.Second))},
			"ordering": {"alert_time"}, "status__exact": {status},
		}
		if not {
			q.Del("status__exact")
			q.Set("status__exact!", status)
		}
		if down {
			q.Set("ordering", "-alert_time")
		}
		want := []string{}
		slices.SortStableFunc(all, func(a, b one) int { return a.at.Compare(b.at) })
		for _, e := range all {
			if after := e.at.Sub(from); after >= time.Duration(lower)*time.Second && after < time.Duration(upper)*time.Second && (e.status == status) != not {
				want = append(want, e.id)
			}
		}
		if down {
			slices.Reverse(want)
		}
		limit := rapid.IntRange(1, 40).Draw(t, "limit")
		got := []string{}
		for offset := 0; ; offset += limit {
			q.Set("limit", fmt.Sprint(limit))
			q.Set("offset", fmt.Sprint(offset))
			var page struct {
				Count   int
				Next    *string
				Results []struct{ ID string }
			}
			code, body := ask(s, alertPath+"?"+q.Encode())
			if err := json.Unmarshal(body, &page); code != 200 || err != nil {
				t.Fatal(code, string(body), err)
			}
			if page.Count != len(want) {
				t.Fatalf("count %d, want %d", page.Count, len(want))
			}
			for _, r := range page.Results {
				got = append(got, r.ID)
			}
			if page.Next == nil {
				break
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("%v\nwant %v", got, want)
		}
	})
}

// Whatever object is held is listed, grouped, triaged and projected, and is JSON all the way.
func FuzzAlertDocuments(f *testing.F) {
	for _, doc := range some {
		f.Add(doc, "id,agent.hostname", "process.hashes.sha256")
	}
	f.Add(`{"id":"x","threat_key":"007","agent":{"agentid":["a"]},"process":{"username":{}},"status_history":{}}`, "a..b", "..")
	f.Add(`{"threat_key":-1.5e3,"mitre_cells":[1,null,"a__b__c"],"agent":{"agentid":"a"},"groups":7,"a":[[[{"b":[1]}]]]}`, ".", "a.b")
	f.Fuzz(func(t *testing.T, doc, fields, path string) {
		s := New(Options{})
		ids, err := s.LoadAlerts([]json.RawMessage{json.RawMessage(doc)})
		if err != nil {
			if s.AlertCount() != 0 {
				t.Fatalf("refused and held: %v", err)
			}
			return
		}
		s.Triage(ids[0], "closed")
		q := url.Values{"fields": {fields}, path: {"x"}, "ordering": {"-last_update"}}
		for _, p := range []string{alertPath + "?limit=5", alertPath + "?" + q.Encode(), threatPath, threatPath + "?" + q.Encode(), agentPath} {
			if code, body := ask(s, p); code != 200 && code != 400 || !json.Valid(body) {
				t.Fatalf("%s: %d %s", p, code, body)
			}
		}
		var whole struct {
			Alert struct{ ID, Status string }
		}
		code, body := ask(s, alertPath+url.PathEscape(ids[0])+"/details/")
		if err := json.Unmarshal(body, &whole); code == 200 && (err != nil || whole.Alert.Status != "closed" || whole.Alert.ID != ids[0]) {
			t.Fatalf("details %d %s", code, cmp.Or(string(body), fmt.Sprint(err)))
		}
	})
}
