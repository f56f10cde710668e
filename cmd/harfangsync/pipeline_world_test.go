package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

const examples = "../../.github/examples/"

// pipeline is a repository with our workflows, a pull request (number 7), and both platforms.
type pipeline struct {
	t     *testing.T
	world *chaosWorld
	forge *forge
	runs  int
	last  *runner
	event string            // of the next run
	fork  bool              // the pull request comes from a fork
	vars  map[string]any    // beside the usual ones
	files map[string]string // of the repository
	token string            // for OpenCTI, if not the right one
}

func newPipeline(t *testing.T) *pipeline {
	if testing.Short() {
		t.Skip("runs workflows")
	}
	w := newChaosWorld(t)
	for i := range 12 {
		w.put(i, fmt.Sprintf("indicator %d", i), "stix", domainPattern(fmt.Sprintf("d%d.example", i)), "")
	}
	return &pipeline{t: t, world: w, forge: newForge(t), event: "pull_request"}
}

// run runs the one job of a workflow and returns the code that it ends with.
func (p *pipeline) run(file string, inputs map[string]any) int {
	p.t.Helper()
	p.runs++
	r := newRunner(p.t, p.forge, fmt.Sprint(1000+p.runs))
	p.last = r
	binary, err := os.ReadFile(filepath.Join(r.release, releaseBinary))
	if err != nil {
		p.t.Fatal(err)
	}
	sum := sha256.Sum256(binary)
	head := map[string]any{"repo": map[string]any{"full_name": "o/r"}}
	if p.fork {
		head["repo"] = map[string]any{"full_name": "stranger/r"}
	}
	token := simOpenCTIToken
	if p.token != "" {
		token = p.token
	}
	r.contexts = map[string]any{
		"github": map[string]any{"token": forgeToken, "event_name": p.event, "repository": "o/r", "ref": "refs/pull/7/merge",
			"event": map[string]any{"pull_request": map[string]any{"number": 7, "head": head}}},
		"vars": map[string]any{"OPENCTI_URL": p.world.octiURL, "HARFANGLAB_URL": p.world.hlURL, "CONNECTOR_ID": simConnectorID,
			"HARFANGSYNC_REPOSITORY": "our/harfangsync", "HARFANGSYNC_VERSION": releaseVersion, "HARFANGSYNC_SHA256": hex.EncodeToString(sum[:])},
		"secrets": map[string]any{"OPENCTI_TOKEN": token, "HARFANGLAB_TOKEN": simHarfangLabToken},
		"inputs":  inputs,
	}
	maps.Copy(r.contexts["vars"].(map[string]any), p.vars)
	for name, content := range p.files {
		r.file(r.workspace(name), content)
	}
	w := readWorkflow(p.t, examples+file)
	if len(w.Jobs) != 1 {
		p.t.Fatalf("%s has %d jobs", file, len(w.Jobs))
	}
	code := 0
	for _, j := range w.Jobs {
		code = r.job(w, j)
	}
	p.noSecrets()
	return code
}

// noSecrets holds everything that the job showed or kept against the secrets.
func (p *pipeline) noSecrets() {
	p.t.Helper()
	shown := []string{p.last.log.String(), p.last.summary}
	for _, c := range append(slices.Clone(p.forge.comments), p.forge.issues...) {
		shown = append(shown, c.Body)
	}
	for _, dir := range p.forge.artefacts {
		files, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			p.t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				p.t.Fatal(err)
			}
			shown = append(shown, string(b))
		}
	}
	for _, secret := range []string{simOpenCTIToken, simHarfangLabToken} {
		if slices.ContainsFunc(shown, func(s string) bool { return strings.Contains(s, secret) }) {
			p.t.Error("a token is shown")
		}
	}
}

// want compares the code of a run, and looks for words in what it showed.
func (p *pipeline) want(got, want int, shown string, words ...string) {
	p.t.Helper()
	if got != want {
		p.t.Fatalf("the job ended with %d, want %d\n%s", got, want, p.last.log.String())
	}
	for _, w := range words {
		if !strings.Contains(shown, w) {
			p.t.Errorf("not shown: %q\n%s", w, shown)
		}
	}
}

// comment is the one that the program's comments are in.
func (p *pipeline) comment() string {
	p.t.Helper()
	var found []string
	for _, c := range p.forge.comments {
		if c.User["type"] == "Bot" && strings.HasPrefix(c.Body, render.Marker) {
			found = append(found, c.Body)
		}
	}
	if len(found) != 1 {
		p.t.Fatalf("the pull request has %d comments of ours, want 1", len(found))
	}
	return found[0]
}

func (p *pipeline) sync() {
	p.t.Helper()
	if code, out, errs := p.world.command(p.t.Context(), "run"); code != 0 {
		p.t.Fatalf("run ended with %d\n%s%s", code, out, errs)
	}
}

func (p *pipeline) refusable() {
	p.sync()
	for i := range 12 {
		p.world.edit(i, func(i *octisim.Indicator) { i.Revoked = true })
	}
}

// down makes a side answer as a broken proxy does.
func (p *pipeline) down(side *simhttp.Handler) {
	p.t.Helper()
	if err := side.Fail(simhttp.Fault{Do: simhttp.Answer, Status: http.StatusBadGateway, Payload: "<html>bad gateway</html>"}); err != nil {
		p.t.Fatal(err)
	}
}
