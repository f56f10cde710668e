package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

const benchStream = "3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11"

// tailing is the binary as it follows the stream of a platform.
type tailing struct {
	cmd     *exec.Cmd
	started time.Time
	done    chan error
	log     bytes.Buffer
}

// tail starts the binary and waits for its first full run.
func (b *bench) tail(ctx context.Context, p *platform) (*tailing, error) {
	if err := p.put(opencti, "/_sim/streams", map[string]any{"id": benchStream, "name": "bench", "stream_live": true}); err != nil {
		return nil, err
	}
	t := &tailing{cmd: b.command(ctx, p, b.binary, "tail"), started: time.Now(), done: make(chan error, 1)}
	t.cmd.Env = append(t.cmd.Env, "CONNECTOR_LIVE_STREAM_ID="+benchStream, "HARFANGSYNC_LIMITS_ADDITIONS=1000000")
	t.cmd.Stdout, t.cmd.Stderr = &t.log, &t.log
	if err := t.cmd.Start(); err != nil {
		return nil, err
	}
	go func() { t.done <- t.cmd.Wait() }()
	// One event shows that it listens: its rule comes after the full run.
	before, err := p.ruleCount()
	if err != nil {
		return t, err
	}
	return t, errors.Join(p.event(-1), p.reach(ctx, t, before+1))
}

// gone is an error when the binary has ended.
func (t *tailing) gone() error {
	select {
	case err := <-t.done:
		return fmt.Errorf("the tail ended: %w\n%s", err, t.log.String())
	default:
		return nil
	}
}

// stop interrupts it.
func (t *tailing) stop() {
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	<-t.done
}

