package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// record is one line of a log in JSON.
type record map[string]any

// records are the lines of stderr, each of which has to be a record.
func records(t *testing.T, stderr string) (all []record) {
	t.Helper()
	for line := range strings.Lines(stderr) {
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Errorf("a line on stderr is no JSON: %v\n%s", err, line)
			continue
		}
		for _, member := range []string{"time", "level", "msg"} {
			if s, _ := r[member].(string); s == "" {
				t.Errorf("no %s in %s", member, line)
			}
		}
		all = append(all, r)
	}
	return all
}

// the first record that has some words in its sentence, nil for none
func about(all []record, words string) record {
	if i := slices.IndexFunc(all, func(r record) bool { return strings.Contains(r["msg"].(string), words) }); i >= 0 {
		return all[i]
	}
	return nil
}

func TestEveryLineOfALogInJSONIsJSON(t *testing.T) {
	w := newChaosWorld(t)
	for i := range 12 {
		w.put(i, "indicator", "stix", domainPattern("d"+chaosID(i)[:8]+".example"), "")
	}
	w.env = []string{"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true"}
	for _, step := range []struct {
		name   string
		before func()
		args   []string
		env    string
		code   int
		words  string         // of a record
		with   map[string]any // its members
		ends   bool           // with the event that ends a run
	}{
		{name: "a first load", args: []string{"run"}, words: "run_complete", with: map[string]any{"level": "INFO", "code": 0.0, "command": "run"}, ends: true},
		{name: "an unknown flag", args: []string{"run", "--no-such-flag"}, code: 3, words: "unknown flag", with: map[string]any{"level": "ERROR", "code": 3.0}},
		{name: "an unknown command", args: []string{"rum"}, code: 3, words: "did you mean run"},
		{name: "a level that is none", args: []string{"show", "--log-level", "loud"}, code: 3, words: "--log-level"},
		{name: "a plan that is not there", args: []string{"show", "missing.json"}, code: 3, words: "missing.json"},
		{name: "settings that are wrong, one record each", env: "HARFANGSYNC_PARALLELISM=many,HARFANGSYNC_PAGE_SIZE=few", args: []string{"run"}, code: 3, words: "sync.parallelism",
			with: map[string]any{"code": 3.0}, ends: true},
		{name: "settings that warn", env: "HARFANGSYNC_PARALELISM=3", args: []string{"plan"}, words: "HARFANGSYNC_PARALELISM", with: map[string]any{"level": "WARN"}},
		{name: "nobody to ask", before: func() { w.put(20, "new", "stix", domainPattern("new.example"), "") }, args: []string{"apply"}, code: 3, words: "not a terminal", ends: true},
		{name: "a rule that is refused", before: func() {
			_ = w.hl.HTTP.Fail(simhttp.Fault{Method: "POST", Body: `new\.example`, Do: simhttp.Answer, Status: 400, Payload: `{"value": ["no"]}`})
		}, args: []string{"run"}, code: 5, words: "new.example", with: map[string]any{"level": "ERROR", "result": "failed", "kind": "ioc", "action": "create"}, ends: true},
		{name: "an alert that fails", before: func() {
			w.hl.HTTP.Heal()
			if _, err := w.hl.Saw(hlsim.Sighting{Value: "d00000001.example", Host: "H", User: "u", Process: "p"}); err != nil {
				t.Fatal(err)
			}
			_ = w.octi.HTTP.Fail(simhttp.Fault{Body: `stixBundlePush`, Do: simhttp.Answer, Status: 200, Payload: `{"errors":[{"message":"no","extensions":{"code":"FUNCTIONAL_ERROR"}}]}`})
		}, args: []string{"pull"}, code: 5, words: "alert", ends: true},
		{name: "a side that is down", before: func() {
			w.octi.HTTP.Heal()
			_ = w.octi.HTTP.Fail(simhttp.Fault{Do: simhttp.Answer, Status: 502, Payload: "<html>"})
		}, args: []string{"run"}, code: 8, words: "502 HTML",
			with: map[string]any{"level": "ERROR", "code": 8.0, "side": "opencti", "request": "Ident", "remedy": "the platform failed, try again later"}, ends: true},
		{name: "the other side is down", before: func() {
			w.octi.HTTP.Heal()
			_ = w.hl.HTTP.Fail(simhttp.Fault{Method: "GET", Do: simhttp.Answer, Status: 401, Payload: `{}`})
		}, args: []string{"plan"}, code: 8, words: "401",
			with: map[string]any{"side": "harfanglab", "remedy": "check the token and its right to view and edit rules, IOC and rulesets"}},
	} {
		env := w.env
		w.env = append(slices.Clone(env), strings.FieldsFunc(step.env, func(r rune) bool { return r == ',' })...)
		if step.before != nil {
			step.before()
		}
		code, out, errs := w.command(t.Context(), append(step.args, "--log-format", "json")...)
		w.env = env
		if code != step.code {
			t.Fatalf("%s: code %d, want %d\n%s%s", step.name, code, step.code, out, errs)
		}
		all := records(t, errs)
		if r := about(all, step.words); r == nil {
			t.Errorf("%s: nothing about %s in\n%s", step.name, step.words, errs)
		} else {
			for member, want := range step.with {
				if r[member] != want {
					t.Errorf("%s: %s is %v, want %v, in %v", step.name, member, r[member], want, r)
				}
			}
		}
		end := about(all, "run_complete")
		if (end != nil) != step.ends || step.ends && (all[len(all)-1]["msg"] != "run_complete" || end["code"] != float64(code)) {
			t.Errorf("%s: the event that ends a run: %v", step.name, end)
		}
	}
}

