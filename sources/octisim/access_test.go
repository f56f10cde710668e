package octisim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestAuthErrorInFull(t *testing.T) {
	r := askAs(t, five(Options{}), "wrong", "query {\n  indicators { edges { node { id } } }\n}", nil)
	want := `{"errors":[{"message":"You must be logged in to do this.","locations":[{"line":2,"column":3}],"path":["indicators"],` +
		`"extensions":{"code":"AUTH_REQUIRED","data":{"genre":"TECHNICAL","http_status":401}},"name":"AUTH_REQUIRED"}],"data":{"indicators":null}}`
	if r.Text != want || r.Status != 200 {
		t.Errorf("status %d\ngot  %s\nwant %s", r.Status, r.Text, want)
	}
}

func TestAccess(t *testing.T) {
	user := func(u User) Options { u.Token = "u"; return Options{Users: []User{u}} }
	at := func(version string, o Options) Options { o.Version = version; return o }
	tests := []struct {
		name, token string
		o           Options
		query       string
		code        string
	}{
		{"a capability that contains the one asked for", "u", user(User{Capabilities: []string{"KNOWLEDGE_KNUPDATE"}}), `{ indicators { pageInfo { globalCount } } }`, ""},
		{"BYPASS is every capability", "u", user(User{Capabilities: []string{"BYPASS"}}), `{ connector(id: "x") { id } }`, ""},
		{"MODULES is met by MODULES_MODMANAGE", "u", user(User{Capabilities: []string{"MODULES_MODMANAGE"}}), `{ work(id: "x") { id } }`, ""},
		{"but not the other way round", "u", user(User{Capabilities: []string{"MODULES"}}), `mutation { workAdd(connectorId: "x") { id } }`, "FORBIDDEN_ACCESS"},
		{"no capability", "u", user(User{}), `{ indicators { pageInfo { globalCount } } }`, "FORBIDDEN_ACCESS"},
		{"any login may ask who it is", "u", user(User{}), `{ me { id } about { version } }`, ""},
		{"nobody may not", "no", user(User{}), `{ me { id } }`, "AUTH_REQUIRED"},
		{"an empty token is nobody, not a user without one", "", user(User{}), `{ me { id } }`, "AUTH_REQUIRED"},
		{"about needed no login before 6.1.0", "no", at("6.0.10", user(User{})), `{ about { version } }`, ""},
		{"about needs one since", "no", at("6.1.0", user(User{})), `{ about { version } }`, "AUTH_REQUIRED"},
		{"streams before 6.1.12", "u", at("6.1.11", user(User{Capabilities: []string{"TAXIIAPI"}})), `{ streamCollection(id: "s") { id } }`, "FORBIDDEN_ACCESS"},
		{"streams since 6.1.12", "u", at("6.1.12", user(User{Capabilities: []string{"TAXIIAPI"}})), `{ streamCollection(id: "s") { id } }`, ""},
		{"a token without its capability in 7.x is nobody", "u", at("7.260224.0", user(User{Capabilities: []string{"KNOWLEDGE"}})), `{ me { id } }`, "AUTH_REQUIRED"},
		{"with it it is somebody", "u", at("7.260224.0", user(User{Capabilities: []string{"APIACCESS_USETOKEN"}})), `{ me { id } }`, ""},
		{"an expired token in 7.x is nobody", "u", at("7.260224.0", user(User{Capabilities: []string{"BYPASS"}, Expires: day(9)})), `{ me { id } }`, "AUTH_REQUIRED"},
		{"tokens did not expire before", "u", at("6.9.22", user(User{Capabilities: []string{"BYPASS"}, Expires: day(9)})), `{ me { id } }`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := askAs(t, five(tt.o), tt.token, tt.query, nil)
			if r.Status != 200 || r.code() != tt.code {
				t.Errorf("status %d, want code %q: %s", r.Status, tt.code, r.Text)
			}
		})
	}
}

