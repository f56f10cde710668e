package harfanglab_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/secret"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

// request is what a manager got.
type request struct{ method, path, query, body, auth string }

// manager answers by a function and keeps what it was asked.
type manager struct {
	*httptest.Server
	mu   sync.Mutex
	seen []request
}

func serve(t testing.TB, answer func(w http.ResponseWriter, r request)) *manager {
	t.Helper()
	m := &manager{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		got := request{r.Method, r.URL.Path, r.URL.RawQuery, string(b), r.Header.Get("Authorization")}
		m.mu.Lock()
		m.seen = append(m.seen, got)
		m.mu.Unlock()
		answer(w, got)
	}))
	t.Cleanup(m.Close)
	return m
}

func (m *manager) requests() []request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]request(nil), m.seen...)
}

func client(t testing.TB, url string, change ...func(*harfanglab.Options)) *harfanglab.Client {
	t.Helper()
	o := harfanglab.Options{URL: url, Token: secret.Text("s3cret-token"), Retry: remote.Retry{Backoff: func(int) time.Duration { return 0 }, MaxWait: time.Millisecond, Attempts: 3}}
	for _, c := range change {
		c(&o)
	}
	return harfanglab.New(o)
}

func TestEveryPathEndsInASlashAndNoRedirectIsFollowed(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, r request) {
		if !strings.HasSuffix(r.path, "/") {
			http.Redirect(w, &http.Request{Method: r.method}, r.path+"/", http.StatusMovedPermanently)
			return
		}
		switch {
		case r.method == http.MethodGet && strings.HasSuffix(r.path, "/version/"):
			fmt.Fprint(w, `{"version": "24.12.11"}`)
		case r.method == http.MethodGet:
			fmt.Fprint(w, `{"count": 0, "next": null, "previous": null, "results": []}`)
		case r.method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		default:
			w.WriteHeader(http.StatusCreated)
			fmt.Fprint(w, `{"id": "1", "name": "l"}`)
		}
	})
	c := client(t, m.URL+"/")
	ctx := t.Context()
	if _, err := c.Version(ctx); err != nil {
		t.Error(err)
	}
	for _, k := range reconcile.Kinds {
		_, err1 := c.FindList(ctx, k, "l")
		_, err2 := c.CreateList(ctx, k, "l")
		_, err3 := c.Rows(ctx, k, "l", func([]reconcile.Row, int) error { return nil })
		_, err4 := c.Create(ctx, "l", reconcile.Row{Kind: k, Type: "url", Value: "v", Name: "n", Content: "c"})
		on := true
		err5 := c.Update(ctx, k, "a/../b", reconcile.Patch{Enabled: &on})
		err6 := c.Delete(ctx, k, "1")
		if err := errors.Join(err1, err2, err3, err4, err5, err6); err != nil {
			t.Errorf("%s: %v", k, err)
		}
	}
	for _, r := range m.requests() {
		if !strings.HasSuffix(r.path, "/") || strings.Contains(r.path, "//") {
			t.Errorf("%s %s: want one slash at the end and none doubled", r.method, r.path)
		}
		if r.auth != "Token s3cret-token" {
			t.Errorf("%s %s: authorization %q", r.method, r.path, r.auth)
		}
	}
	moved := serve(t, func(w http.ResponseWriter, _ request) {
		w.Header().Set("Location", "https://user:pw@elsewhere.example/?key=1")
		w.WriteHeader(http.StatusMovedPermanently)
	})
	err := client(t, moved.URL).Delete(ctx, reconcile.IOC, "1")
	if e, ok := errors.AsType[*harfanglab.Error](err); !ok || e.Status != 301 || !strings.Contains(err.Error(), "set harfanglab.url") || strings.Contains(err.Error(), "pw@") {
		t.Errorf("a redirected delete: %v", err)
	}
	if n := len(moved.requests()); n != 1 {
		t.Errorf("%d requests, want one: a redirect is not followed", n)
	}
}

