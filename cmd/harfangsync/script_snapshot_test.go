package main

import (
	"context"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
)

// cmdAge: age FROM DURATION TO writes a snapshot again as if it had been made that much earlier.
func cmdAge(ts *testscript.TestScript, _ bool, args []string) {
	d, err := time.ParseDuration(args[1])
	ts.Check(err)
	f, err := snapshot.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer f.Close()
	w, err := snapshot.Create(ts.MkAbs(args[2]))
	ts.Check(err)
	defer w.Close()
	ts.Check(f.Visit(context.Background(), func(page []reconcile.Indicator) error { return w.Add(page) }))
	h := f.Header
	h.Time = h.Time.Add(-d)
	ts.Check(w.Commit(h))
}
