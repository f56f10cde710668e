package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// platform is both simulators in one process of their own.
type platform struct {
	cmd  *exec.Cmd
	env  []string
	url  map[string]string
	held bool // it began with rows that equal the indicators
}

const latency = "20ms"

// The sides, by the settings that name their addresses.
const opencti, harfanglab = "OPENCTI_URL", "HARFANGLAB_URL"

// The sample data, in the bench's folder.
const indicatorsFile, rulesFile = "indicators.jsonl", "rules.jsonl"

// shrink lets go of what this process no longer needs, and of its own peak: the peak that the kernel tells of a process
// is at least that of the process which starts it.
func shrink() {
	debug.FreeOSMemory()
	_ = os.WriteFile("/proc/self/clear_refs", []byte("5"), 0) // proc(5): resets the peak to what is held now
}

// generate writes the sample data in a process of its own, so that this one stays small.
func (b *bench) generate(ctx context.Context, n int, held bool) error {
	cmd := exec.CommandContext(ctx, b.self, "-generate", b.dir, "-n", strconv.Itoa(n), "-held="+strconv.FormatBool(held))
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// serve starts the simulators with n indicators, and rows that already equal them if held.
func (b *bench) serve(ctx context.Context, n int, held bool) (*platform, error) {
	indicators, rules := filepath.Join(b.dir, indicatorsFile), filepath.Join(b.dir, rulesFile)
	if err := b.generate(ctx, n, held); err != nil {
		return nil, err
	}
	envFile := filepath.Join(b.dir, "env")
	_ = os.Remove(envFile)
	args := []string{"simulate", "--indicators", indicators, "--latency", latency, "--env", envFile}
	if held {
		args = append(args, "--rules", rules)
	}
	p := &platform{cmd: exec.CommandContext(ctx, b.binary, args...), url: map[string]string{}, held: held}
	p.cmd.Stderr = os.Stderr
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	for range 6000 {
		text, err := os.ReadFile(envFile)
		if err == nil {
			p.env = strings.Fields(string(text))
			for _, e := range p.env {
				k, v, _ := strings.Cut(e, "=")
				p.url[k] = v
			}
			return p, nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	p.stop()
	return nil, fmt.Errorf("the simulators did not come up")
}

func (p *platform) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait()
}

// call sends what is not nil to a simulator and reads its answer where one is wanted.
func (p *platform) call(method, side, path string, send, into any) error {
	var body bytes.Buffer
	if send != nil {
		if err := json.NewEncoder(&body).Encode(send); err != nil {
			return err
		}
	}
	req, err := http.NewRequest(method, p.url[side]+path, &body)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch {
	case resp.StatusCode >= 300:
		return fmt.Errorf("%s %s: %s", method, path, resp.Status)
	case into == nil:
		return nil
	}
	return json.NewDecoder(resp.Body).Decode(into)
}

func (p *platform) get(side, path string, into any) error {
	return p.call("GET", side, path, nil, into)
}

func (p *platform) put(side, path string, v any) error { return p.call("PUT", side, path, v, nil) }

// requests is the number of requests both sides got since the last forget.
func (p *platform) requests() (octi, hl int, err error) {
	var o, h struct{ Count int }
	err = errors.Join(p.get(opencti, "/_sim/requests", &o), p.get(harfanglab, "/_sim/requests", &h))
	return o.Count, h.Count, err
}

// ceiling lets the manager turn away what exceeds so many requests a second.
func (p *platform) ceiling(perSecond int) error {
	return p.put(harfanglab, fmt.Sprintf("/_sim/rate?n=%d", perSecond), nil)
}

func (p *platform) forget() error {
	return errors.Join(p.call("DELETE", opencti, "/_sim/requests", nil, nil), p.call("DELETE", harfanglab, "/_sim/requests", nil, nil))
}

// cost is what one run of the binary took, with the requests that it made of both sides.
type cost struct {
	usage
	octi, hl int
}

func (c cost) requests() int { return c.octi + c.hl }

// counted runs the binary and counts the requests that it makes.
func (b *bench) counted(ctx context.Context, p *platform, args ...string) (c cost, err error) {
	if err := p.forget(); err != nil {
		return c, err
	}
	if c.usage, err = b.exec(ctx, p, args...); err != nil {
		return c, err
	}
	c.octi, c.hl, err = p.requests()
	return c, err
}

// usage is what one run of the binary took.
type usage struct {
	wall, cpu time.Duration
	peakMiB   int64
	last      string // last line of its output
}

// exec runs the binary against the simulators.
func (b *bench) exec(ctx context.Context, p *platform, args ...string) (usage, error) {
	return b.use(ctx, p, b.binary, args...)
}

// command is a program against the simulators, not started yet.
func (b *bench) command(ctx context.Context, p *platform, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = b.dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + b.dir}, p.env...)
	return cmd
}

// use runs a program against the simulators.
func (b *bench) use(ctx context.Context, p *platform, program string, args ...string) (usage, error) {
	cmd := b.command(ctx, p, program, args...)
	shrink()
	start := time.Now()
	out, err := cmd.Output()
	u := usage{wall: time.Since(start)}
	if err != nil {
		stderr := ""
		if e, ok := err.(*exec.ExitError); ok {
			stderr = string(e.Stderr)
		}
		return u, fmt.Errorf("%s: %w\n%s%s", strings.Join(args, " "), err, out[max(0, len(out)-2000):], stderr)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	u.last = lines[len(lines)-1]
	u.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	if r, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		u.peakMiB = r.Maxrss / 1024
	}
	return u, nil
}
