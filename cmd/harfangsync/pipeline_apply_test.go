package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// planned runs plan.yml and returns what its comment says to give to apply.yml.
func (p *pipeline) planned() map[string]any {
	p.t.Helper()
	p.want(p.run("plan.yml", nil), 0, "")
	offer := howTo.FindStringSubmatch(p.comment())
	if offer == nil {
		p.t.Fatalf("no command in the comment:\n%s", p.comment())
	}
	return map[string]any{"run": offer[1], "digest": offer[2]}
}

func TestApplyWorkflow(t *testing.T) {
	for _, tt := range []struct {
		name   string
		apply  func(p *pipeline) int
		code   int
		words  []string
		rules  int    // in HarfangLab afterwards
		report string // results in the report, none if there is no report
	}{
		{"the approved plan is applied", func(p *pipeline) int { return p.run("apply.yml", p.planned()) }, 0, []string{"Applied completely", "Apply complete: 12 added"}, 12, "applied 12"},
		{"a plan that was applied already is stale", func(p *pipeline) int {
			in := p.planned()
			p.want(p.run("apply.yml", in), 0, "")
			return p.run("apply.yml", in)
		}, 6, []string{"Nothing was applied: the plan is stale", "Plan again"}, 12, ""},
		{"another digest is not what was approved", func(p *pipeline) int {
			in := p.planned()
			in["digest"] = strings.Repeat("0", 64)
			return p.run("apply.yml", in)
		}, 6, []string{"made for another digest"}, 0, ""},
		{"settings have changed since", func(p *pipeline) int {
			in := p.planned()
			p.vars = map[string]any{"CONNECTOR_ID": "3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11"}
			return p.run("apply.yml", in)
		}, 6, []string{"settings that shape plans have changed"}, 0, ""},
		{"a gate refused the plan", func(p *pipeline) int {
			p.refusable()
			p.want(p.run("plan.yml", nil), 4, "")
			return p.run("apply.yml", map[string]any{"run": p.last.run, "digest": p.digest()})
		}, 6, []string{"gate G2 refused it"}, 12, ""},
		{"a rule changed since the plan is a conflict", func(p *pipeline) int {
			p.sync()
			p.world.edit(0, func(i *octisim.Indicator) { i.Description = "second" })
			p.world.edit(1, func(i *octisim.Indicator) { i.Description = "second" })
			in := p.planned()
			for _, r := range p.world.hl.Rules("ioc") {
				if r.Value == "d0.example" {
					p.world.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Description = "meanwhile" })
				}
			}
			return p.run("apply.yml", in)
		}, 5, []string{"Some changes were not made", "d0.example: conflict", "1 changed"}, 12, "applied 1, conflict 1"},
		{"a side is down", func(p *pipeline) int {
			in := p.planned()
			p.down(p.world.hl.HTTP)
			return p.run("apply.yml", in)
		}, 8, []string{"a side could not be reached"}, 0, ""},
		{"another run holds the lock", func(p *pipeline) int {
			path := filepath.Join(p.t.TempDir(), "lock")
			p.files = map[string]string{"config.yml": "sync: {lock: 'file:" + path + "', lock_timeout: 1ms}\n"}
			in := p.planned()
			release, err := state.LockFile(p.t.Context(), path, ".lock", time.Second)
			if err != nil {
				p.t.Fatal(err)
			}
			defer release()
			return p.run("apply.yml", in)
		}, 7, []string{"another run holds the lock"}, 0, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t)
			p.want(tt.apply(p), tt.code, p.last.summary, tt.words...)
			if got := len(p.world.hl.Rules("ioc")); got != tt.rules {
				t.Errorf("HarfangLab holds %d rules, want %d", got, tt.rules)
			}
			if got := p.reported(); got != tt.report {
				t.Errorf("the report says %q, want %q", got, tt.report)
			}
		})
	}
}

// digest is that of the plan which the last run kept.
func (p *pipeline) digest() string {
	p.t.Helper()
	d, err := readPlan(filepath.Join(p.forge.artefacts[p.last.run+"/harfangsync-plan"], "plan.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	return d.Digest
}

// reported counts the results in the report that the last run kept.
func (p *pipeline) reported() string {
	p.t.Helper()
	dir, ok := p.forge.artefacts[p.last.run+"/harfangsync-report"]
	if !ok {
		return ""
	}
	b, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		p.t.Fatal(err)
	}
	var report struct{ Items []struct{ Result string } }
	if err := json.Unmarshal(b, &report); err != nil {
		p.t.Fatal(err)
	}
	counts := map[string]int{}
	for _, it := range report.Items {
		counts[it.Result]++
	}
	var parts []string
	for _, k := range slices.Sorted(maps.Keys(counts)) {
		parts = append(parts, fmt.Sprintf("%s %d", k, counts[k]))
	}
	return strings.Join(parts, ", ")
}
