package metrics_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/cmd/metrics"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

var ended = time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)

// written is a report as a text file holds it.
func written(t interface {
	Helper()
	Fatal(...any)
}, r metrics.Report) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "harfangsync.prom")
	if err := r.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// samples are the lines of a text file that say something else than 0.
func samples(text string) []string {
	var out []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line[0] != '#' && !strings.HasSuffix(line, " 0") {
			out = append(out, line)
		}
	}
	return out
}

func plan() *planfile.Document {
	return &planfile.Document{
		Changes: plantest.Changes(
			reconcile.Change{Kind: reconcile.IOC, Action: reconcile.Create}, reconcile.Change{Kind: reconcile.IOC, Action: reconcile.Create},
			reconcile.Change{Kind: reconcile.Sigma, Action: reconcile.Delete}, reconcile.Change{Kind: reconcile.YARA, Action: reconcile.Update},
		),
		Skipped: plantest.Skipped(reconcile.Skip{Reason: reconcile.PatternAnd}, reconcile.Skip{Reason: reconcile.PatternAnd}, reconcile.Skip{Reason: reconcile.Excluded}, reconcile.Skip{Reason: "evil\"} 1\nx"}),
		Held:    plantest.Held(reconcile.Held{Reason: reconcile.Pinned}, reconcile.Held{Reason: reconcile.Unmanaged}, reconcile.Held{Reason: "new word"}),
		Gates:   []reconcile.Gate{{ID: "G1", OK: true}, {ID: "G4", OK: false}, {ID: "G4", OK: true}, {ID: "G99"}},
	}
}

func TestAReportCountsWhatARunDid(t *testing.T) {
	r := metrics.Report{Ended: ended, ExitCode: 5, LastSuccess: ended.Add(-time.Hour)}
	d := plan()
	r.SetPlan(d)
	r.SetApplied(&run.Report{Changes: d.Changes, Items: []run.Item{{Outcome: run.Applied}, {Outcome: run.Failed}, {Outcome: run.Applied}, {Outcome: run.NotAttempted}}})
	r.SetPhase(metrics.Read, 1500*time.Millisecond)
	r.SetPhase(metrics.Pull, -time.Second)
	r.Requests = map[metrics.Request]int64{{Side: "harfanglab", Method: "POST", Status: "4xx"}: 3, {Side: "opencti", Method: "POST", Status: "error"}: 1}
	r.Cursor = ended.Add(-90 * time.Second)
	want := []string{
		`harfangsync_applied{action="create"} 1`,
		`harfangsync_applied{action="delete"} 1`,
		`harfangsync_cursor_lag_seconds 90`,
		`harfangsync_failed 2`,
		`harfangsync_gate_refused{gate="G4"} 1`,
		`harfangsync_held{reason="other"} 1`,
		`harfangsync_held{reason="pinned"} 1`,
		`harfangsync_held{reason="unmanaged"} 1`,
		`harfangsync_last_exit_code 5`,
		`harfangsync_last_run_timestamp_seconds 1.7723592e+09`,
		`harfangsync_last_success_timestamp_seconds 1.7723556e+09`,
		`harfangsync_phase_seconds{phase="read"} 1.5`,
		`harfangsync_pinned 1`,
		`harfangsync_planned{action="create",kind="ioc"} 2`,
		`harfangsync_planned{action="delete",kind="sigma"} 1`,
		`harfangsync_planned{action="update",kind="yara"} 1`,
		`harfangsync_requests_total{method="POST",side="harfanglab",status="4xx"} 3`,
		`harfangsync_requests_total{method="POST",side="opencti",status="error"} 1`,
		`harfangsync_skipped{reason="excluded"} 1`,
		`harfangsync_skipped{reason="other"} 1`,
		`harfangsync_skipped{reason="pattern_and"} 2`,
	}
	if diff := cmp.Diff(want, samples(written(t, r))); diff != "" {
		t.Errorf("samples (-want +got):\n%s", diff)
	}

	// The next plan of the same process takes the place of the first.
	r.SetPlan(&planfile.Document{})
	r.SetApplied(&run.Report{})
	r.InSync = new(true)
	got := samples(written(t, r))
	for _, line := range []string{`harfangsync_in_sync 1`, `harfangsync_last_exit_code 5`} {
		if !slices.Contains(got, line) {
			t.Errorf("no line %q", line)
		}
	}
	if i := slices.IndexFunc(got, regexp.MustCompile(`planned|applied|failed|skipped|held|refused|pinned`).MatchString); i >= 0 {
		t.Errorf("an earlier plan's %s", got[i])
	}
}

