package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/VictoriaMetrics/metricsql"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/metrics"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// exported is every metric that a run writes, with its labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "all.prom")
	now := time.Now()
	r := metrics.Report{Ended: now, LastSuccess: now, Cursor: now, InSync: new(true), Requests: map[metrics.Request]int64{{Side: "opencti", Method: "POST", Status: "2xx"}: 1}}
	r.SetPlan(&planfile.Document{})
	r.SetPhase(metrics.Read, time.Second)
	if err := r.WriteFile(path); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(f)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]string{}
	for name, family := range families {
		all[name] = []string{"job", "instance"} // which the scrape adds
		for _, l := range family.Metric[0].Label {
			all[name] = append(all[name], l.GetName())
		}
	}
	return all
}

// functions are those of PromQL that the rules and panels use; the parser knows more than Prometheus does.
var functions = []string{"time", "absent", "sum"}

// examine parses an expression and notes which metrics it uses.
func examine(t *testing.T, where, expr string, known map[string][]string, used map[string]bool) {
	t.Helper()
	parsed, err := metricsql.Parse(expr)
	if err != nil {
		t.Errorf("%s: %q: %v", where, expr, err)
		return
	}
	metricsql.VisitAll(parsed, func(e metricsql.Expr) {
		switch e := e.(type) {
		case *metricsql.FuncExpr:
			if !slices.Contains(functions, e.Name) {
				t.Errorf("%s: function %s", where, e.Name)
			}
		case *metricsql.AggrFuncExpr:
			if !slices.Contains(functions, e.Name) {
				t.Errorf("%s: aggregation %s", where, e.Name)
			}
		case *metricsql.MetricExpr:
			for _, filters := range e.LabelFilterss {
				name := filters[0].Value
				labels, ok := known[name]
				if filters[0].Label != "__name__" || !ok {
					t.Errorf("%s: %q is no metric of ours", where, name)
					continue
				}
				used[name] = true
				for _, f := range filters[1:] {
					if !slices.Contains(labels, f.Label) {
						t.Errorf("%s: %s has no label %s", where, name, f.Label)
					}
				}
			}
		}
	})
}

type alertRule struct {
	Alert       string            `yaml:"alert"`
	Expr        string            `yaml:"expr"`
	For         string            `yaml:"for"`
	Labels      map[string]string `yaml:"labels"`
	Annotations map[string]string `yaml:"annotations"`
}

func TestAlertsUseOurMetrics(t *testing.T) {
	b, err := os.ReadFile("deploy/helm/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Name  string      `yaml:"name"`
			Rules []alertRule `yaml:"rules"`
		} `yaml:"groups"`
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	if err := dec.Decode(&file); err != nil {
		t.Fatal(err)
	}
	known, used, names := exported(t), map[string]bool{}, map[string]bool{}
	label := regexp.MustCompile(`\$labels\.(\w+)`)
	for _, g := range file.Groups {
		for _, r := range g.Rules {
			if !strings.HasPrefix(r.Alert, "Harfangsync") || names[r.Alert] {
				t.Errorf("alert %q: want a name of ours, once", r.Alert)
			}
			names[r.Alert] = true
			if r.For != "" {
				if _, err := model.ParseDuration(r.For); err != nil {
					t.Errorf("%s: %v", r.Alert, err)
				}
			}
			if !slices.Contains([]string{"critical", "warning", "info"}, r.Labels["severity"]) || len(r.Labels) != 1 {
				t.Errorf("%s: labels %v", r.Alert, r.Labels)
			}
			for _, key := range []string{"summary", "description"} {
				text := r.Annotations[key]
				if text == "" || len(r.Annotations) != 2 {
					t.Errorf("%s: no %s, or more than it and the other", r.Alert, key)
				}
				for _, m := range label.FindAllStringSubmatch(text, -1) {
					if m[1] != "instance" && !strings.Contains(r.Expr, m[1]) && m[1] != "gate" {
						t.Errorf("%s: its %s names the label %s, which its expression does not", r.Alert, key, m[1])
					}
				}
			}
			examine(t, r.Alert, r.Expr, known, used)
		}
	}
	if len(names) < 10 {
		t.Errorf("only %d alerts were looked at", len(names))
	}
	for _, name := range []string{"last_success_timestamp_seconds", "last_run_timestamp_seconds", "last_exit_code", "in_sync", "gate_refused", "failed", "cursor_lag_seconds"} {
		if !used["harfangsync_"+name] {
			t.Errorf("no alert looks at harfangsync_%s", name)
		}
	}
}

type dashboard struct {
	Panels []struct {
		ID          int
		Type        string
		Title       string
		Description string
		GridPos     struct{ X, Y, W, H int }
		FieldConfig struct {
			Defaults struct{ Unit string }
		}
		Targets []struct{ RefID, Expr, LegendFormat string }
	}
	Templating struct {
		List []struct {
			Name  string
			Query json.RawMessage
		}
	}
}

// units are those of Grafana's that fit our numbers.
var units = []string{"short", "none", "s", "percentunit", "bool_yes_no"}