func TestNullTakesTheParentWithIt(t *testing.T) {
	s := five(Options{})
	tests := []struct{ name, query, want string }{
		{"a nullable field", `{ about { version } indicators { pageInfo { globalCount } } }`, `"data":{"about":null,"indicators":null}}`},
		{"a mandatory field takes all", `{ about { version } me { id } }`, `"data":null}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if r := askAs(t, s, "no", tt.query, nil); !strings.HasSuffix(r.Text, tt.want) || len(r.Errors) != 2 {
				t.Errorf("got %s", r.Text)
			}
		})
	}
}

// An object without a member that cannot be null fails whatever asks for that: by how far null goes up, contract opencti-api 1.4.
func TestAnObjectThatCannotBeResolved(t *testing.T) {
	s := New(Options{Token: "t", Now: func() time.Time { return day(0) }})
	for _, id := range []string{"a", "b"} {
		s.Put(Indicator{ID: id, Name: id, Pattern: "[url:value = '" + id + "']", CreatedAt: day(0), Observables: []Observable{{ID: "of-" + id, EntityType: "Url", Value: id}}})
	}
	s.SetKnobs(func(k *Knobs) { k.Unresolvable = []string{"a", "of-a"} })
	for _, tt := range []struct{ name, query, want, error string }{
		{"in a list", `{ indicators(orderBy: name) { edges { node { id name } } } }`, `"data":{"indicators":{"edges":[null,{"node":{"id":"b","name":"b"}}]}}}`, "Cannot return null for non-nullable field Indicator.name."},
		{"by id", `{ indicator(id: "a") { id name } }`, `"data":{"indicator":null}}`, "Cannot return null for non-nullable field Indicator.name."},
		{"its id alone", `{ indicators(orderBy: name) { edges { node { id } } } }`, `{"data":{"indicators":{"edges":[{"node":{"id":"a"}},{"node":{"id":"b"}}]}}}`, ""},
		{"an observable", `{ stixCoreRelationships(fromId: ["a"]) { edges { node { fromId to { ... on StixCyberObservable { id observable_value } } } } } }`,
			`"data":{"stixCoreRelationships":{"edges":[{"node":{"fromId":"a","to":null}}]}}}`, "Cannot return null for non-nullable field Url.observable_value."},
		{"another", `{ indicator(id: "b") { name } }`, `{"data":{"indicator":{"name":"b"}}}`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := ask(t, s, tt.query, nil)
			if r.Status != 200 || !strings.HasSuffix(r.Text, tt.want) || len(r.Errors) != min(len(tt.error), 1) {
				t.Errorf("got %s", r.Text)
			}
			if tt.error != "" && (r.code() != "INTERNAL_SERVER_ERROR" || r.Errors[0].Message != tt.error) {
				t.Errorf("code %s: %s", r.code(), r.Errors[0].Message)
			}
		})
	}
}

func TestWhoAmI(t *testing.T) {
	s := New(Options{Users: []User{{ID: "me", Name: "Job", Token: "u", Capabilities: []string{"KNOWLEDGE", "TAXIIAPI"}, Markings: []string{"TLP:GREEN", "TLP:CLEAR"}, MaxConfidence: new(75)}}})
	r := askAs(t, s, "u", identQuery, nil)
	want := `{"data":{"about":{"version":"6.9.22"},"me":{"id":"me","name":"Job","capabilities":[{"name":"KNOWLEDGE"},{"name":"TAXIIAPI"}],` +
		`"allowed_marking":[{"standard_id":"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9","definition":"TLP:CLEAR"},` +
		`{"standard_id":"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da","definition":"TLP:GREEN"}],"effective_confidence_level":{"max_confidence":75}}}}`
	simtest.Is(t, "text", want, r.Text)
	s.PutUser(User{Token: "u", Capabilities: []string{"KNOWLEDGE"}})
	if r := askAs(t, s, "u", identQuery, nil); r.get("me", "effective_confidence_level") != nil || r.get("me", "id") != "me" {
		t.Errorf("an account without a level: %s", r.Text)
	}
}

// What a user may not see is not there, wherever it is asked for.
func TestMarkingsHide(t *testing.T) {
	s := New(Options{Token: "t", Users: []User{{Token: "low", Capabilities: []string{"KNOWLEDGE"}, Markings: []string{"TLP:GREEN"}}}, Now: func() time.Time { return day(0) }})
	red := []Marking{{Definition: "TLP:RED"}}
	s.Put(Indicator{ID: "secret", Pattern: "[url:value = 'a']", Markings: red, Observables: []Observable{{ID: "o1", EntityType: "Url", Value: "a"}}})
	s.Put(Indicator{ID: "open", Pattern: "[url:value = 'b']", Markings: []Marking{{Definition: "TLP:GREEN"}}, Observables: []Observable{
		{ID: "o2", EntityType: "Url", Value: "b", Markings: red}, {ID: "o3", EntityType: "Url", Value: "c"}}})

	requests := []struct {
		name, query string
		path        []any
		high, low   any
	}{
		{"count", `{ indicators { pageInfo { globalCount } } }`, []any{"indicators", "pageInfo", "globalCount"}, 2.0, 1.0},
		{"list", `{ indicators(orderBy: created_at, orderMode: desc) { edges { node { id } } } }`, []any{"indicators", "edges", 1}, map[string]any{"node": map[string]any{"id": "secret"}}, nil},
		{"by id", `{ indicator(id: "secret") { id } }`, []any{"indicator", "id"}, "secret", nil},
		{"by any id", `{ stixObjectOrStixRelationship(id: "secret") { __typename } }`, []any{"stixObjectOrStixRelationship", "__typename"}, "Indicator", nil},
		{"by ids filter", `{ indicators(filters: {mode: and, filterGroups: [], filters: [{key: "ids", values: "secret"}]}) { pageInfo { globalCount } } }`, []any{"indicators", "pageInfo", "globalCount"}, 1.0, 0.0},
		{"observables of an indicator", `{ indicator(id: "open") { observables { pageInfo { globalCount } } } }`, []any{"indicator", "observables", "pageInfo", "globalCount"}, 2.0, 1.0},
		{"a relation stays, its hidden end is null", `{ stixCoreRelationships(toId: "o2") { edges { node { toId to { ... on BasicObject { id } } } } } }`, []any{"stixCoreRelationships", "edges", 0, "node", "to"}, map[string]any{"id": "o2"}, nil},
	}
	for _, q := range requests {
		t.Run(q.name, func(t *testing.T) {
			got := []any{ask(t, s, q.query, nil).get(q.path...), askAs(t, s, "low", q.query, nil).get(q.path...)}
			simtest.Same(t, "high, low", []any{q.high, q.low}, got)
		})
	}
	s.SetKnobs(func(k *Knobs) { k.HideMarking = []string{"TLP:RED"} })
	if r := ask(t, s, identQuery+` `, nil); strings.Contains(r.Text, "TLP:RED") {
		t.Errorf("a hidden marking is allowed: %s", r.Text)
	}
	simtest.Is(t, "globalCount under a hidden marking", 1.0, ask(t, s, requests[0].query, nil).get(requests[0].path...))
}

func TestStreams(t *testing.T) {
	s := five(Options{Users: []User{{Token: "low", Capabilities: []string{"KNOWLEDGE"}}}})
	filters := []*string{nil, new(""), new(`{"mode":"and"`), new(`{"entity_type":[{"id":"Indicator","value":"Indicator"}]}`)}
	for i, f := range filters {
		id := s.PutStream(Stream{Name: string(rune('a' + i)), Filters: f, Live: i > 0, Public: i == 3})
		r := ask(t, s, streamQuery, map[string]any{"id": id})
		want := map[string]any{"id": id, "name": string(rune('a' + i)), "filters": nil, "stream_live": i > 0, "stream_public": map[bool]any{true: true}[i == 3]}
		if f != nil {
			want["filters"] = *f
		}
		simtest.Same(t, fmt.Sprintf("stream %d", i), want, r.get("streamCollection"))
	}
	simtest.Is(t, "an unknown stream", `{"data":{"streamCollection":null}}`, ask(t, s, streamQuery, map[string]any{"id": "nobody"}).Text)
	simtest.Is(t, "without TAXIIAPI", "FORBIDDEN_ACCESS", askAs(t, s, "low", streamQuery, map[string]any{"id": "nobody"}).code())
}

func TestStreamPosition(t *testing.T) {
	s := New(Options{Token: "t", KeepLog: 8, Now: func() time.Time { return day(0) }})
	at := func() []any {
		r := ask(t, s, `{ redisStreamInfo { firstEventId lastEventId streamSize } }`, nil)
		return []any{r.get("redisStreamInfo", "firstEventId"), r.get("redisStreamInfo", "lastEventId"), r.get("redisStreamInfo", "streamSize")}
	}
	if _, err := s.LoadJSONL(strings.NewReader(`{"pattern": "[url:value = 'x']"}`)); err != nil {
		t.Fatal(err)
	}
	got := [][]any{at()}
	id := s.Put(Indicator{Pattern: "[url:value = 'y']"})
	s.Edit(id, func(i *Indicator) { i.Revoked = true })
	got = append(got, at())
	for range 8 {
		s.Edit(id, func(i *Indicator) { i.Revoked = !i.Revoked })
	}
	got = append(got, at())
	want := [][]any{
		{"1772366400000-0", "1772366400000-0", 0.0},
		{"1772366400000-1", "1772366400000-2", 2.0},
		{"1772366400000-3", "1772366400000-10", 8.0},
	}
	simtest.Same(t, "first, last, size", want, got)
}
