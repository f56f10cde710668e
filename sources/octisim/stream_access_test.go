package octisim

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/sources/simhttp"
	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// Who may follow which stream; what is refused has no body, and its reason in the status line.
func TestStreamAccess(t *testing.T) {
	const id = "s"
	broken, old, dates := `{"mode":"and"`, `{"entity_type":[{"id":"Indicator","value":"Indicator"}]}`, `{"mode":"and","filters":[{"key":["valid_until"],"operator":"gt","values":["now"]}],"filterGroups":[]}`
	members := func(ids ...string) Stream { return Stream{Live: true, Members: ids} }
	caps := func(names ...string) *User { return &User{ID: "me", Capabilities: names} }
	tests := []struct {
		name, version string
		user          *User // nil sends an unknown token
		stream        Stream
		path          string
		status        int
		reason        string
	}{
		{"with the capability", "", caps("TAXIIAPI_SETCOLLECTIONS"), Stream{Live: true}, id, 200, "OK"},
		{"with every right", "", caps("BYPASS"), Stream{Live: true}, id, 200, "OK"},
		{"without it", "", caps("KNOWLEDGE"), Stream{Live: true}, id, 401, "not authorized"},
		{"an unknown token", "", nil, Stream{Live: true}, id, 401, "not authenticated"},
		{"an expired one", since811, &User{Capabilities: []string{"BYPASS"}, Expires: day(-1)}, Stream{Live: true}, id, 401, "not authenticated"},
		{"a one-time password is due", "", &User{Capabilities: []string{"BYPASS"}, OTPPending: true}, Stream{Live: true}, id, 401, "one-time password"},
		{"a token without its capability in 7.x", since811, caps("TAXIIAPI"), Stream{Live: true}, id, 401, "not authenticated"},
		{"a public stream, without login", "", nil, Stream{Live: true, Public: true}, id, 200, "OK"},
		{"an unknown stream", "", caps("TAXIIAPI"), Stream{Live: true}, "other", 401, "does not exist"},
		{"a member", "", caps("TAXIIAPI"), members("me"), id, 200, "OK"},
		{"no member", "", caps("TAXIIAPI"), members("you"), id, 401, "not authorized"},
		{"no member, with every right", "", caps("BYPASS"), members("you"), id, 200, "OK"},
		{"stopped", "", caps("TAXIIAPI"), Stream{}, id, 410, "stopped"},
		{"stopped, without the capability", "", caps("KNOWLEDGE"), Stream{}, id, 401, "not authorized"},
		{"no filter", "", caps("TAXIIAPI"), Stream{Live: true, Filters: new("")}, id, 200, "OK"},
		{"a filter that is no JSON", "", caps("TAXIIAPI"), Stream{Live: true, Filters: &broken}, id, 500, "cannot be read"},
		{"a filter of the old form", "", caps("TAXIIAPI"), Stream{Live: true, Filters: &old}, id, 500, "cannot be read"},
		{"a filter on dates", "", caps("TAXIIAPI"), Stream{Live: true, Filters: &dates}, id, 500, "valid_until"},
		{"a start that is none", "", caps("TAXIIAPI"), Stream{Live: true}, id + "?from=yesterday", 500, "neither"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{Version: tt.version, BasePath: "/opencti"})
			if tt.user != nil {
				tt.user.Token = "u"
				s.PutUser(*tt.user)
			}
			tt.stream.ID = id
			s.PutStream(tt.stream)
			r := fetch(t, s, "/opencti/stream/"+tt.path, "u")
			if r.StatusCode != tt.status || !strings.Contains(r.Status, tt.reason) {
				t.Errorf("status line %q, want %d and %q", r.Status, tt.status, tt.reason)
			}
			if tt.status != 200 {
				if body, err := io.ReadAll(r.Body); len(body) != 0 || err != nil {
					t.Errorf("body %q, %v", body, err)
				}
			}
			if l := s.HTTP.Requests(); len(l) != 1 || l[0].Status != tt.status {
				t.Errorf("the log has %+v", l)
			}
		})
	}
}

// fetch asks a real server, which ends with the test.
func fetch(t *testing.T, h http.Handler, path, token string) *http.Response {
	t.Helper()
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	r, err := http.NewRequestWithContext(t.Context(), "GET", srv.URL+path, nil)
	simtest.Fine(t, err)
	r.Header.Set("Authorization", "Bearer "+token)
	a, err := srv.Client().Do(r)
	simtest.Fine(t, err)
	t.Cleanup(func() { a.Body.Close() })
	return a
}

// The markings of a filter are asked of the user; one of them is enough.
func TestAFilterOnMarkingsWantsOneOfThem(t *testing.T) {
	s := New(Options{Users: []User{{Token: "u", Capabilities: []string{"TAXIIAPI"}, Markings: []string{"TLP:GREEN"}}}})
	id := func(definition string) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.marking(Marking{Definition: definition}).id
	}
	for status, markings := range map[int][]string{
		401: {id("TLP:RED")}, 200: {id("TLP:RED"), id("TLP:GREEN")},
	} {
		s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(is("objectMarking", "eq", markings...))})
		if r := fetch(t, s, "/stream/s", "u"); r.StatusCode != status {
			t.Errorf("markings %v: status %d, want %d", markings, r.StatusCode, status)
		}
	}
}

func TestNoFilterMayBeAnInternalFailure(t *testing.T) {
	s := New(Options{Token: "t"})
	s.SetKnobs(func(k *Knobs) { k.NullFilterFails = true })
	for status, in := range map[int]Stream{500: {ID: "a", Live: true}, 200: {ID: "b", Live: true, Public: true}} {
		s.PutStream(in)
		if r := fetch(t, s, "/stream/"+in.ID, "t"); r.StatusCode != status {
			t.Errorf("public %v: status %d, want %d", in.Public, r.StatusCode, status)
		}
	}
}

func TestStreamsAreOnlyRead(t *testing.T) {
	simtest.Is(t, "POST: status", http.StatusMethodNotAllowed, send(t, New(Options{Token: "t"}), "POST", "/stream/live", nil, "").Code)
}

func TestFaultsAndRefusalsOfTheWrapperHitStreams(t *testing.T) {
	s := New(Options{Token: "t"})
	s.PutStream(Stream{ID: "s", Live: true})
	for _, status := range []int{401, 429, 503} {
		s.HTTP.Heal()
		simtest.Fine(t, s.HTTP.Fail(simhttp.Fault{Path: "/stream/", Do: simhttp.Answer, Status: status, Times: 1}))
		for _, want := range []int{status, 200} {
			simtest.Is(t, "status", want, fetch(t, s, "/stream/s", "t").StatusCode)
		}
	}
}
