package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

var update = flag.Bool("update", false, "rewrite the golden parts of the scripts")

// asProgram makes this test binary be the program, so that a test can kill it.
const asProgram = "BE_HARFANGSYNC"

// itself is the environment in which a test starts this binary: with the race detector it does not wait
// a second at its end for races that other threads might still report, and what it covers counts.
func itself(settings ...string) []string {
	return append(settings, "GORACE=atexit_sleep_ms=0", "GOCOVERDIR="+os.Getenv("GOCOVERDIR"))
}

// itselfAs is a script that runs this binary with a setting, for shells that find it by its name.
func itselfAs(t testing.TB, setting string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("#!/bin/sh\n%s exec '%s' \"$@\"\n", strings.Join(itself(setting), " "), self)
}

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		impatient()
	}
	if tool := os.Getenv(asTool); tool != "" {
		os.Exit(standIn(tool, os.Args[1:]))
	}
	testscript.Main(m, map[string]func(){"harfangsync": impatient})
}

// impatient is main with retries that hardly wait, and with an eye on what it prints: no command may
// show a token or a password, at any log level.
func impatient() {
	watch := &watcher{}
	p := newProgram(os.Stdin, watch.over(os.Stdout), watch.over(os.Stderr), os.Environ())
	for _, e := range p.env {
		for _, name := range []string{"OPENCTI_TOKEN=", "HARFANGLAB_TOKEN=", "HARFANGLAB_PASSWORD="} {
			if secret, ok := strings.CutPrefix(e, name); ok && len(secret) > 8 {
				watch.secrets = append(watch.secrets, secret)
			}
		}
	}
	p.retryWait = func(int) time.Duration { return 10 * time.Millisecond }
	p.patience = 10 * time.Second // with a bundle that a killed import remembered and never pushed
	ctx, stop := p.untilSignal(context.Background())
	code := p.run(ctx, os.Args)
	stop()
	if watch.leaked() {
		fmt.Fprintln(os.Stderr, "a secret was printed")
		code = leakCode
	}
	os.Exit(code)
}

// leakCode is no code of the program's.
const leakCode = 99

// watcher keeps all that is printed.
type watcher struct {
	mu      sync.Mutex
	printed bytes.Buffer
	secrets []string
}

func (w *watcher) over(next io.Writer) io.Writer {
	return writerFunc(func(b []byte) (int, error) {
		w.mu.Lock()
		w.printed.Write(b)
		w.mu.Unlock()
		return next.Write(b)
	})
}

func (w *watcher) leaked() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.ContainsFunc(w.secrets, func(s string) bool { return strings.Contains(w.printed.String(), s) })
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// The scripts would notice a leak.
func TestTheWatcherSeesSecrets(t *testing.T) {
	w := watcher{secrets: []string{"s3cret-token"}}
	out := w.over(io.Discard)
	fmt.Fprint(out, "nothing to see, s3cret")
	if w.leaked() {
		t.Error("half a secret counts")
	}
	fmt.Fprint(out, "-token")
	if !w.leaked() {
		t.Error("a secret in two writes was not seen")
	}
}

// TestScripts runs the scripts of testdata/script, each against a pair of empty simulators of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "../../testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(e *testscript.Env) error { return newWorld(e) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exit": cmdExit, "octi": cmdOcti, "hl": cmdHL, "fault": cmdFault, "heal": cmdHeal,
			"requests": cmdRequests, "noleak": cmdNoLeak, "restart": cmdRestart,
			"account": cmdAccount, "stopstream": cmdStopStream, "switchoff": cmdSwitchOff,
			"age": cmdAge, "mapped": cmdMapped, "saw": cmdSaw, "alerts": cmdAlerts, "graph": cmdGraph, "platform": cmdPlatform, "jsonlines": cmdJSONLines, "count": cmdCount,
		},
	})
}

// world is the pair of platforms of one script.
type world struct {
	octi           *octisim.Sim
	hl             *hlsim.Sim
	octiSrv, hlSrv *httptest.Server
}

const worldKey = "world"

func newWorld(e *testscript.Env) error {
	w := &world{}
	w.start(octisim.Options{Token: simOpenCTIToken}, hlsim.Options{Token: simHarfangLabToken})
	e.Values[worldKey] = w
	e.Defer(w.stop)
	e.Vars = itself(e.Vars...)
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		e.Setenv(name, "")
	}
	w.env(e.Setenv)
	return nil
}

func (w *world) start(o octisim.Options, h hlsim.Options) {
	w.octi, w.hl = octisim.New(o), hlsim.New(h)
	w.octiSrv, w.hlSrv = httptest.NewServer(w.octi), httptest.NewServer(w.hl)
}

func (w *world) stop() {
	w.octiSrv.Close()
	w.hlSrv.Close()
}

func (w *world) env(set func(k, v string)) {
	s := simulators{octiURL: w.octiSrv.URL, hlURL: w.hlSrv.URL}
	for _, e := range s.env() {
		k, v, _ := strings.Cut(e, "=")
		set(k, v)
	}
}

