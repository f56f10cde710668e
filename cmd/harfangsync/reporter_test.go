package main

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/notify"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// audience is whoever hears of runs: a webhook and a Pushgateway.
type audience struct {
	*httptest.Server
	status int // of its answers

	mu      sync.Mutex
	notices []notify.Notice
	pushes  []string
}

const hookSecret = "T0-s3cret-key"

func newAudience(t *testing.T) *audience {
	t.Helper()
	a := &audience{status: http.StatusOK}
	a.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b, _ := io.ReadAll(r.Body)
		a.mu.Lock()
		defer a.mu.Unlock()
		if strings.HasPrefix(r.URL.Path, "/metrics/") {
			a.pushes = append(a.pushes, r.Method+" "+r.URL.Path+"\n"+string(b))
		} else {
			var n notify.Notice
			if err := json.Unmarshal(b, &n); err != nil {
				t.Errorf("a notice is no JSON: %s", b)
			}
			a.notices = append(a.notices, n)
		}
		w.WriteHeader(a.status)
		_, _ = io.WriteString(w, r.URL.Path)
	}))
	t.Cleanup(a.Close)
	return a
}

// heard takes what came since the last time.
func (a *audience) heard() (notices []notify.Notice, pushes []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	notices, pushes, a.notices, a.pushes = a.notices, a.pushes, nil, nil
	return notices, pushes
}

// reportedWorld is two platforms with twelve indicators, and settings that tell an audience and a file.
func reportedWorld(t *testing.T) (w *chaosWorld, a *audience, file string) {
	t.Helper()
	w, a = newChaosWorld(t), newAudience(t)
	for i := range 12 {
		w.put(i, "indicator", "stix", domainPattern("d"+chaosID(i)[:8]+".example"), "")
	}
	file = filepath.Join(t.TempDir(), "harfangsync.prom")
	w.env = []string{"HARFANGSYNC_METRICS_TEXTFILE=" + file, "HARFANGSYNC_METRICS_PUSHGATEWAY=" + a.URL, "HARFANGSYNC_NOTIFY_WEBHOOK=" + a.URL + "/hooks/" + hookSecret}
	return w, a, file
}

// claims are metrics of what a run makes of both sides.
var claims = regexp.MustCompile(`(?m)^harfangsync_(in_sync|planned|applied|failed|held|skipped|pinned|gate_refused).*`)

