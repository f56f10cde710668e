package spool_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/spool"
)

// record is the n-th of many records of all sizes.
func record(n int) []byte {
	sizes := []int{0, 1, 127, 128, 4093, 4094, 4095, 4096, 5000, 70_000}
	return bytes.Repeat([]byte{byte('a' + n%26)}, sizes[n%len(sizes)])
}

// packed is a record that holds one text.
func packed(text []byte) []byte {
	var e spool.Encoder
	e.String(string(text))
	return e.Bytes()
}

// fill puts records until the spool holds size bytes, and gives their offsets.
func fill(t testing.TB, s *spool.Spool, size int) []int64 {
	t.Helper()
	var at []int64
	for n := 0; size > 0; n++ {
		r := record(n)
		at, size = append(at, s.Put(packed(r))), size-len(r)-1
	}
	if err := s.Err(); err != nil {
		t.Fatal(err)
	}
	return at
}

func check(t testing.TB, s *spool.Spool, at []int64) {
	t.Helper()
	for n, o := range at {
		if got := s.Get(o).String(); s.Err() != nil || got != string(record(n)) {
			t.Fatalf("record %d at %d: %d bytes, %v; want %d", n, o, len(got), s.Err(), len(record(n)))
		}
	}
}

func TestRecordsComeBackFromMemoryAndFromDisk(t *testing.T) {
	for _, tt := range []struct {
		name string
		size int
	}{{"in memory", 1 << 20}, {"just over memory", 9 << 20}, {"mostly on disk", 40 << 20}} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("TMPDIR", t.TempDir())
			s := spool.New()
			at := fill(t, s, tt.size)
			check(t, s, at)
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNothingIsLeftBehindWhateverHappens(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	s := spool.New()
	fill(t, s, 12<<20)
	if names, err := os.ReadDir(dir); err != nil || len(names) > 0 { // before Close: the file has no name
		t.Errorf("%v, %v", names, err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

func TestWithoutATemporaryDirectoryEverythingStaysInMemory(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "absent"))
	s := spool.New()
	defer s.Close()
	check(t, s, fill(t, s, 20<<20))
}

func TestOffsetsOfNobodyAreErrors(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	for _, size := range []int{0, 1000, 20 << 20} {
		for _, o := range []int64{-1, 1 << 20, 1 << 40} {
			s := spool.New()
			if at := fill(t, s, size); len(at) > 0 && o > 0 {
				o += at[len(at)-1]
			}
			if got := s.Get(o).String(); got != "" || s.Err() == nil {
				t.Errorf("%d bytes: offset %d gives %q", size, o, got)
			}
			s.Close()
		}
	}
}

// A failure stays, whatever is put and got after it.
func TestTheFirstFailureStays(t *testing.T) {
	s := spool.New()
	at := s.Put(packed([]byte("a text")))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.Get(at).String(); got != "" {
		t.Errorf("a closed spool gives %q", got)
	}
	s.Put(packed([]byte("another")))
	if err := s.Err(); err == nil || err.Error() != "temporary file: closed" {
		t.Errorf("error %v", err)
	}
}

// TestAnOffsetInsideARecordNeverPanics reads whatever stands there as a length.
func TestAnOffsetInsideARecordNeverPanics(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	huge := bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 1200)
	for _, size := range []int{0, 12 << 20} {
		for i := range int64(40) {
			s := spool.New()
			at := s.Put(huge)
			fill(t, s, size)
			if got := s.Get(at + 2 + i).String(); len(got) > 13<<20 {
				t.Errorf("%d bytes of record at %d", len(got), at+2+i)
			}
			s.Close()
			if size > 0 && i > 8 {
				break // every offset within one 0xff...7f
			}
		}
	}
}

type fields struct {
	S string
	N int64
	B bool
	L []string
}

func decode(b []byte) (fields, error) {
	s := spool.New()
	d := s.Get(s.Put(b))
	f := fields{S: d.String(), N: d.Int(), B: d.Bool(), L: d.Strings()}
	return f, s.Err()
}

func TestATornRecordIsAnErrorAtEveryByte(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := fields{rapid.String().Draw(t, "s"), rapid.Int64().Draw(t, "n"), rapid.Bool().Draw(t, "b"), rapid.SliceOfN(rapid.String(), 0, 4).Draw(t, "l")}
		var e spool.Encoder
		e.String("of the record before")
		e.Reset()
		e.String(want.S)
		e.Int(want.N)
		e.Bool(want.B)
		e.Strings(want.L)
		got, err := decode(e.Bytes())
		if err != nil || len(want.L) != len(got.L) || got.S != want.S || got.N != want.N || got.B != want.B || len(want.L) > 0 && !cmp.Equal(want.L, got.L) {
			t.Fatalf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
		}
		for n := range e.Bytes() {
			if _, err := decode(e.Bytes()[:n]); err == nil {
				t.Fatalf("cut at %d of %d", n, len(e.Bytes()))
			}
		}
	})
}

func FuzzDecoder(f *testing.F) {
	f.Add([]byte{1, 'a', 2, 2, 4, 1, 'b', 0})
	f.Add(bytes.Repeat([]byte{0xff}, 20))
	f.Fuzz(func(t *testing.T, b []byte) {
		if got, err := decode(b); err != nil && len(got.L) > len(b) {
			t.Errorf("%d texts from %d bytes", len(got.L), len(b))
		}
	})
}
