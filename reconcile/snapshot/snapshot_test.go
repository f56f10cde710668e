package snapshot_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 123, time.UTC)

func header() snapshot.Header {
	return snapshot.Header{ToolVersion: "v1", Time: noon, Source: snapshot.Source{URL: "https://cti.example", FilterDigest: "f", OwnFilter: true},
		Markings: []string{"TLP:AMBER"}, Selection: snapshot.Selection{Detection: true, Observables: true}, Count: 2, Complete: true}
}

// everything is an indicator with each of its fields.
func everything(id string) reconcile.Indicator {
	return reconcile.Indicator{
		ID: id, StandardID: "indicator--" + id, Name: "<name> & more", Description: "first\nsecond", Pattern: "[domain-name:value = 'a.example']", PatternType: "stix",
		Revoked: true, Detection: new(false), Score: new(0), ValidFrom: noon, ValidUntil: noon.Add(time.Hour), CreatedAt: noon, UpdatedAt: noon,
		Platforms: []string{"windows"}, Labels: []string{"apt"}, Markings: []reconcile.Marking{{Type: "TLP", Definition: "TLP:AMBER"}},
		Observables: []reconcile.Observable{{Type: "StixFile", ID: "o", Name: "a.exe", Value: "v", Hashes: map[string]string{"SHA-256": "0a", "MD5": "0b"}}},
	}
}

// write makes a snapshot and returns its path.
func write(t tb, h snapshot.Header, inds ...reconcile.Indicator) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "snapshot-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "s.gz")
	w, err := snapshot.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := errors.Join(w.Add(inds), w.Commit(h)); err != nil {
		t.Fatal(err)
	}
	return path
}

// writeBytes is what would be the content of a snapshot.
func writeBytes(t tb, h snapshot.Header, inds ...reconcile.Indicator) []byte {
	t.Helper()
	w, err := snapshot.Create(filepath.Join(os.TempDir(), "s.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if err := w.Add(inds); err != nil {
		t.Fatal(err)
	}
	b, err := w.Bytes(h)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

type tb interface {
	Helper()
	Fatal(args ...any)
	Cleanup(f func())
}

// read visits a whole file.
func read(path string) (snapshot.Header, []reconcile.Indicator, error) {
	f, err := snapshot.Open(path)
	if err != nil {
		return snapshot.Header{}, nil, err
	}
	defer f.Close()
	return visited(f)
}

// readBytes visits what would be the content of a whole file.
func readBytes(b []byte) (snapshot.Header, []reconcile.Indicator, error) {
	f, err := snapshot.OpenBytes("x.gz", b)
	if err != nil {
		return snapshot.Header{}, nil, err
	}
	return visited(f)
}

func visited(f *snapshot.File) (snapshot.Header, []reconcile.Indicator, error) {
	var all []reconcile.Indicator
	err := f.Visit(context.Background(), func(page []reconcile.Indicator) error {
		all = append(all, page...)
		return nil
	})
	return f.Header, all, err
}

func TestASnapshotIsReadAsItWasWritten(t *testing.T) {
	want := []reconcile.Indicator{everything("a"), {ID: "b"}, everything("a")}
	path := write(t, header(), want...)
	if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", st.Mode(), err)
	}
	h, got, err := read(path)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("indicators (-want +got):\n%s", d)
	}
	wantHeader := header()
	wantHeader.Format, wantHeader.FormatVersion, wantHeader.Records = "harfangsync snapshot", snapshot.FormatVersion, 3
	if d := cmp.Diff(wantHeader, h); d != "" {
		t.Errorf("header (-want +got):\n%s", d)
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("beside it are %v, %v", entries, err)
	}
}

// The order of what was visited is kept over the edges of pages, so that later versions count.
func TestLongReadsKeepTheirOrder(t *testing.T) {
	for _, n := range []int{0, 1, 499, 500, 501, 1000, 1234} {
		var want []string
		var inds []reconcile.Indicator
		for i := range n {
			want = append(want, fmt.Sprint("id-", i))
			inds = append(inds, reconcile.Indicator{ID: fmt.Sprint("id-", i)})
		}
		h := header()
		h.Count = n
		_, got, err := read(write(t, h, inds...))
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		for i := range got {
			ids = append(ids, got[i].ID)
		}
		if !slices.Equal(want, ids) {
			t.Errorf("%d indicators came back as %d", n, len(ids))
		}
	}
}

