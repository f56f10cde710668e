package opencti

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// Tell is a signal in one line, for tests.
func Tell(s tail.Signal) string {
	switch s := s.(type) {
	case tail.Connected:
		return fmt.Sprintf("connected %s to %s", s.First, s.Last)
	case tail.Dirty:
		return "dirty " + strings.Join(s.IDs, " ")
	case tail.Safe:
		return "safe " + s.Position.String()
	case tail.Gap:
		return "gap: " + s.Reason
	case tail.Lost:
		return fmt.Sprintf("lost for %v: %v", s.Wait, s.Err)
	}
	return fmt.Sprintf("%T", s)
}

// object is an object as the stream carries it.
func object(kind, id string) string {
	return fmt.Sprintf(`{"type":%q,"id":"%s--standard-%s","extensions":{%q:{"id":%q,"is_inferred":false}}}`, kind, kind, id, octi, id)
}

const octi = "extension-definition--ea279b3e-5c71-4632-ac08-831c66a786ba"

func data(o string) string { return `{"version":"4","data":` + o + `}` }

func indicator(id string) string { return data(object("indicator", id)) }

func inferred(o string) string {
	return strings.Replace(o, `"is_inferred":false`, `"is_inferred":true`, 1)
}

func merging(target string, sources ...string) string {
	return fmt.Sprintf(`{"type":"merge","data":%s,"context":{"patch":[],"sources":[%s]}}`, target, strings.Join(sources, ","))
}

const connected = `{"firstEventId":"50-0","lastEventId":"900-0","firstEventDate":"x","lastEventDate":"x","streamSize":7,"connectionId":"c"}`

const nothing = `{"firstEventId":"0-0","lastEventId":"0-0"}`