// What the last event of a run says is what a dashboard of logs shows.
func TestTheEndOfARunIsOneEvent(t *testing.T) {
	w := newChaosWorld(t)
	for i := range 12 {
		w.put(i, "indicator", "stix", domainPattern("d"+chaosID(i)[:8]+".example"), "")
	}
	end := func(args ...string) record {
		t.Helper()
		_, _, errs := w.command(t.Context(), append(args, "--log-format", "json", "--log-level", "error")...)
		all := records(t, errs)
		return append(all, nil)[max(len(all)-1, 0)]
	}
	if r := end("run"); r != nil {
		t.Errorf("a run that did well is no error: %v", r)
	}
	for _, i := range w.octi.Indicators() {
		w.octi.Delete(i.ID)
	}
	r := end("run")
	counts, _ := r["counts"].(map[string]any)
	gates, _ := r["gates"].([]any)
	if counts["unchanged"] != 12.0 || counts["held"] != 12.0 || counts["applied"] != 0.0 || len(gates) == 0 || gates[0].(map[string]any)["id"] != "G2" || r["seconds"].(float64) <= 0 || r["digest"] == "" {
		t.Errorf("a run that gates refused ends with %v", r)
	}
	_ = w.octi.HTTP.Fail(simhttp.Fault{Do: simhttp.Answer, Status: 502, Payload: "<html>"})
	if r := end("run"); r["code"] != 8.0 || r["counts"] != nil || r["gates"] != nil {
		t.Errorf("a run that saw nothing counts: %v", r)
	}
}

// A tail goes on for weeks: each of its full runs ends with the event.
func TestEachFullRunOfATailEndsWithAnEvent(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.put(1, "indicator", "stix", domainPattern("d.example"), "")
	stream := w.octi.PutStream(octisim.Stream{Name: "all", Live: true})
	w.env = []string{"CONNECTOR_LIVE_STREAM_ID=" + stream, "HARFANGSYNC_TAIL_FULL_EVERY=1s"}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var mu sync.Mutex
	var errs bytes.Buffer
	n := 0
	stderr := writerFunc(func(b []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if bytes.Contains(b, []byte(`"run_complete"`)) {
			if n++; n == 2 {
				cancel()
			}
		}
		return errs.Write(b)
	})
	w.program(io.Discard, stderr).run(ctx, []string{"harfangsync", "tail", "--log-format", "json"})
	if n < 2 {
		t.Errorf("%d full runs are told in\n%s", n, errs.String())
	}
	for _, r := range records(t, errs.String()) {
		if r["msg"] == "run_complete" && (r["command"] != "tail" || r["code"] != 0.0 || r["counts"] == nil) {
			t.Errorf("a full run ends with %v", r)
		}
	}
}

// What is not said by the log is a record all the same: a question, a panic, a line of a library.
func TestWhatIsNotLoggedIsARecordToo(t *testing.T) {
	var errs bytes.Buffer
	p := newProgram(strings.NewReader("yes\n"), os.Stdout, &errs, nil)
	p.logForm = "json"
	if err := p.setLog(""); err != nil {
		t.Fatal(err)
	}
	if yes, err := p.confirm(t.Context(), "Apply? "); !yes || err != nil {
		t.Errorf("asked: %v, %v", yes, err)
	}
	told, prints := crash.Tell, log.Writer()
	defer func() { crash.Tell = told; log.SetOutput(prints) }()
	p.tellOthersToo()
	crash.Tell("no such thing", []byte("goroutine 1\nmain.go:7"))
	log.Print("Unsolicited response\n")
	all := records(t, errs.String())
	if len(all) != 3 || about(all, "Apply?") == nil || about(all, "Unsolicited response") == nil {
		t.Fatalf("told %v", all)
	}
	if r := about(all, "panic: no such thing"); r["code"] != float64(exit.Unexpected) || !strings.Contains(r["stack"].(string), "main.go:7") {
		t.Errorf("a panic is %v", r)
	}
}

func TestWhatNobodyExpectedClaimsNothing(t *testing.T) {
	var stderr bytes.Buffer
	p := &program{stdout: &printout{w: io.Discard}, stderr: &stderr}
	p.complain(errors.New("a bug"))
	if want := "harfangsync: a bug\nharfangsync: nothing is claimed about what was done; run again; if it stays, with --log-level debug\n"; stderr.String() != want {
		t.Errorf("%q, want %q", stderr.String(), want)
	}
}
