package octisim

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestAStreamBeginsWithWhereTheLogStands(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{}, wanted()...)
		s.Put(deployed("a"))
		seconds(1)
		s.Put(deployed("b"))
		p := follow(t, s, "s")
		got := p.take(t)
		if len(got) != 1 || got[0].Event != "connected" || got[0].ID != "" {
			t.Fatalf("messages %+v", got)
		}
		want := map[string]any{
			"firstEventId": "946684800000-1", "lastEventId": "946684801000-0", // 2000 begins, and the log at 0
			"firstEventDate": "2000-01-01T00:00:00.000Z", "lastEventDate": "2000-01-01T00:00:01.000Z",
			"streamSize": 2.0, "connectionId": got[0].Data["connectionId"],
		}
		simtest.Same(t, "data", want, got[0].Data)
		head := map[string]string{
			"Content-Type": "text/event-stream; charset=utf-8", "Cache-Control": "no-cache, no-transform", "Connection": "keep-alive",
		}
		for name, want := range head {
			if p.header.Get(name) != want || p.status != 200 {
				t.Errorf("status %d, %s: %q, want %q", p.status, name, p.header.Get(name), want)
			}
		}
		simtest.Is(t, "state", (StreamState{"946684800000-1", "946684801000-0", 2, 1}), s.Stream())
		p.leave()
		if p.end() != "ended" || s.Stream().Connections != 0 {
			t.Errorf("the client left: over %q, %d connections", p.end(), s.Stream().Connections)
		}
	})
}

// Where reading starts, and which option says so (contract opencti-api 5.1, 5.6).
func TestWhereAStreamStarts(t *testing.T) {
	// Events a, b, c at the seconds 0, 1, 2 of the year 2000; d comes once the client is connected.
	const second = 946684800000
	tests := []struct {
		name    string
		options []string
		want    string
	}{
		{"absent is from now", nil, "d"},
		{"0 is the oldest", []string{"from=0"}, "abcd"},
		{"0-0 is the oldest", []string{"from=0-0"}, "abcd"},
		{"an id is exclusive", []string{"from=" + strconv.Itoa(second+1000) + "-0"}, "cd"},
		{"an id before the event", []string{"from=" + strconv.Itoa(second+1000-1) + "-9"}, "bcd"},
		{"milliseconds alone", []string{"from=" + strconv.Itoa(second+1000)}, "cd"},
		{"ids are numbers, not texts", []string{"from=99-0"}, "abcd"},
		{"an id to come", []string{"from=" + strconv.Itoa(second+3600_000) + "-0"}, ""},
		{"a date", []string{"from=2000-01-01T00:00:01.500Z"}, "cd"},
		{"a date without a time", []string{"from=2000-01-02"}, ""},
		{"the header from", []string{"from: 0"}, "abcd"},
		{"the header last-event-id", []string{"Last-Event-ID: 0"}, "abcd"},
		{"from before last-event-id", []string{"from: 2000-01-02", "Last-Event-ID: 0"}, ""},
		{"the query before the headers", []string{"from=0", "from: 2000-01-02"}, "abcd"},
		{"an empty option is absent", []string{"from=", "last-event-id: 0"}, "abcd"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{})
				for _, id := range []string{"a", "b", "c"} {
					s.Put(deployed(id))
					seconds(1)
				}
				p := follow(t, s, "s", tt.options...)
				s.Put(deployed("d"))
				var got strings.Builder
				last := ""
				for _, m := range p.take(t)[1:] {
					fmt.Fprint(&got, m.get("data", "name"))
					if m.ID <= last {
						t.Errorf("id %s after %s", m.ID, last)
					}
					last = m.ID
				}
				simtest.Is(t, "events", tt.want, got.String())
			})
		})
	}
}

