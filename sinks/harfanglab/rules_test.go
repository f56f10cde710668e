package harfanglab_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

func TestListsAreFoundByTheirExactName(t *testing.T) {
	sources := func(names ...string) string {
		var rows []string
		for i, n := range names {
			rows = append(rows, fmt.Sprintf(`{"id": "%d", "name": %q}`, i, n))
		}
		return fmt.Sprintf(`{"count": %d, "next": null, "results": [%s]}`, len(names), strings.Join(rows, ","))
	}
	for _, tt := range []struct{ name, body, want, why string }{
		{"the filter is honoured", sources("from_OpenCTI"), "0", ""},
		{"the filter is ignored", sources("a", "FROM_OPENCTI", "from_OpenCTI", "from_OpenCTI2"), "2", ""},
		{"there is none", sources("from_opencti"), "", ""},
		{"two have the name", sources("from_OpenCTI", "from_OpenCTI"), "", `two lists are named "from_OpenCTI"`},
		{"the answer counts one and holds none", `{"count": 1, "results": []}`, "", "0 rows came, the count was 1"},
		{"a null row", `{"count": 1, "results": [null]}`, "", "without an id"},
		{"one has no id", `{"count": 1, "results": [{"name": "from_OpenCTI"}]}`, "", "without an id"},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, tt.body) })
		l, err := client(t, m.URL).FindList(t.Context(), reconcile.YARA, "from_OpenCTI")
		got := ""
		if l != nil {
			got = l.ID
		}
		if got != tt.want || (err != nil) != (tt.why != "") || err != nil && !strings.Contains(err.Error(), tt.why) {
			t.Errorf("%s: list %q, error %v; want %q %s", tt.name, got, err, tt.want, tt.why)
		}
	}
}

func TestListsAreCreatedOnce(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(w http.ResponseWriter, tries int)
		want   string
		bad    bool
	}{
		{"created", func(w http.ResponseWriter, _ int) { w.WriteHeader(201); fmt.Fprint(w, `{"id": "new", "name": "l"}`) }, "new", false},
		{"made by somebody else meanwhile", func(w http.ResponseWriter, _ int) {
			w.WriteHeader(400)
			fmt.Fprint(w, `{"name": ["ioc source with this Name already exists."]}`)
		}, "found", false},
		{"stored although the answer was lost", func(w http.ResponseWriter, tries int) {
			if tries == 1 {
				panic(http.ErrAbortHandler)
			}
			w.WriteHeader(400)
			fmt.Fprint(w, `{"name": ["Already Exists"]}`)
		}, "found", false},
		{"an answer without an id", func(w http.ResponseWriter, _ int) { w.WriteHeader(201); fmt.Fprint(w, `{}`) }, "found", false},
		{"refused", func(w http.ResponseWriter, _ int) { w.WriteHeader(400); fmt.Fprint(w, `{"name": ["too long"]}`) }, "", true},
	} {
		var tries atomic.Int32 // an answer that is broken off orders nothing
		m := serve(t, func(w http.ResponseWriter, r request) {
			if r.method == http.MethodGet {
				fmt.Fprint(w, `{"count": 1, "next": null, "results": [{"id": "found", "name": "l", "enabled": false}]}`)
				return
			}
			tt.answer(w, int(tries.Add(1)))
		})
		l, err := client(t, m.URL).CreateList(t.Context(), reconcile.IOC, "l")
		if (err != nil) != tt.bad || err == nil && l.ID != tt.want {
			t.Errorf("%s: %+v, %v; want id %q", tt.name, l, err, tt.want)
		}
	}
}

