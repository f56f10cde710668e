package octisim

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp"
	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const (
	identQuery = `query Ident { about { version } me { id name capabilities { name } allowed_marking { standard_id definition } effective_confidence_level { max_confidence } } }`
	findQuery  = `query Find($id: String!) { stixObjectOrStixRelationship(id: $id) { __typename
		... on BasicObject { id standard_id entity_type }
		... on StixObject { x_opencti_stix_ids }
		... on StixSightingRelationship { id standard_id entity_type attribute_count first_seen last_seen x_opencti_negative }
		... on StixCoreRelationship { id standard_id entity_type start_time stop_time } } }`
	basedOnQuery = `query BasedOn($first: Int!, $after: ID, $filters: FilterGroup, $from: [String]) {
		stixCoreRelationships(first: $first after: $after relationship_type: ["based-on"] fromTypes: ["Indicator"] fromId: $from filters: $filters) {
			pageInfo { endCursor hasNextPage globalCount }
			edges { node { id standard_id fromId toId toType to {
				... on StixCyberObservable { id standard_id entity_type observable_value }
				... on StixFile { file_name: name hashes { algorithm hash } }
				... on Artifact { hashes { algorithm hash } } } } } } }`
	streamQuery = `query Stream($id: String!) { streamCollection(id: $id) { id name filters stream_live stream_public } }`
)

// The documents of the contract run from the version that it names.
func TestContractDocumentsAreValid(t *testing.T) {
	values := strings.Replace(indicatorPage, "x_mitre_platforms", "x_opencti_observable_values { type value hashes { algorithm hash } }", 1)
	origin := strings.Replace(streamQuery, "filters", "filters origin_filters", 1)
	tests := []struct{ name, text, vars, from, before string }{
		{"identity check", identQuery, `{}`, "6.0.0", "5.12.24"},
		{"indicator page", indicatorPage, `{"first": 1}`, "5.12.24", ""},
		{"indicator page with observable values", values, `{"first": 1}`, "6.5.11", "6.5.10"},
		{"based-on page", basedOnQuery, `{"first": 1}`, "5.12.24", ""},
		{"look-up", findQuery, `{"id": "x"}`, "5.12.24", ""},
		{"stream collection", streamQuery, `{"id": "x"}`, "5.12.24", ""},
		{"stream collection with origin filters", origin, `{"id": "x"}`, "7.260507.0", "7.260506.0"},
		{"stream position", `{ redisStreamInfo { firstEventId lastEventId } }`, `{}`, "6.8.0", "6.7.20"},
		{"register", registerQuery, `{"input": {"id": "1", "name": "xx", "type": "STREAM"}}`, "5.12.24", ""},
		{"ping with information", pingQuery, `{"id": "1"}`, "6.2.12", "6.2.11"},
		{"work", workQuery, `{"id": "1"}`, "5.12.24", ""},
		{"SecurityPlatform", `{ stixObjectOrStixRelationship(id: "x") { ... on SecurityPlatform { name } } }`, `{}`, "6.7.0", "6.6.9"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var vars map[string]any
			simtest.Fine(t, json.Unmarshal([]byte(tt.vars), &vars))
			for _, v := range []string{tt.from, "7.260817.0"} {
				s := five(Options{Version: v})
				if code := ask(t, s, tt.text, vars).code(); code != "" && code != "FUNCTIONAL_ERROR" {
					t.Errorf("version %s: %s", v, code)
				}
			}
			if tt.before != "" {
				if code := ask(t, five(Options{Version: tt.before}), tt.text, vars).code(); code != "GRAPHQL_VALIDATION_FAILED" {
					t.Errorf("version %s: code %q, want a validation error", tt.before, code)
				}
			}
		})
	}
}

func TestEveryMandatoryFieldHasAValue(t *testing.T) {
	schema := loadSchema(parseVersion("7.260817.0"))
	for name, def := range schema.Types {
		if strings.HasPrefix(name, "__") || def.Kind != "OBJECT" || name == "StixSightingRelationship" {
			continue // no sighting is stored here
		}
		for _, f := range def.Fields {
			if f.Type.NonNull && !strings.HasPrefix(f.Name, "__") && resolverOf(def, f.Name) == nil {
				t.Errorf("%s.%s is never null on the platform, and here always", name, f.Name)
			}
		}
	}
}