// strictJSON knows every member: a misspelt knob would try nothing.
func strictJSON(text string, into any) error {
	dec := json.NewDecoder(strings.NewReader(text))
	dec.DisallowUnknownFields()
	return dec.Decode(into)
}

func of(ts *testscript.TestScript) *world { return ts.Value(worldKey).(*world) }

// cmdRestart: restart [opencti=VERSION] [hl=KNOBS-JSON] serves new, empty platforms.
func cmdRestart(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	w.stop()
	o, h := octisim.Options{Token: simOpenCTIToken}, hlsim.Options{Token: simHarfangLabToken}
	for _, a := range args {
		switch k, v, _ := strings.Cut(a, "="); k {
		case "opencti":
			o.Version = v
		case "hl":
			ts.Check(strictJSON(v, &h.Knobs))
		case "login":
			h.Login, h.Password, _ = strings.Cut(v, ":")
		default:
			ts.Fatalf("restart: %q", a)
		}
	}
	w.start(o, h)
	w.env(ts.Setenv)
}

// cmdExit: exit CODE COMMAND... runs a command that must end with a code.
func cmdExit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exit CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	err = ts.Exec(args[1], args[2:]...)
	got := 0
	if e, ok := errors.AsType[*exec.ExitError](err); ok {
		got = e.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("%s ended with code %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// cmdOcti changes OpenCTI: load FILE of JSON lines; set NAME key=value...; delete NAME; attach NAME
// TYPE VALUE; detach NAME VALUE; stream ID FILTERS-FILE; reset CONNECTOR.
func cmdOcti(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if len(args) < 1 || len(args) < 2 && args[0] != "hide" {
		ts.Fatalf("octi: too few words")
	}
	switch args[0] {
	case "load":
		f, err := os.Open(ts.MkAbs(args[1]))
		ts.Check(err)
		defer f.Close()
		_, err = w.octi.LoadJSONL(f)
		ts.Check(err)
	case "set":
		if !w.octi.Edit(w.indicator(ts, args[1]).ID, func(i *octisim.Indicator) {
			for _, a := range args[2:] {
				k, v, _ := strings.Cut(a, "=")
				ts.Check(setIndicator(i, k, v))
			}
		}) {
			ts.Fatalf("octi set %s: not done", args[1])
		}
	case "delete":
		w.octi.Delete(w.indicator(ts, args[1]).ID)
	case "attach":
		w.octi.Attach(w.indicator(ts, args[1]).ID, octisim.Observable{EntityType: args[2], Value: args[3]})
	case "detach":
		ind := w.indicator(ts, args[1])
		for _, o := range ind.Observables {
			if o.Value == args[2] {
				w.octi.Detach(ind.ID, o.ID)
				return
			}
		}
		ts.Fatalf("octi detach: %s is not attached to %s", args[2], args[1])
	case "hide": // a marking that the account may no longer see
		w.octi.SetKnobs(func(k *octisim.Knobs) { k.HideMarking = args[1:] })
	case "state": // what somebody else left in the connector's state
		setState(ts, w, ts.ReadFile(args[1]))
	case "stream":
		w.octi.PutStream(octisim.Stream{ID: args[1], Name: "scripted", Filters: text(ts.ReadFile(args[2])), Live: true})
	default:
		ts.Fatalf("octi %s: unknown", args[0])
	}
}

func setState(ts *testscript.TestScript, w *world, state string) {
	c := &chaosWorld{octi: w.octi, octiURL: w.octiSrv.URL}
	ts.Check(c.store(state))
}

func text(s string) *string { return &s }

func (w *world) indicator(ts *testscript.TestScript, name string) octisim.Indicator {
	for _, i := range w.octi.Indicators() {
		if i.Name == name {
			return i
		}
	}
	ts.Fatalf("OpenCTI holds no indicator named %q", name)
	return octisim.Indicator{}
}

func setIndicator(i *octisim.Indicator, key, v string) error {
	switch key {
	case "name":
		i.Name = v
	case "pattern":
		i.Pattern = v
	case "description":
		i.Description = v
	case "revoked":
		i.Revoked = v == "true"
	case "detection":
		b := v == "true"
		i.Detection = &b
	case "score":
		n, err := strconv.Atoi(v)
		i.Score = &n
		return err
	case "until":
		t, err := time.Parse(time.DateOnly, v)
		i.ValidUntil = t
		return err
	case "marking":
		i.Markings = []octisim.Marking{{Definition: v}}
	case "label":
		i.Labels = []octisim.Label{{Value: v}}
	default:
		return fmt.Errorf("an indicator has no %q here", key)
	}
	return nil
}

// cmdHL changes HarfangLab as a person in the console does: load FILE of JSON lines; set KIND KEY
// key=value...; delete KIND KEY; knobs JSON; promote; rows KIND FILE writes the rules to a file. KEY is
// a value or a name. saw NAME is an endpoint that sees what a Sigma or YARA rule is for, saw JSON one that sees an
// event: a rule fires, or ! none does.
func cmdHL(ts *testscript.TestScript, neg bool, args []string) {
	w := of(ts)
	switch args[0] {
	case "load":
		f, err := os.Open(ts.MkAbs(args[1]))
		ts.Check(err)
		defer f.Close()
		_, err = w.hl.LoadJSONL(f)
		ts.Check(err)
	case "set":
		if !w.hl.Edit(args[1], w.rule(ts, args[1], args[2]).ID, func(r *hlsim.Rule) {
			for _, a := range args[3:] {
				k, v, _ := strings.Cut(a, "=")
				ts.Check(setRule(r, k, v))
			}
		}) {
			ts.Fatalf("hl set %s: not done", args[2])
		}
	case "delete":
		w.hl.Delete(args[1], w.rule(ts, args[1], args[2]).ID)
	case "knobs":
		w.hl.SetKnobs(func(k *hlsim.Knobs) { ts.Check(strictJSON(args[1], k)) })
	case "promote":
		w.hl.Promote()
	case "telemetry": // what the seeded fleet saw
		w.hl.SeedTelemetry()
	case "saw":
		seen := hlsim.Sighting{Rule: args[1]}
		if strings.HasPrefix(args[1], "{") {
			seen = hlsim.Sighting{}
			ts.Check(strictJSON(args[1], &seen.Event))
		}
		ids, err := w.hl.Saw(seen)
		ts.Check(err)
		if fired := len(ids) > 0; fired == neg {
			ts.Fatalf("hl saw %s: fired %t", args[1], fired)
		}
	case "rows":
		var b strings.Builder
		for _, r := range w.hl.Rules(args[1]) {
			fmt.Fprintf(&b, "enabled=%t status=%s %s\n", r.Enabled, r.HLStatus, strings.TrimSpace(r.Type+" "+r.Value+r.Name))
			for _, l := range []string{r.Description, r.Comment, r.Content} {
				if l != "" {
					fmt.Fprintf(&b, "  %s\n", strings.ReplaceAll(l, "\n", "\n  "))
				}
			}
		}
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), []byte(b.String()), 0o600))
	default:
		ts.Fatalf("hl %s: unknown", args[0])
	}
}