func TestCredentialsInEveryForm(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(*harfanglab.Options)
		want   string
	}{
		{"a bare token", func(o *harfanglab.Options) { o.Token = "abc" }, "Token abc"},
		{"a token with its word", func(o *harfanglab.Options) { o.Token = "token  abc" }, "Token abc"},
		{"a token wins over a login", func(o *harfanglab.Options) { o.Token, o.Login, o.Password = "abc", "u", "p" }, "Token abc"},
		{"basic auth without a token", func(o *harfanglab.Options) { o.Token, o.Login, o.Password = "", "u", "p" }, "Basic dTpw"},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, `{"version": 24}`) })
		v, err := client(t, m.URL, tt.change).Version(t.Context())
		if err != nil || v != "24" {
			t.Errorf("%s: %q, %v", tt.name, v, err)
		}
		if got := m.requests()[0].auth; got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

// answers that are none of the API's must be errors that name side, request and remedy, never empty
// sets, and never show the token.
func TestBrokenAnswersAreErrors(t *testing.T) {
	html := func(w http.ResponseWriter) { fmt.Fprint(w, "<html>sign in") }
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter)
		want   string
		tries  int
	}{
		{"an HTML page with 200", html, "HTML where JSON is due", 3},
		{"an empty body", func(http.ResponseWriter) {}, "an empty body where JSON is due", 3},
		{"null", func(w http.ResponseWriter) { fmt.Fprint(w, "null") }, "null where an object is due", 3},
		{"a list", func(w http.ResponseWriter) { fmt.Fprint(w, "[]") }, "another shape", 1},
		{"no results", func(w http.ResponseWriter) { fmt.Fprint(w, `{"count": 0}`) }, "no count or no results", 1},
		{"results null", func(w http.ResponseWriter) { fmt.Fprint(w, `{"count": 0, "results": null}`) }, "no count or no results", 1},
		{"no count", func(w http.ResponseWriter) { fmt.Fprint(w, `{"results": []}`) }, "no count or no results", 1},
		{"cut JSON", func(w http.ResponseWriter) { fmt.Fprint(w, `{"count": 1, "results": [`) }, "not JSON, or is cut", 3},
		{"a cut body", func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"count": 0`)
		}, "check harfanglab.url", 3},
		{"401", func(w http.ResponseWriter) { w.WriteHeader(401); fmt.Fprint(w, `{"detail": "Invalid token."}`) }, "check the token", 1},
		{"403", func(w http.ResponseWriter) { w.WriteHeader(403); fmt.Fprint(w, `{"detail": "no"}`) }, "right to view and edit", 1},
		{"404", func(w http.ResponseWriter) { w.WriteHeader(404); html(w) }, "404 with an HTML page", 1},
		{"429", func(w http.ResponseWriter) { w.Header().Set("Retry-After", "7200"); w.WriteHeader(429) }, "lower sync.parallelism", 9},
		{"502", func(w http.ResponseWriter) { w.WriteHeader(502); html(w) }, "try again later", 3},
		{"503 with a date", func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", time.Now().Add(time.Hour).UTC().Format(http.TimeFormat))
			w.WriteHeader(503)
		}, "503", 9},
		{"a reset", func(w http.ResponseWriter) { panic(http.ErrAbortHandler) }, "check harfanglab.url", 3},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := serve(t, func(w http.ResponseWriter, _ request) { tt.answer(w) })
			m.Config.ErrorLog = nil
			visited := false
			n, err := client(t, m.URL).Rows(t.Context(), reconcile.IOC, "l", func([]reconcile.Row, int) error { visited = true; return nil })
			if err == nil || visited {
				t.Fatalf("%d rows, visited %t, error %v; want an error and no visit", n, visited, err)
			}
			for _, part := range []string{"HarfangLab", "IOCRule", tt.want} {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("%q lacks %q", err, part)
				}
			}
			if strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%q shows the token", err)
			}
			if got := len(m.requests()); got != tt.tries {
				t.Errorf("%d requests, want %d", got, tt.tries)
			}
		})
	}
}

// What is no manager has no version: 404 alone would leave a stranger alone.
func TestAnAddressThatIsNoManagerSaysSo(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(404) })
	if _, err := client(t, m.URL).Version(t.Context()); err == nil || !strings.Contains(err.Error(), "404 without a word; check harfanglab.url") {
		t.Error(err)
	}
}

func TestNothingIsLoggedThatIsSecret(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(500) })
	var logged bytes.Buffer
	c := client(t, m.URL, func(o *harfanglab.Options) {
		o.Log = slog.New(slog.NewTextHandler(&logged, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	_, err := c.Version(t.Context())
	if logged.Len() == 0 || strings.Contains(logged.String()+fmt.Sprint(err), "s3cret") {
		t.Errorf("log %q, error %v", logged.String(), err)
	}
}

// A proxy that echoes the request must not bring our credentials into an error.
func TestEchoedCredentialsAreHidden(t *testing.T) {
	for _, change := range []func(*harfanglab.Options){
		func(o *harfanglab.Options) { o.Token = "Token s3cret-token" },
		func(o *harfanglab.Options) { o.Token, o.Login, o.Password = "", "user", "s3cret pass" },
	} {
		m := serve(t, func(w http.ResponseWriter, r request) {
			w.WriteHeader(400)
			fmt.Fprintf(w, `{"detail": "you sent %s"}`, r.auth)
		})
		_, err := client(t, m.URL, change).Create(t.Context(), "l", reconcile.Row{Kind: reconcile.IOC})
		if err == nil || strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "dXNlcjpzM2NyZXQ") || !strings.Contains(err.Error(), "***") {
			t.Errorf("%v", err)
		}
	}
}

func TestWaitsEndWithTheirContext(t *testing.T) {
	m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(503) })
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	c := client(t, m.URL, func(o *harfanglab.Options) { o.Retry.Backoff = func(int) time.Duration { return time.Hour } })
	if _, err := c.Version(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want the context's end", err)
	}
}

// pages serves rows in pages whose size the manager chooses.
func pages(rows []string, size int, change func(page int, body string) string) func(http.ResponseWriter, request) {
	page := 0
	return func(w http.ResponseWriter, r request) {
		var limit, offset int
		for _, part := range strings.Split(r.query, "&") {
			_, _ = fmt.Sscanf(part, "limit=%d", &limit)
			_, _ = fmt.Sscanf(part, "offset=%d", &offset)
		}
		n := min(size, limit)
		to := min(offset+n, len(rows))
		next := "null"
		if to < len(rows) {
			next = `"/api/?offset=1"`
		}
		body := fmt.Sprintf(`{"count": %d, "next": %s, "results": [%s]}`, len(rows), next, strings.Join(rows[min(offset, to):to], ","))
		page++
		if change != nil {
			body = change(page, body)
		}
		fmt.Fprint(w, body)
	}
}

func ioc(id, source, value string) string {
	return fmt.Sprintf(`{"id": %q, "source_id": %q, "type": "url", "value": %q, "enabled": true, "new_field": {"a": [1]}, "comment": null}`, id, source, value)
}

func TestRowsAreProvenComplete(t *testing.T) {
	rows := []string{}
	for i := range 7 {
		rows = append(rows, ioc(fmt.Sprint(i), "l", fmt.Sprintf("v%d", i)))
	}
	for _, tt := range []struct {
		name   string
		rows   []string
		size   int
		change func(int, string) string
		want   int
		why    string
		shape  bool // it is no answer of the API
	}{
		{name: "one page", rows: rows, size: 100, want: 7},
		{name: "pages smaller than asked for", rows: rows, size: 2, want: 7},
		{name: "no rows at all", rows: nil, size: 2, want: 0},
		{name: "ids as numbers", rows: []string{`{"id": 5, "source_id": "l", "type": "url", "value": "v", "global_state": "alert"}`}, size: 5, want: 1},
		{name: "rows of other lists are passed over", rows: append([]string{ioc("x", "other", "o")}, rows...), size: 3, want: 7},
		{name: "a row twice", rows: append(rows, rows[0]), size: 3, why: "row 0 came twice"},
		{name: "a count that is too high", rows: rows, size: 3, change: func(_ int, s string) string { return strings.Replace(s, `"count": 7`, `"count": 8`, 1) }, why: "7 rows came, the count was 8"},
		{name: "a count that moves", rows: rows, size: 3, change: func(page int, s string) string {
			if page == 1 {
				return strings.Replace(s, `"count": 7`, `"count": 9`, 1)
			}
			return s
		}, why: "9 at first and 7 at last"},
		{name: "an early end", rows: rows, size: 3, change: func(_ int, s string) string { return strings.Replace(s, `"/api/?offset=1"`, "null", 1) }, why: "3 rows came"},
		{name: "an empty page in the middle", rows: rows, size: 3, change: func(page int, s string) string {
			if page == 2 {
				return `{"count": 7, "next": "/x", "results": []}`
			}
			return s
		}, why: "3 rows came"},
		{name: "a row without an id", rows: []string{`{"type": "url", "value": "v", "enabled": true}`}, size: 3, why: "without an id", shape: true},
		{name: "a row that does not say whether it is enabled", rows: []string{`{"id": "1", "type": "url", "value": "v"}`}, size: 3, why: "does not say whether it is enabled", shape: true},
		{name: "a row without a value", rows: []string{`{"id": "1", "type": "url", "enabled": true}`}, size: 3, why: "no type or no value", shape: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := serve(t, pages(tt.rows, tt.size, tt.change))
			got := 0
			n, err := client(t, m.URL, func(o *harfanglab.Options) { o.PageSize = 5 }).Rows(t.Context(), reconcile.IOC, "l", func(p []reconcile.Row, _ int) error { got += len(p); return nil })
			if tt.why == "" {
				if err != nil || n != tt.want || got != tt.want {
					t.Errorf("%d rows, %d visited, error %v; want %d", n, got, err, tt.want)
				}
				return
			}
			_, incomplete := errors.AsType[*harfanglab.IncompleteError](err)
			if e, failed := errors.AsType[*harfanglab.Error](err); incomplete == tt.shape || failed != tt.shape || failed && !e.Shape || !strings.Contains(err.Error(), tt.why) {
				t.Errorf("got %v, want %s", err, tt.why)
			}
		})
	}
}

func TestRowsKeepWhatIsCompared(t *testing.T) {
	m := serve(t, pages([]string{
		`{"id": "a", "source_id": "l", "name": "N", "rule_id": "R", "content": "title: x\n", "enabled": false, "hl_status": "brand_new", "global_state": "disabled", "creation_date": "2026-01-01T00:00:00Z", "errors": ["e"]}`,
		`{"id": "b", "source_id": "l", "name": null, "rule_id": null, "content": null, "global_state": "block", "rule_level_override": "high", "rule_confidence_override": "strong"}`,
	}, 10, nil))
	var got []reconcile.Row
	if _, err := client(t, m.URL).Rows(t.Context(), reconcile.Sigma, "l", func(p []reconcile.Row, _ int) error { got = append(got, p...); return nil }); err != nil {
		t.Fatal(err)
	}
	want := []reconcile.Row{
		{Kind: reconcile.Sigma, ID: "a", Created: "2026-01-01T00:00:00Z", Name: "N", RuleID: "R", Content: "title: x\n", HLStatus: "brand_new", State: "disabled"},
		{Kind: reconcile.Sigma, ID: "b", Enabled: true, Level: "high", Confidence: "strong", State: "block"},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("rows (-want +got):\n%s", d)
	}
}

// An answer over a limit would be so again: it is fetched once, and the error names limit and remedy.
func TestAnAnswerOverALimitIsFinal(t *testing.T) {
	for _, tt := range []struct {
		name, body, want string
	}{
		{"bytes", `{"count": 0, "next": null, "results": [], "x": "` + strings.Repeat("x", 8<<20) + `"}`, "200 with an answer of more than 8388608 bytes; lower sync.page_size"},
		{"elements", `{"count": 1, "next": null, "results": [` + strings.Repeat("{},", 2<<20) + `{}]}`, "200 with an answer of more than 524288 elements; lower sync.page_size"},
		{"lists in each other", strings.Repeat("[", 4<<20), "200 with an answer of more than 524288 elements; lower sync.page_size"},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { _, _ = io.WriteString(w, tt.body) })
		c := client(t, m.URL, func(o *harfanglab.Options) { o.MaxAnswer = 8 << 20 })
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := c.Rows(t.Context(), reconcile.IOC, "l", func(_ []reconcile.Row, _ int) error { return nil })
		runtime.ReadMemStats(&after)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if e, ok := errors.AsType[*harfanglab.Error](err); ok && e.Temporary() {
			t.Errorf("%s: %v counts as temporary", tt.name, err)
		}
		if n := len(m.requests()); n != 1 {
			t.Errorf("%s: asked %d times, want once", tt.name, n)
		}
		if got := (after.TotalAlloc - before.TotalAlloc) >> 20; got > 64 {
			t.Errorf("%s: %d MiB were taken for an answer of at most 8", tt.name, got)
		}
	}
}
