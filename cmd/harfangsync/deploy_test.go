package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

// commandsOf are the arguments of every container of ours in the manifests of a file.
func commandsOf(t *testing.T, path string) [][]string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var found [][]string
	var walk func(n *yaml.Node)
	walk = func(n *yaml.Node) {
		var c struct{ Name, Image string }
		var args struct{ Args, Command []string }
		if n.Kind == yaml.MappingNode && n.Decode(&c) == nil && strings.Contains(c.Image, "/harfangsync:") && n.Decode(&args) == nil {
			found = append(found, slices.Concat(args.Args, args.Command))
		}
		for _, child := range n.Content {
			walk(child)
		}
	}
	for dec := yaml.NewDecoder(strings.NewReader(string(b))); ; {
		var doc yaml.Node
		if dec.Decode(&doc) != nil {
			return found
		}
		walk(&doc)
	}
}

// What the CronJob runs does the job, says what it did, and logs in lines that a collector reads.
func TestTheCronJobsCommandDoesTheJob(t *testing.T) {
	w := newChaosWorld(t)
	w.put(0, "one", "stix", domainPattern("one.example"), "")
	commands := commandsOf(t, "deploy/cronjob.yaml")
	if len(commands) != 1 {
		t.Fatalf("the CronJob has the commands %q", commands)
	}
	for _, last := range []string{"Apply complete: 1 added", render.NoChanges} {
		code, out, errs := w.command(t.Context(), commands[0]...)
		if code != exit.OK || !strings.Contains(out, last) {
			t.Fatalf("%q ended with %d\n%s%s", commands[0], code, out, errs)
		}
		for line := range strings.Lines(errs) {
			if !json.Valid([]byte(line)) {
				t.Errorf("no JSON on stderr: %s", line)
			}
		}
	}
}

// What tenants.yaml runs brings one read of OpenCTI to managers whose pods cannot reach it, and each tenant
// has a state of its own.
func TestOneSnapshotFeedsEveryTenant(t *testing.T) {
	w := newChaosWorld(t)
	w.put(0, "one", "stix", domainPattern("one.example"), "")
	shared := t.TempDir()
	command := func(args []string, env ...string) (code int, out string) {
		t.Helper()
		var b strings.Builder
		p := newProgram(strings.NewReader(""), &b, &b, env)
		p.noConfig = true
		words := []string{"harfangsync"}
		for _, a := range args {
			words = append(words, strings.ReplaceAll(a, "/shared/", shared+"/"))
		}
		return p.run(t.Context(), words), b.String()
	}
	commands := commandsOf(t, "deploy/tenants.yaml")
	if len(commands) != 2 {
		t.Fatalf("commands %q", commands)
	}
	if code, out := command(commands[0], "OPENCTI_URL="+w.octiURL, "OPENCTI_TOKEN="+simOpenCTIToken); code != exit.OK {
		t.Fatalf("%q ended with %d\n%s", commands[0], code, out)
	}
	for tenant := range 2 {
		h := newChaosWorld(t)
		for _, last := range []string{"Apply complete: 1 added", render.NoChanges} {
			code, out := command(commands[1], "HARFANGLAB_URL="+h.hlURL, "HARFANGLAB_TOKEN="+simHarfangLabToken, "CONNECTOR_ID="+simConnectorID,
				fmt.Sprintf("HARFANGSYNC_STATE=file:%s/tenant-%d.json", shared, tenant))
			if code != exit.OK || !strings.Contains(out, last) {
				t.Fatalf("tenant %d: %q ended with %d\n%s", tenant, commands[1], code, out)
			}
		}
		if _, err := os.Stat(fmt.Sprintf("%s/tenant-%d.json", shared, tenant)); err != nil {
			t.Error(err)
		}
	}
}

// Every command in a manifest is one that this program has, with flags that it has.
func TestManifestsRunCommandsThatExist(t *testing.T) {
	files, err := filepath.Glob("deploy/*.y*ml")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, f := range files {
		for _, args := range commandsOf(t, f) {
			seen++
			var out strings.Builder
			p := newProgram(strings.NewReader(""), &out, &out, nil)
			if code := p.run(t.Context(), append(append([]string{"harfangsync"}, args...), "--help")); code != exit.OK || !strings.Contains(out.String(), "harfangsync "+args[0]) {
				t.Errorf("%s: %q ended with %d\n%s", f, args, code, out.String())
			}
		}
	}
	if seen == 0 {
		t.Error("no manifest runs this program")
	}
}