func TestATrimmedLogStartsAtItsOldestEntryWithoutAWord(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{KeepLog: 8})
		s.Put(deployed("a"))
		for i := range 20 {
			s.Edit("a", func(in *Indicator) { in.Score = new(i) })
		}
		first, last := s.Stream().First, s.Stream().Last
		got := follow(t, s, "s", "from=946684800000-3").take(t)
		if got[0].Data["firstEventId"] != first || got[1].ID != first || got[len(got)-1].ID != last || len(got) > 10 {
			t.Errorf("%d messages from %s to %s; the log has %s to %s", len(got), got[1].ID, got[len(got)-1].ID, first, last)
		}
		s.TrimLog(0)
		if state := s.Stream(); state.Size != 0 || state.First != last || state.Last != last {
			t.Errorf("an empty log stands at %+v, want at %s", state, last)
		}
		p := follow(t, s, "s", "from="+last)
		s.Edit("a", func(in *Indicator) { in.Score = new(99) })
		if got := p.take(t); len(got) != 2 || got[1].ID <= last {
			t.Errorf("after an empty log: %d messages", len(got))
		}
	})
}

func TestSwitchesAreComparedExactly(t *testing.T) {
	tests := []struct {
		options              []string
		dependencies, delete bool
	}{
		{nil, true, true},
		{[]string{"no-dependencies=true", "listen-delete=false"}, false, false},
		{[]string{"no-dependencies: true", "listen-delete: false"}, false, false},
		{[]string{"no-relationships=true"}, false, true},
		{[]string{"no-relationships: true"}, false, true},
		{[]string{"no-dependencies=True", "listen-delete=False"}, true, true},
		{[]string{"no-dependencies=1", "listen-delete=0"}, true, true},
		{[]string{"no-dependencies: yes", "listen-delete: no"}, true, true},
		{[]string{"no-dependencies=false", "no-dependencies: true"}, true, true},
		{[]string{"listen-delete=true", "listen-delete: false"}, true, true},
		{[]string{"no-dependencies=", "no-dependencies: true"}, false, true},
		{[]string{"with-inferences=true"}, true, true},
	}
	for _, tt := range tests {
		t.Run(strings.Join(tt.options, " "), func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{})
				in := deployed("a")
				in.Observables = []Observable{{EntityType: "Url", Value: "x"}}
				s.Put(in)
				p := follow(t, s, "s", append(tt.options, "from=0")...)
				s.Delete("a")
				want := []string{"create create a"}
				if tt.dependencies {
					want = []string{"create url init-dependencies", "create relationship init-dependencies", "create create a"}
				}
				if tt.delete {
					want = append(want, "delete delete a")
				}
				simtest.Same(t, "messages", want, p.briefs(t))
			})
		})
	}
}

func TestHeartbeatsTellThePosition(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{})
		unknown, known := follow(t, s, "s"), follow(t, s, "s", "from=0")
		seconds(14)
		if got := unknown.take(t); len(got) != 5 || got[1].Event != "heartbeat" || got[1].ID != "946684805000-0" {
			t.Errorf("without a start: %+v", got)
		}
		var got []string
		for _, m := range known.take(t)[1:] {
			got = append(got, m.ID+" "+m.Event+" "+m.Text)
		}
		metrics := ` {"deliveryRate":0,"estimatedOutOfDepth":0,"processingRate":0,"productionRate":0,"resolutionRate":0,"timeLag":0}`
		want := []string{ // nothing happened for 5 s: the position is the clock's
			`946684805000-0 heartbeat "2000-01-01T00:00:05.000Z"`, `946684805000-0 consumer_metrics` + metrics,
			`946684810000-0 heartbeat "2000-01-01T00:00:10.000Z"`, `946684810000-0 consumer_metrics` + metrics,
		}
		simtest.Same(t, "messages", want, got)
		s.Put(deployed("a"))
		simtest.Is(t, "an event after the jump", 1, len(known.briefs(t)))
	})
}

func TestHeartbeatsWithoutMetricsBefore6918(t *testing.T) {
	bubble(t, func(t *testing.T) {
		for version, want := range map[string]int{"6.9.17": 2, "6.9.18": 3} {
			s := streamed(Options{Version: version, StreamPeriods: StreamPeriods{time.Minute, time.Hour}})
			p := follow(t, s, "s", "from=2000-01-01T00:00:00Z")
			seconds(61)
			got := p.take(t)
			if len(got) != want || got[1].Event != "heartbeat" || !strings.HasPrefix(got[1].ID, "946684800000-") && version == "6.9.17" {
				t.Errorf("version %s: %+v", version, got)
			}
			p.leave()
		}
	})
}

