package impact

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
)

// slowly answers each question after a while, and then with what a stream of one busy endpoint shows.
type slowly struct {
	each  time.Duration
	asked int
}

func (s *slowly) wait(ctx context.Context) error {
	s.asked++
	select {
	case <-time.After(s.each):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *slowly) Telemetry(ctx context.Context, q Query) (Page, error) {
	r := Row{At: time.Now(), Agent: "1", Host: "A"}
	r.Values[Name] = "a.example"
	if q.Since.After(r.At) || q.Field == Name && !strings.EqualFold(q.Values[0], "a.example") || len(q.Except) > 0 {
		return Page{}, s.wait(ctx)
	}
	return Page{Count: 1, Rows: []Row{r}}, s.wait(ctx)
}

func (s *slowly) Agents(ctx context.Context, _, _ int) (Agents, error) {
	return Agents{Count: 1, Agents: make([]Agent, 1), Slim: true}, s.wait(ctx)
}

func (s *slowly) Policies(ctx context.Context) ([]Policy, error) {
	return []Policy{{true, true, true, true}}, s.wait(ctx)
}

// A manager that answers slowly, or never, is left alone after three answers, by the plans of the next minutes too.
func TestASlowManagerIsLeftAlone(t *testing.T) {
	for _, tt := range []struct {
		name  string
		each  time.Duration
		asked int
		took  time.Duration
	}{
		{"in time", 4 * time.Second, 9, 36 * time.Second},
		{"slowly", 20 * time.Second, 3, time.Minute},
		{"never", time.Hour, 3, 90 * time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := &slowly{each: tt.each}
				var log strings.Builder
				a := New(s, Options{Days: 7, Budget: 500, Log: slog.New(slog.NewTextHandler(&log, nil))})
				plan := func() *reconcile.Impact {
					changes := plantest.Changes(reconcile.Change{Kind: reconcile.IOC, Type: "domain_name", Value: "a.example"})
					if _, _, err := a.Ask(t.Context(), changes, []int{0}, Controls{}); err != nil {
						t.Fatal(err)
					}
					return changes.At(0).Impact
				}
				began := time.Now()
				im := plan()
				if took := time.Since(began); took > tt.took || s.asked > tt.asked {
					t.Errorf("%d questions took %s", s.asked, took)
				}
				if known := im.Status == reconcile.ImpactExact || im.Status == reconcile.ImpactAtLeast; known != (tt.name == "in time") {
					t.Errorf("%+v", im)
				}
				before := s.asked
				again := plan()
				if s.asked != before || again.Endpoints != im.Endpoints || strings.Count(log.String(), "not known as a whole") > 1 {
					t.Errorf("%d more questions, %+v\n%s", s.asked-before, again, log.String())
				}
				s.each = 0
				time.Sleep(rest + time.Second)
				if im = plan(); im.Endpoints != 1 {
					t.Errorf("%+v", im)
				}
			})
		})
	}
}
