package harfanglab_test

import (
	"errors"
	"fmt"
	"net/http"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

func TestCountReadsOneRow(t *testing.T) {
	for _, tt := range []struct {
		name, body string
		want       int
		ignored    bool
		bad        bool
	}{
		{name: "the manager's count", body: `{"count": 1234567, "next": "/x", "results": [{"id": "1", "source_id": "L"}]}`, want: 1234567},
		{name: "an empty list", body: `{"count": 0, "next": null, "results": []}`},
		{name: "a rule that does not name its list", body: `{"count": 3, "results": [{"id": "1"}]}`, want: 3},
		{name: "a manager that counts every list", body: `{"count": 9, "results": [{"id": "1", "source_id": "M"}]}`, ignored: true},
		{name: "no count", body: `{"results": []}`, bad: true},
		{name: "another shape", body: `[]`, bad: true},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { fmt.Fprint(w, tt.body) })
		n, err := client(t, m.URL).Count(t.Context(), reconcile.Sigma, "L")
		_, failed := errors.AsType[*harfanglab.Error](err)
		if n != tt.want || errors.Is(err, harfanglab.ErrFilterIgnored) != tt.ignored || failed != tt.bad {
			t.Errorf("%s: %d, error %v", tt.name, n, err)
		}
		if r := m.requests()[0]; r.method != "GET" || r.path != "/api/data/threat_intelligence/SigmaRule/" || r.query != "limit=1&offset=0&source_id=L" {
			t.Errorf("%s: asked %+v", tt.name, r)
		}
	}
}

func TestReadAlert(t *testing.T) {
	for _, tt := range []struct {
		name   string
		status int
		body   string
		auth   bool
		bad    bool
	}{
		{"an alert comes", 200, `{"count": 10000, "next": "/x", "results": [{"id": 4711, "process": null}]}`, false, false},
		{"there is none", 200, `{"count": 0, "next": null, "results": []}`, false, false},
		{"the account may not", 403, `{"detail": "no"}`, true, true},
		{"a login page", 200, `<html>`, false, true},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(tt.status); fmt.Fprint(w, tt.body) })
		err := client(t, m.URL).ReadAlert(t.Context())
		e, failed := errors.AsType[*harfanglab.Error](err)
		if failed != tt.bad || failed && e.Auth() != tt.auth {
			t.Errorf("%s: error %v", tt.name, err)
		}
		if r := m.requests()[0]; r.method != "GET" || r.path != "/api/data/alert/alert/Alert/" || r.query != "limit=1&offset=0" {
			t.Errorf("%s: asked %+v", tt.name, r)
		}
	}
}
