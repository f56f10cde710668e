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

// rate is how many rules a second are due. On machines that others use as well, where the short form runs, a quarter fewer do.
func (b *bench) rate(due int) int {
	if b.short {
		return due * 3 / 4
	}
	return due
}

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

// firstLoad measures a first load as it is without settings.
func (b *bench) firstLoad(ctx context.Context, p *platform, n int) error {
	perSecond := b.rate(380)
	writing := p.writing(ctx, n)
	c, err := b.counted(ctx, p, "run")
	if err != nil {
		return err
	}
	rate := float64(n) / (<-writing).Seconds()
	most := writes(n)
	b.add(fmt.Sprintf("first load, %d rules: requests to HarfangLab", n), fmt.Sprintf("%d writes and one read-back, at most %d; at least %d written a second", n, most, perSecond),
		fmt.Sprintf("%d in %s, %.0f a second", c.hl, seconds(c.wall), rate), c.hl <= most && (rate >= float64(perSecond) || b.small))
	return nil
}

// ceiling measures a first load into a manager that takes few requests a second and turns the others
// away.
func (b *bench) ceiling(ctx context.Context, p *platform, n int) error {
	const perSecond = 20
	if err := p.ceiling(perSecond); err != nil {
		return err
	}
	c, err := b.counted(ctx, p, "run")
	if err != nil {
		return err
	}
	most := 3 * n // each rule is written and read back; a third may be turned away
	b.add(fmt.Sprintf("first load, %d rules, manager takes %d requests a second", n, perSecond), fmt.Sprintf("all applied, at most %d requests", max(most, 2*overhead)),
		fmt.Sprintf("%d in %s", c.hl, seconds(c.wall)), c.hl <= max(most, 2*overhead))
	return nil
}

// decision measures Compute alone, on sets that are read already.
func (b *bench) decision(context.Context, *platform, int) error {
	n := b.size(million)
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
	n := b.size(million)
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
