package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// gitlabJob is a job of .gitlab-ci.yml with everything that ours use; anything else is an error.
type gitlabJob struct {
	Extends, Stage, Image string
	BeforeScript          []string `yaml:"before_script"`
	Script                []string
	Rules                 []struct{ If, When string }
	Needs                 []string
	Environment           string
	ResourceGroup         string `yaml:"resource_group"`
	Artifacts             struct {
		When     string
		ExposeAs string `yaml:"expose_as"`
		ExpireIn string `yaml:"expire_in"`
		Paths    []string
		Reports  struct{ Dotenv string }
	}
}

func readGitlab(t testing.TB) (stages []string, jobs map[string]*gitlabJob) {
	t.Helper()
	b, err := os.ReadFile(examples + "gitlab-ci.yml")
	if err != nil {
		t.Fatal(err)
	}
	var file map[string]yaml.Node
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	jobs = map[string]*gitlabJob{}
	for name, node := range file {
		if name == "stages" {
			err = node.Decode(&stages)
		} else {
			jobs[name] = &gitlabJob{}
			err = strictYAML(&node, jobs[name])
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return stages, jobs
}

// strictYAML decodes a node whose every key is known.
func strictYAML(n *yaml.Node, into any) error {
	b, err := yaml.Marshal(n)
	if err != nil {
		return err
	}
	dec := yaml.NewDecoder(bytes.NewReader(b))
	dec.KnownFields(true)
	return dec.Decode(into)
}

// gitlab runs jobs as GitLab's runner does, each in a directory of its own.
type gitlab struct {
	t         *testing.T
	world     *chaosWorld
	tools     *runner           // its stand-ins and release
	artefacts string            // what the jobs so far have left
	dotenv    []string          // variables from them
	vars      map[string]string // beside the usual ones
	log       string            // of the last job
}

func newGitlab(t *testing.T) *gitlab {
	p := newPipeline(t)
	return &gitlab{t: t, world: p.world, tools: newRunner(t, p.forge, "1"), artefacts: t.TempDir()}
}

// job runs a job and returns its exit code.
func (g *gitlab) job(name string) int {
	g.t.Helper()
	_, jobs := readGitlab(g.t)
	j := jobs[name]
	for base := jobs[j.Extends]; base != nil; base = jobs[base.Extends] {
		if j.BeforeScript == nil {
			j.BeforeScript = base.BeforeScript
		}
	}
	binary := filepath.Join(g.tools.release, releaseBinary)
	b, err := os.ReadFile(binary)
	if err != nil {
		g.t.Fatal(err)
	}
	sum := sha256.Sum256(b)
	dir := g.t.TempDir()
	g.tools.file(filepath.Join(g.tools.temp, "opencti"), simOpenCTIToken+"\n")
	g.tools.file(filepath.Join(g.tools.temp, "harfanglab"), simHarfangLabToken+"\n")
	if err := os.CopyFS(dir, os.DirFS(g.artefacts)); err != nil {
		g.t.Fatal(err)
	}
	cmd := exec.Command("bash", "-eo", "pipefail", "-c", strings.Join(append(slices.Clone(j.BeforeScript), j.Script...), "\n"))
	cmd.Dir = dir
	cmd.Env = []string{
		"PATH=" + g.tools.tools + ":/usr/bin:/bin", "CI=true", forgeFiles + "=" + g.tools.release, "CONNECTOR_ID=" + simConnectorID,
		"CI_JOB_URL=https://forge.example/-/jobs/1",
		"OPENCTI_URL=" + g.world.octiURL, "OPENCTI_TOKEN_FILE=" + filepath.Join(g.tools.temp, "opencti"),
		"HARFANGLAB_URL=" + g.world.hlURL, "HARFANGLAB_TOKEN_FILE=" + filepath.Join(g.tools.temp, "harfanglab"),
		"HARFANGSYNC_DOWNLOAD=https://mirror.example/" + releaseBinary, "HARFANGSYNC_SHA256=" + hex.EncodeToString(sum[:]) + "  " + releaseBinary,
	}
	cmd.Env = append(cmd.Env, g.dotenv...)
	for k, v := range g.vars {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	out, err := cmd.CombinedOutput()
	g.log = string(out)
	code := exitOf(g.t, err)

	a := j.Artifacts
	if code != 0 && a.When != "always" {
		return code
	}
	for _, name := range append(slices.Clone(a.Paths), a.Reports.Dotenv) {
		b, err := os.ReadFile(filepath.Join(dir, name))
		if name == "" || err != nil {
			continue // GitLab warns
		}
		if name == a.Reports.Dotenv {
			g.dotenv = strings.Fields(string(b))
			continue
		}
		g.tools.file(filepath.Join(g.artefacts, name), string(b))
		g.log += string(b)
	}
	for _, secret := range []string{simOpenCTIToken, simHarfangLabToken} {
		if strings.Contains(g.log, secret) {
			g.t.Error("a token is shown")
		}
	}
	return code
}

func (g *gitlab) want(job string, code int, words ...string) {
	g.t.Helper()
	if got := g.job(job); got != code {
		g.t.Fatalf("%s ended with %d, want %d\n%s", job, got, code, g.log)
	}
	for _, w := range words {
		if !strings.Contains(g.log, w) {
			g.t.Errorf("%s: not shown: %q\n%s", job, w, g.log)
		}
	}
}

func TestGitlabPlansAndApplies(t *testing.T) {
	for _, tt := range []struct {
		name  string
		story func(g *gitlab, p *pipeline)
	}{
		{"in sync", func(g *gitlab, p *pipeline) {
			p.sync()
			g.want("plan", 0, render.NoChanges)
			g.want("apply", 0, render.NoChanges, "Applied completely")
		}},
		{"changes are pending, and what was planned is applied", func(g *gitlab, p *pipeline) {
			g.want("plan", 0, render.Marker, "Plan: 12 to add", "[plan.html](https://forge.example/-/jobs/1/artifacts/file/plan.html)", "<!doctype html>")
			p.world.put(50, "later", "stix", domainPattern("later.example"), "")
			g.want("apply", 0, "Apply complete: 12 added", `"result": "applied"`)
			if n := len(p.world.hl.Rules("ioc")); n != 12 {
				g.t.Errorf("HarfangLab holds %d rules, want the 12 of the plan", n)
			}
			g.want("apply", 6, "Run a new pipeline")
		}},
		{"a gate refuses", func(g *gitlab, p *pipeline) {
			p.refusable()
			g.want("plan", 4, "Refused by gate G2")
		}},
		{"a side is down", func(g *gitlab, p *pipeline) {
			g.want("plan", 0)
			p.down(p.world.hl.HTTP)
			g.want("apply", 8, "a side could not be reached")
			g.want("plan", 8, "HarfangLab: GET")
		}},
		{"the plan of another pipeline is not the one that was approved", func(g *gitlab, _ *pipeline) {
			g.want("plan", 0)
			g.dotenv = []string{"PLAN_DIGEST=" + strings.Repeat("0", 64)}
			g.want("apply", 6, "not for the approved digest")
		}},
		{"a rule changed meanwhile", func(g *gitlab, p *pipeline) {
			p.sync()
			p.world.edit(0, func(i *octisim.Indicator) { i.Description = "second" })
			g.want("plan", 0, "1 to change")
			for _, r := range p.world.hl.Rules("ioc") {
				p.world.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Description = "meanwhile" })
			}
			g.want("apply", 5, "Some changes were not made", "d0.example: conflict")
		}},
		{"another binary is never run", func(g *gitlab, p *pipeline) {
			g.vars = map[string]string{"HARFANGSYNC_SHA256": strings.Repeat("0", 64)}
			g.want("plan", 1, "checksum did NOT match")
			if len(p.world.octi.HTTP.Requests()) > 0 {
				g.t.Error("it was run")
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			g := newGitlab(t)
			tt.story(g, &pipeline{t: t, world: g.world})
		})
	}
}

// Nobody applies but on the default branch, by hand, one at a time, with the plan of the same pipeline.
func TestGitlabAppliesByHandOnly(t *testing.T) {
	stages, jobs := readGitlab(t)
	apply := jobs["apply"]
	got := fmt.Sprintf("%v %v %v %v %v %v", stages, apply.Stage, apply.Needs, apply.Rules, apply.Environment != "", apply.ResourceGroup != "")
	if want := `[plan apply] apply [plan] [{$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH manual}] true true`; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
