package planfile_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/plantest"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/spool/spooltest"
)

const us = "11111111-1111-4111-8111-111111111111"

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func pol() reconcile.Policy {
	return reconcile.Policy{Own: reconcile.Identity{Instance: us}, List: "from_OpenCTI", Base: "https://cti.example", Maturity: "stable"}
}

func ind(id, typ, pattern string) reconcile.Indicator {
	score := 70
	return reconcile.Indicator{ID: id, StandardID: "indicator--" + id, Name: "name of " + id, Description: "about <" + id + ">", Pattern: pattern, PatternType: typ, Score: &score, CreatedAt: noon}
}

func compute(t testing.TB, p reconcile.Policy, rows []reconcile.Row, inds ...reconcile.Indicator) *reconcile.Plan {
	t.Helper()
	w, r := reconcile.NewWanted(), reconcile.NewRows(p.Own, func(_, v string) string { return v })
	for i := range inds {
		var values []reconcile.Value
		var skips []reconcile.Skip
		if typ, value, ok := strings.Cut(inds[i].Pattern, " "); ok && inds[i].PatternType == "stix" {
			values = []reconcile.Value{{Type: typ, Value: value}}
			skips = []reconcile.Skip{{Reason: reconcile.PatternAnd, Detail: "two of them"}}
		}
		w.Add(&inds[i], reconcile.Given{Values: values, Skips: skips})
	}
	for i := range rows {
		r.Add(&rows[i])
	}
	if err := errors.Join(w.Seal(), r.Seal(w)); err != nil {
		t.Fatal(err)
	}
	plan, err := reconcile.Compute(r, w, p, reconcile.Memory{})
	if err != nil {
		t.Fatal(err)
	}
	g3 := plan.Explain(reconcile.Evidence{Started: noon}, p)
	plan.Judge(reconcile.Gate{ID: "G1", Name: "complete", OK: true}, g3, reconcile.Memory{}, "f", p, reconcile.Limits{SourceShrink: 20, Additions: 1000, Changes: 200, Failures: 10}, reconcile.Overrides{})
	return plan
}

const (
	sigmaRule = "id: aaaaaaaa-0000-4000-8000-00000000000a\ntitle: t\nlogsource: {product: windows}\ndetection: {sel: {a: b}, condition: sel}\n"
	yaraRule  = "rule r { condition: true }\n"
)

// everything is a plan with each action, each kind, held and skipped items.
func everything(t testing.TB) *reconcile.Plan {
	t.Helper()
	p := pol()
	made := compute(t, p, nil, ind("keep", "stix", "domain_name keep.example"), ind("s", "sigma", sigmaRule), ind("y", "yara", yaraRule), ind("gone", "stix", "domain_name gone.example"), ind("pin", "stix", "domain_name pin.example"), ind("back", "stix", "url http://back.example/"))
	var rows []reconcile.Row
	for i := range made.Changes.Len() {
		row := made.Changes.At(i).Row()
		row.ID = made.Changes.At(i).Owners[0].ID + "-row"
		switch made.Changes.At(i).Owners[0].ID {
		case "keep":
			row.Description = "edited"
		case "pin":
			row.Enabled = false
		case "back":
			row.Enabled = false
			row.Comment = strings.Replace(row.Comment, `"owners_count"`, `"disabled":"revoked","owners_count"`, 1)
		case "s":
			row.Content = strings.Replace(row.Content, "b", "c", 1)
		}
		rows = append(rows, row)
	}
	rows = append(rows, reconcile.Row{Kind: reconcile.IOC, ID: "old-row", Type: "hash", Value: "0a", Comment: `{"indicator_id": "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11", "indicator_score": null, "indicator_platforms": []}`, Enabled: true, HLStatus: "stable"},
		reconcile.Row{Kind: reconcile.IOC, ID: "stray", Type: "hash", Value: "0b", Enabled: true, HLStatus: "stable"})
	return compute(t, p, rows, ind("keep", "stix", "domain_name keep.example"), ind("s", "sigma", sigmaRule), ind("pin", "stix", "domain_name pin.example"),
		ind("back", "stix", "url http://back.example/"), ind("old", "stix", "hash 0a"), ind("new", "stix", "ip_both 192.0.2.1"), ind("z", "yara", "rule z { condition: true }"))
}