func TestRunsAreReported(t *testing.T) {
	w, a, file := reportedWorld(t)
	dir := t.TempDir()
	host := func(url string) string { return strings.TrimPrefix(url, "http://") }
	var saved []octisim.Indicator
	var unlock func()
	for _, step := range []struct {
		name    string
		before  func()
		args    []string
		code    int
		event   string   // of the notice; "" is none
		words   []string // in its text
		metrics []string // lines of the file; nil is a file that was not touched
		unknown bool     // whether the sides are equal, and all else that a plan would tell
	}{
		{name: "a first load", args: []string{"run"}, event: "apply",
			words: []string{"harfangsync run, " + host(w.octiURL) + " to " + host(w.hlURL) + ": Apply complete: 12 added, 0 changed, 0 enabled, 0 disabled, 0 deleted, 0 adopted; 0 failed."},
			metrics: []string{"harfangsync_in_sync 1", "harfangsync_last_exit_code 0", `harfangsync_planned{action="create",kind="ioc"} 12`, `harfangsync_applied{action="create"} 12`, "harfangsync_failed 0",
				`harfangsync_requests_total{method="POST",side="harfanglab",status="2xx"} 13`}},
		{name: "nothing to do is no news", args: []string{"run"},
			metrics: []string{"harfangsync_in_sync 1", `harfangsync_planned{action="create",kind="ioc"} 0`, `harfangsync_applied{action="create"} 0`}},
		{name: "a plan tells nobody", before: func() { w.put(20, "new", "stix", domainPattern("new.example"), "") }, args: []string{"plan", "--out", filepath.Join(dir, "p.json")}},
		{name: "nor does an apply that nobody approved", args: []string{"apply"}, code: 3},
		{name: "a saved plan is applied", args: []string{"apply", filepath.Join(dir, "p.json")}, event: "apply", words: []string{"harfangsync apply, ", "1 added"},
			metrics: []string{"harfangsync_in_sync 1", `harfangsync_applied{action="create"} 1`}},
		{name: "a plan that is used up", args: []string{"apply", filepath.Join(dir, "p.json"), "--source-list-name", "other"}, code: 6, event: "failure", words: []string{"harfangsync apply, "},
			metrics: []string{"harfangsync_last_exit_code 6"}, unknown: true},
		{name: "a refusal names its gates", before: func() {
			saved = w.octi.Indicators()
			for _, i := range saved {
				w.octi.Delete(i.ID)
			}
		}, args: []string{"run"}, code: 4, event: "refusal", words: []string{"Plan: 0 to add, 0 to change, 0 to enable, 0 to disable, 0 to delete, 0 to adopt; 13 unchanged, 0 skipped.", "Refused by gate G2: 0 wanted ioc indicators"},
			metrics: []string{"harfangsync_in_sync 0", "harfangsync_last_exit_code 4", `harfangsync_gate_refused{gate="G2"} 1`, `harfangsync_gate_refused{gate="G4"} 1`, `harfangsync_gate_refused{gate="G1"} 0`,
				`harfangsync_planned{action="delete",kind="ioc"} 0`, `harfangsync_held{reason="gate"} 13`, `harfangsync_applied{action="delete"} 0`}},
		{name: "a side that is down", before: func() {
			for _, i := range saved {
				w.octi.Put(i)
			}
			_ = w.octi.HTTP.Fail(simhttp.Fault{Do: simhttp.Answer, Status: 502, Payload: "<html>"})
		}, args: []string{"run"}, code: 8, event: "failure", words: []string{"OpenCTI: Ident: 502 HTML where JSON is due"},
			metrics: []string{"harfangsync_last_exit_code 8", `harfangsync_requests_total{method="POST",side="opencti",status="5xx"} 5`}, unknown: true},
		{name: "an unknown stream", before: w.octi.HTTP.Heal, args: []string{"run"}, code: 3, event: "failure", words: []string{"OpenCTI knows no stream"},
			metrics: []string{"harfangsync_last_exit_code 3"}, unknown: true},
		{name: "a mistake in the command line is nobody's business", args: []string{"run", "--only", "domains"}, code: 3, metrics: []string{"harfangsync_last_exit_code 3"}, unknown: true},
		{name: "another run is at work", before: func() {
			release, err := state.LockFile(t.Context(), filepath.Join(dir, "l"), ".lock", time.Second)
			if err != nil {
				t.Fatal(err)
			}
			unlock = release
		}, args: []string{"run", "--lock", "file:" + filepath.Join(dir, "l"), "--lock-timeout", "0"}, code: 7,
			metrics: []string{"harfangsync_last_exit_code 7"}, unknown: true},
		{name: "some of it was done", before: func() {
			unlock()
			w.put(21, "good", "stix", domainPattern("good.example"), "")
			w.put(22, "bad", "stix", domainPattern("bad.example"), "")
			_ = w.hl.HTTP.Fail(simhttp.Fault{Method: "POST", Body: `bad\.example`, Do: simhttp.Answer, Status: 400, Payload: `{"value": ["no <b>@here</b>"]}`})
		}, args: []string{"run"}, code: 5, event: "failure", words: []string{"1 added", "; 1 failed."},
			metrics: []string{"harfangsync_in_sync 0", "harfangsync_failed 1", `harfangsync_applied{action="create"} 1`}},
		{name: "a restore says nothing of OpenCTI", before: func() {
			w.hl.HTTP.Heal()
			if code, _, errs := w.command(t.Context(), "dump", filepath.Join(dir, "dump")); code != 0 {
				t.Fatal(errs)
			}
			w.hl.Edit("ioc", w.hl.Rules("ioc")[0].ID, func(r *hlsim.Rule) { r.Description = "edited" })
		}, args: []string{"restore", filepath.Join(dir, "dump"), "--auto-approve"}, event: "apply", words: []string{"harfangsync restore, ", "1 changed"},
			metrics: []string{"harfangsync_last_exit_code 0", `harfangsync_applied{action="update"} 1`}},
	} {
		env := w.env
		if step.before != nil {
			step.before()
		}
		if step.name == "an unknown stream" {
			w.env = append(slices.Clone(env), "CONNECTOR_LIVE_STREAM_ID="+chaosID(99))
		}
		was, _ := os.ReadFile(file)
		code, out, errs := w.command(t.Context(), append(step.args, "--log-level", "debug")...)
		w.env = env
		if code != step.code {
			t.Fatalf("%s: code %d, want %d\n%s%s", step.name, code, step.code, out, errs)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		notices, pushes := a.heard()
		if step.metrics == nil {
			if string(text) != string(was) || len(pushes) > 0 {
				t.Errorf("%s: metrics were written", step.name)
			}
		} else if len(pushes) == 0 || !strings.HasPrefix(pushes[0], "PUT /metrics/job/harfangsync/instance/"+simConnectorID+"\n") {
			t.Errorf("%s: pushed %q", step.name, pushes)
		}
		if claim := claims.FindString(string(text)); step.unknown && claim != "" {
			t.Errorf("%s: claims %s", step.name, claim)
		}
		for _, line := range step.metrics {
			if !strings.Contains(string(text), "\n"+line+"\n") || !strings.Contains(pushes[0], "\n"+line+"\n") {
				t.Errorf("%s: no line %q in\n%s", step.name, line, text)
			}
		}
		if !strings.Contains(string(text), "\nharfangsync_last_success_timestamp_seconds 1.") {
			t.Errorf("%s: the last success is forgotten", step.name)
		}
		if step.event == "" != (len(notices) == 0) || len(notices) > 1 {
			t.Errorf("%s: notices %+v, want %q", step.name, notices, step.event)
		}
		for _, n := range notices {
			if n.Event != step.event || n.ExitCode != step.code {
				t.Errorf("%s: %+v, want event %s", step.name, n, step.event)
			}
			for _, words := range step.words {
				if !strings.Contains(n.Text, words) {
					t.Errorf("%s: no %q in %q", step.name, words, n.Text)
				}
			}
			if (n.Event == "refusal") != (len(n.Gates) > 0) {
				t.Errorf("%s: gates %v", step.name, n.Gates)
			}
		}
		if strings.Contains(out+errs+string(text), hookSecret) {
			t.Errorf("%s: the address of the webhook was printed:\n%s%s", step.name, out, errs)
		}
	}
}

func TestOnlyWhatIsAskedForIsTold(t *testing.T) {
	w, a, _ := reportedWorld(t)
	env := w.env
	run := func(on string) string {
		t.Helper()
		w.env = append(slices.Clone(env), "HARFANGSYNC_NOTIFY_ON="+on)
		w.command(t.Context(), "run")
		notices, _ := a.heard()
		if len(notices) == 0 {
			return "none"
		}
		return notices[0].Event
	}
	n := 30
	change := func(fails bool) {
		w.hl.HTTP.Heal()
		w.put(n, "new", "stix", domainPattern("new"+chaosID(n)[:8]+".example"), "")
		w.put(n+1, "bad", "stix", domainPattern("bad"+chaosID(n)[:8]+".example"), "")
		n += 2
		if fails {
			_ = w.hl.HTTP.Fail(simhttp.Fault{Method: "POST", Body: `bad\d+\.example`, Do: simhttp.Answer, Status: 400, Payload: `{"value": ["no"]}`})
		}
	}
	for _, tt := range []struct {
		name  string
		fails bool
		on    string
		want  string
	}{
		{"changes were made", false, "apply", "apply"},
		{"and are not asked for", false, "failure, refusal", "none"},
		{"a failure comes before what was done", true, "apply, failure", "failure"},
		{"what was done is told although the rest failed", true, "apply", "apply"},
		{"a failure is not asked for, nor what was done", true, "refusal", "none"},
	} {
		change(tt.fails)
		if got := run(tt.on); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Whoever is to be told may be away: the run is what counts.
func TestReportsThatFailAreWarnings(t *testing.T) {
	w, a, file := reportedWorld(t)
	w.env[0] = "HARFANGSYNC_METRICS_TEXTFILE=" + filepath.Join(file, "missing", "x.prom")
	a.status = http.StatusInternalServerError
	code, out, errs := w.command(t.Context(), "run")
	if code != 0 || !strings.Contains(out, "Apply complete: 12 added") {
		t.Fatalf("code %d\n%s%s", code, out, errs)
	}
	notices, pushes := a.heard()
	if len(notices) != 2 || len(pushes) != 1 {
		t.Errorf("%d notices and %d pushes, want a second attempt and one", len(notices), len(pushes))
	}
	for _, words := range []string{"the metrics are not written", "the metrics are not pushed", "the gateway answers 500", "no notice was sent", "the webhook answers 500"} {
		if !strings.Contains(errs, words) {
			t.Errorf("no %q in\n%s", words, errs)
		}
	}
	if strings.Contains(errs, hookSecret) {
		t.Errorf("the address of the webhook is in\n%s", errs)
	}

	// Broken settings report nowhere, and say so as ever.
	w.env = append(w.env, "HARFANGSYNC_PARALLELISM=many")
	if code, _, _ := w.command(t.Context(), "run"); code != 3 {
		t.Errorf("code %d for broken settings", code)
	}
	if notices, pushes := a.heard(); len(notices)+len(pushes) > 0 {
		t.Errorf("told of broken settings: %v %v", notices, pushes)
	}
}
