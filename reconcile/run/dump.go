package run

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// dumpFormat is the version of a dump directory.
const dumpFormat = "1.0"

// Scope says what a dump covers: whole lists, or only the rows that an apply was about to change.
type Scope string

// The scopes.
const (
	ScopeList Scope = "list"
	ScopeRows Scope = "rows"
)

// Dump is the content of lists at one moment.
type Dump struct {
	FormatVersion string           `json:"format_version"`
	Scope         Scope            `json:"scope"`
	At            time.Time        `json:"at"`
	Target        string           `json:"target"`
	List          string           `json:"list"`
	Kinds         []reconcile.Kind `json:"kinds"`
	Count         int              `json:"count"`
	Rows          []reconcile.Row  `json:"-"`
	Dir           string           `json:"-"` // that it was read from
}

// Dump reads the lists completely into a directory, which is made if need be. Only a page of rows is in
// memory at once.
func (j *Job) Dump(ctx context.Context, dir, target string) (*Dump, error) {
	d := j.dump(ScopeList, target)
	return d, d.write(dir, func(w *rowWriter) error {
		for _, k := range j.Policy.Included() {
			list, err := j.Sink.FindList(ctx, k, j.Policy.List)
			if err == nil && list != nil {
				err = j.dumpList(ctx, k, list.ID, w)
			}
			if err != nil {
				return err
			}
		}
		return nil
	})
}

// dumpList reads one list, once more if its first read was incomplete.
func (j *Job) dumpList(ctx context.Context, k reconcile.Kind, list string, w *rowWriter) error {
	from, err := w.place()
	if err != nil {
		return err
	}
	return j.twice(fmt.Sprintf("the %s list was read incompletely, reading once more", k), func() error {
		if err := w.back(from); err != nil {
			return err
		}
		_, err := j.Sink.Rows(ctx, k, list, func(page []reconcile.Row, _ int) error { return w.add(page) })
		return err
	})
}

// Backup writes a dump of the rows that a plan would change, as they are before.
func (j *Job) Backup(p *reconcile.Plan, dir, target string) error {
	return j.dump(ScopeRows, target).write(dir, func(w *rowWriter) error {
		for _, ch := range p.Changes.All() {
			if ch.Before != nil {
				if err := w.add([]reconcile.Row{ch.RowBefore()}); err != nil {
					return err
				}
			}
		}
		return p.Changes.Err()
	})
}

func (j *Job) dump(s Scope, target string) *Dump {
	return &Dump{FormatVersion: dumpFormat, Scope: s, At: j.Now().Truncate(time.Second), Target: target, List: j.Policy.List, Kinds: j.Policy.Included()}
}

const (
	manifestName = "manifest.json"
	rowsName     = "rows.jsonl"
)

// write puts the rows that fill adds into a directory. Files have mode 0600; the manifest comes last, so
// that a torn dump has none.
func (d *Dump) write(dir string, fill func(*rowWriter) error) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err == nil {
		return &DumpError{dir, "it holds a dump already; name another directory"}
	}
	err := state.Replace(filepath.Join(dir, rowsName), func(f *os.File) error {
		w := &rowWriter{f: f, buf: bufio.NewWriter(f)}
		if err := fill(w); err != nil {
			return err
		}
		d.Count = w.n
		return w.buf.Flush()
	})
	if err != nil {
		return err
	}
	m, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	return state.WriteFile(filepath.Join(dir, manifestName), append(m, '\n'))
}

// rowWriter writes rows, one a line.
type rowWriter struct {
	f   *os.File
	buf *bufio.Writer
	n   int // rows
}

func (w *rowWriter) add(rows []reconcile.Row) error {
	enc := json.NewEncoder(w.buf)
	enc.SetEscapeHTML(false)
	for i := range rows {
		if err := enc.Encode(&rows[i]); err != nil {
			return err
		}
	}
	w.n += len(rows)
	return nil
}

// place is how far rows were written.
type place struct {
	offset int64
	n      int
}

func (w *rowWriter) place() (place, error) {
	if err := w.buf.Flush(); err != nil {
		return place{}, err
	}
	at, err := w.f.Seek(0, io.SeekCurrent)
	return place{at, w.n}, err
}