func TestReading(t *testing.T) {
	start := state.Position{Ms: 100}
	tests := []struct {
		name string
		from *state.Position
		in   []message
		want []string
	}{
		{"an indicator is dirty by its internal id", &start, []message{{ID: "101-0", Event: "create", Data: indicator("a")}}, []string{"dirty a"}},
		{"every change is told", &start, []message{{ID: "101-0", Event: "update", Data: indicator("a")}, {ID: "101-1", Event: "update", Data: indicator("a")}},
			[]string{"dirty a", "safe 101-0", "dirty a"}},
		{"other objects are ignored, and move on", &start, []message{
			{ID: "101-0", Event: "create", Data: data(object("identity", "x"))}, {ID: "102-0", Event: "create", Data: data(object("marking-definition", "y"))},
		}, []string{"safe 101-0"}},
		{"what is broken in other objects matters to nobody", &start, []message{{ID: "101-0", Event: "update", Data: `{"data":{"type":"report","extensions":7}}`}}, nil},
		{"inferred indicators are dropped", &start, []message{{ID: "101-0", Event: "create", Data: data(inferred(object("indicator", "a")))}}, nil},
		{"without an extension there is the standard id", &start, []message{{ID: "101-0", Event: "create", Data: data(`{"type":"indicator","id":"indicator--s"}`)}},
			[]string{"dirty indicator--s"}},
		{"a merge names the one that stays and those that are gone", &start,
			[]message{{ID: "101-0", Event: "merge", Data: merging(object("indicator", "a"), object("indicator", "b"), object("indicator", "c"), object("indicator", "b"))}},
			[]string{"dirty a b c"}},
		{"inferred ones of a merge are dropped alone", &start,
			[]message{{ID: "101-0", Event: "merge", Data: merging(inferred(object("indicator", "a")), inferred(object("indicator", "b")), object("indicator", "c"))}},
			[]string{"dirty c"}},
		{"a merge of other objects is ignored", &start, []message{{ID: "101-0", Event: "merge", Data: data(object("malware", "m"))}}, nil},
		{"a merge without sources is a gap", &start, []message{{ID: "101-0", Event: "merge", Data: indicator("a")}},
			[]string{"dirty a", "gap: the merge event at 101-0 cannot be read: it does not say what was merged away"}},
		{"one source that cannot be read is a gap, the others are told", &start,
			[]message{{ID: "101-0", Event: "merge", Data: merging(object("indicator", "a"), `null`, `{"type":"indicator"}`, object("indicator", "c"))}},
			[]string{"dirty a c", "gap: the merge event at 101-0 cannot be read: no object"}},
		{"sources of another shape are a gap", &start, []message{{ID: "101-0", Event: "merge", Data: `{"data":` + object("indicator", "a") + `,"context":{"sources":{}}}`}},
			[]string{"dirty a", "gap: the merge event at 101-0 cannot be read: it has another shape"}},
		{"the patch of an update is not looked at", &start, []message{{ID: "101-0", Event: "update", Data: `{"data":` + object("indicator", "a") + `,"context":7}`}},
			[]string{"dirty a"}},
		{"an event without a position is told", &start, []message{{Event: "create", Data: indicator("a")}}, []string{"dirty a"}},

		{"data that is no JSON is a gap, and the stream goes on", &start, []message{{ID: "101-0", Event: "update", Data: `{"data":`}, {ID: "102-0", Event: "update", Data: indicator("a")}},
			[]string{"gap: the update event at 101-0 cannot be read: unexpected end of JSON input", "safe 101-0", "dirty a"}},
		{"no data is a gap", &start, []message{{ID: "101-0", Event: "create"}, {ID: "101-0", Event: "delete", Data: "{}"}, {ID: "101-0", Event: "delete", Data: "null"}},
			[]string{"gap: the create event at 101-0 cannot be read: unexpected end of JSON input", "gap: the delete event at 101-0 cannot be read: no object", "gap: the delete event at 101-0 cannot be read: no object"}},
		{"an object without a type is a gap", &start, []message{{ID: "x\x1b", Event: "create", Data: `{"data":{"id":"indicator--s"}}`}},
			[]string{"gap: the create event at an unknown position cannot be read: an object without a type"}},
		{"an indicator without an id is a gap", &start, []message{{ID: "101-0", Event: "create", Data: `{"data":{"type":"indicator"}}`}},
			[]string{"gap: the create event at 101-0 cannot be read: an indicator without an id"}},
		{"so is one whose id is none", &start, []message{{ID: "101-0", Event: "create", Data: indicator(strings.Repeat("x", 300))}, {ID: "101-0", Event: "create", Data: indicator("a b")}},
			[]string{"gap: the create event at 101-0 cannot be read: an indicator without an id", "gap: the create event at 101-0 cannot be read: an indicator without an id"}},
		{"a message that is too large is a gap, whatever it was", &start, []message{{ID: "101-0", Event: "cre", Cut: true}, {ID: "102-0", Event: "heartbeat"}},
			[]string{"gap: the message at 101-0 is too large to be read", "safe 101-0"}},

		{"an id is safe once a later one came", &start, []message{{ID: "101-0", Event: "create", Data: indicator("a")}, {ID: "106-0", Event: "heartbeat"}, {ID: "111-0", Event: "heartbeat"}},
			[]string{"dirty a", "safe 101-0", "safe 106-0"}},
		{"a dependency has the id of the event that follows", &start, []message{
			{ID: "101-0", Event: "create", Data: data(object("identity", "x"))}, {ID: "101-0", Event: "heartbeat"}, {ID: "101-0", Event: "create", Data: indicator("a")}, {ID: "101-1", Event: "consumer_metrics"},
		}, []string{"dirty a", "safe 101-0"}},
		{"positions compare by number", &start, []message{{ID: "1000-9", Event: "heartbeat"}, {ID: "1000-10", Event: "heartbeat"}, {ID: "999-0", Event: "heartbeat"}, {ID: "1001-0", Event: "heartbeat"}},
			[]string{"safe 1000-9", "safe 1000-10"}},
		{"events before the start are told, and move nothing", &start, []message{{ID: "99-0", Event: "update", Data: indicator("a")}, {ID: "100-0", Event: "update", Data: indicator("b")}, {ID: "101-0", Event: "heartbeat"}},
			[]string{"dirty a", "dirty b"}},
		{"ids that are no positions move nothing", &start, []message{{ID: "101-0", Event: "heartbeat"}, {ID: "later", Event: "heartbeat"}, {ID: "", Event: "heartbeat"}}, nil},
		{"unknown events and no-recover are ignored with their ids", &start, []message{{ID: "101-0", Event: "heartbeat"}, {ID: "500-0", Event: "no-recover", Data: "{}"}, {ID: "600-0", Event: "news"}, {ID: "700-0"}}, nil},

		{"a start that is still kept", &start, []message{{Event: "connected", Data: connected}}, []string{"connected 50-0 to 900-0"}},
		{"the oldest event may be the start", &state.Position{Ms: 50}, []message{{Event: "connected", Data: connected}}, []string{"connected 50-0 to 900-0"}},
		{"a start that is not kept any more is a gap", &state.Position{Ms: 49, Seq: 9}, []message{{Event: "connected", Data: connected}, {ID: "60-0", Event: "heartbeat"}, {ID: "61-0", Event: "heartbeat"}},
			[]string{"connected 50-0 to 900-0", "gap: the platform keeps no events before 50-0 any more, and those up to 49-9 were read", "safe 60-0"}},
		{"the oldest event there is was asked for", &state.Position{}, []message{{Event: "connected", Data: connected}}, []string{"connected 50-0 to 900-0"}},
		{"an empty log", &state.Position{}, []message{{Event: "connected", Data: nothing}, {ID: "60-0", Event: "heartbeat"}, {Event: "connected", Data: nothing}}, []string{"connected 0-0 to 0-0", "connected 0-0 to 0-0"}},
		{"one that held something before", &start, []message{{Event: "connected", Data: nothing}, {Event: "connected", Data: nothing}},
			[]string{"connected 0-0 to 0-0", "gap: the platform's events end at 0-0, and went to 100-0 before: it has lost some", "connected 0-0 to 0-0"}},
		{"a log that is lost between two connections", &start, []message{{Event: "connected", Data: connected}, {Event: "connected", Data: nothing}},
			[]string{"connected 50-0 to 900-0", "connected 0-0 to 0-0", "gap: the platform's events end at 0-0, and went to 900-0 before: it has lost some"}},
		{"a log that came back without its last event", &start, []message{{ID: "901-0", Event: "update", Data: indicator("a")}, {ID: "980-0", Event: "heartbeat"}, {Event: "connected", Data: connected}, {Event: "connected", Data: connected}},
			[]string{"dirty a", "safe 901-0", "connected 50-0 to 900-0", "gap: the platform's events end at 900-0, and went to 901-0 before: it has lost some", "connected 50-0 to 900-0"}},
		{"a log of which nothing is new but the time", &start, []message{{ID: "900-0", Event: "update", Data: indicator("a")}, {ID: "980-0", Event: "heartbeat"}, {Event: "connected", Data: connected}},
			[]string{"dirty a", "safe 900-0", "connected 50-0 to 900-0"}},
		{"a platform that does not say where it begins", &start, []message{{Event: "connected", Data: `{"firstEventId":null,"lastEventId":"900-0"}`}, {Event: "connected"}, {Event: "connected", Data: `{"firstEventId":5,"lastEventId":"900-0"}`}},
			[]string{"gap: " + unclear, "gap: " + unclear, "gap: " + unclear}},
		{"without a start the end of the log is one", nil, []message{{Event: "connected", Data: connected}, {ID: "901-0", Event: "update", Data: indicator("a")}, {ID: "902-0", Event: "heartbeat"}},
			[]string{"connected 50-0 to 900-0", "dirty a", "safe 901-0"}},
		{"without any start nothing is safe that may be a dependency", nil, []message{{ID: "901-0", Event: "create", Data: data(object("identity", "x"))}, {ID: "901-0", Event: "update", Data: indicator("a")}, {ID: "902-0", Event: "heartbeat"}},
			[]string{"dirty a", "safe 901-0"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := reading{}
			if tt.from != nil {
				r = since(*tt.from)
			}
			r.connect()
			var got []string
			for _, m := range tt.in {
				signals, err := r.message(m)
				if err != nil {
					t.Errorf("%+v ends the connection: %v", m, err)
				}
				for _, s := range signals {
					got = append(got, Tell(s))
				}
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("signals (-want +got):\n%s", diff)
			}
		})
	}
}