func doc(t testing.TB) *planfile.Document {
	t.Helper()
	id := "list-1"
	return planfile.New(everything(t), planfile.Document{ToolVersion: "v1", Timestamp: noon, Complete: true, Applyable: true,
		Source: planfile.Source{URL: "https://cti.example", FilterDigest: "f", Count: 6, Digest: "d"},
		Target: planfile.Target{URL: "https://edr.example:8443", Version: "9", Lists: []planfile.List{{Kind: reconcile.IOC, ID: &id, Name: "from_OpenCTI"}, {Kind: reconcile.Sigma, Name: "from_OpenCTI"}}},
		Policy: "sync", SettingsDigest: "s"})
}

func encoded(t testing.TB, d *planfile.Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := planfile.Encode(&b, d); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestEqualPlansGiveEqualBytes(t *testing.T) {
	a, b := doc(t), doc(t)
	if !bytes.Equal(encoded(t, a), encoded(t, b)) {
		t.Error("two documents of one plan differ")
	}
	b.ToolVersion = "v2"
	b.Seal()
	if a.Digest != b.Digest {
		t.Error("the digest covers the tool")
	}
	b.Timestamp = noon.Add(time.Second)
	b.Seal()
	if a.Digest == b.Digest {
		t.Error("the digest does not cover the time, so an old plan passes for a new one")
	}
	b.Timestamp = noon
	b.Seal()
	if a.Digest != b.Digest {
		t.Error("two documents of one plan have different digests")
	}
	b.Target.URL = "https://other.example"
	b.Seal()
	if a.Digest == b.Digest {
		t.Error("the digest does not cover the target")
	}
}

// TestTheDigestIsThatOfOneLine: files that other versions wrote keep their digest, whatever stands in them.
func TestTheDigestIsThatOfOneLine(t *testing.T) {
	plan := everything(t)
	plan.Skipped.Add(&reconcile.Skip{Indicator: "x", Reason: reconcile.Expired, Detail: "a<b>&c \u2028 \x00 \U0001f980 é \"\\ \t"})
	d := planfile.New(plan, planfile.Document{Timestamp: noon, Summary: reconcile.Summary{}})
	bare := *d
	bare.Digest, bare.ToolVersion = "", ""
	var line bytes.Buffer
	if err := json.Compact(&line, encoded(t, &bare)); err != nil {
		t.Fatal(err)
	}
	line.WriteByte('\n')
	if sum := sha256.Sum256(line.Bytes()); d.Digest != hex.EncodeToString(sum[:]) {
		t.Errorf("digest %s, and that of the line is %x", d.Digest, sum)
	}
}

// TestTheDigestTakesNoMemory: a first load has a document of 100 MB, which need not be in memory for it.
func TestTheDigestTakesNoMemory(t *testing.T) {
	plan := everything(t)
	for plan.Changes.Len() < 20_000 {
		for i := range plan.Changes.Len() {
			plan.Changes.Add(plan.Changes.At(i))
		}
	}
	d := planfile.New(plan, planfile.Document{Timestamp: noon})
	allocates := func(of func()) uint64 {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		of()
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	read := allocates(func() {
		for range d.Changes.All() {
		}
	})
	if got := allocates(d.Seal); got > read+8<<20 {
		t.Errorf("the digest of %d changes allocates %d bytes, to read them %d", d.Changes.Len(), got, read)
	}
}

func TestAFileIsReadAsItWasWritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "plan.json")
	want := doc(t)
	if err := planfile.Write(path, want); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	got, err := planfile.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got, plantest.Compare); d != "" {
		t.Errorf("document (-want +got):\n%s", d)
	}
	if text := string(encoded(t, want)); strings.Contains(text, `\u003c`) || !strings.Contains(text, "about <keep>") {
		t.Error("texts are escaped for HTML, so people cannot read them")
	}
}

// TestAPlanThatMemoryCannotHoldIsRefused: it is not read until the process is killed.
func TestAPlanThatMemoryCannotHoldIsRefused(t *testing.T) {
	was := debug.SetMemoryLimit(512 << 20)
	defer debug.SetMemoryLimit(was)
	path := filepath.Join(t.TempDir(), "plan.json")
	if err := errors.Join(os.WriteFile(path, []byte("{"), 0o600), os.Truncate(path, 129<<20)); err != nil {
		t.Fatal(err)
	}
	_, err := planfile.Read(path)
	if !planfile.Unusable(err) || !strings.Contains(err.Error(), "its file holds 129 MiB") {
		t.Errorf("%v", err)
	}
}

