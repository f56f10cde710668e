package main

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// reads is an OpenCTI whose reads give one page each and end with one error each.
type reads struct {
	reconcile.Source
	pages [][]reconcile.Indicator
	ends  []error
	n     int
}

func (r *reads) Read(_ context.Context, _ time.Time, visit func(page []reconcile.Indicator, total int) error) (int, error) {
	defer func() { r.n++ }()
	return len(r.pages[r.n]), errors.Join(visit(r.pages[r.n], 0), r.ends[r.n])
}

// TestOnlyAWholeReadBecomesASnapshot holds gate G1 for the file: one more read, then none.
func TestOnlyAWholeReadBecomesASnapshot(t *testing.T) {
	broken := &opencti.IncompleteError{What: "indicators", Why: "a page is short"}
	half, whole := []reconcile.Indicator{{ID: "lost"}}, []reconcile.Indicator{{ID: "a"}, {ID: "b"}}
	for _, tt := range []struct {
		name  string
		pages [][]reconcile.Indicator
		ends  []error
		want  []string // nil for no file
	}{
		{"a whole read", [][]reconcile.Indicator{whole}, []error{nil}, []string{"a", "b"}},
		{"a second read that is whole", [][]reconcile.Indicator{half, whole}, []error{broken, nil}, []string{"a", "b"}},
		{"two that are not", [][]reconcile.Indicator{half, half}, []error{broken, broken}, nil},
		{"a failure of another kind is not tried again", [][]reconcile.Indicator{half}, []error{io.ErrUnexpectedEOF}, nil},
	} {
		src := &reads{pages: tt.pages, ends: tt.ends}
		p := newProgram(nil, io.Discard, io.Discard, nil)
		tg := &target{cfg: &config.Config{OpenCTI: config.OpenCTI{URL: "https://cti.example"}}, job: &run.Job{Source: src}, source: &opencti.Source{}}
		path := filepath.Join(t.TempDir(), "s.gz")
		_, err := tg.writeSnapshot(t.Context(), p, path)
		if (err == nil) != (tt.want != nil) || src.n != len(tt.pages) {
			t.Errorf("%s: %v after %d reads", tt.name, err, src.n)
		}
		if tt.want == nil {
			if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: a file is there, %v", tt.name, err)
			}
			continue
		}
		f, err := snapshot.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		var ids []string
		err = f.Visit(t.Context(), func(page []reconcile.Indicator) error {
			for i := range page {
				ids = append(ids, page[i].ID)
			}
			return nil
		})
		if err != nil || !slices.Equal(ids, tt.want) || f.Header.Count != len(tt.want) || f.Header.Time.IsZero() {
			t.Errorf("%s: %q, header %+v, %v", tt.name, ids, f.Header, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
