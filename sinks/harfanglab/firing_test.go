package harfanglab_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

func TestOneRuleByItsID(t *testing.T) {
	for _, tt := range []struct {
		name   string
		kind   reconcile.Kind
		id     string
		status int
		body   string
		found  *reconcile.Located
		want   string // of the error
		asks   int
	}{
		{"an IOC", reconcile.IOC, "i-1", 200, `{"id": "i-1", "source_id": "l", "type": "url", "value": "http://a.test/", "comment": "c", "enabled": false}`,
			&reconcile.Located{Row: reconcile.Row{Kind: reconcile.IOC, ID: "i-1", Type: "url", Value: "http://a.test/", Comment: "c"}, List: "l"}, "", 1},
		{"a Sigma rule by the id of its YAML", reconcile.Sigma, "4A0F", 200, `{"id": 7, "rule_id": "4a0f", "name": "n", "content": "title: n", "enabled": true}`,
			&reconcile.Located{Row: reconcile.Row{Kind: reconcile.Sigma, ID: "7", RuleID: "4a0f", Name: "n", Content: "title: n", Enabled: true}}, "", 1},
		{"one that is gone", reconcile.IOC, "i-1", 404, `{"detail": "Not found."}`, nil, "", 1},
		{"a manager that serves no single rule", reconcile.YARA, "y-1", 405, `{"detail": "Method \"GET\" not allowed."}`, nil, "", 1},
		{"an id that is none", reconcile.YARA, "YARA binary check", 400, `{"detail": "not a valid UUID"}`, nil, "", 1},
		{"no id", reconcile.IOC, "", 200, ``, nil, "", 0},
		{"the way up", reconcile.IOC, "..", 200, ``, nil, "", 0},
		{"another rule", reconcile.IOC, "i-1", 200, `{"id": "i-2", "type": "url", "value": "v", "enabled": true}`, nil, "row i-2, which was not asked for", 1},
		{"a list", reconcile.IOC, "i-1", 200, `{"count": 0, "next": null, "results": []}`, nil, "a row without an id", 1},
		{"an odd rule", reconcile.IOC, "i-1", 200, `{"id": "i-1", "enabled": "yes"}`, nil, "another shape", 1},
		{"forbidden", reconcile.Sigma, "s", 403, `{"detail": "no"}`, nil, "right to view and edit rules", 1},
		{"HTML", reconcile.Sigma, "s", 200, `<html>`, nil, "HTML where JSON is due", 3},
		{"a busy manager", reconcile.Sigma, "s", 429, ``, nil, "429", 9},
	} {
		m := serve(t, func(w http.ResponseWriter, _ request) { w.WriteHeader(tt.status); fmt.Fprint(w, tt.body) })
		found, err := client(t, m.URL).Rule(t.Context(), tt.kind, tt.id)
		if d := cmp.Diff(tt.found, found); d != "" || (err != nil) != (tt.want != "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q (-want +got):\n%s", tt.name, err, tt.want, d)
		}
		if n := len(m.requests()); n != tt.asks {
			t.Errorf("%s: %d requests, want %d", tt.name, n, tt.asks)
		}
	}
}

func yaraFile(id, list, name, content, more string) string {
	return fmt.Sprintf(`{"id": %q, "source_id": %q, "name": %q, "content": %q, "enabled": true%s}`, id, list, name, content, more)
}

const loader = "rule loader_strings { condition: true }"

