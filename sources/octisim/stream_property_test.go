package octisim

import (
	"fmt"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// mirror is a client that holds what the stream says: upserts and deletions by internal id, and what a
// merge took in is gone.
type mirror map[string]float64

func (c mirror) apply(m sse) {
	id, _ := m.octi("id").(string)
	switch m.Event {
	case "create", "update", "merge":
		if m.get("data", "type") != "indicator" {
			return
		}
		c[id], _ = m.octi("score").(float64)
		sources, _ := m.get("context", "sources").([]any)
		for _, v := range sources {
			gone, _ := sse{Data: map[string]any{"data": v}}.octi("id").(string)
			delete(c, gone)
		}
	case "delete":
		delete(c, id)
	}
}

func (c mirror) applyAll(ms []sse) {
	for _, m := range ms {
		c.apply(m)
	}
}

func visible(i Indicator) bool { return !i.Revoked && i.Detection != nil && *i.Detection }

// Whatever happens to indicators, a client that listens holds exactly those that the filter lets
// through; also one that breaks off anywhere and goes on from the last position but one.
func TestAClientHoldsWhatIsVisible(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		version := rapid.SampledFrom([]string{"6.5.11", "6.9.22", before811, since811}).Draw(rt, "version")
		options := []string{"from=0", "no-dependencies=true"}
		steps := rapid.SliceOfN(rapid.IntRange(0, 99), 1, 40).Draw(rt, "steps")
		synctest.Test(t, func(t *testing.T) {
			s := streamed(Options{Version: version}, wanted()...)
			steady, held := follow(t, s, "s", options...), mirror{}
			broken, kept := follow(t, s, "s", options...), mirror{}
			var before, last string // positions that the broken client has seen
			for n, step := range steps {
				id := fmt.Sprint("i", step/10%4)
				switch step % 10 {
				case 0, 1, 2:
					in := deployed(id)
					in.Score, in.Detection = new(n), new(step%10 > 0)
					s.Put(in)
				case 3, 4:
					s.Edit(id, func(i *Indicator) { i.Revoked, i.Score = !i.Revoked, new(n) })
				case 5:
					s.Edit(id, func(i *Indicator) { i.Detection = nil })
				case 6:
					s.Delete(id)
				case 7:
					// Nothing tells of what was merged into an indicator that is not visible.
					if i, _ := s.Indicator(id); visible(i) {
						s.Merge(id, fmt.Sprint("i", (step/10+1)%4))
					}
				case 8:
					seconds(7)
				case 9:
					broken.leave()
					for _, m := range broken.take(t) {
						kept.apply(m)
						if m.ID != "" && m.ID != last {
							before, last = last, m.ID
						}
					}
					if before != "" {
						options[0] = "from=" + before
					}
					broken = follow(t, s, "s", options...)
				}
			}
			held.applyAll(steady.take(t))
			kept.applyAll(broken.take(t))
			want := mirror{}
			for _, i := range s.Indicators() {
				if visible(i) {
					want[i.ID] = float64(*i.Score)
				}
			}
			simtest.Same(rt, "a client that stayed", want, held)
			simtest.Same(rt, "a client that came back", want, kept)
			steady.leave()
			broken.leave()
		})
	})
}