// back drops what was added since a place.
func (w *rowWriter) back(to place) error {
	w.buf.Reset(w.f)
	w.n = to.n
	if err := w.f.Truncate(to.offset); err != nil {
		return err
	}
	_, err := w.f.Seek(to.offset, io.SeekStart)
	return err
}

// DumpError says why a directory is not a dump that can be restored, or cannot become one.
type DumpError struct{ Dir, Why string }

func (e *DumpError) Error() string {
	return remote.OneLine(fmt.Sprintf("dump %s: %s", e.Dir, e.Why), 2000)
}

// DamagedError says of a directory that is a dump why it cannot be restored as it is.
type DamagedError struct{ DumpError }

// ReadDump reads a directory that Dump or Backup made.
func ReadDump(dir string) (*Dump, error) {
	b, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		why := "no manifest: " + err.Error()
		if _, torn := os.Stat(filepath.Join(dir, rowsName)); torn == nil {
			return nil, damaged(dir, why)
		}
		return nil, &DumpError{dir, why}
	}
	d := Dump{Dir: dir}
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, damaged(dir, "the manifest is damaged: "+err.Error())
	}
	if d.FormatVersion != dumpFormat {
		return nil, damaged(dir, fmt.Sprintf("format %q, this program reads %q", d.FormatVersion, dumpFormat))
	}
	f, err := os.Open(filepath.Join(dir, rowsName))
	if err != nil {
		return nil, damaged(dir, "no rows: "+err.Error())
	}
	defer f.Close()
	dec := json.NewDecoder(bufio.NewReader(f))
	for dec.More() {
		const each = 600 // bytes that a row takes beside its texts, while they grow more
		if 2*dec.InputOffset()+each*int64(len(d.Rows)) > debug.SetMemoryLimit(-1) {
			return nil, damaged(dir, fmt.Sprintf("it holds more than the memory here is enough for: %d rows and more; give it more", len(d.Rows)))
		}
		var row reconcile.Row
		if err := dec.Decode(&row); err != nil {
			return nil, damaged(dir, "the rows are damaged: "+err.Error())
		}
		d.Rows = append(d.Rows, row)
	}
	if len(d.Rows) != d.Count {
		return nil, damaged(dir, fmt.Sprintf("the manifest names %d rows, the file holds %d", d.Count, len(d.Rows)))
	}
	return &d, nil
}

func damaged(dir, why string) error { return &DamagedError{DumpError{dir, why}} }

// PlanRestore decides how the lists come back to what a dump holds.
func (j *Job) PlanRestore(ctx context.Context, d *Dump, exact bool) (*Planned, error) {
	started := j.Now()
	// Kinds that the dump does not cover take no part: an exact restore would empty their lists.
	j.Policy.Kinds = slices.DeleteFunc(slices.Clone(j.Policy.Included()), func(k reconcile.Kind) bool { return !slices.Contains(d.Kinds, k) })
	if len(j.Policy.Kinds) == 0 {
		return nil, &DumpError{d.Dir, "it covers none of the kinds asked for"}
	}
	held := slices.DeleteFunc(slices.Clone(d.Rows), func(r reconcile.Row) bool { return !slices.Contains(j.Policy.Kinds, r.Kind) })
	rows, lists, err := j.rowsAlone(ctx, j.unblocks(true))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	plan, err := reconcile.Restore(rows, held, j.Policy, exact)
	if err != nil {
		return nil, err
	}
	complete := reconcile.Gate{ID: "G1", Name: "complete", OK: true, Value: len(held), Base: rows.Len(), Message: fmt.Sprintf("%s in the dump and %d in the lists, read to the end", reconcile.Count(len(held), "row"), rows.Len())}
	absence := reconcile.Gate{ID: "G3", Name: "absence", OK: true, Message: "a restore asks the dump, not OpenCTI"}
	limits := j.Limits
	limits.Hold = false // what is restored is one whole
	memory := reconcile.Memory{Now: started, Window: j.Keeper.Document().Window}
	plan.Judge(complete, absence, memory, "", j.Policy, limits, j.Overrides)
	if d.Scope == ScopeRows {
		plan.Since = 0 // it never held the others
	}
	if err := plan.Err(); err != nil {
		return nil, err
	}
	return &Planned{Plan: plan, Lists: lists, Complete: true, Started: started, Restore: true}, nil
}