// A run that failed before its plan knows when it ended and what it sent: a 0 for the rest would be a claim.
func TestWhatARunDoesNotKnowIsAbsent(t *testing.T) {
	names := func(r metrics.Report) (out []string) {
		for line := range strings.Lines(written(t, r)) {
			if name, _, _ := strings.Cut(line, " "); name != "#" {
				name, _, _ = strings.Cut(name, "{")
				out = append(out, strings.TrimPrefix(name, "harfangsync_"))
			}
		}
		return slices.Compact(out)
	}
	r := metrics.Report{Ended: ended, ExitCode: 8, Requests: map[metrics.Request]int64{{Side: "opencti", Method: "POST", Status: "5xx"}: 5}}
	if diff := cmp.Diff([]string{"last_exit_code", "last_run_timestamp_seconds", "requests_total"}, names(r)); diff != "" {
		t.Errorf("a side that is down (-want +got):\n%s", diff)
	}
	r.SetPlan(&planfile.Document{})
	planned := []string{"applied", "failed", "gate_refused", "held", "last_exit_code", "last_run_timestamp_seconds", "pinned", "planned", "requests_total", "skipped"}
	if diff := cmp.Diff(planned, names(r)); diff != "" {
		t.Errorf("a plan of nothing (-want +got):\n%s", diff)
	}
	r.Forget()
	if diff := cmp.Diff([]string{"last_exit_code", "last_run_timestamp_seconds", "requests_total"}, names(r)); diff != "" {
		t.Errorf("after a plan that is forgotten (-want +got):\n%s", diff)
	}
}

func TestMetricsPassTheLinter(t *testing.T) {
	r := metrics.Report{Ended: ended, LastSuccess: ended, Cursor: ended, InSync: new(true), Requests: map[metrics.Request]int64{{Side: "opencti", Method: "POST", Status: "2xx"}: 1}}
	r.SetPlan(plan())
	r.SetPhase(metrics.Read, time.Second)
	text := written(t, r)
	problems, err := promlint.New(strings.NewReader(text)).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if n := strings.Count(text, "# HELP harfangsync_"); n != 14 || strings.Count(text, "# HELP ") != n {
		t.Errorf("%d families of ours", n)
	}
}

// Whatever a plan holds, every line is one sample, and labels come from closed sets.
func TestLabelsComeFromClosedSets(t *testing.T) {
	line := regexp.MustCompile(`^harfangsync_[a-z_]+(\{[a-z]+="[A-Za-z0-9_]*"(,[a-z]+="[A-Za-z0-9_]*")*\})? [0-9.e+-]+$`)
	rapid.Check(t, func(t *rapid.T) {
		var d planfile.Document
		for _, why := range rapid.SliceOfN(rapid.String(), 0, 5).Draw(t, "reasons") {
			d.Skipped.Add(&reconcile.Skip{Reason: reconcile.Reason(why)})
			d.Held.Add(&reconcile.Held{Reason: reconcile.Reason(why)})
			d.Gates = append(d.Gates, reconcile.Gate{ID: why})
			d.Changes.Add(&reconcile.Change{Kind: reconcile.IOC, Action: reconcile.Action(why)})
		}
		r := metrics.Report{Ended: ended}
		r.SetPlan(&d)
		total := 0
		for text := range strings.Lines(written(t, r)) {
			text = strings.TrimSpace(text)
			if text[0] != '#' && !line.MatchString(text) {
				t.Fatalf("no sample: %q", text)
			}
			if n, found := strings.CutPrefix(text, "harfangsync_skipped{"); found {
				_, n, _ = strings.Cut(n, " ")
				v, err := strconv.Atoi(n)
				if err != nil {
					t.Fatal(err)
				}
				total += v
			}
		}
		if total != d.Skipped.Len() {
			t.Errorf("%d skips are counted of %d", total, d.Skipped.Len())
		}
	})
}

// A new reason that nobody counts would hide in "other".
func TestEveryReasonIsCounted(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../../reconcile/reason.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	var r metrics.Report
	r.SetPlan(&planfile.Document{})
	text := written(t, r)
	seen := 0
	for _, d := range f.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		family := ""
		switch {
		case strings.HasPrefix(group.Doc.Text(), "Skip reasons"):
			family = "skipped"
		case strings.HasPrefix(group.Doc.Text(), "Held reasons"):
			family = "held"
		default:
			continue
		}
		for _, s := range group.Specs {
			word, err := strconv.Unquote(s.(*ast.ValueSpec).Values[0].(*ast.BasicLit).Value)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			if !strings.Contains(text, `harfangsync_`+family+`{reason="`+word+`"}`) {
				t.Errorf("%s is no series of harfangsync_%s", word, family)
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d reasons were found", seen)
	}
}
