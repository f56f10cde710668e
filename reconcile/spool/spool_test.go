package spool_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"harfangsync/reconcile/spool"
)

// record is the n-th of many records of all sizes.
func record(n int) []byte {
	sizes := []int{0, 1, 127, 128, 4093, 4094, 4095, 4096, 5000, 70_000}
	return bytes.Repeat([]byte{byte('a' + n%26)}, sizes[n%len(sizes)])
}

// fill puts records until the spool holds size bytes, and gives their offsets.
func fill(t testing.TB, s *spool.Spool, size int) []int64 {
	t.Helper()
	var at []int64
	for n := 0; size > 0; n++ {
		r := record(n)
		o, err := s.Put(r)
		if err != nil {
			t.Fatal(err)
		}
		at, size = append(at, o), size-len(r)-1
	}
	return at
}

func check(t testing.TB, s *spool.Spool, at []int64) {
	t.Helper()
	for n, o := range at {
		got, err := s.Get(o)
		if err != nil || !bytes.Equal(got, record(n)) {
			t.Fatalf("record %d at %d: %d bytes, %v; want %d", n, o, len(got), err, len(record(n)))
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
		s := spool.New()
		at := fill(t, s, size)
		var end int64
		if len(at) > 0 {
			end = at[len(at)-1]
		}
		for _, o := range []int64{-1, end + 1<<20, 1 << 40} {
			if _, err := s.Get(o); err == nil {
				t.Errorf("%d bytes: offset %d gives a record", size, o)
			}
		}
		s.Close()
		if len(at) > 0 {
			if _, err := s.Get(at[0]); err == nil {
				t.Errorf("%d bytes: a closed spool gives a record", size)
			}
		}
	}
}

// TestAnOffsetInsideARecordNeverPanics reads whatever stands there as a length.
func TestAnOffsetInsideARecordNeverPanics(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	huge := bytes.Repeat([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, 1200)
	for _, size := range []int{0, 12 << 20} {
		s := spool.New()
		at, err := s.Put(huge)
		if err != nil {
			t.Fatal(err)
		}
		fill(t, s, size)
		for i := range int64(40) {
			if b, err := s.Get(at + 2 + i); err == nil && len(b) > 13<<20 {
				t.Errorf("%d bytes of record at %d", len(b), at+2+i)
			}
		}
		s.Close()
	}
}

func TestManyReadersAndWriters(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	s := spool.New()
	defer s.Close()
	var g sync.WaitGroup
	for w := range 4 {
		g.Go(func() {
			for n := range 400 {
				want := []byte(strings.Repeat(fmt.Sprintf("%d-%d;", w, n), 2000))
				at, err := s.Put(want)
				if err != nil {
					t.Error(err)
					return
				}
				if got, err := s.Get(at); err != nil || !bytes.Equal(got, want) {
					t.Errorf("writer %d, record %d: %v", w, n, err)
					return
				}
			}
		})
	}
	g.Wait()
}

type fields struct {
	S string
	N int64
	B bool
	L []string
}

func decode(b []byte) (fields, error) {
	d := spool.NewDecoder(b)
	f := fields{S: d.String(), N: d.Int(), B: d.Bool(), L: d.Strings()}
	return f, d.Err()
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
