package octisim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const indicatorPage = `query Page($first: Int!, $after: ID, $filters: FilterGroup, $orderBy: IndicatorsOrdering, $orderMode: OrderingMode) {
  indicators(first: $first, after: $after, filters: $filters, orderBy: $orderBy, orderMode: $orderMode) {
    pageInfo { endCursor hasNextPage globalCount }
    edges { node {
      id standard_id entity_type name description pattern pattern_type pattern_version indicator_types valid_from valid_until
      revoked confidence created modified created_at updated_at x_opencti_score x_opencti_detection x_opencti_main_observable_type
      x_mitre_platforms
      createdBy { id standard_id entity_type name }
      objectMarking { id standard_id definition_type definition x_opencti_order }
      objectLabel { id value }
      killChainPhases { kill_chain_name phase_name }
      externalReferences { edges { node { source_name external_id url description } } }
    } }
  }
}`

// reply is an answer to a GraphQL request.
type reply struct {
	Status int
	Text   string
	Data   map[string]any
	Errors []struct {
		Message    string
		Name       string
		Path       []any
		Locations  []map[string]int
		Extensions struct {
			Code string
			Data map[string]any
		}
	}
}

// code is the code of the first error, empty when there is none.
func (r reply) code() string {
	if len(r.Errors) == 0 {
		return ""
	}
	return r.Errors[0].Extensions.Code
}

// get follows names and indexes through the data.
func (r reply) get(path ...any) any {
	var v any = r.Data
	for _, p := range path {
		switch p := p.(type) {
		case string:
			m, _ := v.(map[string]any)
			v = m[p]
		case int:
			l, _ := v.([]any)
			if p >= len(l) {
				return nil
			}
			v = l[p]
		}
	}
	return v
}

// each gives the texts that one path leads to below every entry of a list.
func (r reply) each(list []any, path ...any) []string {
	var out []string
	entries, _ := r.get(list...).([]any)
	for i := range entries {
		s, _ := r.get(append(append(append([]any{}, list...), i), path...)...).(string)
		out = append(out, s)
	}
	return out
}

func send(t testing.TB, h http.Handler, method, path string, head map[string]string, body string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	for k, v := range head {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w
}

// ask sends a request with the token "t".
func ask(t testing.TB, s *Sim, query string, vars map[string]any) reply {
	t.Helper()
	return askAs(t, s, "t", query, vars)
}

func askAs(t testing.TB, s *Sim, token, query string, vars map[string]any) reply {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": vars})
	simtest.Fine(t, err)
	w := send(t, s, "POST", "/graphql", map[string]string{"Content-Type": "application/json", "Authorization": "Bearer " + token}, string(body))
	out := reply{Status: w.Code, Text: w.Body.String()}
	if err := json.NewDecoder(bytes.NewReader(w.Body.Bytes())).Decode(&out); err != nil {
		t.Fatalf("answer %q: %v", out.Text, err)
	}
	return out
}

// is is one filter, and a group of filters.
func is(key, operator string, values ...string) map[string]any {
	if values == nil {
		values = []string{}
	}
	return map[string]any{"key": []string{key}, "operator": operator, "values": values, "mode": "or"}
}

func group(mode string, filters ...map[string]any) map[string]any {
	if filters == nil {
		filters = []map[string]any{}
	}
	return map[string]any{"mode": mode, "filters": filters, "filterGroups": []any{}}
}

func and(filters ...map[string]any) map[string]any { return group("and", filters...) }
