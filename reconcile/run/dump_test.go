package run_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"harfangsync/reconcile"
	"harfangsync/reconcile/run"
)

func TestADumpComesBackAsItWas(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), sigma("s", ruleA), yara("y")}}, newSink()
	j := job(t, src, snk)
	j.Parallel = 1
	syncAll(t, j)
	d, err := j.Dump(t.Context(), "https://edr.example")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "dump")
	if err := d.Write(dir); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"manifest.json", "rows.jsonl"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	if err := d.Write(dir); err == nil {
		t.Error("a dump is overwritten")
	}
	got, err := run.ReadDump(dir)
	if err != nil {
		t.Fatal(err)
	}
	d.Dir = dir
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("read again (-want +got):\n%s", diff)
	}

	before := append([]reconcile.Row(nil), snk.rows...)
	snk.rows[0].Enabled, snk.rows[0].Description = false, "edited"
	snk.rows[1].HLStatus = "testing"
	snk.rows = snk.rows[:2]
	p, err := j.PlanRestore(t.Context(), got, false)
	if err != nil || p.Plan.Refused() {
		t.Fatalf("%v, refused by %q", err, refused(p))
	}
	if r := apply(t, j, p, true); !r.Clean() {
		t.Fatalf("%q", brief(r))
	}
	before[2].ID, before[2].Created = snk.rows[2].ID, snk.rows[2].Created
	if diff := cmp.Diff(before, snk.rows); diff != "" {
		t.Errorf("restored (-want +got):\n%s", diff)
	}
	if p := plan(t, j); len(p.Plan.Changes) > 0 {
		t.Errorf("the next plan: %q", changes(p))
	}
}

func TestARestoreThatDisablesAlsoSetsTheTextBack(t *testing.T) {
	snk := newSink()
	j := job(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, snk)
	syncAll(t, j)
	snk.rows[0].Enabled, snk.rows[0].Description = false, "by hand"
	d, err := j.Dump(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	snk.rows[0].Enabled, snk.rows[0].Description = true, "about a"
	p, err := j.PlanRestore(t.Context(), d, false)
	if err != nil {
		t.Fatal(err)
	}
	if r := apply(t, j, p, true); !r.Clean() || snk.rows[0].Description != "by hand" || snk.rows[0].Enabled {
		t.Errorf("%q, %+v", brief(r), snk.rows[0])
	}
}

func TestDirectoriesThatAreNoDump(t *testing.T) {
	whole := map[string]string{
		"manifest.json": `{"format_version": "1.0", "scope": "list", "kinds": ["ioc"], "count": 1}`,
		"rows.jsonl":    `{"Kind": "ioc", "ID": "1"}`,
	}
	for name, change := range map[string]map[string]string{
		"no manifest":        {"manifest.json": ""},
		"a torn manifest":    {"manifest.json": `{"format_version": "1.0`},
		"another format":     {"manifest.json": `{"format_version": "9.0"}`},
		"no rows":            {"rows.jsonl": ""},
		"torn rows":          {"rows.jsonl": `{"Kind": "ioc", "ID`},
		"fewer rows":         {"manifest.json": `{"format_version": "1.0", "count": 2}`},
		"a kind of its own":  {"rows.jsonl": `{"Kind": "snort", "ID": "1"}`},
		"an unknown kind in": {"manifest.json": `{"format_version": "1.0", "kinds": ["snort"], "count": 1}`},
	} {
		dir := t.TempDir()
		for file, text := range whole {
			if other, ok := change[file]; ok {
				text = other
			}
			if text == "" {
				continue
			}
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := run.ReadDump(dir)
		if _, ok := errors.AsType[*run.DumpError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
