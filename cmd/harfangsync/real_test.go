package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
)

// The end-to-end suite of a real OpenCTI: indicators are imported there and changed in every way, and each
// command has to make of them what it makes of a simulator's. HarfangLab is always the simulator.
var realPlatform = flag.Bool("real", false, "run the end-to-end suite on the throw-away OpenCTI of OPENCTI_URL and OPENCTI_TOKEN")

func TestRealPlatform(t *testing.T) {
	if !*realPlatform {
		t.Skip("make real runs it on a real platform")
	}
	url, token := os.Getenv("OPENCTI_URL"), os.Getenv("OPENCTI_TOKEN")
	if url == "" || token == "" {
		t.Fatal("OPENCTI_URL and OPENCTI_TOKEN have to name a platform that may be thrown away, and an account of an administrator")
	}
	newRealWorld(t, url, token).suite(t)
}

// The simulator is not to be told from a real platform, and the suite leaves nothing there.
func TestTheSuiteForARealPlatformOnTheSimulator(t *testing.T) {
	t.Parallel()
	s := simulated(t)
	before := s.octi.Held()
	t.Run("suite", func(t *testing.T) { newRealWorld(t, s.octiURL, simOpenCTIToken).suite(t) })
	after := s.octi.Held()
	before.Works, after.Works = 0, 0 // the platform forgets them after a week
	if before != after {
		t.Errorf("held before %+v\nand after     %+v", before, after)
	}
}

// And it does say what differs.
func TestTheSuiteForARealPlatformNoticesADifference(t *testing.T) {
	t.Parallel()
	s := simulated(t)
	w := newRealWorld(t, s.octiURL, simOpenCTIToken)
	w.differs = func(string) {}
	w.imported(t, w.domain(1))
	if w.plans(t, "create 2"); len(w.differences) != 1 || !strings.Contains(w.differences[0], "plans create 1, want create 2") {
		t.Errorf("differences: %q", w.differences)
	}
}

func simulated(t *testing.T) *simulators {
	t.Helper()
	s, err := startSimulators(&simOptions{version: "7.260817.0", octiAddr: "127.0.0.1:0", hlAddr: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.close)
	return s
}

// suite is the life of some indicators.
func (w *realWorld) suite(t *testing.T) {
	w.ends(t, exit.OK, "doctor")

	// A first load.
	const domains = 12
	var first []object
	for n := range domains {
		first = append(first, w.domain(n))
	}
	hash := w.indicator("file", "stix", "[file:hashes.'SHA-256' = '"+w.digest(1)+"' OR ipv4-addr:value = '203.0.113.77']")
	sigma := w.indicator("sigma", "sigma", fmt.Sprintf(chaosSigma, "real "+w.run, w.uuid("rule"), w.run))
	yara := w.indicator("yara", "yara", yaraRule("real_"+w.run, w.run))
	w.imported(t, append(first, hash, sigma, yara)...)
	w.plans(t, fmt.Sprintf("create %d", domains+4))
	w.ends(t, exit.OK, "run")
	w.plans(t, "")
	w.enforces(t, domains+4)

	// Every kind of change.
	w.imported(t, first[0].with("description", "described anew"), first[1].with("revoked", true), first[2].with("x_opencti_detection", false),
		w.indicator("second owner", "stix", "[domain-name:value = '"+w.name(3)+"' OR domain-name:value = '"+w.name(domains)+"']"))
	w.delete(t, first[4])
	w.plans(t, "create 1, disable 3, update 2")
	w.ends(t, exit.OK, "apply", "--auto-approve")
	w.plans(t, "")
	w.enforces(t, domains+2)
	w.imported(t, first[1].with("revoked", false), first[2], first[4])
	w.plans(t, "enable 3")
	w.ends(t, exit.OK, "run")
	w.plans(t, "")

	w.alertsComeBack(t)
	w.follows(t)
}

// alertsComeBack has a rule fire, and its alert triaged.
func (w *realWorld) alertsComeBack(t *testing.T) {
	const imports = "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true"
	w.env = append(w.env, imports)
	ids, err := w.sim.hl.Saw(hlsim.Sighting{Value: w.name(5), Host: "real-" + w.run, Process: "real-" + w.run + ".exe"})
	if err != nil || len(ids) != 1 {
		t.Fatalf("%d alerts, %v", len(ids), err)
	}
	w.ends(t, exit.OK, "doctor", "--for", "pull")
	w.noteImports(w.ends(t, exit.OK, "pull", "--dry-run", "--json"))
	w.says(t, "pull", "Pull complete: 1 alert imported, 0 updated, 0 threats imported, 0 updated, 1 sighting;")
	w.says(t, "pull", "Pull complete: 0 alerts imported, 0 updated, 0 threats imported, 0 updated, 0 sightings; 1 unchanged,")
	w.sim.hl.Triage(ids[0], "false_positive")
	w.says(t, "pull", "Pull complete: 0 alerts imported, 1 updated,")
}

// follows has a tail take in a new indicator, a change and a deletion.
func (w *realWorld) follows(t *testing.T) {
	w.env = append(w.env, "CONNECTOR_LIVE_STREAM_ID="+w.addStream(t), "HARFANGSYNC_TAIL_QUIET=100ms")
	w.ends(t, exit.OK, "doctor", "--for", "tail")
	out, errs := &shared{}, &shared{}
	p := w.program(out, errs)
	p.signalled.Store(int32(syscall.SIGTERM)) // which is what ends it
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan int, 1)
	go func() { ended <- p.run(ctx, []string{"harfangsync", "tail"}) }()

	live := w.domain(50)
	w.imported(t, live)
	w.until(t, "a tail deploys a new indicator", func() bool { return w.enforced(w.name(50)) })
	w.imported(t, live.with("description", "while it is followed"))
	w.until(t, "a tail follows a change", func() bool { return strings.Contains(w.description(w.name(50)), "while it is followed") })
	w.delete(t, live)
	w.until(t, "a tail withdraws what is deleted", func() bool { return !w.enforced(w.name(50)) })
	stop()
	select {
	case code := <-ended:
		if code != exit.Signal+int(syscall.SIGTERM) {
			w.differ(t, "a tail ended with %d:\n%s", code, lastOf(errs.String()))
		}
	case <-time.After(time.Minute):
		t.Fatalf("the tail does not end:\n%s", lastOf(errs.String()))
	}
}