func TestRequestsThatAreNoQuestions(t *testing.T) {
	head := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer t"}
	tests := []struct {
		name, version, method, path, body string
		status                            int
		kind, says                        string
	}{
		{"malformed JSON", "6.9.22", "POST", "/graphql", `{"query": `, 500, "application/json", `{"status":"error"`},
		{"a batch", "6.9.22", "POST", "/graphql", `[{"query":"{ about { version } }"}]`, 400, "application/json", `"code":"BAD_REQUEST"`},
		{"a batch says so", "6.9.22", "POST", "/graphql", `[]`, 400, "application/json", "Operation batching disabled."},
		{"an empty body", "6.9.22", "POST", "/graphql", ``, 400, "application/json", `"errors"`},
		{"no query", "6.9.22", "POST", "/graphql", `{}`, 400, "application/json", `"errors"`},
		{"a body over the limit", "6.9.22", "POST", "/graphql", `{"query":"` + strings.Repeat("x", 3000) + `"}`, 413, "text/html", "too large"},
		{"GET is answered", "7.260721.0", "GET", "/graphql?query=%7Babout%7Bversion%7D%7D", "", 200, "application/json", "7.260721.0"},
		{"GET is refused since 7.260722.0", "7.260722.0", "GET", "/graphql?query=%7Babout%7Bversion%7D%7D", "", 405, "application/json", "MethodNotAllowedError"},
		{"another path", "6.9.22", "POST", "/other", `{}`, 404, "text/plain", "not found"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := five(Options{Version: tt.version, MaxBody: 2000})
			w := send(t, s, tt.method, tt.path, head, tt.body)
			if w.Code != tt.status || !strings.HasPrefix(w.Header().Get("Content-Type"), tt.kind) || !strings.Contains(w.Body.String(), tt.says) {
				t.Errorf("status %d, %s, body %s", w.Code, w.Header().Get("Content-Type"), w.Body)
			}
			if w.Code == 405 && w.Header().Get("Allow") != "POST, OPTIONS" {
				t.Errorf("Allow = %q", w.Header().Get("Allow"))
			}
		})
	}
}

func TestFailuresOfGraphQLAreStatus200(t *testing.T) {
	page := map[string]any{"first": 1}
	tests := []struct {
		name, version, query string
		vars                 map[string]any
		code, says           string
	}{
		{"a syntax error", "", `{ about `, nil, "GRAPHQL_PARSE_FAILED", "Syntax Error"},
		{"an unknown field", "", `{ about { colour } }`, nil, "GRAPHQL_VALIDATION_FAILED", "colour"},
		{"fields that do not merge", "", `{ stixObjectOrStixRelationship(id: "x") { ... on StixFile { name } ... on Organization { name } } }`, nil, "GRAPHQL_VALIDATION_FAILED", "conflict"},
		{"a missing variable", "", indicatorPage, nil, "BAD_USER_INPUT", `Variable "$first" of required type "Int!" was not provided.`},
		{"a null variable", "", indicatorPage, map[string]any{"first": nil}, "BAD_USER_INPUT", "must not be null"},
		{"a text for an Int", "", indicatorPage, map[string]any{"first": "1"}, "BAD_USER_INPUT", "Int cannot represent"},
		{"a fraction for an Int", "", indicatorPage, map[string]any{"first": 1.5}, "BAD_USER_INPUT", "Int cannot represent"},
		{"a page of less than nothing", "", indicatorPage, map[string]any{"first": -1}, "INTERNAL_SERVER_ERROR", "cannot be negative"},
		{"another case of an enum", "", indicatorPage, map[string]any{"first": 1, "orderBy": "NAME"}, "BAD_USER_INPUT", "enum"},
		{"a member that filters do not have", "", indicatorPage, map[string]any{"first": 1, "filters": map[string]any{
			"mode": "and", "filterGroups": []any{}, "filters": []any{map[string]any{"id": "1", "key": []string{"name"}, "values": []string{"a"}}}}},
			"BAD_USER_INPUT", `Field "id" is not defined by type "Filter"`},
		{"a group without its mode", "", indicatorPage, map[string]any{"first": 1, "filters": map[string]any{"filters": []any{}, "filterGroups": []any{}}}, "BAD_USER_INPUT", "filters.mode"},
		{"a bare date", "", pingQuery, map[string]any{"id": "x", "info": map[string]any{"run_and_terminate": true, "buffering": false, "queue_threshold": 1, "queue_messages_size": 1, "last_run_datetime": "2026-03-01"}}, "BAD_USER_INPUT", "DateTime"},
		{"one field three times", "", `{ a: about { version } b: about { version } c: about { version } }`, nil, "GRAPHQL_VALIDATION_FAILED", "Allowed number of calls for Query->about has been exceeded (max: 2)"},
		{"one mutation twice", "", `mutation { a: workAdd(connectorId: "1") { id } b: workAdd(connectorId: "1") { id } }`, nil, "GRAPHQL_VALIDATION_FAILED", "Mutation->workAdd has been exceeded (max: 1)"},
		{"one field three times through a fragment", "", `{ a: about { version } b: about { version } ...F } fragment F on Query { c: about { version } }`, nil, "GRAPHQL_VALIDATION_FAILED", "max: 2"},
		{"introspection in 6.x", "6.9.22", `{ __schema { queryType { name } } }`, nil, "FORBIDDEN_ACCESS", "not authorized"},
		{"introspection in 7.x", "7.260817.0", `{ __schema { queryType { name } } }`, nil, "RESOURCE_NOT_FOUND", "GraphQL introspection not authorized!"},
		{"a condition", "", `{ about { version @skip(if: true) } }`, nil, "GRAPHQL_VALIDATION_FAILED", "not simulated"},
		{"several operations and no name", "", `query A { about { version } } query B { about { version } }`, page, "BAD_REQUEST", "operation name"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(t, five(Options{Version: tt.version}), tt.query, tt.vars)
			if r.Status != 200 || r.code() != tt.code || !strings.Contains(r.Text, mustJSON(tt.says)) {
				t.Errorf("status %d: %s", r.Status, r.Text)
			}
			if len(r.Errors) > 0 && r.Errors[0].Name != tt.code {
				t.Errorf("name = %q, want the code", r.Errors[0].Name)
			}
		})
	}
}

