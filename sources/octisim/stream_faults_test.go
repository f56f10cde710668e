package octisim

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// Each fault against two indicators that are made one after the other, the first with an author.
func TestStreamFaults(t *testing.T) {
	const author, a, b = "create ACME init-dependencies", "create create a", "create create b"
	tests := []struct {
		name  string
		fault StreamFault
		want  []string
		over  string
		half  bool // the body ends within a message
	}{
		{"end of the body", StreamFault{Do: StreamEnd}, nil, "ended", false},
		{"between a dependency and its event", StreamFault{Do: StreamEndAfter, Event: "dependency"}, []string{author}, "ended", false},
		{"before an event, as well", StreamFault{Do: StreamEnd, Event: "main"}, []string{author}, "ended", false},
		{"after an event", StreamFault{Do: StreamEndAfter, Event: "main"}, []string{author, a}, "ended", false},
		{"half a message", StreamFault{Do: StreamHalf, Event: "main"}, []string{author}, "ended", true},
		{"cut in a message", StreamFault{Do: StreamCut, Event: "main"}, []string{author}, "cut", true},
		{"the second event", StreamFault{Do: StreamEnd, Event: "main", Skip: 1}, []string{author, a}, "ended", false},
		{"by the name of the event", StreamFault{Do: StreamEnd, Event: "create", Skip: 2}, []string{author, a}, "ended", false},
		{"events of another name", StreamFault{Do: StreamEnd, Event: "delete"}, []string{author, a, b}, "", false},
		{"an unknown event", StreamFault{Do: StreamUnknown, Event: "main", Times: 1}, []string{author, "unheard_of", a, b}, "", false},
		{"an event twice", StreamFault{Do: StreamTwice, Event: "main", Skip: 1}, []string{author, a, b, b}, "", false},
		{"an error, and nothing after it", StreamFault{Do: StreamError, Event: "main", Times: 1}, []string{author, "error"}, "", false},
		{"silence", StreamFault{Do: StreamSilence, Event: "main", Times: 1}, []string{author}, "", false},
		{"at the very beginning", StreamFault{Do: StreamHalf, Event: "connected"}, nil, "ended", true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				s := streamed(Options{})
				if !s.FailStream(tt.fault) {
					t.Fatal("no such action")
				}
				p := follow(t, s, "s")
				in := deployed("a")
				in.CreatedBy = &Identity{Name: "ACME"}
				s.Put(in)
				s.Put(deployed("b"))
				if tt.want == nil {
					tt.want = []string{}
				}
				if diff := cmp.Diff(tt.want, p.briefs(t)); diff != "" || p.end() != tt.over || len(p.seen) > 0 != tt.half {
					t.Errorf("over %q with %q left, messages (-want +got):\n%s", p.end(), p.seen, diff)
				}
				s.HealStream()
				simtest.Is(t, "after it healed the next connection is not whole", 3, len(follow(t, s, "s", "from=0").briefs(t)))
			})
		})
	}
	if New(Options{}).FailStream(StreamFault{Do: "explode"}) {
		t.Error("an unknown action was taken")
	}
}

// An error event leaves the heartbeats on; silence leaves nothing.
func TestConnectionsThatLiveOnUseless(t *testing.T) {
	for do, beats := range map[StreamAction]bool{StreamError: true, StreamSilence: false} {
		bubble(t, func(t *testing.T) {
			s := streamed(Options{})
			s.FailStream(StreamFault{Do: do, Times: 1})
			p := follow(t, s, "s", "from=0")
			s.Put(deployed("a"))
			s.Put(deployed("b"))
			p.take(t)
			seconds(60)
			got := p.take(t)
			if (len(got) > 0) != beats || p.end() != "" || len(briefs(got)) != 0 {
				t.Errorf("%s: over %q, %d messages: %q", do, p.end(), len(got), briefs(got))
			}
		})
	}
}

func TestAVeryLongLine(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{})
		s.FailStream(StreamFault{Do: StreamLong, Size: 5 << 20, Times: 1})
		p := follow(t, s, "s")
		s.Put(deployed("a"))
		got := p.take(t)[1]
		if len(got.Text) < 5<<20 || got.brief() != "create create a" || got.octi("id") != "a" {
			t.Errorf("%d bytes: %s", len(got.Text), got.brief())
		}
	})
}

func TestShorterPeriodsCountAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := streamed(Options{})
		p := follow(t, s, "s", "from=0")
		s.SetKnobs(func(k *Knobs) { k.StreamHeartbeat = 1e9 })
		seconds(3.5)
		beats := 0
		for _, m := range p.take(t) {
			if m.Event == "heartbeat" {
				beats++
			}
		}
		simtest.Is(t, "heartbeats in 3.5 s", 3, beats)
	})
}