// When the platform's clock is ahead of the log's, events fall between.
func TestEventsFallBetweenTwoClocks(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{})
		s.SetKnobs(func(k *Knobs) { k.StreamSkew = 2 * time.Second })
		p := follow(t, s, "s", "from=0")
		seconds(6)
		s.Put(deployed("lost"))
		seconds(2)
		s.Put(deployed("seen"))
		if got := p.briefs(t); len(got) != 1 || got[0] != "create create seen" {
			t.Errorf("messages %q", got)
		}
	})
}

// The filter is read again after each batch: the one that is on its way still passes by the old one.
func TestAFilterCountsFromTheNextBatch(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{}, wanted()...)
		p := follow(t, s, "s")
		s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(is("x_opencti_score", "gte", "50"))})
		s.Put(deployed("a"))
		in := deployed("b")
		in.Score = new(60)
		if got := p.briefs(t); len(got) != 1 || got[0] != "create create a" {
			t.Errorf("the batch on its way: %q", got)
		}
		s.Put(deployed("c"))
		s.Put(in)
		if got := p.briefs(t); len(got) != 1 || got[0] != "create create b" {
			t.Errorf("after the batch: %q", got)
		}
		s.PutStream(Stream{ID: "s", Live: true, Filters: storedText(is("valid_until", "gte", "now"))})
		seconds(6)
		if got := p.take(t); len(got) == 0 || got[0].Event != "error" || got[0].ID != "" || got[0].get("stream") != "s" {
			t.Errorf("a filter that cannot be evaluated: %+v", got)
		}
	})
}

func TestStoppedStreamsEndTheirResponses(t *testing.T) {
	tests := []struct {
		name string
		stop func(s *Sim)
		want string
	}{
		{"stopped", func(s *Sim) { s.PutStream(Stream{ID: "s"}) }, "ended"},
		{"deleted", func(s *Sim) { s.DeleteStream("s") }, "ended"},
		{"another's from now on", func(s *Sim) { s.PutStream(Stream{ID: "s", Live: true, Members: []string{"somebody"}}) }, "ended"},
		{"platform restarts", func(s *Sim) { s.Down(); s.Up() }, "cut"},
		{"connections cut", func(s *Sim) { s.CutStreams() }, "cut"},
		{"the user loses its rights", func(s *Sim) { s.PutUser(User{Token: "t"}) }, ""},
		{"another stream is stopped", func(s *Sim) { s.PutStream(Stream{ID: "other"}) }, ""},
		{"renamed", func(s *Sim) { s.PutStream(Stream{ID: "s", Name: "new", Live: true}) }, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{})
				p := follow(t, s, "s")
				tt.stop(s)
				got := p.take(t)
				if p.end() != tt.want || len(got) != 1 {
					t.Errorf("over %q, want %q; %d messages", p.end(), tt.want, len(got))
				}
				if tt.want == "" {
					s.Put(deployed("a"))
					simtest.Is(t, "afterwards", 1, len(p.briefs(t)))
				}
			})
		})
	}
}

func TestADownPlatformRefuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{})
		s.Down()
		if p := follow(t, s, "s"); p.end() != "cut" || p.status != 0 {
			t.Errorf("down: status %d, over %q", p.status, p.end())
		}
		simtest.Is(t, "controls while down: status", 200, send(t, s, "GET", "/_sim/held", nil, "").Code)
		s.SetKnobs(func(k *Knobs) { k.DownStatus = 502 })
		simtest.Is(t, "behind a proxy: status", 502, follow(t, s, "s").status)
		s.Up()
		if p := follow(t, s, "s"); p.end() != "" || p.status != 200 {
			t.Errorf("up: status %d, over %q", p.status, p.end())
		}
	})
}
