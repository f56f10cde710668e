package run_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

func TestADumpComesBackAsItWas(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), sigma("s", ruleA), yara("y")}}, newSink()
	j := job(t, src, snk)
	j.Parallel = 1
	syncAll(t, j)
	dir := filepath.Join(t.TempDir(), "dump")
	d, err := j.Dump(t.Context(), dir, "https://edr.example")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"manifest.json", "rows.jsonl"} {
		if st, err := os.Stat(filepath.Join(dir, name)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, st.Mode(), err)
		}
	}
	if _, err := j.Dump(t.Context(), dir, "https://edr.example"); err == nil {
		t.Error("a dump is overwritten")
	}
	got, err := run.ReadDump(dir)
	if err != nil {
		t.Fatal(err)
	}
	d.Dir, d.Rows = dir, snk.rows
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
	if p := plan(t, j); p.Plan.Changes.Len() > 0 {
		t.Errorf("the next plan: %q", changes(p))
	}
}

// Kinds that a restore leaves out are neither counted nor made again.
func TestARestoreOfOneKindLeavesTheOthersAlone(t *testing.T) {
	src, snk := &source{read: []reconcile.Indicator{ind("a", "domain_name x.example"), sigma("s", ruleA), yara("y")}}, newSink()
	j := job(t, src, snk)
	syncAll(t, j)
	dir := filepath.Join(t.TempDir(), "dump")
	if _, err := j.Dump(t.Context(), dir, "https://edr.example"); err != nil {
		t.Fatal(err)
	}
	d, err := run.ReadDump(dir)
	if err != nil {
		t.Fatal(err)
	}
	snk.rows = nil
	for n, k := range reconcile.Kinds {
		only := *j
		only.Policy.Kinds = []reconcile.Kind{k}
		p, err := only.PlanRestore(t.Context(), d, false)
		if err != nil || p.Plan.Changes.Len() != 1 || p.Plan.Changes.Kind(0) != k || len(p.Plan.Wanted) != 1 {
			t.Fatalf("%s: %q, %v", k, changes(p), err)
		}
		if r := apply(t, &only, p, true); !r.Clean() || len(snk.rows) != n+1 {
			t.Errorf("%s: %q, %d rows", k, brief(r), len(snk.rows))
		}
	}
}

func TestARestoreThatDisablesAlsoSetsTheTextBack(t *testing.T) {
	snk := newSink()
	j := job(t, &source{read: []reconcile.Indicator{ind("a", "domain_name x.example")}}, snk)
	syncAll(t, j)
	snk.rows[0].Enabled, snk.rows[0].Description = false, "by hand"
	dir := filepath.Join(t.TempDir(), "dump")
	if _, err := j.Dump(t.Context(), dir, "x"); err != nil {
		t.Fatal(err)
	}
	d, err := run.ReadDump(dir)
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
		if _, ok := errors.AsType[*run.DamagedError](err); !ok {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := run.ReadDump(t.TempDir())
	if _, ok := errors.AsType[*run.DumpError](err); !ok {
		t.Errorf("an empty directory: %v", err)
	}
}

// paged gives a list page by page.
type paged struct {
	*sink
	page func(n int) []reconcile.Row // nil is the end
	fail []error                     // of the next reads of a list, after their first page
}

func (p *paged) Rows(_ context.Context, k reconcile.Kind, _ string, visit func(page []reconcile.Row, total int) error) (n int, err error) {
	if k != reconcile.IOC {
		return 0, nil
	}
	for i := 0; ; i++ {
		page := p.page(i)
		if page == nil {
			return n, nil
		}
		n += len(page)
		if err := visit(page, 0); err != nil {
			return n, err
		}
		if err := pop(&p.fail); err != nil {
			return n, err
		}
	}
}

// The lists may hold more than fits in memory.
// TestADumpOfMillionsOfNothingsIsRefused: three bytes may stand for a row of hundreds.
func TestADumpOfMillionsOfNothingsIsRefused(t *testing.T) {
	was := debug.SetMemoryLimit(64 << 20)
	defer debug.SetMemoryLimit(was)
	dir := t.TempDir()
	src, snk := &source{read: domains(0, 3)}, newSink()
	j := job(t, src, snk)
	syncAll(t, j)
	if _, err := j.Dump(t.Context(), dir, "target"); err != nil {
		t.Fatal(err)
	}
	if _, err := run.ReadDump(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "rows.jsonl"), []byte(strings.Repeat("{}\n", 1<<20)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := run.ReadDump(dir); err == nil || !strings.Contains(err.Error(), "more than the memory here is enough for") {
		t.Error(err)
	}
}

func TestADumpHoldsAPageAtOnce(t *testing.T) {
	const pages, size = 60, 1 << 20
	heap := func() int64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	snk := newSink()
	snk.lists[reconcile.IOC] = &reconcile.List{ID: "list-ioc"}
	before, grown := heap(), int64(0)
	j := job(t, &source{}, snk)
	j.Sink = &paged{sink: snk, page: func(n int) []reconcile.Row {
		if n == pages {
			grown = heap() - before
			return nil
		}
		return []reconcile.Row{{Kind: reconcile.IOC, ID: fmt.Sprint(n), Comment: strings.Repeat("c", size)}}
	}}
	d, err := j.Dump(t.Context(), filepath.Join(t.TempDir(), "dump"), "x")
	if err != nil || d.Count != pages || grown > pages*size/4 {
		t.Errorf("%+v, %v; the memory has grown by %d bytes", d, err, grown)
	}
}

// What an incomplete read gave is dropped, whatever was written before it.
func TestADumpReadsAListOnceMore(t *testing.T) {
	for _, tt := range []struct {
		name string
		fail []error
		want int // rows
	}{
		{"whole", nil, 2},
		{"whole at the second time", []error{&fault{reconcile.Fault{Incomplete: true}}}, 2},
		{"incomplete twice", []error{&fault{reconcile.Fault{Incomplete: true}}, &fault{reconcile.Fault{Incomplete: true}}}, 0},
		{"down", []error{&fault{reconcile.Fault{Side: true}}}, 0},
	} {
		snk := newSink()
		snk.lists[reconcile.IOC] = &reconcile.List{ID: "list-ioc"}
		j := job(t, &source{}, snk)
		j.Sink = &paged{sink: snk, fail: tt.fail, page: func(n int) []reconcile.Row {
			if n == 2 {
				return nil
			}
			return []reconcile.Row{{Kind: reconcile.IOC, ID: fmt.Sprint(n), Comment: strings.Repeat("c", 10_000)}}
		}}
		dir := filepath.Join(t.TempDir(), "dump")
		_, err := j.Dump(t.Context(), dir, "x")
		d, read := run.ReadDump(dir)
		switch {
		case tt.want == 0:
			if err == nil || read == nil {
				t.Errorf("%s: %v, and read %v", tt.name, err, read)
			}
		case err != nil || read != nil || len(d.Rows) != tt.want:
			t.Errorf("%s: %v, read %v", tt.name, err, read)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, ".*")); len(left) > 0 {
			t.Errorf("%s: left %v", tt.name, left)
		}
	}
}
