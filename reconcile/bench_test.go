package reconcile_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
)

// million is the n-th of many indicators, one value each.
func million(n int) (reconcile.Indicator, reconcile.Value) {
	score := n % 101
	i := reconcile.Indicator{ID: fmt.Sprintf("%08x-0000-4000-8000-%012d", n, n), StandardID: fmt.Sprintf("indicator--%08x-0000-5000-8000-%012d", n, n),
		Name: fmt.Sprintf("indicator %d", n), Description: "Seen in a campaign against nobody in particular.", PatternType: "stix", Score: &score, CreatedAt: noon, Platforms: []string{"windows"}}
	if n%2 == 0 {
		return i, reconcile.Value{Type: "domain_name", Value: fmt.Sprintf("host-%d.campaign.example", n)}
	}
	return i, reconcile.Value{Type: "hash", Value: fmt.Sprintf("%064x", n)}
}

// sides are n wanted rules and the rows that a complete apply left of the first inLists of them.
func sides(b *testing.B, n, inLists int) (*reconcile.Wanted, *reconcile.Rows) {
	b.Helper()
	const chunk = 20_000
	p := policy()
	w, rows := reconcile.NewWanted(), reconcile.NewRows(p.Own, func(_, v string) string { return v })
	w.Expect(n)
	rows.Expect(inLists)
	for from := 0; from < n; from += chunk {
		part := reconcile.NewWanted()
		for k := from; k < min(n, from+chunk); k++ {
			i, v := million(k)
			w.Add(&i, reconcile.Given{Values: []reconcile.Value{v}})
			if k < inLists {
				part.Add(&i, reconcile.Given{Values: []reconcile.Value{v}})
			}
		}
		if err := part.Seal(); err != nil {
			b.Fatal(err)
		}
		plan, err := reconcile.Compute(rowsOf(b, p, part), part, p, reconcile.Memory{})
		if err != nil {
			b.Fatal(err)
		}
		for c := range plan.Changes.Len() {
			row := plan.Changes.At(c).Row()
			row.ID = plan.Changes.At(c).Owners[0].ID
			rows.Add(&row)
		}
		part.Close()
	}
	if err := w.Seal(); err != nil {
		b.Fatal(err)
	}
	if err := rows.Seal(w); err != nil {
		b.Fatal(err)
	}
	return w, rows
}

// BenchmarkCompute is the decision alone, both sides read and sealed. MiB is what both sides hold in
// memory, their texts being in spools.
func BenchmarkCompute(b *testing.B) {
	for _, bb := range []struct {
		name       string
		n, inLists int
	}{{"1k-in-sync", 1000, 1000}, {"100k-in-sync", 100_000, 100_000}, {"100k-first-load", 100_000, 0}, {"1M-in-sync", 1_000_000, 1_000_000}} {
		b.Run(bb.name, func(b *testing.B) {
			if bb.n > 100_000 && testing.Short() {
				b.Skip("a million rows take half a minute to make")
			}
			w, rows := sides(b, bb.n, bb.inLists)
			b.ReportAllocs()
			b.ResetTimer()
			for range b.N {
				plan, err := reconcile.Compute(rows, w, policy(), reconcile.Memory{})
				if err != nil || plan.Changes.Len() != bb.n-bb.inLists || plan.Unchanged != bb.inLists {
					b.Fatalf("%d changes, %d unchanged, %v", plan.Changes.Len(), plan.Unchanged, err)
				}
			}
			b.StopTimer()
			with := heap()
			runtime.KeepAlive(rows)
			runtime.KeepAlive(w)
			w.Close()
			rows.Close()
			*w, *rows = reconcile.Wanted{}, reconcile.Rows{} // so that nothing else holds them
			b.ReportMetric(float64(with-heap())/(1<<20), "MiB")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
