package main

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

const inSync = "No changes. HarfangLab matches OpenCTI."

// pages is the number of requests for n objects, the last page included that tells the end.
func pages(n int) int { return (n + pageSize - 1) / pageSize }

const (
	pageSize = 500
	overhead = 20 // requests beside the pages
)

// writes is the most requests to HarfangLab that a first load of n rules may take.
func writes(n int) int {
	if n <= 200 { // up to here rows are read back one by one, beyond it in one list read
		return 2*n + overhead
	}
	return n + pages(n) + overhead
}

// startup measures what a command takes of itself: the binary, and the least CPU of several runs.
func (b *bench) startup(ctx context.Context, p *platform, _ int) error {
	const mostMB = 25
	info, err := os.Stat(b.binary)
	if err != nil {
		return err
	}
	b.add("size of the binary", fmt.Sprintf("under %d MB", mostMB), fmt.Sprintf("%.1f MB", float64(info.Size())/1e6), info.Size() < mostMB*1e6)
	for _, c := range []struct {
		work string
		most time.Duration
		args []string
	}{
		{"plan of 0 indicators", 30 * time.Millisecond, []string{"plan"}},
		{"explain --pattern", 20 * time.Millisecond, []string{"explain", "--pattern", "[domain-name:value = 'host.campaign.example']"}},
	} {
		least := time.Hour
		for range 10 {
			u, err := b.exec(ctx, p, c.args...)
			if err != nil {
				return err
			}
			least = min(least, u.cpu)
		}
		b.add(c.work+", CPU of its own", fmt.Sprintf("under %d ms", c.most.Milliseconds()), fmt.Sprintf("%d ms", least.Milliseconds()), least < c.most)
	}
	return nil
}

// firstLoad measures the writes of a first load and the requests of a run with nothing to do.
func (b *bench) firstLoad(ctx context.Context, p *platform, n int) error {
	const perSecond = 300
	writing := p.writing(ctx, n)
	u, _, hl, err := b.counted(ctx, p, "run")
	if err != nil {
		return err
	}
	rate := float64(n) / (<-writing).Seconds()
	most := writes(n)
	b.add(fmt.Sprintf("first load, %d rules: requests to HarfangLab", n), fmt.Sprintf("%d writes and one read-back, at most %d; at least %d written a second", n, most, perSecond),
		fmt.Sprintf("%d in %s, %.0f a second", hl, seconds(u.wall), rate), hl <= most && (rate >= perSecond || b.small))
	u, octi, hl, err := b.counted(ctx, p, "run")
	if err != nil {
		return err
	}
	most = 3*pages(n) + overhead
	b.add(fmt.Sprintf("run with nothing to do, %d rules: requests", n), fmt.Sprintf("pages, based-on pages, row pages and 20: %d", most),
		fmt.Sprintf("%d in %s", octi+hl, seconds(u.wall)), octi+hl <= most && u.last == inSync)
	return nil
}

// ceiling measures a first load into a manager that takes few requests a second and turns the others
// away.
func (b *bench) ceiling(ctx context.Context, p *platform, n int) error {
	const perSecond = 20
	if err := p.ceiling(perSecond); err != nil {
		return err
	}
	u, _, hl, err := b.counted(ctx, p, "run")
	if err != nil {
		return err
	}
	most := 3 * n // each rule is written and read back; a third may be turned away
	b.add(fmt.Sprintf("first load, %d rules, manager takes %d requests a second", n, perSecond), fmt.Sprintf("all applied, at most %d requests", max(most, 2*overhead)),
		fmt.Sprintf("%d in %s", hl, seconds(u.wall)), hl <= max(most, 2*overhead))
	return nil
}

func (b *bench) plan100k(ctx context.Context, p *platform, n int) error {
	u, err := b.exec(ctx, p, "plan")
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("plan, %d wanted against %d held", n, n), "under 15 s, under 300 MiB", fmt.Sprintf("%s, %d MiB", seconds(u.wall), u.peakMiB),
		u.wall < 15*time.Second && u.peakMiB < 300 && u.last == inSync)
	return nil
}

func (b *bench) plan1M(ctx context.Context, p *platform, n int) error {
	u, err := b.exec(ctx, p, "plan")
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("plan, %d against %d, nothing to do", n, n), "under 400 MiB, under 25 s CPU", fmt.Sprintf("%d MiB, %s CPU, %s in all", u.peakMiB, seconds(u.cpu), seconds(u.wall)),
		u.peakMiB < 400 && u.cpu < 25*time.Second && u.last == inSync)
	read, err := b.use(ctx, p, b.self, "-discard")
	if err != nil {
		return err
	}
	longer := u.wall.Seconds() / read.wall.Seconds()
	b.add("the same pages, read by the same clients and discarded", "the plan takes at most 1.3 times as long",
		fmt.Sprintf("%d MiB, %s CPU, %s in all; the plan takes %.2f times as long, and %.2f times the CPU", read.peakMiB, seconds(read.cpu), seconds(read.wall), longer, u.cpu.Seconds()/read.cpu.Seconds()),
		longer <= 1.3 || b.small)
	return b.tail1M(ctx, p, n)
}

// decision measures Compute alone, on sets that are read already.
func (b *bench) decision(context.Context, *platform, int) error {
	n := b.size(1_000_000)
	w, rows, err := sets(n)
	if err != nil {
		return err
	}
	defer w.Close()
	defer rows.Close()
	start := time.Now()
	plan, err := reconcile.Compute(rows, w, policy(), reconcile.Memory{})
	took := time.Since(start)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("decision alone, %d against %d", n, n), "under 2 s", seconds(took), took < 2*time.Second && plan.Changes.Len() == 0 && plan.Unchanged == n)
	return nil
}

// patterns measures what turns patterns into values, on one core.
func (b *bench) patterns(context.Context, *platform, int) error {
	n := b.size(1_000_000)
	opts := pattern.Options{Observables: true, Excluded: exclude.Builtin().Match}
	values := 0
	start := time.Now()
	for i := range n {
		ind := indicator(i)
		values += len(pattern.Deploy(ind.Pattern, nil, opts).Values)
	}
	rate := float64(n) / time.Since(start).Seconds()
	b.add("patterns to rules, one core", "over 300,000 a second", fmt.Sprintf("%.0f a second", rate), rate > 300_000 && values == n)
	return nil
}
