package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// cost is what some work took of all that grows with its size.
type cost struct {
	usage
	n, requests int
}

// curve measures the same work at one of several sizes, the smallest first: it may grow as fast as its
// size, and no faster.
func (b *bench) curve(ctx context.Context, p *platform, n int) error {
	const atOnce, perSecond, mostMiB = 32, 800, 300
	writing := p.writing(ctx, n)
	load, err := b.cost(ctx, p, n, "run", "--parallelism", strconv.Itoa(atOnce))
	if err != nil {
		return err
	}
	rate := float64(n) / (<-writing).Seconds()
	b.grown("first load", load, fmt.Sprintf("at least %d written a second with %d at once, under %d MiB", perSecond, atOnce, mostMiB), fmt.Sprintf("%.0f a second", rate),
		(rate >= perSecond || b.small) && load.peakMiB < mostMiB && load.requests <= writes(n)+3*pages(n)+overhead)
	for _, command := range []string{"run", "plan"} {
		c, err := b.cost(ctx, p, n, command)
		if err != nil {
			return err
		}
		b.grown(command+" with nothing to do", c, fmt.Sprintf("at most %d requests", 3*pages(n)+overhead), "", c.requests <= 3*pages(n)+overhead && c.last == inSync)
	}
	t, err := b.tail(ctx, p)
	if err != nil {
		return err
	}
	defer t.stop()
	return b.alone(ctx, p, 11, fmt.Sprintf(", of %d", n), singles[0])
}

func (b *bench) cost(ctx context.Context, p *platform, n int, args ...string) (cost, error) {
	u, octi, hl, err := b.counted(ctx, p, args...)
	return cost{u, n, octi + hl}, err
}

// grown adds a row, and judges it beside the same work at a smaller size: what it takes of CPU and requests for
// each rule may be a third more at most.
func (b *bench) grown(work string, c cost, budget, more string, ok bool) {
	before, known := b.costs[work]
	b.costs[work] = c
	measured := fmt.Sprintf("%s, %s CPU, %d MiB, %d requests", seconds(c.wall), seconds(c.cpu), c.peakMiB, c.requests)
	if more != "" {
		measured += ", " + more
	}
	if known {
		size := float64(c.n) / float64(before.n)
		cpu, requests := c.cpu.Seconds()/before.cpu.Seconds(), float64(c.requests)/float64(before.requests)
		budget += fmt.Sprintf("; %.0f times the rules take at most %.0f times the CPU and requests of %d", size, 1.33*size, before.n)
		measured += fmt.Sprintf("; %.1f and %.1f times", cpu, requests)
		ok = ok && cpu <= 1.33*size && requests <= 1.33*size
	}
	b.add(fmt.Sprintf("%s, %d rules", work, c.n), budget, measured, ok)
}

// writing watches how long it takes from the first rule of a manager to the n-th.
func (p *platform) writing(ctx context.Context, n int) <-chan time.Duration {
	took := make(chan time.Duration, 1)
	go func() {
		first, already := time.Now(), 0
		_ = p.until(ctx, func() (bool, error) {
			rules, err := p.ruleCount()
			if rules > 0 && already == 0 {
				first, already = time.Now(), rules
			}
			return rules >= n, err
		})
		took <- time.Duration(float64(time.Since(first)) * float64(n) / float64(max(n-already, 1)))
	}()
	return took
}
