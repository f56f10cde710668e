package run

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/failpoint"
)

// readSource reads OpenCTI into a wanted set, once more if the first read was incomplete.
func (j *Job) readSource(ctx context.Context, started, now time.Time, out reconcile.Unblocks) (w *reconcile.Wanted, err error) {
	err = j.twice("OpenCTI was read incompletely, reading once more", func() error {
		if w != nil {
			_ = w.Close()
		}
		w = reconcile.NewWanted()
		w.Map(j.Policy.Mapping)
		w.Unblock(out)
		n := 0
		_, err := j.Source.Read(ctx, started, func(page []reconcile.Indicator, total int) error {
			w.Expect(total)
			for i := range page {
				j.Want(w, &page[i], now)
			}
			n += len(page)
			j.reading("indicators", n)
			return errors.Join(fits("indicators", n), w.Err())
		})
		return proven(err)
	})
	if err != nil {
		_ = w.Close()
		return nil, err
	}
	return w, nil
}

// CrowdedError says that a side has no end, or more of something than the memory here is enough for.
type CrowdedError struct {
	What string
	Most int
}

func (e *CrowdedError) Error() string {
	return fmt.Sprintf("more than %d %s came, and the memory here is not enough for them: give it more", e.Most, e.What)
}

// fits says whether so many entries of a side fit into memory, their texts apart.
func fits(what string, n int) error {
	const each = 300 // bytes, of which a side of a million has used less
	if most := debug.SetMemoryLimit(-1) / each; int64(n) > most {
		return &CrowdedError{what, int(most)}
	}
	return nil
}

// proven is the error of a read (gate G1).
func proven(err error) error {
	if failpoint.Active(failpoint.G1) && reconcile.FaultOf(err).Incomplete {
		return nil
	}
	return err
}

// Want adds one indicator that was read.
func (j *Job) Want(w *reconcile.Wanted, ind *reconcile.Indicator, now time.Time) {
	why, detail := j.Selection.Judge(ind, now)
	if why == reconcile.Unreadable {
		j.Log.Warn("OpenCTI cannot give an indicator: it gives no rule, and the rules that it owns stay", "indicator", ind.ID, "error", ind.Unread)
	}
	if why != "" {
		w.Pass(ind, why, detail)
		return
	}
	w.Add(ind, j.given(ind))
}

// given is what an indicator gives of the kinds that take part. A STIX pattern may give Sigma rules.
func (j *Job) given(ind *reconcile.Indicator) reconcile.Given {
	g := j.Meaning(ind)
	kinds := j.Policy.Included()
	if !slices.Contains(kinds, reconcile.Sigma) {
		g.Compiled = nil
	}
	if strings.EqualFold(ind.PatternType, "stix") && !slices.Contains(kinds, reconcile.IOC) {
		g.Values, g.Skips = nil, nil
	}
	return g
}

// rowsAlone reads the lists for a plan that asks no indicator.
func (j *Job) rowsAlone(ctx context.Context, out reconcile.Unblocks) (*reconcile.Rows, map[reconcile.Kind]*reconcile.List, error) {
	rows, lists, err := j.readSink(ctx, out)
	if err != nil {
		return nil, nil, err
	}
	empty := reconcile.NewWanted()
	defer empty.Close()
	if err = errors.Join(empty.Seal(), rows.Seal(empty)); err != nil {
		_ = rows.Close()
		return nil, nil, err
	}
	return rows, lists, nil
}

// readSink reads the lists, each once more if its first read was incomplete.
func (j *Job) readSink(ctx context.Context, out reconcile.Unblocks) (*reconcile.Rows, map[reconcile.Kind]*reconcile.List, error) {
	rows := reconcile.NewRows(j.Policy.Own, j.Canon)
	rows.Unblock(out)
	lists := map[reconcile.Kind]*reconcile.List{}
	for _, k := range j.Policy.Included() {
		list, err := j.Sink.FindList(ctx, k, j.Policy.List)
		if err == nil && list != nil {
			err = j.readList(ctx, k, list, rows)
		}
		if err != nil {
			_ = rows.Close()
			return nil, nil, err
		}
		lists[k] = list
	}
	return rows, lists, nil
}

// readList adds the rows of one list. A failed read leaves rows behind that the second one replaces:
// so rows are gathered page by page and dropped together.
func (j *Job) readList(ctx context.Context, k reconcile.Kind, list *reconcile.List, rows *reconcile.Rows) error {
	if list.Enabled != nil && !*list.Enabled {
		j.Log.Warn("the list is switched off in HarfangLab, so its rules detect nothing; enable it in the console", "kind", k, "list", list.Name)
	}
	from := rows.Len()
	return j.twice(fmt.Sprintf("the %s list was read incompletely, reading once more", k), func() error {
		rows.Truncate(from)
		_, err := j.Sink.Rows(ctx, k, list.ID, func(page []reconcile.Row, total int) error {
			rows.Expect(from + total)
			for i := range page {
				rows.Add(&page[i])
			}
			j.reading(k.String()+" rules", rows.Len()-from)
			return errors.Join(fits("rules", rows.Len()), rows.Err())
		})
		return proven(err)
	})
}
