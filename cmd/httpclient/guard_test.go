package httpclient_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/httpclient"
)

func TestReadOnlySendsNoWrite(t *testing.T) {
	const query = `query Indicators($first: Int) { indicators(first: $first) { edges { node { id } } } }`
	post := func(document string) string { return `{"query": "` + document + `", "variables": {"first": 1}}` }
	for _, tt := range []struct {
		name             string
		platform         httpclient.Platform
		method, path     string
		body             string
		refused          string // a part of the reason; "" is sent
		contentEncodings string
	}{
		{name: "REST GET is sent", method: "GET", path: "/api/x"},
		{name: "REST HEAD is sent", method: "HEAD", path: "/api/x"},
		{name: "REST POST is refused", method: "POST", path: "/api/x", body: "{}", refused: "POST writes"},
		{name: "REST PUT is refused", method: "PUT", path: "/api/x", body: "{}", refused: "PUT writes"},
		{name: "REST PATCH is refused", method: "PATCH", path: "/api/x", body: "{}", refused: "PATCH writes"},
		{name: "REST DELETE is refused", method: "DELETE", path: "/api/x", refused: "DELETE writes"},
		{name: "REST OPTIONS is refused", method: "OPTIONS", path: "/api/x", refused: "OPTIONS writes"},

		{name: "GraphQL query is sent", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post(query)},
		{name: "GraphQL shorthand query is sent", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post("{ about { version } }")},
		{name: "the word mutation in a field is no mutation", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post("{ mutation { id } }")},
		{name: "GraphQL stream by GET is sent", platform: httpclient.GraphQL, method: "GET", path: "/stream/live"},
		{name: "GraphQL mutation is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post("mutation M { pingConnector(id: 1) { id } }"), refused: "has a mutation"},
		{name: "GraphQL subscription is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post("subscription { me { id } }"), refused: "has a subscription"},
		{name: "a mutation behind a query is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post("query A { me { id } } mutation B { x }"), refused: "has a mutation"},
		{name: "a mutation behind a comment is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post(`# query\n mutation B { x }`), refused: "has a mutation"},
		{name: "an escaped mutation is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post(`\u006dutation B { x }`), refused: "has a mutation"},
		{name: "of two documents the last counts, in its own spelling", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: `{"query": "mutation { x }", "Query": "{ me { id } }"}`, refused: "has a mutation"},
		{name: "a document that does not parse is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post("query {"), refused: "cannot be parsed"},
		{name: "fragments alone are refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post("fragment F on Indicator { id }"), refused: "no operation"},
		{name: "a body without document is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: `{"extensions": {"persistedQuery": {}}}`, refused: "no document"},
		{name: "a null document is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: `{"query": null}`, refused: "no operation"},
		{name: "a body that is no JSON is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: "--boundary", refused: "no JSON object"},
		{name: "a batch is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: "[" + post("{ a }") + "]", refused: "no JSON object"},
		{name: "no body is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", refused: "no document"},
		{name: "a compressed body is refused", platform: httpclient.GraphQL, method: "POST", path: "/graphql", body: post(query), contentEncodings: "gzip", refused: "is encoded"},
		{name: "a mutation in the address is refused", platform: httpclient.GraphQL, method: "GET", path: "/graphql?query=mutation+%7B+x+%7D", refused: "has a mutation"},
		{name: "GraphQL DELETE is refused", platform: httpclient.GraphQL, method: "DELETE", path: "/graphql", refused: "DELETE writes"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			arrived, got := 0, ""
			s := serve(t, func(_ http.ResponseWriter, r *http.Request) {
				b, _ := io.ReadAll(r.Body)
				arrived, got = arrived+1, string(b)
				if int64(len(b)) != r.ContentLength && r.Method == http.MethodPost {
					t.Errorf("the body has %d bytes, its header says %d", len(b), r.ContentLength)
				}
			})
			c := newClient(t, httpclient.Options{Platform: tt.platform, ReadOnly: true})
			var body io.Reader
			if tt.body != "" {
				body = strings.NewReader(tt.body)
			}
			req, err := http.NewRequest(tt.method, s.URL+tt.path, body)
			if err != nil {
				t.Fatal(err)
			}
			if tt.contentEncodings != "" {
				req.Header.Set("Content-Encoding", tt.contentEncodings)
			}
			resp, err := c.Do(req)
			if tt.refused == "" {
				if err != nil {
					t.Fatal(err)
				}
				_ = resp.Body.Close()
				if arrived != 1 || got != tt.body {
					t.Errorf("%d requests arrived, with body %q; want one with %q", arrived, got, tt.body)
				}
				return
			}
			e, ok := errors.AsType[*httpclient.ReadOnlyError](err)
			if !ok || !errors.Is(err, httpclient.ErrReadOnly) || arrived != 0 {
				t.Fatalf("got %v, %d arrived; want a *ReadOnlyError and none", err, arrived)
			}
			path, _, _ := strings.Cut(tt.path, "?")
			if e.Method != tt.method || e.Path != path || !strings.Contains(e.Why, tt.refused) {
				t.Errorf("got %+v, want %s %s and %q", e, tt.method, path, tt.refused)
			}
		})
	}
}

func TestWithoutReadOnlyWritesAreSent(t *testing.T) {
	var methods []string
	s := serve(t, func(_ http.ResponseWriter, r *http.Request) { methods = append(methods, r.Method) })
	for _, platform := range []httpclient.Platform{httpclient.REST, httpclient.GraphQL} {
		c := newClient(t, httpclient.Options{Platform: platform})
		resp, err := c.Post(s.URL, "application/json", strings.NewReader(`{"query": "mutation { x }"}`))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
	}
	if len(methods) != 2 {
		t.Errorf("arrived: %v, want two POSTs", methods)
	}
}

// A write that waited for its turn is asked about when the turn comes, not before.
func TestAWriteIsAskedAboutWhenItIsSent(t *testing.T) {
	var sent atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { sent.Add(1) })
	lost := errors.New("not any more")
	var began time.Time
	c := newClient(t, httpclient.Options{RateLimit: 5, MayWrite: func() error {
		if time.Since(began) > 50*time.Millisecond { // as it is while the request waits for the rate
			return lost
		}
		return nil
	}})
	for _, method := range []string{http.MethodPost, http.MethodPatch, http.MethodDelete} {
		req, err := http.NewRequest(method, s.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := get(c, s.URL); err != nil { // which takes the turn that is free
			t.Fatal(err)
		}
		began = time.Now()
		if resp, err := c.Do(req); !errors.Is(err, lost) {
			t.Errorf("%s: %v, %v", method, resp, err)
		}
	}
	if _, _, err := get(c, s.URL); err != nil || sent.Load() != 4 {
		t.Errorf("%d requests arrived, want the 4 that only read; %v", sent.Load(), err)
	}
}