func TestAnyIndicatorComesBack(t *testing.T) {
	text := rapid.StringN(0, 40, -1)
	gen := rapid.Custom(func(t *rapid.T) reconcile.Indicator {
		i := reconcile.Indicator{ID: "i" + text.Draw(t, "id"), Name: text.Draw(t, "name"), Pattern: text.Draw(t, "pattern"), PatternType: rapid.SampledFrom([]string{"stix", "sigma", "yara", "pcre"}).Draw(t, "type"), Revoked: rapid.Bool().Draw(t, "revoked")}
		if rapid.Bool().Draw(t, "scored") {
			i.Score, i.Detection = new(rapid.IntRange(-1, 101).Draw(t, "score")), new(rapid.Bool().Draw(t, "detection"))
		}
		if rapid.Bool().Draw(t, "dated") {
			i.ValidFrom = time.Unix(rapid.Int64Range(-1<<31, 1<<33).Draw(t, "from"), rapid.Int64Range(0, 999_999_999).Draw(t, "nano")).UTC()
		}
		for range rapid.IntRange(0, 2).Draw(t, "more") {
			i.Labels = append(i.Labels, text.Draw(t, "label"))
			i.Observables = append(i.Observables, reconcile.Observable{Type: "StixFile", Value: text.Draw(t, "value"), Hashes: map[string]string{text.Draw(t, "algorithm"): "0a"}})
		}
		return i
	})
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(gen, 0, 4).Draw(t, "indicators")
		h := header()
		h.Count = len(want)
		_, got, err := readBytes(writeBytes(t, h, want...))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" && len(want)+len(got) > 0 {
			t.Fatalf("indicators (-want +got):\n%s", d)
		}
	})
}

func TestNothingIsThereBeforeCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.gz")
	if err := os.WriteFile(path, []byte("earlier"), 0o644); err != nil {
		t.Fatal(err)
	}
	w, err := snapshot.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Add([]reconcile.Indicator{everything("a")}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(snapshot.Header{Complete: true}); err == nil {
		t.Error("a snapshot without a source and a time was written")
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(path); err != nil || string(b) != "earlier" {
		t.Errorf("%q, %v", b, err)
	}
	if entries, err := os.ReadDir(filepath.Dir(path)); err != nil || len(entries) != 1 {
		t.Errorf("left behind: %v, %v", entries, err)
	}
}

func TestAReadThatBeginsAnewLeavesNothingOfTheFirst(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.gz")
	w, err := snapshot.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	var many []reconcile.Indicator
	for i := range 5000 {
		many = append(many, everything(fmt.Sprint("lost-", i)))
	}
	want := []reconcile.Indicator{everything("a")}
	h := header()
	h.Count = 1
	if err := errors.Join(w.Add(many), w.Reset(), w.Add(want), w.Commit(h)); err != nil {
		t.Fatal(err)
	}
	if _, got, err := read(path); err != nil || !cmp.Equal(want, got) {
		t.Errorf("%d indicators, %v", len(got), err)
	}
}

// parts are the lines of a file, the header first and the digest last.
func parts(t tb, packed []byte) (lines []string) {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
}

func pack(t tb, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	z, err := gzip.NewWriterLevel(&b, gzip.NoCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(z, text); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestDamage holds what is not taken for a snapshot: each has a sentence of its own, on one line.
func TestDamage(t *testing.T) {
	packed := writeBytes(t, header(), everything("a"), everything("b"))
	lines := parts(t, packed)
	text := strings.Join(lines, "") + "\n"
	replaced := func(old, new string) []byte {
		if !strings.Contains(text, old) {
			t.Fatalf("no %s in it", old)
		}
		return pack(t, strings.Replace(text, old, new, 1))
	}
	flipped := bytes.Clone(packed)
	flipped[len(flipped)/2] ^= 0x10
	for _, tt := range []struct {
		name string
		file []byte
		want string
	}{
		{"nothing", nil, "it is no snapshot"},
		{"a text", []byte("harfangsync snapshot\n"), "it is no snapshot"},
		{"gzip of something else", pack(t, "{\"format\":\"tar\"}\n"), "it is no snapshot"},
		{"a saved plan", pack(t, "{\"format_version\":\"1.0\",\"changes\":[]}\n"), "it is no snapshot"},
		{"another version", replaced(`"format_version":"1.0"`, `"format_version":"2.0"`), `it has format "2.0" and this program reads "1.0"`},
		{"a read that broke off", replaced(`"complete":true`, `"complete":false`), "OpenCTI was not read to the end"},
		{"a header with one member more", replaced(`"complete":true`, `"complete":true,"token":"x"`), "unknown field"},
		{"a header without a time", replaced(`"time":"2026-03-01T12:00:00.000000123Z"`, `"time":"0001-01-01T00:00:00Z"`), "does not say when"},
		{"a source with credentials", replaced(`"https://cti.example"`, `"https://u:p@cti.example"`), "names no source"},
		{"a source that is no address", replaced(`"https://cti.example"`, `"javascript:x"`), "names no source"},
		{"counts that contradict each other", replaced(`"count":2`, `"count":3`), "counts contradict"},
		{"fewer lines than it says", pack(t, lines[0]+lines[1]), "cut short"},
		{"a line less", pack(t, lines[0]+lines[1]+lines[3]+"\n"), "unknown field"},
		{"a line more", pack(t, lines[0]+lines[1]+lines[2]+lines[2]+lines[3]+"\n"), "more lines than its header says"},
		{"an edited value", replaced("a.example", "b.example"), "digest does not fit"},
		{"an edited header", replaced(`"TLP:AMBER"`, `"TLP:RED"`), "digest does not fit"},
		{"lines in another order", pack(t, lines[0]+lines[2]+lines[1]+lines[3]+"\n"), "digest does not fit"},
		{"an indicator without an id", replaced(`{"id":"a",`, `{"id":"",`), "without an id"},
		{"two values on a line", pack(t, lines[0]+strings.TrimSuffix(lines[1], "\n")+lines[2]+lines[3]+"\n"), "more than one value"},
		{"a flipped bit", flipped, "it is damaged"},
		{"a line behind its end", pack(t, text+"{}\n"), "something follows its end"},
		{"garbage behind its end", append(bytes.Clone(packed), "garbage that is long enough"...), "something follows its end"},
		{"one byte behind its end", append(bytes.Clone(packed), 0), "something follows its end"},
		{"two snapshots", append(bytes.Clone(packed), packed...), "something follows its end"},
	} {
		_, _, err := readBytes(tt.file)
		if err == nil || !snapshot.Unusable(err) || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "x.gz") {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
	if _, _, err := read(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) || snapshot.Unusable(err) {
		t.Errorf("a missing file: %v", err)
	}
}

// TestHostileSnapshotsTakeLittleMemory: an indicator of more elements than one has is refused before it is decoded, and pages
// of long indicators are given early.
func TestHostileSnapshotsTakeLittleMemory(t *testing.T) {
	many := everything("1")
	many.Observables = make([]reconcile.Observable, 1<<20)
	h := header()
	h.Count = 1
	f, err := snapshot.Open(write(t, h, many))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	err = f.Visit(t.Context(), func([]reconcile.Indicator) error { return nil })
	if !snapshot.Unusable(err) || !strings.Contains(err.Error(), "more elements than an indicator has") {
		t.Errorf("%v", err)
	}
	var long []reconcile.Indicator
	for i := range 20 {
		one := everything(fmt.Sprint(i))
		one.Description = strings.Repeat("x", 1<<20)
		long = append(long, one)
	}
	g, err := snapshot.Open(write(t, header(), long...))
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	most, n := 0, 0
	err = g.Visit(t.Context(), func(page []reconcile.Indicator) error {
		most, n = max(most, len(page)), n+len(page)
		return nil
	})
	if err != nil || n != 20 || most > 9 {
		t.Errorf("%d indicators, %d at once, %v", n, most, err)
	}
}

// A copy that broke off is never taken for a whole file, wherever it broke off.
func TestEveryCutIsNoticed(t *testing.T) {
	packed := writeBytes(t, header(), everything("a"), everything("b"))
	for n := range packed {
		want := "cut short"
		if n < 10 { // less than the first bytes of any such file
			want = "it is no snapshot"
		}
		if _, _, err := readBytes(packed[:n]); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("cut after %d of %d bytes: %v, want %q", n, len(packed), err, want)
		}
	}
}

// No bit can change without notice, except in what gzip itself ignores: times and hints in its headers.
func TestNoBitChangesWhatIsRead(t *testing.T) {
	want := []reconcile.Indicator{everything("a"), everything("b")}
	packed := writeBytes(t, header(), want...)
	for n := range packed {
		b := bytes.Clone(packed)
		b[n] ^= 1 << (n % 8)
		if _, got, err := readBytes(b); err == nil && !cmp.Equal(want, got) {
			t.Fatalf("byte %d changed what is read, and nobody noticed", n)
		}
	}
}

func TestAFileThatChangesWhileItIsReadIsNoticed(t *testing.T) {
	h := header()
	h.Count = 1
	path, other := write(t, h, everything("a")), write(t, h, everything("b"))
	f, err := snapshot.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	none := func([]reconcile.Indicator) error { return nil }
	if err := f.Visit(t.Context(), none); err != nil {
		t.Fatal(err)
	}
	if err := f.Visit(t.Context(), none); err != nil {
		t.Errorf("read twice: %v", err)
	}
	b, err := os.ReadFile(other)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := f.Visit(t.Context(), none); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("got %v", err)
	}
}

func TestAVisitEndsWithItsContextAndItsVisitor(t *testing.T) {
	f, err := snapshot.Open(write(t, header(), everything("a"), everything("b")))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	enough := errors.New("enough")
	if err := f.Visit(t.Context(), func([]reconcile.Indicator) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the visitor's error became %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := f.Visit(ctx, func([]reconcile.Indicator) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("an ended context gave %v", err)
	}
}