func TestReadingOfAnError(t *testing.T) {
	for data, want := range map[string]string{
		`{"stream":"s","message":"no \u001b[31mluck\nwith geheim"}`: "no [31mluck with ***", `{}`: "it does not say which", ``: "it does not say which", `{"message":{}}`: "it does not say which",
	} {
		r := reading{secrets: remote.Secrets{"geheim"}, known: true}
		signals, err := r.message(message{Event: "error", Data: data})
		want = "the platform reports an error in the stream: " + want
		if len(signals) != 1 || Tell(signals[0]) != "gap: "+want {
			t.Errorf("%q tells %v, want a gap for %q", data, signals, want)
		}
		if e, ok := errors.AsType[*Error](err); !ok || !e.Temporary() || e.Message != want {
			t.Errorf("%q ends with %v, want a temporary error that says %q", data, err, want)
		}
	}
}

func TestStartOfAConnection(t *testing.T) {
	tests := []struct {
		name string
		from *state.Position
		in   []message // of the connection before
		want string
	}{
		{"the first one begins where it is told to, a minute earlier", &state.Position{Ms: 600_000, Seq: 3}, nil, "540000-3"},
		{"or now", nil, nil, ""},
		{"the next one begins a minute before the safe position", &state.Position{Ms: 600_000}, []message{{ID: "700000-0", Event: "heartbeat"}, {ID: "800000-0", Event: "heartbeat"}}, "640000-0"},
		{"which a lone dependency does not move", &state.Position{Ms: 600_000}, []message{{ID: "700000-0", Event: "create", Data: data(object("identity", "x"))}}, "540000-0"},
		{"without a start the end of the log at the first connection", nil, []message{{Event: "connected", Data: `{"firstEventId":"1-0","lastEventId":"700000-2"}`}}, "640000-2"},
		{"an empty log is read from its beginning", nil, []message{{Event: "connected", Data: `{"firstEventId":"0-0","lastEventId":"0-0"}`}}, "0-0"},
		{"without that before the first event", nil, []message{{ID: "700000-2", Event: "update", Data: indicator("a")}}, "639999-2"},
		{"a trimmed log from its oldest event", &state.Position{Ms: 600_000}, []message{{Event: "connected", Data: `{"firstEventId":"700000-2","lastEventId":"700000-2"}`}}, "640000-2"},
		{"never before the beginning", &state.Position{Ms: 5}, nil, "0-0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := reading{}
			if tt.from != nil {
				r = since(*tt.from)
			}
			got := r.connect()
			if tt.in != nil {
				for _, m := range tt.in {
					_, _ = r.message(m)
				}
				got = r.connect()
			}
			if got != tt.want {
				t.Errorf("begins at %q, want %q", got, tt.want)
			}
		})
	}
}