// The forms of contract harfanglab-api 4.4 and 1.7.
func TestCreationAnswersAreJudged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kind   reconcile.Kind
		status int
		body   string
		id     string
		want   string // of the error
		brief  string // its markers
	}{
		{"an IOC", reconcile.IOC, 201, `{"id": "i"}`, "i", "", ""},
		{"an id as a number", reconcile.IOC, 201, `{"id": 7}`, "7", "", ""},
		{"a status list", reconcile.Sigma, 201, `{"status": [{"id": "s", "status": true, "code": ""}]}`, "s", "", ""},
		{"an older manager's 200", reconcile.Sigma, 200, `{"status": [{"id": "s", "status": true}]}`, "s", "", ""},
		{"a bare object", reconcile.YARA, 201, `{"id": "y", "status": "stable"}`, "y", "", ""},
		{"a success that names no id", reconcile.YARA, 201, `{"status": [{"status": true}]}`, "", "", ""},
		{"refused with 201", reconcile.Sigma, 201, `{"status": [{"status": false, "code": "invalid_sigma_content", "content": "condition references\nunknown selection"}]}`, "",
			"refused: invalid_sigma_content condition references unknown selection", "verdict"},
		{"an entry without a status", reconcile.Sigma, 201, `{"status": [{"filename": "n"}]}`, "", "refused without a word", "verdict"},
		{"one of two entries failed", reconcile.Sigma, 201, `{"status": [{"id": "s", "status": true}, {"status": false, "content": "second"}]}`, "", "second", "verdict"},
		{"an empty status list", reconcile.YARA, 201, `{"status": []}`, "", "the status list is empty", "verdict"},
		{"a duplicate entry", reconcile.Sigma, 201, `{"status": [{"status": false, "code": "duplicate_rule"}]}`, "", "duplicate_rule", "verdict exists"},
		{"a duplicate Sigma id", reconcile.Sigma, 400, `{"id": ["Sigma rule with this Id already exists."]}`, "", "already exists", "verdict exists [id]"},
		{"a duplicate IOC", reconcile.IOC, 400, `{"__all__": ["['Ioc rule with this Type, Value and Source already exists.']"]}`, "", "already exists", "verdict exists [__all__]"},
		{"a field", reconcile.IOC, 400, `{"comment": ["too long"], "a": []}`, "", "too long", "verdict [a comment]"},
		{"too large for what is in front", reconcile.IOC, 413, `big`, "", "413 big", "verdict"},
		{"a list of words", reconcile.IOC, 400, `["no such type"]`, "", "no such type", "verdict"},
		{"a page of a proxy", reconcile.IOC, 405, "<html>Not Allowed", "", "405 with an HTML page; check harfanglab.url and what is in front of it", "side"},
		{"its text", reconcile.Sigma, 421, "Misdirected Request", "", "421 Misdirected Request; check harfanglab.url", "side"},
		{"nothing at all", reconcile.YARA, 400, "", "", "400 without a word; check harfanglab.url", "side"},
		{"cut words", reconcile.IOC, 400, `{"value": ["no`, "", "check harfanglab.url", "side"},
		{"no such collection", reconcile.IOC, 404, `{"detail": "Not found."}`, "", "404 Not found; check harfanglab.url", "side [detail]"},
		{"neither id nor list", reconcile.IOC, 201, `{"ok": true}`, "", "neither an id nor a status list", "unsure side"},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(tt.status); fmt.Fprint(w, tt.body) })
		id, err := client(t, m.URL).Create(t.Context(), "l", reconcile.Row{Kind: tt.kind, Type: "url", Value: "v"})
		if id != tt.id || (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: id %q, error %v; want %q, %q", tt.name, id, err, tt.id, tt.want)
			continue
		}
		if e, ok := errors.AsType[*harfanglab.Error](err); ok && brief(e) != tt.brief {
			t.Errorf("%s: %q, want %q", tt.name, brief(e), tt.brief)
		}
	}
}

func brief(e *harfanglab.Error) string {
	var words []string
	for _, w := range []struct {
		on   bool
		word string
	}{{e.Verdict(), "verdict"}, {e.Exists, "exists"}, {e.Linked, "linked"}, {e.Unsure, "unsure"}, {e.NotFound(), "missing"}, {e.Fault().Side, "side"}} {
		if w.on {
			words = append(words, w.word)
		}
	}
	if len(e.Fields) > 0 {
		words = append(words, fmt.Sprint(e.Fields))
	}
	return strings.Join(words, " ")
}

