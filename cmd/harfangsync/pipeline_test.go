package main

import (
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/render"
)

// howTo finds the command that a comment offers.
var howTo = regexp.MustCompile("`gh workflow run apply.yml -f run=([0-9]+) -f digest=([0-9a-f]{64})`")

func TestPlanWorkflow(t *testing.T) {
	for _, tt := range []struct {
		name    string
		prepare func(p *pipeline)
		code    int
		words   []string
		plan    bool // kept
		offered bool // how to apply it
	}{
		{"in sync", (*pipeline).sync, 0, []string{render.NoChanges}, false, false},
		{"changes are pending", func(*pipeline) {}, 0, []string{"Plan: 12 to add", `d0\[.\]example`}, true, true},
		{"a gate refuses the plan", (*pipeline).refusable, 4, []string{"Refused by gate G2", `\-\-allow\-empty`}, true, false},
		{"a side is down", func(p *pipeline) { p.down(p.world.octi.HTTP) }, 8, []string{"harfangsync ended with code 8", "    harfangsync: OpenCTI: Ident: 502"}, false, false},
		{"a token has expired", func(p *pipeline) { p.token = "flgrn_octi_tkn_expired_yesterday" }, 8, []string{"code 8", "check the token"}, false, false},
		{"a setting is wrong", func(p *pipeline) { p.vars = map[string]any{"CONNECTOR_ID": "ChangeMe"} }, 3, []string{"code 3", "connector.id"}, false, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t)
			tt.prepare(p)
			p.world.hl.HTTP.Forget()
			// Comments of others come first, one of them quoting ours.
			for _, c := range []*post{said("User", "looks good"), said("User", render.Marker+" quoted"), said("Bot", "coverage")} {
				p.forge.add(&p.forge.comments, c)
			}
			before := slices.Clone(p.forge.comments)
			for range 2 { // the second run finds the comment of the first
				got := p.run("plan.yml", nil)
				p.want(got, tt.code, p.comment(), tt.words...)
				p.want(got, tt.code, p.last.summary, tt.words...)
				dir, kept := p.forge.artefacts[p.last.run+"/harfangsync-plan"]
				if kept != tt.plan {
					t.Errorf("plan kept: %t, want %t", kept, tt.plan)
				}
				if linked := strings.Contains(p.comment(), "plan.html in [the files of this run](https://forge.example/o/r/actions/runs/"+p.last.run+"#artifacts)"); linked != tt.plan {
					t.Errorf("the comment links the page: %t, want %t", linked, tt.plan)
				}
				if page, err := os.ReadFile(filepath.Join(dir, "plan.html")); kept && (err != nil || !strings.HasPrefix(string(page), "<!doctype html>")) {
					t.Errorf("the page is kept as %.40q, %v", page, err)
				}
				offer := howTo.FindStringSubmatch(p.comment())
				if (offer != nil) != tt.offered || offer != nil && offer[1] != p.last.run {
					t.Errorf("offered %q", offer)
				}
			}
			for i, c := range before {
				if p.forge.comments[i].Body != c.Body {
					t.Errorf("the comment %q was overwritten", c.Body)
				}
			}
			p.readOnly()
		})
	}
}

// readOnly wants nothing written to HarfangLab since its log was last forgotten.
func (p *pipeline) readOnly() {
	p.t.Helper()
	for _, r := range p.world.hl.HTTP.Requests() {
		if r.Method != http.MethodGet {
			p.t.Errorf("HarfangLab got a %s %s", r.Method, r.Path)
		}
	}
}

// The tokens wait in files that nobody else reads.
func TestWorkflowSecretsAreFiles(t *testing.T) {
	p := newPipeline(t)
	p.want(p.run("plan.yml", nil), 0, "")
	for _, name := range []string{"opencti-token", "harfanglab-token"} {
		info, err := os.Stat(filepath.Join(p.last.temp, name))
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
	}
}

func TestPullRequestsFromForksPlanNothing(t *testing.T) {
	p := newPipeline(t)
	p.fork = true
	p.want(p.run("plan.yml", nil), -1, "")
	if len(p.world.octi.HTTP.Requests()) > 0 || len(p.forge.comments) > 0 {
		t.Error("something was done all the same")
	}
}

func TestAPlanStartedByHandCommentsNowhere(t *testing.T) {
	p := newPipeline(t)
	p.event = "workflow_dispatch"
	p.want(p.run("plan.yml", nil), 0, p.last.summary, "Plan: 12 to add")
	if len(p.forge.comments) > 0 {
		t.Error("a comment was made")
	}
}

// A binary that is not the one of the checksum is never run.
func TestWorkflowsRunNoOtherBinary(t *testing.T) {
	for _, file := range []string{"plan.yml", "apply.yml", "drift.yml"} {
		t.Run(file, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t)
			p.vars = map[string]any{"HARFANGSYNC_SHA256": strings.Repeat("0", 64)}
			p.want(p.run(file, map[string]any{"run": "1", "digest": "0"}), 1, p.last.log.String(), "checksum did NOT match")
			if strings.Contains(p.last.log.String(), "--- Put the secrets") || len(p.world.octi.HTTP.Requests()) > 0 {
				t.Error("it went on")
			}
		})
	}
}
