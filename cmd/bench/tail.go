package main

import (
	"bytes"
	"context"
	"encoding/json"
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
	cmd  *exec.Cmd
	done chan error
	log  bytes.Buffer
}

// tail starts the binary and waits for its first full run.
func (b *bench) tail(ctx context.Context, p *platform) (*tailing, error) {
	if err := p.put(opencti, "/_sim/streams", map[string]any{"id": benchStream, "name": "bench", "stream_live": true}); err != nil {
		return nil, err
	}
	t := &tailing{cmd: exec.CommandContext(ctx, b.binary, "tail"), done: make(chan error, 1)}
	t.cmd.Dir = b.dir
	t.cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + b.dir, "CONNECTOR_LIVE_STREAM_ID=" + benchStream, "HARFANGSYNC_LIMITS_ADDITIONS=1000000"}, p.env...)
	t.cmd.Stdout, t.cmd.Stderr = &t.log, &t.log
	shrink()
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

// stop interrupts it and gives the most memory that it held.
func (t *tailing) stop() (peakMiB int64) {
	_ = t.cmd.Process.Signal(syscall.SIGTERM)
	<-t.done
	if r, ok := t.cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		peakMiB = r.Maxrss / 1024
	}
	return peakMiB
}

// cpuTime is what the process has used so far.
func (t *tailing) cpuTime() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", t.cmd.Process.Pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	const user, system, ticks = 11, 12, 100
	var n, m int64
	if _, err := fmt.Sscan(fields[user]+" "+fields[system], &n, &m); err != nil {
		return 0, err
	}
	return time.Duration(n+m) * time.Second / ticks, nil
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
	return p.until(ctx, func() (bool, error) {
		if err := t.gone(); err != nil {
			return false, err
		}
		have, err := p.ruleCount()
		return have >= n, err
	})
}

// until asks again and again.
func (p *platform) until(ctx context.Context, done func() (bool, error)) error {
	const wait, most = 200 * time.Millisecond, 5 * time.Minute
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
	return errors.New("it did not happen within five minutes")
}

// rule is one of a list, with the moments at which it came into it and changed last.
type rule struct {
	Value   string    `json:"value"`
	Created time.Time `json:"creation_date"`
	Changed time.Time `json:"last_update"`
	Enabled bool      `json:"enabled"`
}

// rules are those of the list of IOCs, by value.
func (p *platform) rules() (map[string]rule, error) {
	out := map[string]rule{}
	err := p.get(harfanglab, "/_sim/rules/ioc", func(d *json.Decoder) error {
		_, err := d.Token()
		for err == nil && d.More() {
			var r rule
			if err = d.Decode(&r); err == nil {
				out[r.Value] = r
			}
		}
		return err
	})
	return out, err
}

// ruleTimes are the moments at which the rules of some values came into their list.
func (p *platform) ruleTimes(of func(value string) bool) (map[string]time.Time, error) {
	all, err := p.rules()
	out := map[string]time.Time{}
	for value, r := range all {
		if r.Enabled && of(value) {
			out[value] = r.Created
		}
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
	if err := b.alone(ctx, p, events, "", singles...); err != nil {
		return err
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

// alone measures events that come alone, n of each sort: how long it takes until the list says what they say, and how
// many requests it takes until all is read back and stored. among says of which rules.
func (b *bench) alone(ctx context.Context, p *platform, n int, among string, sorts ...single) error {
	if err := p.settle(ctx, 2*time.Second); err != nil { // of the event that showed that the tail listens
		return err
	}
	for _, m := range sorts {
		sent, requests := make([]time.Time, n), make([]float64, n)
		for i := range n {
			ind := eventIndicator(i)
			m.change(ind, i)
			if err := p.forget(); err != nil {
				return err
			}
			sent[i] = time.Now()
			if err := p.put(opencti, "/_sim/indicators", []any{ind}); err != nil {
				return err
			}
			const pause = 1200 * time.Millisecond // after which the next event comes alone again
			if err := p.settle(ctx, pause); err != nil {
				return err
			}
			octi, hl, err := p.requests()
			if err != nil {
				return err
			}
			requests[i] = float64(octi + hl)
		}
		rules, err := p.rules()
		if err != nil {
			return err
		}
		took := make([]time.Duration, n)
		for i := range n {
			at, ok := m.done(rules, i)
			if took[i] = at.Sub(sent[i]); !ok {
				return fmt.Errorf("event %d, %s, has not reached the list", i, m.what)
			}
		}
		slices.Sort(took)
		slices.Sort(requests)
		p50, p95, asked := took[n/2], took[n*95/100], requests[n/2]
		b.add("stream event alone, an indicator "+m.what+among, fmt.Sprintf("p50 at most 0.2 s, p95 at most 0.5 s, at most %.0f requests", m.most),
			fmt.Sprintf("p50 %.2f s, p95 %.2f s, max %.2f s of %d, %.0f requests", p50.Seconds(), p95.Seconds(), took[n-1].Seconds(), n, asked),
			p50 <= 200*time.Millisecond && p95 <= 500*time.Millisecond && asked <= m.most)
	}
	return nil
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
	got, err := p.ruleTimes(func(v string) bool { return !sent[v].IsZero() })
	if err != nil {
		return err
	}
	var took []time.Duration
	for v, at := range got {
		took = append(took, at.Sub(sent[v]))
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
	return p.until(ctx, func() (bool, error) {
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
	before, err := t.cpuTime()
	if err != nil {
		return err
	}
	if err := p.forget(); err != nil {
		return err
	}
	time.Sleep(span)
	after, err := t.cpuTime()
	if err != nil {
		return err
	}
	octi, hl, err := p.requests()
	if err != nil {
		return err
	}
	share := 100 * (after - before).Seconds() / span.Seconds()
	aMinute := float64(octi+hl) / span.Minutes()
	peak := t.stop()
	t.done <- nil // for the deferred stop
	b.add("idle tail", "under 1 % CPU, at most 2 requests a minute", fmt.Sprintf("%.1f %% CPU, %.1f requests a minute, %d MiB at its peak", share, aMinute, peak), share < 1 && aMinute <= 2)
	return nil
}

// tail1M measures the memory of a tail on a million indicators, on the platform of plan1M.
func (b *bench) tail1M(ctx context.Context, p *platform, n int) error {
	t, err := b.tail(ctx, p)
	if err != nil {
		return err
	}
	peak := t.stop()
	b.add(fmt.Sprintf("tail, %d against %d, full run and one event", n, n), "under 512 MiB", fmt.Sprintf("%d MiB", peak), peak < 512)
	return nil
}
