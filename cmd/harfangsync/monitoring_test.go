package main

import (
	"bytes"
	"encoding/json"
	"os"
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

	"harfangsync/cmd/metrics"
	"harfangsync/reconcile/planfile"
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
	b, err := os.ReadFile("deploy/monitoring/alerts.yaml")
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
	b, err := os.ReadFile("deploy/monitoring/dashboard.json")
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
