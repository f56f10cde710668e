package main

import (
	"context"
	"fmt"
	"time"
)

// restart measures how soon a run writes whose predecessor was killed: the lock's holder was this very host, and its
// process is gone.
func (b *bench) restart(ctx context.Context, p *platform, n int) error {
	done := n * 3 / 10
	killed := b.command(ctx, p, b.binary, "run")
	if err := killed.Start(); err != nil {
		return err
	}
	err := until(ctx, time.Minute, func() (bool, error) {
		held, err := p.ruleCount()
		return held >= done, err
	})
	if err != nil {
		return err
	}
	if err := killed.Process.Kill(); err != nil {
		return err
	}
	_ = killed.Wait()
	time.Sleep(time.Second) // what was under way is there by now
	const most = 5 * time.Second
	work, budget := fmt.Sprintf("restart after kill -9, %d of %d rules done", done, n), fmt.Sprintf("the first write within %s, then all", seconds(most))
	before, err := p.ruleCount()
	if err != nil {
		return err
	}
	if before >= n {
		b.add(work, budget, "it was done before it was killed", b.small)
		return nil
	}
	first, started := make(chan time.Duration, 1), time.Now()
	go func() {
		_ = until(ctx, 5*time.Minute, func() (bool, error) {
			held, err := p.ruleCount()
			return held > before, err
		})
		first <- time.Since(started)
	}()
	if _, err := b.exec(ctx, p, "run"); err != nil {
		return err
	}
	took := <-first
	held, err := p.ruleCount()
	if err != nil {
		return err
	}
	b.add(work, budget, fmt.Sprintf("%.2f s, then %d rules", took.Seconds(), held), took < most && held == n)
	return nil
}

// slowPages measures a plan against an OpenCTI that takes its time, as a real one does.
func (b *bench) slowPages(ctx context.Context, p *platform, n int) error {
	const page, basedOn, least = 140 * time.Millisecond, 95 * time.Millisecond, 20 * time.Millisecond // least is what all requests take
	for request, takes := range map[string]time.Duration{"query Page": page, "query BasedOn": basedOn} {
		if err := p.call("POST", opencti, "/_sim/faults", map[string]any{"body": request, "do": "slow", "delay": takes - least}, nil); err != nil {
			return err
		}
	}
	c, err := b.counted(ctx, p, "plan")
	if err != nil {
		return err
	}
	alone := time.Duration(pages(n)) * page
	times, most := c.wall.Seconds()/alone.Seconds(), 1.1
	if b.short { // as with rates
		most = 1.2
	}
	b.add(fmt.Sprintf("plan with nothing to do, %d ms a page and %d ms a based-on request, %d rules", page.Milliseconds(), basedOn.Milliseconds(), n),
		fmt.Sprintf("at most %.1f times the pages alone, %s", most, seconds(alone)), fmt.Sprintf("%s, %.2f times", seconds(c.wall), times), (times <= most || b.small) && c.last == inSync)
	return nil
}