func (w *world) rule(ts *testscript.TestScript, kind, key string) hlsim.Rule {
	for _, r := range w.hl.Rules(kind) {
		if r.Value == key || r.Name == key {
			return r
		}
	}
	ts.Fatalf("HarfangLab holds no %s rule %q", kind, key)
	return hlsim.Rule{}
}

func setRule(r *hlsim.Rule, key, v string) error {
	switch key {
	case "enabled":
		r.Enabled = v == "true"
	case "description":
		r.Description = v
	case "value":
		r.Value = v
	case "comment":
		r.Comment = v
	case "name":
		r.Name = v
	case "status":
		r.HLStatus = v
	case "content":
		r.Content = v
	case "append":
		r.Content += "\n" + v + "\n"
	default:
		return fmt.Errorf("a rule has no %q here", key)
	}
	return nil
}

func (w *world) side(ts *testscript.TestScript, name string) *simhttp.Handler {
	switch name {
	case "octi":
		return w.octi.HTTP
	case "hl":
		return w.hl.HTTP
	}
	ts.Fatalf("%q: want octi or hl", name)
	return nil
}

// cmdFault: fault octi|hl JSON makes matching requests fail.
func cmdFault(ts *testscript.TestScript, _ bool, args []string) {
	var f simhttp.Fault
	ts.Check(strictJSON(args[1], &f))
	ts.Check(of(ts).side(ts, args[0]).Fail(f))
}

// cmdHeal: heal octi|hl ends all faults of a side.
func cmdHeal(ts *testscript.TestScript, _ bool, args []string) { of(ts).side(ts, args[0]).Heal() }

// cmdRequests: requests forget; requests SIDE MOST [METHOD] bounds how many were sent since.
func cmdRequests(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	if args[0] == "forget" {
		w.octi.HTTP.Forget()
		w.hl.HTTP.Forget()
		return
	}
	most, err := strconv.Atoi(args[1])
	ts.Check(err)
	n := 0
	for _, r := range w.side(ts, args[0]).Requests() {
		if len(args) < 3 || r.Method == args[2] {
			n++
		}
	}
	if n > most {
		ts.Fatalf("%s got %d requests, at most %d are due", args[0], n, most)
	}
}

// cmdNoLeak: noleak FILE... finds no token in files, nor in the last output.
func cmdNoLeak(ts *testscript.TestScript, _ bool, args []string) {
	for _, name := range append([]string{"stdout", "stderr"}, args...) {
		for _, secret := range []string{simOpenCTIToken, simHarfangLabToken} {
			if strings.Contains(ts.ReadFile(name), secret) {
				ts.Fatalf("%s holds a token", name)
			}
		}
	}
}