func TestYARAFilesAreFoundByTheirRules(t *testing.T) {
	odd := "rule loader_strings { condition: weird \"unclosed }"
	for _, tt := range []struct {
		name string
		list string
		rows []string
		want string // ids
	}{
		{"by the names that the manager read", "l", []string{yaraFile("a", "l", "x", "", `, "rule_names": ["other", "loader_strings"]`), yaraFile("b", "l", "y", "", `, "rule_names": ["loader_strings2", "Loader_Strings"]`)}, "a"},
		{"by the text", "l", []string{yaraFile("a", "l", "x", loader, ``), yaraFile("b", "l", "y", `rule b { strings: $a = "rule loader_strings" condition: $a }`, `, "rule_names": null`)}, "a"},
		{"by a text that only the manager understands", "l", []string{yaraFile("a", "l", "x", "private  rule other : tag {\n}\n"+odd, ``), yaraFile("b", "l", "y", "/* "+odd, `, "rule_names": []`)}, "a"},
		{"in a file that has its name alone", "l", []string{yaraFile("a", "l", "loader_strings", "rule other { condition: true }", ``)}, ""},
		{"in other lists", "l", []string{yaraFile("a", "k", "x", loader, ``)}, ""},
		{"in every list", "", []string{yaraFile("a", "k", "x", loader, ``), yaraFile("b", "l", "x", loader, ``)}, "a b"},
		{"beside files that cannot be read", "l", []string{`{"id": "z", "rule_names": ["loader_strings"]}`, yaraFile("a", "l", "x", loader, ``)}, "a"},
		{"nowhere", "l", nil, ""},
	} {
		m := serve(t, func(w http.ResponseWriter, r request) {
			q, _ := url.ParseQuery(r.query)
			if tt.list != q.Get("source_id") || q.Get("limit") == "" {
				t.Errorf("%s: asked for %s", tt.name, r.query)
			}
			fmt.Fprintf(w, `{"count": %d, "next": null, "results": [%s]}`, len(tt.rows), strings.Join(tt.rows, ","))
		})
		found, err := client(t, m.URL).YARAByRule(t.Context(), tt.list, "loader_strings")
		var ids []string
		for _, r := range found {
			ids = append(ids, r.ID)
		}
		if d := cmp.Diff(tt.want, strings.Join(ids, " ")); d != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, d)
		}
	}
}

// The search may not look into files; then the file's own name may be the rule's.
func TestYARAFilesAreAskedForInTwoWays(t *testing.T) {
	one := func(row string) string {
		return fmt.Sprintf(`{"count": 1, "next": null, "results": [%s]}`, row)
	}
	none := `{"count": 0, "next": null, "results": []}`
	wide := `{"count": 9000, "next": "/more", "results": [` + yaraFile("x", "l", "x", "", `, "rule_names": ["x"]`) + `]}`
	bad := one(`{"id": "z", "source_id": "l", "rule_names": ["loader_strings"]}`)
	for _, tt := range []struct {
		name, bySearch, byName string
		found                  string
		ignored                bool
		want                   string // of another error
		asks                   int
	}{
		{"found by search", one(yaraFile("a", "l", "x", loader, "")), none, "a", false, "", 1},
		{"found by name", none, one(yaraFile("a", "l", "loader_strings", loader, "")), "a", false, "", 2},
		{"found by neither", none, none, "", false, "", 2},
		{"search is ignored, the name is not", wide, none, "", false, "", 5},
		{"both are ignored", wide, wide, "", true, "", 8},
		{"the file cannot be read", bad, none, "", false, "row z does not say whether it is enabled", 2},
		{"an answer that is none", `[]`, none, "", false, "another shape", 1},
	} {
		m := serve(t, func(w http.ResponseWriter, r request) {
			answer := tt.bySearch
			if strings.Contains(r.query, "name__exact=loader_strings") {
				answer = tt.byName
			}
			fmt.Fprint(w, answer)
		})
		found, err := client(t, m.URL, func(o *harfanglab.Options) { o.PageSize = 1 }).YARAByRule(t.Context(), "l", "loader_strings")
		id := ""
		if len(found) > 0 {
			id = found[0].ID
		}
		if id != tt.found || errors.Is(err, harfanglab.ErrFilterIgnored) != tt.ignored || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) || err != nil && tt.want == "" && !tt.ignored {
			t.Errorf("%s: found %q, %v", tt.name, id, err)
		}
		if n := len(m.requests()); n != tt.asks {
			t.Errorf("%s: %d requests, want %d", tt.name, n, tt.asks)
		}
	}
	if found, err := client(t, "http://127.0.0.1:1").YARAByRule(t.Context(), "l", ""); found != nil || err != nil {
		t.Errorf("no rule: %v, %v", found, err)
	}
}