func mustJSON(s string) string {
	b := appendJSON(nil, s)
	return string(b[1 : len(b)-1])
}

func TestAliasLimitsBegan(t *testing.T) {
	simtest.Is(t, "before 6.1.0", "", ask(t, five(Options{Version: "6.0.10"}), `{ a: about { version } b: about { version } c: about { version } }`, nil).code())
}

func TestFaultsGoThrough(t *testing.T) {
	s := five(Options{})
	simtest.Fine(t, s.HTTP.Fail(simhttp.Fault{Body: "about", Do: simhttp.Answer, Status: 503, Times: 1}))
	head := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer t"}
	for _, want := range []int{503, 200} {
		simtest.Is(t, "status", want, send(t, s, "POST", "/graphql", head, `{"query":"{ about { version } }"}`).Code)
	}
	s.HTTP.SetRate(0.001)
	var codes []int
	for range 2 {
		codes = append(codes, send(t, s, "POST", "/graphql", head, `{"query":"{ about { version } }"}`).Code)
	}
	if codes[0] != 200 || codes[1] != 429 {
		t.Errorf("statuses %v, want 200 and 429", codes)
	}
}

func TestOneNameMergesItsSelections(t *testing.T) {
	s := five(Options{})
	r := ask(t, s, `{
		indicator(id: "a") { __typename ...A kind: entity_type ... on StixDomainObject { revoked } }
		indicator(id: "a") { standard_id }
	} fragment A on BasicObject { id }`, nil)
	want := `{"data":{"indicator":{"__typename":"Indicator","id":"a","kind":"Indicator","revoked":false,"standard_id":"` + s.Indicators()[0].StandardID + `"}}}`
	simtest.Is(t, "text", want, r.Text)
}

func TestUnderABasePath(t *testing.T) {
	s := New(Options{Token: "t", BasePath: "/opencti", Now: func() time.Time { return day(0) }})
	head := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer t"}
	if w := send(t, s, "POST", "/opencti/graphql", head, `{"query":"{ about { version } }"}`); w.Code != 200 || w.Body.String() != `{"data":{"about":{"version":"6.9.22"}}}` {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

func TestControls(t *testing.T) {
	s := New(Options{Token: "t"})
	for _, st := range []struct {
		method, path, body string
		status             int
		says               string
	}{
		{"PUT", "/_sim/indicators", `[{"id": "a", "pattern": "[url:value = 'a']"}, {"pattern": "[url:value = 'b']"}]`, 200, ""},
		{"PUT", "/_sim/indicators", `[{"id": "a", "pattern": "[url:value = 'b']"}]`, 409, "another indicator"},
		{"PUT", "/_sim/indicators", `{"id": 5}`, 400, "cannot unmarshal"},
		{"PUT", "/_sim/streams", `{"id": "s", "name": "n"}`, 200, ""},
		{"PUT", "/_sim/streams", `{"id": `, 400, "unexpected EOF"},
		{"PUT", "/_sim/knobs", `{"unresolvable": ["a"], "page_cap": 7}`, 200, ""},
		{"PUT", "/_sim/knobs", `{"count_off": 5}`, 200, ""},
		{"PUT", "/_sim/knobs", `{"page_cap": "x"}`, 400, "cannot unmarshal"},
		{"PUT", "/_sim/knobs", `{"strip_refs": "("}`, 400, "missing closing"},
		{"GET", "/_sim/held", "", 200, `{"indicators":2,"incidents":0`},
		{"GET", "/_sim/requests", "", 200, `"count":0`},
	} {
		if w := send(t, s, st.method, st.path, nil, st.body); w.Code != st.status || !strings.Contains(w.Body.String(), st.says) {
			t.Errorf("%s %s: status %d: %s", st.method, st.path, w.Code, w.Body)
		}
	}
	s.SetKnobs(func(k *Knobs) {
		simtest.Is(t, "knobs", "[a] 7 5", fmt.Sprint(k.Unresolvable, k.PageCap, k.CountOff))
	})
	simtest.Is(t, "stream", true, ask(t, s, streamQuery, map[string]any{"id": "s"}).get("streamCollection", "stream_live"))
}