// used is the CPU that it has taken and the most memory that it has held so far.
func (t *tailing) used() (cpu time.Duration, peakMiB int64, err error) {
	of := fmt.Sprintf("/proc/%d/", t.cmd.Process.Pid)
	stat, err := os.ReadFile(of + "stat")
	if err != nil {
		return 0, 0, err
	}
	status, err := os.ReadFile(of + "status")
	if err != nil {
		return 0, 0, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const user, system, ticks = 11, 12, 100
	_, peak, _ := strings.Cut(string(status), "VmHWM:")
	var n, m, kiB int64
	if _, err := fmt.Sscan(fields[user]+" "+fields[system]+" "+peak, &n, &m, &kiB); err != nil {
		return 0, 0, err
	}
	return time.Duration(n+m) * time.Second / ticks, kiB / 1024, nil
}

func eventValue(i int) string { return fmt.Sprintf("event-%d.stream.example", i+1_000_000_000) }

// event creates indicators, which the stream tells.
func (p *platform) event(numbers ...int) error {
	all := []map[string]any{}
	for _, i := range numbers {
		all = append(all, eventIndicator(i))
	}
	return p.put(opencti, "/_sim/indicators", all)
}

func eventIndicator(i int) map[string]any {
	return map[string]any{
		"id": fmt.Sprintf("ffffffff-ffff-4fff-8fff-%012x", i+1), "name": fmt.Sprintf("event %d", i), "pattern": "[domain-name:value = '" + eventValue(i) + "']", "pattern_type": "stix",
		"x_opencti_detection": true, "x_opencti_score": 80,
	}
}

// ruleCount is how many IOC rules the manager holds.
func (p *platform) ruleCount() (int, error) {
	var lists []struct{ Rules int }
	err := p.get(harfanglab, "/_sim/sources/ioc", &lists)
	n := 0
	for _, l := range lists {
		n += l.Rules
	}
	return n, err
}

// reach waits until the manager holds so many IOC rules.
func (p *platform) reach(ctx context.Context, t *tailing, n int) error {
	return until(ctx, patience, func() (bool, error) {
		if err := t.gone(); err != nil {
			return false, err
		}
		have, err := p.ruleCount()
		return have >= n, err
	})
}

// patience is how long most things may take.
const patience = 5 * time.Minute

// until asks again and again.
func until(ctx context.Context, most time.Duration, done func() (bool, error)) error {
	const wait = 200 * time.Millisecond
	for end := time.Now().Add(most); time.Now().Before(end); {
		if ok, err := done(); err != nil || ok {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
	return fmt.Errorf("it did not happen within %s", most)
}

// rule is one of a list, with the moments at which it came into it and changed last.
type rule struct {
	Value   string    `json:"value"`
	Created time.Time `json:"creation_date"`
	Changed time.Time `json:"last_update"`
	Enabled bool      `json:"enabled"`
}

// rules are those of the list of IOCs that changed since a moment, by value.
func (p *platform) rules(since time.Time) (map[string]rule, error) {
	var changed []rule
	err := p.get(harfanglab, "/_sim/rules/ioc?since="+since.UTC().Format(time.RFC3339Nano), &changed)
	out := map[string]rule{}
	for _, r := range changed {
		out[r.Value] = r
	}
	return out, err
}

// stream measures how long a change takes from OpenCTI to the list, singly and in bursts, what a burst
// of ten thousand costs, and what an idle tail uses.
func (b *bench) stream(ctx context.Context, p *platform, _ int) error {
	t, err := b.tail(ctx, p)
	if err != nil {
		return err
	}
	defer t.stop()
	events, bursts := 20, 10
	if b.small {
		events, bursts = 3, 2
	}
	numbers := []int{}
	for i := range events {
		numbers = append(numbers, i)
	}
	if err := p.event(numbers...); err != nil { // what becomes of them is another curve's
		return err
	}
	for _, s := range singles[1:] {
		l, err := p.alone(ctx, t, events, s)
		if err != nil {
			return err
		}
		b.add(s.work(), s.budget(prompt), l.String(), l.ok(s, prompt))
	}
	if err := b.latency(ctx, p, t, "in bursts of 100", bursts, 100_000, 100); err != nil {
		return err
	}
	if err := b.flood(ctx, p, t); err != nil {
		return err
	}
	return b.idle(ctx, p, t)
}

// single is a sort of event that comes alone.
type single struct {
	what   string
	most   float64 // requests
	change func(i map[string]any, n int)
	done   func(rules map[string]rule, n int) (time.Time, bool)
}

func movedValue(i int) string { return "moved-" + eventValue(i) }

// singles are an indicator's creation, its change and its end, in that order.
var singles = []single{
	{"created", 5, func(map[string]any, int) {}, func(rules map[string]rule, n int) (time.Time, bool) {
		r := rules[eventValue(n)]
		return r.Created, r.Enabled
	}},
	{"changed", 7, func(i map[string]any, n int) { i["pattern"] = "[domain-name:value = '" + movedValue(n) + "']" }, func(rules map[string]rule, n int) (time.Time, bool) {
		r := rules[movedValue(n)]
		return r.Created, r.Enabled && !rules[eventValue(n)].Enabled
	}},
	{"revoked", 6, func(i map[string]any, n int) {
		i["pattern"], i["revoked"] = "[domain-name:value = '"+movedValue(n)+"']", true
	}, func(rules map[string]rule, n int) (time.Time, bool) {
		r := rules[movedValue(n)]
		return r.Changed, !r.Enabled
	}},
}

func (s single) work() string { return "stream event alone, an indicator " + s.what }

func (s single) budget(w within) string {
	return fmt.Sprintf("p50 at most %.1f s, p95 at most %.1f s, at most %.0f requests", w.p50, w.p95, s.most+w.more)
}

// within is how long events may take, in seconds, and how many requests more than such an event takes among fewer rules.
type within struct{ p50, p95, more float64 }

var prompt = within{0.2, 0.5, 0}

// lone is how long events took that came alone, until the list said what they say, and how many requests each took
// until all was read back and stored.
type lone struct{ took, requests []float64 } // sorted; seconds

func (l lone) p50() float64 { return l.took[len(l.took)/2] }

func (l lone) p95() float64 { return l.took[len(l.took)*95/100] }

func (l lone) asked() float64 { return l.requests[len(l.requests)/2] }

func (l lone) String() string {
	n := len(l.took)
	return fmt.Sprintf("p50 %.2f s, p95 %.2f s, max %.2f s of %d, %.0f requests", l.p50(), l.p95(), l.took[n-1], n, l.asked())
}

func (l lone) ok(s single, w within) bool {
	return l.p50() <= w.p50 && l.p95() <= w.p95 && l.asked() <= s.most+w.more
}

// alone measures n events that come alone.
func (p *platform) alone(ctx context.Context, t *tailing, n int, s single) (l lone, err error) {
	if err := p.settle(ctx, 2*time.Second); err != nil { // of what was before
		return l, err
	}
	sent := make([]time.Time, n)
	for i := range n {
		ind := eventIndicator(i)
		s.change(ind, i)
		if err := p.forget(); err != nil {
			return l, err
		}
		sent[i] = time.Now()
		if err := p.put(opencti, "/_sim/indicators", []any{ind}); err != nil {
			return l, err
		}
		const pause = 1200 * time.Millisecond // after which the next event comes alone again
		if err := p.settle(ctx, pause); err != nil {
			return l, err
		}
		octi, hl, err := p.requests()
		if err != nil {
			return l, err
		}
		l.requests = append(l.requests, float64(octi+hl))
	}
	rules, err := p.rules(t.started)
	if err != nil {
		return l, err
	}
	for i := range n {
		at, ok := s.done(rules, i)
		if !ok {
			return l, fmt.Errorf("event %d, %s, has not reached the list", i, s.what)
		}
		l.took = append(l.took, at.Sub(sent[i]).Seconds())
	}
	slices.Sort(l.took)
	slices.Sort(l.requests)
	return l, nil
}

func (b *bench) latency(ctx context.Context, p *platform, t *tailing, what string, n, at, per int) error {
	sent := map[string]time.Time{}
	before, err := p.ruleCount()
	if err := errors.Join(err, p.forget()); err != nil {
		return err
	}
	for i := range n {
		var numbers []int
		now := time.Now()
		for k := range per {
			numbers = append(numbers, at+i*per+k)
			sent[eventValue(at+i*per+k)] = now
		}
		if err := p.event(numbers...); err != nil {
			return err
		}
		// The next event comes when this one is through, so that each waits for its own quiet time.
		if err := p.reach(ctx, t, before+len(sent)); err != nil {
			return err
		}
	}
	rules, err := p.rules(t.started)
	if err != nil {
		return err
	}
	var took []time.Duration
	for v, at := range sent {
		if !rules[v].Enabled {
			return fmt.Errorf("%s has no rule", v)
		}
		took = append(took, rules[v].Created.Sub(at))
	}
	slices.Sort(took)
	p50, p95, most := took[len(took)/2], took[len(took)*95/100], took[len(took)-1]
	octi, hl, err := p.requests()
	if err != nil {
		return err
	}
	each := float64(octi+hl) / float64(len(sent))
	b.add(fmt.Sprintf("stream event to rule, %d events %s", len(sent), what), "p95 under 2 s, at most 2.1 requests an event",
		fmt.Sprintf("p50 %s, p95 %s, max %s, %.1f requests an event", seconds(p50), seconds(p95), seconds(most), each), p95 < 2*time.Second && each <= 2.1)
	return nil
}

// flood sends ten thousand events at once.
func (b *bench) flood(ctx context.Context, p *platform, t *tailing) error {
	n := b.size(10_000)
	before, err := p.ruleCount()
	if err := errors.Join(err, p.forget()); err != nil {
		return err
	}
	start := time.Now()
	var numbers []int
	for i := range n {
		numbers = append(numbers, 1_000_000+i)
	}
	if err := p.event(numbers...); err != nil {
		return err
	}
	if err := p.reach(ctx, t, before+n); err != nil {
		return err
	}
	took := time.Since(start)
	octi, hl, err := p.requests()
	if err != nil {
		return err
	}
	const lookup = 200 // ids a look-up
	most := 4*(n/lookup+1) + 3*overhead
	u, err := b.exec(ctx, p, "plan")
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("%d events at once", n), fmt.Sprintf("look-ups in batches: at most %d requests to OpenCTI; then nothing left to plan", most),
		fmt.Sprintf("%d to OpenCTI, %d to HarfangLab, %s", octi, hl, seconds(took)), octi <= most && u.last == inSync)
	return nil
}

// settle waits until nothing was asked for a while: rules are there before they are read back.
func (p *platform) settle(ctx context.Context, still time.Duration) error {
	before, since := -1, time.Now()
	return until(ctx, patience, func() (bool, error) {
		octi, hl, err := p.requests()
		if octi+hl != before {
			before, since = octi+hl, time.Now()
		}
		return time.Since(since) > still, err
	})
}

// idle measures a tail while nothing happens.
func (b *bench) idle(ctx context.Context, p *platform, t *tailing) error {
	span := 2 * time.Minute
	if b.small {
		span = 10 * time.Second
	}
	if err := p.settle(ctx, 5*time.Second); err != nil {
		return err
	}
	before, _, err := t.used()
	if err != nil {
		return err
	}
	if err := p.forget(); err != nil {
		return err
	}
	time.Sleep(span)
	after, peak, err := t.used()
	if err != nil {
		return err
	}
	octi, hl, err := p.requests()
	if err != nil {
		return err
	}
	share := 100 * (after - before).Seconds() / span.Seconds()
	aMinute := float64(octi+hl) / span.Minutes()
	b.add("idle tail", "under 1 % CPU, at most 2 requests a minute", fmt.Sprintf("%.1f %% CPU, %.1f requests a minute, %d MiB at its peak", share, aMinute, peak), share < 1 && aMinute <= 2)
	return nil
}