// Whatever ids come in whatever order: what is called safe grows, and everything up to it was told.
func TestSafePositionsAreSafe(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := since(state.Position{Ms: 5})
		safe := r.safe
		for range rapid.IntRange(1, 3).Draw(t, "connections") {
			r.connect()
			newest := state.Position{}
			for _, id := range rapid.SliceOf(rapid.IntRange(0, 20)).Draw(t, "ids") {
				p := state.Position{Ms: int64(id)}
				signals, _ := r.message(message{ID: p.String(), Event: rapid.SampledFrom([]string{"heartbeat", "update", "news"}).Draw(t, "event"), Data: indicator("a")})
				for _, s := range signals {
					s, ok := s.(tail.Safe)
					if !ok {
						continue
					}
					if s.Position.Compare(safe) <= 0 {
						t.Fatalf("safe %s after %s", s.Position, safe)
					}
					if s.Position.Compare(newest) > 0 || s.Position.Compare(p) >= 0 {
						t.Fatalf("safe %s at %s, with %s the newest before", s.Position, p, newest)
					}
					safe = s.Position
				}
				if p.Compare(newest) > 0 {
					newest = p
				}
			}
			if r.safe != safe {
				t.Fatalf("goes on from %s, told %s", r.safe, safe)
			}
		}
	})
}
