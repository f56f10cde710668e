package octisim

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestRecovery(t *testing.T) {
	// The indicators a to d were changed at the seconds 0 to 3 of the year 2000; e changes at 10.
	const at = "2000-01-01T00:00:0"
	tests := []struct {
		name, version string
		rights        []string
		origin        *string
		filter        []map[string]any
		options       []string
		want          []string
		over          string
	}{
		{"from the database, then live from there", "", nil, nil, wanted(), []string{"from=" + at + "0.500Z", "recover=" + at + "2.500Z"}, []string{"create b init-create", "create c init-create", "create create d", "update update a"}, ""},
		{"by headers", "", nil, nil, wanted(), []string{"from: " + at + "0.500Z", "recover: " + at + "2.500Z"}, []string{"create b init-create", "create c init-create", "create create d", "update update a"}, ""},
		{"by recover-date", "", nil, nil, wanted(), []string{"from: " + at + "0.500Z", "recover-date: " + at + "2.500Z"}, []string{"create b init-create", "create c init-create", "create create d", "update update a"}, ""},
		{"to an event id", "", nil, nil, wanted(), []string{"from=0", "recover=946684801500-0"}, []string{"create a init-create", "create b init-create", "create create c", "create create d", "update update a"}, ""},
		{"to before the start is none", "", nil, nil, wanted(), []string{"from=" + at + "1.500Z", "recover=" + at + "0.500Z"}, []string{"create create c", "create create d", "update update a"}, ""},
		{"into the future skips events", "", nil, nil, wanted(), []string{"from=" + at + "2.500Z", "recover=2000-01-02"}, []string{"create d init-create"}, ""},
		{"by the filter as lists know it", "", nil, nil, []map[string]any{is("name", "eq", "a", "b", "c")}, []string{"from=0", "recover=" + at + "9Z"}, nil, ""},
		{"by a filter that lists refuse", "", nil, nil, []map[string]any{is("objectLabel", "eq")}, []string{"from=0", "recover=" + at + "2.500Z"}, []string{"error"}, ""},
		{"to nothing", "", nil, nil, wanted(), []string{"from=1", "recover=2"}, []string{"create create a", "create create b", "create create c", "create create d", "update update a"}, ""},
		{"without what has changed", since811, nil, nil, []map[string]any{is("x_opencti_score", "has_changed")}, []string{"from=" + at + "2.500Z", "recover=" + at + "9Z"}, []string{"create d init-create", "update update a"}, ""},
		{"without a start", "", nil, nil, wanted(), []string{"recover=" + at + "2.500Z"}, []string{"error"}, ""},
		{"without a start up to 6.9.17", "6.9.17", nil, nil, wanted(), []string{"recover=" + at + "2.500Z"}, []string{}, "ended"},
		{"not with filters on the origin", since811, []string{orgRight}, storedText(is("members_user", "eq", systemUser)), wanted(), []string{"from=0", "recover=" + at + "1.500Z"}, []string{"no-recover", "create create c", "create create d", "update update a"}, ""},
		{"nor for users without the right", since811, nil, storedText(is("members_user", "eq", systemUser)), wanted(), []string{"from=0", "recover=" + at + "1.500Z"}, []string{"error"}, ""},
		{"which nobody was told before 7.260512.0", "7.260511.0", nil, storedText(is("members_user", "eq", systemUser)), wanted(), []string{"from=0", "recover=" + at + "1.500Z"}, []string{"create create c", "create create d", "update update a"}, ""},
		{"there were none before 7.260507.0", "7.260506.0", nil, storedText(is("members_user", "eq", systemUser)), wanted(), []string{"from=0", "recover=" + at + "1.500Z"}, []string{"create a init-create", "create b init-create", "create create c", "create create d", "update update a"}, ""},
		{"filters on another origin", since811, nil, storedText(is("members_user", "not_eq", systemUser)), wanted(), []string{"from=0"}, []string{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{Version: tt.version}, tt.filter...)
				s.PutUser(User{Token: "t", Capabilities: append(tt.rights, "APIACCESS_USETOKEN", "TAXIIAPI")})
				s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(tt.filter...), OriginFilters: tt.origin})
				for _, id := range []string{"a", "b", "c", "d"} {
					s.Put(deployed(id))
					seconds(1)
				}
				if tt.want == nil { // a key that streams do not know
					simtest.Is(t, "status", 500, follow(t, s, "s", tt.options...).status)
					return
				}
				seconds(6)
				p := follow(t, s, "s", tt.options...)
				s.Edit("a", func(i *Indicator) { i.Score = new(1) })
				got := p.take(t)
				if diff := cmp.Diff(tt.want, briefs(got)); diff != "" || p.end() != tt.over {
					t.Errorf("over %q, messages (-want +got):\n%s", p.end(), diff)
				}
				for _, m := range got {
					id := map[string]string{"a": "946684800000-0", "b": "946684801000-0", "c": "946684802000-0", "d": "946684803000-0"}
					name, _ := m.get("data", "name").(string)
					switch {
					case m.Event == "error" && (m.ID != "" || m.get("message") == nil):
						t.Errorf("error has the id %q: %s", m.ID, m.Text)
					case m.Event == "no-recover" && (m.ID != "946684810000-0" || m.get("resume_from") != "946684801500-0"):
						t.Errorf("no-recover has the id %q: %s", m.ID, m.Text)
					case m.get("origin", "referer") == "init-create" && (m.ID != id[name] || m.get("type") != nil):
						t.Errorf("recovery of %s has the id %s: %s", name, m.ID, m.Text)
					}
				}
			})
		})
	}
}

func TestALargeRecoveryComesInOrder(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{})
		for range 250 {
			s.Put(deployed(s.newID()))
			seconds(1)
		}
		p := follow(t, s, "s", "from=0", "recover=2000-01-02")
		last := position{}
		n := 0
		for _, m := range p.take(t)[1:] {
			at, err := parsePosition(m.ID)
			if err != nil || at.compare(last) <= 0 {
				t.Fatalf("%s after %s: %v", m.ID, last, err)
			}
			last = *at
			n++
		}
		simtest.Is(t, "events of 250", 250, n)
	})
}
