package main

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// atMost is what work among so many rules may take.
type atMost struct {
	rules                     int
	loadMiB, readMiB, tailMiB int64 // a first load; a run and a plan with nothing to do; a tail
	planWall, planCPU         time.Duration
	event                     within // one that comes alone
}

// sizes are those of the curves, the smallest first.
var sizes = []atMost{
	{rules: 10_000, loadMiB: 100, readMiB: 100, tailMiB: 100, planWall: 3 * time.Second, planCPU: time.Second, event: prompt},
	{rules: 100_000, loadMiB: 100, readMiB: 100, tailMiB: 100, planWall: 15 * time.Second, planCPU: 5 * time.Second, event: prompt},
	{rules: million, loadMiB: 450, readMiB: 400, tailMiB: 512, planWall: 150 * time.Second, planCPU: 25 * time.Second, event: within{0.5, 1, 1}}, // all is decided anew, for longer than what is remembered counts as read just now
}

const million = 1_000_000

// point is one of a curve: what the same work took among so many rules.
type point struct {
	cost
	work          string
	rules, amount int // amount is how much there was to do, in rules or alerts
	budget, more  string
	ok            bool
	searches      bool // the time is for the most part that of the manager's searches, and not judged
}

// grown adds a row, and judges it beside the same work among fewer rules: for as much to do it may take a third more.
func (b *bench) grown(p point) {
	before, known := b.points[p.work]
	b.points[p.work] = p
	measured := fmt.Sprintf("%s, %s CPU, %d MiB, %d requests", seconds(p.wall), seconds(p.cpu), p.peakMiB, p.requests())
	if p.more != "" {
		measured += ", " + p.more
	}
	if known {
		most := 1.33 * float64(p.amount) / float64(before.amount)
		wall, cpu := p.wall.Seconds()/before.wall.Seconds(), p.cpu.Seconds()/before.cpu.Seconds()
		memory, requests := float64(p.peakMiB)/float64(before.peakMiB), float64(p.requests())/float64(before.requests())
		p.budget += fmt.Sprintf("; at most %.1f times what %d rules take", most, before.rules)
		if p.searches {
			p.budget += ", but for the time of the manager's searches"
		}
		measured += fmt.Sprintf("; %.1f, %.1f, %.1f and %.1f times", wall, cpu, memory, requests)
		p.ok = p.ok && (wall <= most || p.searches) && max(cpu, memory, requests) <= most
	}
	b.add(fmt.Sprintf("%s, %d rules", p.work, p.rules), p.budget, measured, p.ok)
}

// curve measures the same work at one of the sizes. Rows that are held already are not loaded.
func (b *bench) curve(most atMost) func(context.Context, *platform, int) error {
	return func(ctx context.Context, p *platform, n int) error {
		if !p.held {
			if err := b.load(ctx, p, n, most.loadMiB); err != nil {
				return err
			}
			if _, err := b.nothingToDo(ctx, p, n, "run", most); err != nil {
				return err
			}
		}
		plan, err := b.nothingToDo(ctx, p, n, "plan", most)
		if err != nil {
			return err
		}
		if most.rules == million {
			if err := b.discarded(ctx, p, plan); err != nil {
				return err
			}
		}
		if err := b.eventAlone(ctx, p, n, most); err != nil {
			return err
		}
		p.env = append(p.env, imports...)
		alerts := b.size(500)
		c, err := b.imported(ctx, p, alerts)
		if err != nil {
			return err
		}
		b.grown(point{c, fmt.Sprintf("pull, %d alerts imported", alerts), n, alerts, importBudget, fmt.Sprintf("%d of them to OpenCTI", c.octi), b.importable(c, alerts), true})
		return nil
	}
}

// load measures a first load with many writes at once.
func (b *bench) load(ctx context.Context, p *platform, n int, mostMiB int64) error {
	const atOnce = 32
	perSecond := b.rate(1400)
	writing := p.writing(ctx, n)
	c, err := b.counted(ctx, p, "run", "--parallelism", strconv.Itoa(atOnce))
	if err != nil {
		return err
	}
	rate := float64(n) / (<-writing).Seconds()
	b.grown(point{c, "first load", n, n, fmt.Sprintf("at least %d written a second with %d at once, under %d MiB", perSecond, atOnce, mostMiB), fmt.Sprintf("%.0f a second", rate),
		(rate >= float64(perSecond) || b.small) && c.peakMiB < mostMiB && c.requests() <= writes(n)+3*pages(n)+overhead, false})
	return nil
}

// nothingToDo measures a run or a plan of what is in sync.
func (b *bench) nothingToDo(ctx context.Context, p *platform, n int, command string, most atMost) (cost, error) {
	c, err := b.counted(ctx, p, command)
	if err != nil {
		return c, err
	}
	requests := 3*pages(n) + overhead
	if command == "run" { // which holds the lock, and renews it
		const every = 10 * time.Second
		requests += 2 * (1 + int(c.wall/every))
	}
	pt := point{c, command + " with nothing to do", n, n, fmt.Sprintf("at most %d requests, under %d MiB", requests, most.readMiB), "",
		c.requests() <= requests && c.peakMiB < most.readMiB && c.last == inSync, false}
	if command == "plan" {
		pt.budget += fmt.Sprintf(", %.0f s and %.0f s CPU", most.planWall.Seconds(), most.planCPU.Seconds())
		pt.ok = pt.ok && c.wall < most.planWall && c.cpu < most.planCPU
	}
	b.grown(pt)
	return c, nil
}

// discarded measures what a plan cannot do without, and how much longer the plan took.
func (b *bench) discarded(ctx context.Context, p *platform, plan cost) error {
	read, err := b.use(ctx, p, b.self, "-discard")
	if err != nil {
		return err
	}
	longer := plan.wall.Seconds() / read.wall.Seconds()
	b.add("plan with nothing to do, the same pages read by the same clients and discarded", "the plan takes at most 1.3 times as long",
		fmt.Sprintf("%d MiB, %s CPU, %s in all; the plan takes %.2f times as long, and %.2f times the CPU", read.peakMiB, seconds(read.cpu), seconds(read.wall), longer, plan.cpu.Seconds()/read.cpu.Seconds()),
		longer <= 1.3 || b.small)
	return nil
}

// eventAlone measures a tail: its full run, and events that come alone.
func (b *bench) eventAlone(ctx context.Context, p *platform, n int, most atMost) error {
	t, err := b.tail(ctx, p)
	if err != nil {
		return err
	}
	defer t.stop()
	const events = 11
	full, _, err := t.used()
	if err != nil {
		return err
	}
	created := singles[0]
	l, err := p.alone(ctx, t, events, created)
	if err != nil {
		return err
	}
	all, peak, err := t.used()
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("%s, %d rules", created.work(), n), fmt.Sprintf("%s, under %d MiB", created.budget(most.event), most.tailMiB),
		fmt.Sprintf("%s, %d ms CPU; %s CPU for the full run before, %d MiB", l, (all-full).Milliseconds()/events, seconds(full), peak), l.ok(created, most.event) && peak < most.tailMiB)
	return nil
}

// writing watches how long it takes from the first rule of a manager to the n-th.
func (p *platform) writing(ctx context.Context, n int) <-chan time.Duration {
	took := make(chan time.Duration, 1)
	go func() {
		first, already := time.Now(), 0
		_ = until(ctx, time.Hour, func() (bool, error) {
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
