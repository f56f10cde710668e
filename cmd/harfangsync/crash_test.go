package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// process starts this program as a process of its own.
func (w *chaosWorld) process(t testing.TB, dir string, out *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return w.start(t, dir, out, append([]string{self}, args...)...)
}

// ends runs a process to its end, which has to come with a code.
func (w *chaosWorld) ends(t testing.TB, code int, dir string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if got := exitOf(t, w.process(t, dir, &out, args...).Wait()); got != code {
		t.Fatalf("%v ended with %d, want %d\n%s", args, got, code, lastOf(out.String()))
	}
	return out.String()
}

// limited is process with files of at most a few bytes.
func (w *chaosWorld) limited(t testing.TB, dir string, out *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return w.start(t, dir, out, append([]string{"sh", "-c", `ulimit -f 0; exec "$0" "$@"`, self}, args...)...)
}

func (w *chaosWorld) start(t testing.TB, dir string, out *bytes.Buffer, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := w.prepare(dir, argv...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}

// prepare is a process that has not started.
func (w *chaosWorld) prepare(dir string, argv ...string) *exec.Cmd {
	cmd := exec.Command(argv[0], argv[1:]...)
	s := simulators{octiURL: w.octiURL, hlURL: w.hlURL}
	cmd.Env = append(itself(s.env()...), asProgram+"=1", "HARFANGSYNC_STATE=file:"+filepath.Join(dir, "state.json"))
	cmd.Env = append(cmd.Env, w.env...)
	cmd.Dir = dir
	return cmd
}

// exitOf is the code that a process ended with.
func exitOf(t testing.TB, err error) int {
	t.Helper()
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		return e.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return 0
}

// bulk gives OpenCTI n indicators of every kind.
func (w *chaosWorld) bulk(n int) {
	for i := range n {
		switch i % 50 {
		case 0:
			w.put(i, fmt.Sprintf("sigma %d", i), "sigma", fmt.Sprintf(chaosSigma, fmt.Sprintf("sigma %d", i), chaosID(500_000+i), "enc"), "")
		case 1:
			w.put(i, fmt.Sprintf("yara %d", i), "yara", yaraRule(fmt.Sprintf("y%d", i), "loader"), "")
		default:
			w.put(i, fmt.Sprintf("domain %d", i), "stix", domainPattern(fmt.Sprintf("d%d.example", i)), "")
		}
	}
}

// A run that is killed at any moment leaves nothing that the next one does not set right.
func TestKilledAtAnyMoment(t *testing.T) {
	moments, rules := 4, 600
	if *chaos {
		moments, rules = 50, 5000
	}
	whole := time.Duration(0)
	for i := range moments {
		w := newChaosWorld(t)
		w.bulk(rules)
		dir := t.TempDir()
		if whole == 0 { // the first run is not killed: it shows how long one takes
			began := time.Now()
			w.ends(t, exit.OK, dir, "run")
			whole = time.Since(began)
			continue
		}
		cmd := w.process(t, dir, new(bytes.Buffer), "run")
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		done, _ := w.held()

		w.ends(t, exit.OK, dir, "run")
		held, doubled := w.held()
		if len(held) != rules || len(doubled) > 0 {
			t.Errorf("moment %d, %d rules held: after the next run %d rules, want %d; doubled %v", i, len(done), len(held), rules, doubled)
		}
		for key, is := range held {
			if !strings.HasPrefix(is, "enabled=true") {
				t.Errorf("moment %d: %s is %s", i, key, is)
			}
		}
		w.ends(t, exit.OK, dir, "plan", "--detailed-exitcode")
	}
}

func lastOf(s string) string { return s[max(0, len(s)-2000):] }

// A polite end finishes what is in flight, says what was not attempted, and ends with the signal's code.
func TestInterruptedPolitely(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			w := newChaosWorld(t)
			w.bulk(400)
			w.hl.HTTP.SetLatency(20 * time.Millisecond)
			dir := t.TempDir()
			var out bytes.Buffer
			cmd := w.process(t, dir, &out, "run", "--report", "report.json")
			for len(w.hl.Rules("ioc")) < 20 {
				time.Sleep(5 * time.Millisecond)
			}
			_ = cmd.Process.Signal(sig)
			if got := exitOf(t, cmd.Wait()); got != code {
				t.Errorf("code %d, want %d\n%s", got, code, lastOf(out.String()))
			}
			b, err := os.ReadFile(filepath.Join(dir, "report.json"))
			if err != nil {
				t.Fatal(err)
			}
			var r struct {
				Items    []planfile.Item
				ExitCode int `json:"exit_code"`
			}
			if err := json.Unmarshal(b, &r); err != nil {
				t.Fatal(err)
			}
			count := map[run.Outcome]int{}
			for _, it := range r.Items {
				count[it.Outcome]++
			}
			held, _ := w.held()
			if count["applied"] != len(held) || count["not_attempted"] != 400-len(held) || len(held) == 400 || r.ExitCode != code {
				t.Errorf("report %v code %d, %d rules held", count, r.ExitCode, len(held))
			}
			if !strings.Contains(out.String(), "were not attempted; run again") {
				t.Errorf("said %s", lastOf(out.String()))
			}
			w.ends(t, exit.OK, dir, "run")
		})
	}
}

// Two runs at once: one works, the other waits for it or ends with 7.
func TestTwoRunsAtOnce(t *testing.T) {
	w := newChaosWorld(t)
	w.bulk(200)
	w.hl.HTTP.SetLatency(20 * time.Millisecond)
	dir := t.TempDir()
	var first bytes.Buffer
	a := w.process(t, dir, &first, "run")
	for len(w.hl.Rules("ioc")) < 5 {
		time.Sleep(5 * time.Millisecond)
	}
	w.ends(t, exit.Locked, dir, "run", "--lock-timeout", "0s")
	if out := w.ends(t, exit.OK, dir, "run", "--lock-timeout", "1m"); !strings.Contains(out, "No changes.") {
		t.Errorf("the third run, which waits: %s", lastOf(out))
	}
	if err := a.Wait(); err != nil {
		t.Errorf("the first run: %v\n%s", err, lastOf(first.String()))
	}
}

// A disk that is full leaves the plan and the state that were there before.
func TestAFullDiskLeavesTheEarlierFiles(t *testing.T) {
	w := newChaosWorld(t)
	w.bulk(300)
	dir := t.TempDir()
	w.ends(t, exit.OK, dir, "plan", "--out", "plan.json")
	w.ends(t, exit.OK, dir, "run")
	earlier := map[string][]byte{}
	for _, name := range []string{"plan.json", "state.json"} {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
		earlier[name] = b
	}
	for _, args := range [][]string{{"plan", "--full", "--out", "plan.json"}, {"run"}} {
		w.edit(7, func(i *octisim.Indicator) { i.Description += "x" })
		var out bytes.Buffer
		if err := w.limited(t, dir, &out, args...).Wait(); err == nil && args[0] == "plan" {
			t.Errorf("%v: no error with a full disk\n%s", args, lastOf(out.String()))
		}
	}
	for name, want := range earlier {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was damaged: %d bytes, were %d, %v", name, len(got), len(want), err)
		}
	}
}