// The manager refuses a second IOC or Sigma rule, so their POST may be repeated; of a YARA file it
// would make a twin.
func TestOnlyWhatMayBeRepeatedIs(t *testing.T) {
	for _, tt := range []struct {
		kind reconcile.Kind
		fail func(w http.ResponseWriter)
		want int
	}{
		{reconcile.IOC, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 3},
		{reconcile.Sigma, func(w http.ResponseWriter) { w.WriteHeader(500) }, 3},
		{reconcile.YARA, func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, 1},
		{reconcile.YARA, func(w http.ResponseWriter) { w.WriteHeader(502) }, 1},
		{reconcile.YARA, func(w http.ResponseWriter) { w.WriteHeader(429) }, 9},
		{reconcile.YARA, func(w http.ResponseWriter) { fmt.Fprint(w, "<html>") }, 1},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { tt.fail(w) })
		_, err := client(t, m.URL).Create(t.Context(), "l", reconcile.Row{Kind: tt.kind, Name: "n", Content: "c"})
		if err == nil || len(m.requests()) != tt.want {
			t.Errorf("%s: %d requests, error %v; want %d", tt.kind, len(m.requests()), err, tt.want)
		}
		if f := reconcile.FaultOf(err); f.Unsure != (tt.want != 9) || f.Once != (tt.kind == reconcile.YARA && tt.want == 1) {
			t.Errorf("%s: unsure %t, once %t after %v", tt.kind, f.Unsure, f.Once, err)
		}
	}
}

// What one attempt leaves unsure stays so whatever the last one ends with; what was never sent is sure.
func TestAWriteIsUnsureByAnyOfItsAttempts(t *testing.T) {
	for _, tt := range []struct {
		name     string
		statuses []int
		want     bool
	}{
		{"failed, then turned away", []int{502, 503}, true},
		{"failed, then without rights", []int{500, 403}, true},
		{"turned away", []int{503}, false},
		{"without rights", []int{401}, false},
	} {
		n := 0
		m := serve(t, func(w http.ResponseWriter, _ request) {
			w.WriteHeader(tt.statuses[min(n, len(tt.statuses)-1)])
			n++
		})
		off := false
		err := client(t, m.URL).Update(t.Context(), reconcile.IOC, "1", reconcile.Patch{Enabled: &off})
		if f := reconcile.FaultOf(err); !f.Side || f.Unsure != tt.want {
			t.Errorf("%s: unsure %t after %v", tt.name, f.Unsure, err)
		}
	}
	m := serve(t, func(http.ResponseWriter, request) {})
	m.Close()
	if err := client(t, m.URL).Delete(t.Context(), reconcile.IOC, "1"); err == nil || reconcile.FaultOf(err).Unsure {
		t.Errorf("nobody listens: %+v", err)
	}
}

// The list is there although every answer to its creation was a failure.
func TestAListThatWasMadeThoughItsAnswerFailedIsFound(t *testing.T) {
	made := false
	m := serve(t, func(w http.ResponseWriter, r request) {
		switch {
		case r.method == http.MethodPost:
			made = true
			w.WriteHeader(500)
		case made:
			fmt.Fprint(w, `{"count": 1, "next": null, "results": [{"id": "l", "name": "n", "enabled": true}]}`)
		default:
			fmt.Fprint(w, `{"count": 0, "next": null, "results": []}`)
		}
	})
	l, err := client(t, m.URL).CreateList(t.Context(), reconcile.IOC, "n")
	if err != nil || l.ID != "l" || !l.Found {
		t.Errorf("%+v, %v", l, err)
	}
}

// A row is gone where the manager says so; to a proxy a path may be unknown whose row is there.
func TestOnlyTheManagerSaysThatARowIsGone(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       reconcile.Fault
	}{
		{"the manager", `{"detail": "Not found."}`, reconcile.Fault{Missing: true, Words: "Not found.", Fields: []string{"detail"}}},
		{"a proxy", "<html>Not Found", reconcile.Fault{Side: true, Foreign: true, Words: "with an HTML page"}},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(404); fmt.Fprint(w, tt.body) })
		c, on := client(t, m.URL), true
		if d := cmp.Diff(tt.want, reconcile.FaultOf(c.Update(t.Context(), reconcile.IOC, "1", reconcile.Patch{Enabled: &on}))); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		a, err := c.Alert(t.Context(), "1")
		if a != nil || (err == nil) != tt.want.Missing {
			t.Errorf("%s: alert %v, error %v", tt.name, a, err)
		}
	}
}