// TestAPlanOfMillionsOfNothingsIsRefused: a small file of empty changes, or owners, took the memory of a pod many times over.
func TestAPlanOfMillionsOfNothingsIsRefused(t *testing.T) {
	was := debug.SetMemoryLimit(512 << 20)
	defer debug.SetMemoryLimit(was)
	whole := string(encoded(t, doc(t)))
	for name, many := range map[string]func() string{
		"changes": func() string { return `"changes": [` + strings.Repeat("{},", 3<<20) + `{},` },
		"owners":  func() string { return `"changes": [{"owners": [` + strings.Repeat("{},", 8<<20) + `{}]},` },
		"fields":  func() string { return `"changes": [{"fields": [` + strings.Repeat(`"",`, 16<<20) + `""]},` },
	} {
		text := strings.Replace(whole, `"changes": [`, many(), 1)
		if len(text) > 60<<20 {
			t.Fatalf("%s: %d bytes", name, len(text))
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := planfile.Decode(strings.NewReader(text))
		runtime.ReadMemStats(&after)
		if !planfile.Unusable(err) || !strings.Contains(err.Error(), "more elements than the memory here") {
			t.Errorf("%s: %v", name, err)
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 512<<20 {
			t.Errorf("%s: %d MiB", name, got>>20)
		}
	}
	if _, err := planfile.Decode(strings.NewReader(whole)); err != nil {
		t.Errorf("a plan: %v", err)
	}
}

// TestDamage holds what is not taken for a plan.
func TestDamage(t *testing.T) {
	whole := string(encoded(t, doc(t)))
	resealed := func(alter func(*planfile.Document)) string {
		d := doc(t)
		alter(d)
		d.Seal()
		return string(encoded(t, d))
	}
	change := func(d *planfile.Document, i int, alter func(*reconcile.Change)) {
		ch := d.Changes.At(i)
		alter(ch)
		d.Changes.Set(i, ch)
	}
	first := func(alter func(*reconcile.Change)) string {
		return resealed(func(d *planfile.Document) { change(d, 0, alter) })
	}
	create := func(alter func(*reconcile.Change)) string {
		return resealed(func(d *planfile.Document) {
			i := 0
			for d.Changes.Action(i) != reconcile.Create || d.Changes.Kind(i) != reconcile.IOC {
				i++
			}
			change(d, i, alter)
		})
	}
	empty := resealed(func(d *planfile.Document) {
		d.Changes, d.Held, d.Skipped = reconcile.Changes{}, reconcile.AllHeld{}, reconcile.AllSkipped{}
	})
	for _, tt := range []struct {
		name, text, want string
	}{
		{name: "nothing", text: "", want: "not a plan"},
		{name: "changes that are no list", text: strings.Replace(empty, `"changes": []`, `"changes": {}`, 1), want: "where an array is due"},
		{name: "a number of what is held", text: strings.Replace(empty, `"held": []`, `"held": 5`, 1), want: "where an array is due"},
		{name: "a word for what is skipped", text: strings.Replace(empty, `"skipped": []`, `"skipped": "none"`, 1), want: "where an array is due"},
		{name: "no JSON", text: "plan", want: "not a plan"},
		{name: "another JSON", text: "{}", want: "not a plan"},
		{name: "half a plan", text: whole[:len(whole)/2], want: "not a plan"},
		{name: "two plans", text: whole + whole, want: "not a plan"},
		{name: "another version", text: strings.Replace(whole, `"format_version": "1.0"`, `"format_version": "2.0"`, 1), want: `has format "2.0" and this program reads "1.0"`},
		{name: "an edited value", text: strings.Replace(whole, "192.0.2.1", "192.0.2.2", 1), want: "digest"},
		{name: "another digest", text: strings.Replace(whole, `"digest": "`, `"digest": "0`, 1), want: "digest"},
		{name: "one more member", text: strings.Replace(whole, `"applyable"`, `"extra": 1, "applyable"`, 1), want: "unknown field"},
		{name: "an action of nobody", text: first(func(c *reconcile.Change) { c.Action = "drop" }), want: "not one that a plan makes"},
		{name: "an update of nothing", text: first(func(c *reconcile.Change) { c.ID = "" }), want: "not one that a plan makes"},
		{name: "a create of a row that is there", text: create(func(c *reconcile.Change) { c.ID = "x" }), want: "not one that a plan makes"},
		{name: "a create without a body", text: create(func(c *reconcile.Change) { c.After = nil }), want: "not one that a plan makes"},
		{name: "a disable that enables", text: first(func(c *reconcile.Change) { c.After.Enabled = true }), want: "not one that a plan makes"},
		{name: "a body of another kind", text: create(func(c *reconcile.Change) { c.After.Comment = nil }), want: "not one that a plan makes"},
	} {
		_, err := planfile.Decode(strings.NewReader(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || !planfile.Unusable(err) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, err := planfile.Read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) || planfile.Unusable(err) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestCheck holds gate G6 for what the file itself says: every refusal has a sentence of its own.
func TestCheck(t *testing.T) {
	gate := func(id, name, override string) reconcile.Gate {
		return reconcile.Gate{ID: id, Name: name, Message: "because", Override: override}
	}
	seen := map[string]string{}
	for _, tt := range []struct {
		name  string
		alter func(*planfile.Document)
		want  func(*planfile.Expect)
		error string
	}{
		{name: "as planned"},
		{name: "the approved digest", want: func(w *planfile.Expect) { w.Digest = "same" }},
		{name: "another digest", want: func(w *planfile.Expect) { w.Digest = "0000" }, error: "approved digest"},
		{name: "another target", want: func(w *planfile.Expect) { w.TargetURL = "https://other" }, error: "is for https://edr.example:8443, not for https://other"},
		{name: "a target that is text for a terminal", alter: func(d *planfile.Document) { d.Target.URL = "https://x\nharfangsync: all is well\u202e\x1b[2J" }, error: "is for https://x harfangsync: all is well [2J, not for https://edr.example:8443"},
		{name: "another source", want: func(w *planfile.Expect) { w.SourceURL = "https://other" }, error: "is for https://cti.example, not for https://other"},
		{name: "another list", want: func(w *planfile.Expect) { w.ListName = "other" }, error: "is for list from_OpenCTI, not for list other"},
		{name: "other settings", want: func(w *planfile.Expect) { w.SettingsDigest = "other" }, error: "settings"},
		{name: "an old plan", want: func(w *planfile.Expect) { w.Now = noon.Add(25 * time.Hour) }, error: "25h0m0s old"},
		{name: "a plan of a clock that is ahead", want: func(w *planfile.Expect) { w.Now = noon.Add(-6 * time.Minute) }, error: "6m0s ahead of the clock here"},
		{name: "a plan of a clock that is a little ahead", want: func(w *planfile.Expect) { w.Now = noon.Add(-5 * time.Minute) }},
		{name: "a plan from a snapshot of next year", alter: func(d *planfile.Document) {
			d.Source.Snapshot = &planfile.Snapshot{Time: noon.AddDate(1, 0, 0), Digest: "x"}
		}, error: "ahead of the clock here"},
		{name: "a plan of a day", want: func(w *planfile.Expect) { w.Now = noon.Add(24 * time.Hour) }},
		{name: "a plan from an old snapshot", alter: func(d *planfile.Document) {
			d.Source.Snapshot = &planfile.Snapshot{Time: noon.Add(-24 * time.Hour), Digest: "x"}
		}, error: "its snapshot is 25h0m0s old"},
		{name: "a plan from a snapshot of the day", alter: func(d *planfile.Document) {
			d.Source.Snapshot = &planfile.Snapshot{Time: noon.Add(-23 * time.Hour), Digest: "x"}
		}},
		{name: "a plan for another day", alter: func(d *planfile.Document) { d.AsOf = &noon }, error: "--as-of"},
		{name: "half a read", alter: func(d *planfile.Document) { d.Complete = false }, error: "not read to the end"},
		{name: "a plan that says no", alter: func(d *planfile.Document) { d.Applyable = false }, error: "says so itself"},
		{name: "G1", alter: func(d *planfile.Document) { d.Gates = []reconcile.Gate{gate("G1", "complete", "")} }, want: all, error: "gate G1"},
		{name: "G3", alter: func(d *planfile.Document) { d.Gates = []reconcile.Gate{gate("G3", "absence", "")} }, want: all, error: "gate G3"},
		{name: "G2, empty", alter: func(d *planfile.Document) {
			d.Gates = []reconcile.Gate{gate("G2", "source_empty_ioc", "--allow-empty")}
		}, error: "gate G2"},
		{name: "G2, empty, accepted", alter: func(d *planfile.Document) {
			d.Applyable, d.Gates = false, []reconcile.Gate{gate("G2", "source_empty_ioc", "--allow-empty")}
		}, want: all},
		{name: "G2, another number", alter: func(d *planfile.Document) {
			d.Gates = []reconcile.Gate{gate("G2", "source_shrink", "--accept-shrink 8")}
		}, want: all, error: "gate G2 refused it: because"},
		{name: "G2, a greater number than refused", alter: func(d *planfile.Document) {
			d.Gates = []reconcile.Gate{gate("G2", "source_shrink", "--accept-shrink 6")}
		}, want: all, error: "gate G2 refused it: because"},
		{name: "G2, accepted", alter: func(d *planfile.Document) {
			d.Gates = []reconcile.Gate{gate("G2", "source_shrink", "--accept-shrink 7")}
		}, want: all},
		{name: "G4, the sum accepted", alter: func(d *planfile.Document) {
			d.Gates = []reconcile.Gate{gate("G4", "removals_ioc_absence", "--accept-removals 42"), gate("G4", "removals_yara_evidence", "--accept-removals 42")}
		}, want: all},
		{name: "G4, a part accepted", alter: func(d *planfile.Document) {
			d.Gates = []reconcile.Gate{gate("G4", "removals_ioc_absence", "--accept-removals 41")}
		}, want: all, error: "gate G4"},
	} {
		d := doc(t)
		if tt.alter != nil {
			tt.alter(d)
		}
		want := planfile.Expect{SourceURL: "https://cti.example", TargetURL: "https://edr.example:8443", ListName: "from_OpenCTI", SettingsDigest: "s", Now: noon.Add(time.Hour), MaxAge: 24 * time.Hour}
		if tt.want != nil {
			tt.want(&want)
		}
		if want.Digest == "same" {
			want.Digest = d.Digest
		}
		err := d.Check(want)
		if (err == nil) != (tt.error == "") || err != nil && (!strings.Contains(err.Error(), tt.error) || !planfile.Unusable(err)) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.error)
		}
		if err != nil {
			if other, twice := seen[err.Error()]; twice && !strings.HasPrefix(tt.name, "G2") {
				t.Errorf("%s and %s have one sentence: %v", other, tt.name, err)
			}
			seen[err.Error()] = tt.name
		}
	}
}

func all(w *planfile.Expect) {
	w.Overrides = reconcile.Overrides{AllowEmpty: true, AcceptShrink: 7, AcceptRemovals: 42}
}

func TestReport(t *testing.T) {
	d := doc(t)
	var items []run.Item
	for range d.Changes.Len() {
		items = append(items, run.Item{Outcome: run.Failed, Error: "no"})
	}
	r := planfile.NewReport(d, 5, items)
	path := filepath.Join(t.TempDir(), "report.json")
	if err := planfile.Write(path, r); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Items    []*planfile.Item
		Summary  reconcile.Summary
		ExitCode int `json:"exit_code"`
	}
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(slices.Collect(r.Items.All()), got.Items) + cmp.Diff(d.Summary, got.Summary); diff != "" || got.ExitCode != 5 || len(got.Items) != d.Changes.Len() || got.Items[0].Outcome != run.Failed {
		t.Errorf("code %d, report (-want +got):\n%s", got.ExitCode, diff)
	}
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
}

// What became of changes that cannot be read again is told all the same: what they did, to which kind of rule.
func TestAReportOfWhatCannotBeReadAgain(t *testing.T) {
	text := strings.Repeat("x", 100_000)
	var plan reconcile.Plan
	var items []run.Item
	for range 100 {
		plan.Changes.Add(&reconcile.Change{Kind: reconcile.YARA, Name: "r", Action: reconcile.Create, Reason: reconcile.ValueAdded, After: &reconcile.Body{Name: &text, Content: &text}})
		items = append(items, run.Item{Outcome: run.Applied})
	}
	items[7] = run.Item{Outcome: run.Failed, Error: "no"}
	r := planfile.NewReport(planfile.New(&plan, planfile.Document{}), 5, items)
	spooltest.Spoil(t)
	path := filepath.Join(t.TempDir(), "report.json")
	if err := planfile.Write(path, r); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got struct{ Items []*planfile.Item }
	if err := json.Unmarshal(b, &got); err != nil || len(got.Items) != 100 {
		t.Fatalf("%d items, %v", len(got.Items), err)
	}
	for i, it := range got.Items {
		if it.Kind != reconcile.YARA || it.Action != reconcile.Create || it.Outcome != items[i].Outcome || !strings.Contains(it.Error, items[i].Error) || !strings.Contains(it.Error, "cannot be read again: temporary file") {
			t.Errorf("%+v", it)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(encoded(f, planfile.New(&reconcile.Plan{}, planfile.Document{})))
	f.Add([]byte(`{"format_version": "1.0"}`))
	f.Add([]byte(`{"format_version": "1.0", "changes": [{"kind": "ioc"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := planfile.Decode(bytes.NewReader(b))
		if err != nil {
			if !planfile.Unusable(err) {
				t.Errorf("%v is no refusal", err)
			}
			return
		}
		again, err := planfile.Decode(bytes.NewReader(encoded(t, d)))
		if err != nil || !cmp.Equal(d, again, plantest.Compare) {
			t.Errorf("read, written and read again: %v\n%s", err, cmp.Diff(d, again, plantest.Compare))
		}
	})
}
