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
		all = append(all, map[string]any{
			"name": fmt.Sprintf("event %d", i), "pattern": "[domain-name:value = '" + eventValue(i) + "']", "pattern_type": "stix",
			"x_opencti_detection": true, "x_opencti_score": 80,
		})
	}
	return p.put(opencti, "/_sim/indicators", all)
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

// ruleTimes are the moments at which the rules of some values came into their list.
func (p *platform) ruleTimes(of func(value string) bool) (map[string]time.Time, error) {
	var rules []struct {
		Value   string    `json:"value"`
		Created time.Time `json:"creation_date"`
		Enabled bool      `json:"enabled"`
	}
	if err := p.get(harfanglab, "/_sim/rules/ioc", &rules); err != nil {
		return nil, err
	}
	out := map[string]time.Time{}
	for _, r := range rules {
		if r.Enabled && of(r.Value) {
			out[r.Value] = r.Created
		}
	}
	return out, nil
}

// stream measures how long a change takes from OpenCTI to the list, singly and in bursts, what a burst
// of ten thousand costs, and what an idle tail uses.
func (b *bench) stream(ctx context.Context, p *platform, _ int) error {
	t, err := b.tail(ctx, p)
	if err != nil {
		return err
	}
	defer t.stop()
	singles, bursts := 40, 10
	if b.small {
		singles, bursts = 3, 2
	}
	for _, m := range []struct {
		what       string
		n, at, per int
	}{{"singly", singles, 0, 1}, {"in bursts of 100", bursts, 100_000, 100}} {
		if err := b.latency(ctx, p, t, m.what, m.n, m.at, m.per); err != nil {
			return err
		}
	}
	if err := b.flood(ctx, p, t); err != nil {
		return err
	}
	return b.idle(ctx, p, t)
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
	b.add(fmt.Sprintf("stream event to rule, %d events %s", len(sent), what), "p95 under 2 s",
		fmt.Sprintf("p50 %s, p95 %s, max %s, %.1f requests an event", seconds(p50), seconds(p95), seconds(most), float64(octi+hl)/float64(len(sent))), p95 < 2*time.Second)
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

// settle waits until nothing was asked for some seconds: rules are there before they are read back.
func (p *platform) settle(ctx context.Context) error {
	const still = 5 * time.Second
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
	if err := p.settle(ctx); err != nil {
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