// What a proxy or a broken manager says is not that a rule was changed.
func TestOnlyTheRuleOrItsEntryProvesAChange(t *testing.T) {
	for _, tt := range []struct{ name, body, want, brief string }{
		{"the rule", `{"id": "1", "status": "stable"}`, "", ""},
		{"an entry that succeeded", `{"status": [{"id": "1", "status": true}]}`, "", ""},
		{"a word", `{"status": "error"}`, "200 with an answer that is not the rule", "unsure side"},
		{"a number", `{"status": 1}`, "200 with an answer that is not the rule", "unsure side"},
		{"the rule with no status", `{"id": "1", "status": null}`, "", ""},
		{"the rule with no entries", `{"id": "1", "status": []}`, "", ""},
		{"no status", `{"status": null}`, "200 with an answer that is not the rule", "unsure side"},
		{"no entry", `{"status": []}`, "the status list is empty", "verdict"},
		{"an entry that failed", `{"status": [{"status": true}, {"status": false, "content": "no"}]}`, "refused: no", "verdict"},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, tt.body) })
		err := client(t, m.URL).Update(t.Context(), reconcile.Sigma, "1", reconcile.Patch{Name: new("n")})
		if (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if e, ok := errors.AsType[*harfanglab.Error](err); ok && brief(e) != tt.brief {
			t.Errorf("%s: %q, want %q", tt.name, brief(e), tt.brief)
		}
	}
}

func TestPatchesHoldManagedFieldsAlone(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, `{"id": "1"}`) })
	c := client(t, m.URL)
	off, text := false, "<b> & c"
	if err := c.Update(t.Context(), reconcile.IOC, "1", reconcile.Patch{Enabled: &off, Comment: &text}); err != nil {
		t.Fatal(err)
	}
	r := m.requests()[0]
	if r.method != http.MethodPatch || !strings.Contains(r.body, "<b> & c") {
		t.Errorf("%s %s", r.method, r.body)
	}
	var got map[string]any
	if err := json.Unmarshal([]byte(r.body), &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(map[string]any{"enabled": false, "comment": text}, got); d != "" {
		t.Errorf("body (-want +got):\n%s", d)
	}
}

func TestDeletesJudgeTheirAnswer(t *testing.T) {
	for _, tt := range []struct {
		name, body, brief string
		status            int
		bad               bool
	}{
		{"done", "", "", 204, false},
		{"done with a body", "{}", "", 200, false},
		{"gone already", `{"detail": "Not found."}`, "", 404, false},
		{"used by a correlation", `{"code": "linked_sigma_rule", "linked_correlation": [{}]}`, "verdict linked [code linked_correlation]", 400, true},
		{"refused", `{"detail": "no"}`, "side [detail]", 403, true},
		{"a page of a proxy that knows no such path", "<html>Not Found", "unsure side", 404, true},
		{"a page of a proxy that lets no delete through", "<html>Not Allowed", "side", 405, true},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(tt.status); fmt.Fprint(w, tt.body) })
		err := client(t, m.URL).Delete(t.Context(), reconcile.Sigma, "1")
		if (err != nil) != tt.bad {
			t.Errorf("%s: %v", tt.name, err)
		}
		if e, ok := errors.AsType[*harfanglab.Error](err); ok && tt.brief != "" && brief(e) != tt.brief {
			t.Errorf("%s: %q, want %q", tt.name, brief(e), tt.brief)
		}
	}
}