func TestTheDashboardShowsOurMetrics(t *testing.T) {
	b, err := os.ReadFile("deploy/helm/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	known, used := exported(t), map[string]bool{}
	ids, titles, cells := map[int]bool{}, map[string]bool{}, map[[2]int]string{}
	variables := strings.NewReplacer("$job", "x", "$instance", "x")
	for _, p := range d.Panels {
		if p.Title == "" || p.Description == "" || ids[p.ID] || titles[p.Title] || len(p.Targets) == 0 {
			t.Errorf("panel %d %q: no title, no description, no target, or twice", p.ID, p.Title)
		}
		ids[p.ID], titles[p.Title] = true, true
		if !slices.Contains(units, p.FieldConfig.Defaults.Unit) {
			t.Errorf("%s: unit %q", p.Title, p.FieldConfig.Defaults.Unit)
		}
		for x := range p.GridPos.W {
			for y := range p.GridPos.H {
				at := [2]int{p.GridPos.X + x, p.GridPos.Y + y}
				if cells[at] != "" || at[0] >= 24 {
					t.Errorf("%s lies over %q or out of the grid", p.Title, cells[at])
				}
				cells[at] = p.Title
			}
		}
		for _, target := range p.Targets {
			expr := variables.Replace(target.Expr)
			if target.RefID == "" || target.LegendFormat == "" || expr == target.Expr || strings.Contains(expr, "$") {
				t.Errorf("%s: target %+v: no legend, or not chosen by job and instance", p.Title, target)
			}
			examine(t, p.Title, expr, known, used)
		}
	}
	for name := range known {
		if !used[name] {
			t.Errorf("no panel shows %s", name)
		}
	}
	for _, v := range d.Templating.List {
		if m := regexp.MustCompile(`label_values\((\w+),`).FindSubmatch(v.Query); m != nil && known[string(m[1])] == nil {
			t.Errorf("variable %s asks for %s", v.Name, m[1])
		}
	}
}

// promtool runs Prometheus' own tool, which `make tools` installs; without it a test is skipped, but not in CI.
func promtool(t *testing.T, args ...string) string {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil && os.Getenv("CI") != "" {
		t.Fatal("no promtool: make tools")
	}
	if err != nil {
		t.Skip("no promtool: make tools")
	}
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Every alert fires where it has to and says what it should, and none does while all is well.
func TestAlertsFire(t *testing.T) {
	promtool(t, "check", "rules", "deploy/helm/files/alerts.yaml")
	promtool(t, "test", "rules", "deploy/testdata/alerts.yaml")
	rules, err := os.ReadFile("deploy/helm/files/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile("deploy/testdata/alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Tests []struct {
			Rules []struct {
				Alert  string `yaml:"alertname"`
				Expect []any  `yaml:"exp_alerts"`
			} `yaml:"alert_rule_test"`
		}
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	fires, silent := map[string]bool{}, map[string]bool{}
	for _, test := range file.Tests {
		for _, r := range test.Rules {
			fires[r.Alert] = fires[r.Alert] || len(r.Expect) > 0
			silent[r.Alert] = silent[r.Alert] || len(r.Expect) == 0
		}
	}
	for _, m := range regexp.MustCompile(`- alert: (\w+)`).FindAllSubmatch(rules, -1) {
		if name := string(m[1]); !fires[name] || !silent[name] {
			t.Errorf("%s: tried to fire %t, and not to: %t", name, fires[name], silent[name])
		}
	}
}

// Every query of the dashboard gives something of the metrics that a run wrote: one that a gate refused in part, which
// skipped a pattern, found a rule of a person, and whose requests did not all succeed.
func TestTheDashboardShowsARun(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	for n := range 30 {
		w.stix(n, domainPattern(fmt.Sprintf("d%d.example", n)))
	}
	w.stix(40, "[domain-name:value = 'a.example' AND url:value = 'https://b.example/']")
	w.resolved(t)
	for n := range 25 {
		w.edit(n, func(i *octisim.Indicator) { i.Revoked = true })
	}
	pinned := w.rule(t, "ioc", "d29.example")
	if !w.hl.Edit("ioc", pinned.ID, func(r *hlsim.Rule) { r.Enabled = false }) {
		t.Fatal("no rule to disable")
	}
	fails(t, w.hl.HTTP, simhttp.Fault{Method: http.MethodGet, Times: 1, Do: simhttp.Answer, Status: 503})
	text := filepath.Join(t.TempDir(), "harfangsync.prom")
	w.env = append(w.env, "HARFANGSYNC_METRICS_TEXTFILE="+text)
	w.must(t, exit.Refused, "run")

	var test strings.Builder
	test.WriteString("tests:\n  - interval: 1m\n    input_series:\n")
	b, err := os.ReadFile(text)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		series, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		name, labels, _ := strings.Cut(strings.TrimSuffix(series, "}"), "{")
		fmt.Fprintf(&test, "      - {series: '%s{%s}', values: '%s'}\n", name, strings.Trim(`job="harfangsync",instance="i",`+labels, ","), value)
	}
	test.WriteString("    promql_expr_test:\n")
	board, err := os.ReadFile("deploy/helm/files/dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(board, &d); err != nil {
		t.Fatal(err)
	}
	queries := 0
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			queries++
			expr := strings.NewReplacer("$job", ".*", "$instance", ".*").Replace(target.Expr)
			fmt.Fprintf(&test, "      - {expr: '(count(%s) > bool 0)', eval_time: 0, exp_samples: [{labels: '{}', value: 1}]}\n", expr)
		}
	}
	if queries < 10 {
		t.Errorf("only %d queries", queries)
	}
	file := filepath.Join(t.TempDir(), "dashboard.yaml")
	if err := os.WriteFile(file, []byte(test.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	promtool(t, "test", "rules", file)
}
