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

	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile/planfile"
	"harfangsync/sources/octisim"
)

// process starts this program as a process of its own.
func (w *chaosWorld) process(t testing.TB, dir string, out *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	return w.start(t, dir, out, nil, args...)
}

// start is process with further settings.
func (w *chaosWorld) start(t testing.TB, dir string, out *bytes.Buffer, settings []string, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	s := simulators{octiURL: w.octiURL, hlURL: w.hlURL}
	cmd.Env = append(append(s.env(), asProgram+"=1", promptly, "HARFANGSYNC_STATE=file:"+filepath.Join(dir, "state.json")), settings...)
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
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
		var out bytes.Buffer
		began := time.Now()
		cmd := w.process(t, dir, &out, "run")
		if whole == 0 { // the first run is not killed: it shows how long one takes
			if err := cmd.Wait(); err != nil {
				t.Fatalf("%v\n%s", err, out.String())
			}
			whole = time.Since(began)
			continue
		}
		time.Sleep(rand.N(whole))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		done, _ := w.held()

		out.Reset()
		if err := w.process(t, dir, &out, "run").Wait(); err != nil {
			t.Errorf("moment %d, %d rules held: the next run: %v\n%s", i, len(done), err, lastOf(out.String()))
			continue
		}
		held, doubled := w.held()
		if len(held) != rules || len(doubled) > 0 {
			t.Errorf("moment %d, %d rules held: after the next run %d rules, want %d; doubled %v", i, len(done), len(held), rules, doubled)
		}
		for key, is := range held {
			if !strings.HasPrefix(is, "enabled=true") {
				t.Errorf("moment %d: %s is %s", i, key, is)
			}
		}
		out.Reset()
		if err := w.process(t, dir, &out, "plan", "--detailed-exitcode").Wait(); err != nil {
			t.Errorf("moment %d: the plan after that is not empty: %v\n%s", i, err, lastOf(out.String()))
		}
	}
}

func lastOf(s string) string { return s[max(0, len(s)-2000):] }

// A polite end finishes what is in flight, says what was not attempted, and ends with the signal's code.
func TestInterruptedPolitely(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
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
		err := cmd.Wait()
		if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != code {
			t.Errorf("%v: %v, want code %d\n%s", sig, err, code, lastOf(out.String()))
		}
		b, err := os.ReadFile(filepath.Join(dir, "report.json"))
		if err != nil {
			t.Fatal(err)
		}
		var r planfile.Report
		if err := json.Unmarshal(b, &r); err != nil {
			t.Fatal(err)
		}
		count := map[string]int{}
		for _, it := range r.Items {
			count[it.Result]++
		}
		held, _ := w.held()
		if count["applied"] != len(held) || count["not_attempted"] != 400-len(held) || len(held) == 400 || r.ExitCode != code {
			t.Errorf("%v: report %v code %d, %d rules held", sig, count, r.ExitCode, len(held))
		}
		if !strings.Contains(out.String(), "were not attempted; run again") {
			t.Errorf("%v: said %s", sig, lastOf(out.String()))
		}
		out.Reset()
		if err := w.process(t, dir, &out, "run").Wait(); err != nil {
			t.Errorf("%v: the next run: %v\n%s", sig, err, lastOf(out.String()))
		}
	}
}

// Two runs at once: one works, the other waits for it or ends with 7.
func TestTwoRunsAtOnce(t *testing.T) {
	w := newChaosWorld(t)
	w.bulk(200)
	w.hl.HTTP.SetLatency(20 * time.Millisecond)
	dir := t.TempDir()
	var first, second, third bytes.Buffer
	a := w.process(t, dir, &first, "run")
	for len(w.hl.Rules("ioc")) < 5 {
		time.Sleep(5 * time.Millisecond)
	}
	err := w.process(t, dir, &second, "run", "--lock-timeout", "0s").Wait()
	if e, ok := errors.AsType[*exec.ExitError](err); !ok || e.ExitCode() != exit.Locked {
		t.Errorf("the second run: %v, want code 7\n%s", err, second.String())
	}
	if err := w.process(t, dir, &third, "run", "--lock-timeout", "1m").Wait(); err != nil || !strings.Contains(third.String(), "No changes.") {
		t.Errorf("the third run, which waits: %v\n%s", err, lastOf(third.String()))
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
	var out bytes.Buffer
	if err := w.process(t, dir, &out, "plan", "--out", "plan.json").Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	if err := w.process(t, dir, &out, "run").Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
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
		out.Reset()
		cmd := w.limited(t, dir, &out, args...)
		if err := cmd.Wait(); err == nil && args[0] == "plan" {
			t.Errorf("%v: no error with a full disk\n%s", args, lastOf(out.String()))
		}
	}
	for name, want := range earlier {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s was damaged: %d bytes, were %d, %v", name, len(got), len(want), err)
		}
	}
}

// limited is process with files of at most a few bytes.
func (w *chaosWorld) limited(t testing.TB, dir string, out *bytes.Buffer, args ...string) *exec.Cmd {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("sh", append([]string{"-c", `ulimit -f 0; exec "$0" "$@"`, self}, args...)...)
	s := simulators{octiURL: w.octiURL, hlURL: w.hlURL}
	cmd.Env = append(s.env(), asProgram+"=1", promptly, "HARFANGSYNC_STATE=file:"+filepath.Join(dir, "state.json"))
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return cmd
}