// A search returns near matches, and a manager may not know a filter at all: equality is checked here.
func TestLookupsCheckEquality(t *testing.T) {
	near := []string{ioc("1", "l", "198.51.100.10"), ioc("2", "l", "198.51.100.1"), ioc("3", "other", "198.51.100.1")}
	m := serve(t, pages(near, 100, nil))
	rows, err := client(t, m.URL).Lookup(t.Context(), reconcile.IOC, "l", reconcile.Query{Type: "url", Value: "198.51.100.1"})
	if err != nil || len(rows) != 1 || rows[0].ID != "2" {
		t.Errorf("%v, %v; want row 2 alone", rows, err)
	}

	var many []string
	for i := range 60 {
		many = append(many, ioc(fmt.Sprint(i), "l", fmt.Sprint(i)))
	}
	m = serve(t, pages(many, 10, nil))
	_, err = client(t, m.URL, func(o *harfanglab.Options) { o.PageSize = 10 }).Lookup(t.Context(), reconcile.IOC, "l", reconcile.Query{Type: "url", Value: "59"})
	if !errors.Is(err, harfanglab.ErrFilterIgnored) {
		t.Errorf("got %v, want the word that the filter is ignored", err)
	}

	sigma := `{"id": "p", "source_id": "l", "rule_id": "AB-1", "name": "n", "rule_name": "Who am I", "content": "x", "enabled": true}`
	for _, title := range []string{"Who am I", "n"} {
		m = serve(t, pages([]string{sigma, `{"id": "q", "source_id": "l", "rule_id": "AB-2", "name": "Who am I (2)", "rule_name": "Who am I too", "content": "x", "enabled": true}`}, 10, nil))
		rows, err = client(t, m.URL).Lookup(t.Context(), reconcile.Sigma, "l", reconcile.Query{Title: title})
		if err != nil || len(rows) != 1 || rows[0].ID != "p" || !strings.Contains(m.requests()[0].query, "rule_name__exact=") {
			t.Errorf("%s: %v, %v after %s; want the rule of that title", title, rows, err, m.requests()[0].query)
		}
	}
	m = serve(t, pages([]string{sigma}, 10, nil))
	rows, err = client(t, m.URL).Lookup(t.Context(), reconcile.Sigma, "", reconcile.Query{RuleID: "ab-1"})
	if err != nil || len(rows) != 1 || rows[0].List != "l" {
		t.Errorf("%v, %v; want the Sigma rule and its list", rows, err)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add(`{"count": 1, "next": null, "results": [{"id": 1, "type": "url", "value": "v", "enabled": true}]}`)
	f.Add(`{"status": [{"status": true}]}`)
	f.Add(`null`)
	f.Fuzz(func(t *testing.T, body string) {
		m := serve(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, body) })
		c := client(t, m.URL, func(o *harfanglab.Options) { o.Retry.Attempts = 1 })
		seen := 0
		n, err := c.Rows(t.Context(), reconcile.IOC, "l", func(p []reconcile.Row, _ int) error { seen += len(p); return nil })
		if err == nil && n != seen {
			t.Errorf("%d rows counted, %d visited", n, seen)
		}
		_, _ = c.Create(t.Context(), "l", reconcile.Row{Kind: reconcile.Sigma}) // must not panic
	})
}

// A search brings near matches, and one of those that cannot be read says nothing of the rule that is meant.
func TestLookUpsJudgeOnlyWhatIsMeant(t *testing.T) {
	const broken = `{"id": "1", "source_id": "l", "type": "url", "value": "%s"}` // it does not say whether it is enabled
	m := serve(t, pages([]string{fmt.Sprintf(broken, "near"), ioc("2", "l", "v")}, 10, nil))
	got, err := client(t, m.URL).Lookup(t.Context(), reconcile.IOC, "l", reconcile.Query{Type: "url", Value: "v"})
	if err != nil || len(got) != 1 || got[0].ID != "2" {
		t.Errorf("found %+v, %v, want row 2", got, err)
	}
	m = serve(t, pages([]string{fmt.Sprintf(broken, "v"), ioc("2", "l", "v")}, 10, nil))
	_, err = client(t, m.URL).Lookup(t.Context(), reconcile.IOC, "l", reconcile.Query{Type: "url", Value: "v"})
	if e, ok := errors.AsType[*harfanglab.IncompleteError](err); !ok || !strings.Contains(e.Error(), "does not say whether it is enabled") {
		t.Errorf("got %v, want an error for the row that is meant", err)
	}
}

// A cut page is no proof that a row is absent.
func TestALookUpIsProvenByItsCount(t *testing.T) {
	for _, tt := range []struct {
		name  string
		pages []string // as they are asked for, the last again and again
		found int
		ok    bool
	}{
		{"nothing", []string{`{"count": 0, "next": null, "results": []}`}, 0, true},
		{"cut once", []string{`{"count": 1, "next": null, "results": []}`, `{"count": 1, "next": null, "results": [` + ioc("1", "l", "v") + `]}`}, 1, true},
		{"cut for good", []string{`{"count": 3, "next": null, "results": []}`}, 0, false},
		{"a row beside those that are counted", []string{`{"count": 0, "next": null, "results": [` + ioc("1", "l", "v") + `]}`}, 0, false},
	} {
		n := 0
		m := serve(t, func(w http.ResponseWriter, _ request) {
			fmt.Fprint(w, tt.pages[min(n, len(tt.pages)-1)])
			n++
		})
		rows, err := client(t, m.URL).Lookup(t.Context(), reconcile.IOC, "l", reconcile.Query{Type: "url", Value: "v"})
		if incomplete := reconcile.FaultOf(err).Incomplete; len(rows) != tt.found || incomplete == tt.ok || (err == nil) != tt.ok {
			t.Errorf("%s: %v, %v", tt.name, rows, err)
		}
	}
}
