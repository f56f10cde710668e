package run_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/impact"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/spool/spooltest"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// fleet is telemetry of ten endpoints, all of which saw names that begin with felt.
type fleet struct{ asked int }

func (f *fleet) Telemetry(_ context.Context, q impact.Query) (p impact.Page, _ error) {
	f.asked++
	for _, name := range append(q.Values, "felt.example") {
		if !strings.HasPrefix(strings.ToLower(name), "felt") || q.Since.After(time.Now()) || len(q.Except) > 0 || len(q.Values) == 1 && name != q.Values[0] {
			continue
		}
		for _, id := range strings.Fields("1 2 3 4 5 6 7 8 9 10") {
			r := impact.Row{At: q.Until, Agent: id, Host: "WKS-" + id}
			r.Values[impact.Name] = strings.ToLower(name)
			p.Rows = append(p.Rows, r)
		}
		break
	}
	p.Count = len(p.Rows)
	return p, nil
}

func (f *fleet) Agents(context.Context, int, int) (impact.Agents, error) {
	f.asked++
	return impact.Agents{Count: 10, Agents: make([]impact.Agent, 10), Slim: true}, nil
}

func (f *fleet) Policies(context.Context) ([]impact.Policy, error) {
	f.asked++
	return []impact.Policy{{true, true, true, true}}, nil
}

// A batch of a tail holds a felt value and does the rest, and what was told once is not asked again, nor proven by
// another process for a day.
func TestATailHoldsWhatIsFelt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &memory{}
		src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name a.example")}}, newSink()
		s, telemetry := make(stream), &fleet{}
		follower := tailed(t, src, snk, s, func(context.Context) (bool, error) { return false, nil })
		asks := func() *run.Job {
			j := remembering(t, src, snk, store)
			j.Limits.Hold, j.Limits.Impact = true, 1
			j.Impact = impact.New(telemetry, impact.Options{Days: 7, Budget: 500, Limit: 1, Log: slog.New(slog.DiscardHandler)})
			return j
		}
		follower.Job = asks()
		go func() {
			for _, step := range []struct {
				id, pattern string
				asked       int
				inForce     []string
			}{
				{"b", "domain_name felt.example; domain_name b.example", 1, []string{"a.example", "b.example"}},
				{"c", "domain_name c.example", 1, []string{"a.example", "b.example", "c.example"}},
			} {
				time.Sleep(time.Minute)
				synctest.Wait()
				before := telemetry.asked
				src.read = append(src.read, ind(step.id, step.pattern))
				s <- tail.Dirty{IDs: []string{step.id}}
				time.Sleep(10 * time.Second)
				synctest.Wait()
				if d := cmp.Diff(step.inForce, inForce(snk)); d != "" {
					t.Errorf("after %s (-want +got):\n%s", step.id, d)
				}
				if n := telemetry.asked - before; n != step.asked {
					t.Errorf("%s: %d questions, want %d", step.id, n, step.asked)
				}
			}
			d, err := state.Parse(store.text)
			if err != nil || d.Impact.At.IsZero() {
				t.Errorf("nothing is remembered of what was proven: %v", err)
			}
		}()
		_ = follower.Run(t.Context()) // it ends refused
		synctest.Wait()
		before := telemetry.asked
		p := plan(t, asks())
		if n := telemetry.asked - before; n != 3 || p.Plan.Held.Len() != 1 || p.Plan.Held.At(0).Value != "felt.example" || !p.Plan.Refused() || p.Plan.Stopped() {
			t.Errorf("%d questions, held %+v", n, p.Plan.Held)
		}
	})
}

// A first load asks about few of what it creates, and reads the texts of these alone.
func TestTheImpactOfAFirstLoadKeepsNoTexts(t *testing.T) {
	const rules, each = 20_000, 2000
	src := &source{}
	for i := range rules {
		one := ind(fmt.Sprint(i), fmt.Sprintf("domain_name n%d.example", i))
		one.Description = strings.Repeat("x", each)
		src.read = append(src.read, one)
	}
	j := job(t, src, newSink())
	j.Limits.Additions = rules
	without := spooltest.Live(func() { plan(t, j) })
	j.Impact = impact.New(&fleet{}, impact.Options{Days: 7, Budget: 10, Limit: 1, Log: slog.New(slog.DiscardHandler)})
	var p *run.Planned
	more := spooltest.Live(func() { p = plan(t, j) }) - without
	if e := p.Plan.Estimate; e.NotAsked < rules/2 || e.Asked+e.NotAsked != rules {
		t.Fatalf("%+v", e)
	}
	if more > rules*each/4 {
		t.Errorf("%d KiB more are in use, and all texts are %d KiB", more>>10, rules*each>>10)
	}
	last := map[reconcile.ImpactStatus]int{}
	for _, ch := range p.Plan.Changes.All() {
		last[ch.Impact.Status]++
	}
	if last[reconcile.ImpactNotAsked] != p.Plan.Estimate.NotAsked {
		t.Errorf("%v, of %+v", last, p.Plan.Estimate)
	}
}
