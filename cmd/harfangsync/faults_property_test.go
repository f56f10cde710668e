package main

import (
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// Whatever goes wrong, on whichever requests of both sides at once: nothing wanted goes out of force,
// nothing that is not ours changes, and enough runs without faults end with the wanted set.
func TestAnyFaultsConverge(t *testing.T) {
	checks(t, 8, 150)
	ref := newReference(t)
	rapid.Check(t, func(rt *rapid.T) {
		w := ref.tpl.copyOf(t)
		defer w.close()
		w.env = []string{"HARFANGSYNC_LOCK=none"} // a lease that could not be given back delays the next run by 90 s
		exact := w.exact()
		n := rapid.IntRange(1, 4).Draw(rt, "faults")
		for range n {
			a := rapid.SampledFrom(asks).Draw(rt, "request")
			fitting := slices.DeleteFunc(slices.Clone(troubles), func(tr trouble) bool { return tr.side != "" && tr.side != a.side })
			tr := rapid.SampledFrom(fitting).Draw(rt, "fault")
			f := simhttp.Fault{Method: a.method, Path: a.path, Body: a.body,
				Skip: rapid.IntRange(0, 6).Draw(rt, "skip"), Times: rapid.IntRange(1, 6).Draw(rt, "times")}
			handler := w.octi.HTTP
			if a.side == "hl" {
				handler = w.hl.HTTP
			}
			if err := handler.Fail(tr.do(f)); err != nil {
				rt.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 3).Draw(rt, "runs") {
			args := rapid.SampledFrom([][]string{{"run"}, {"apply", "--auto-approve"}, {"plan"}}).Draw(rt, "command")
			code, out, errs := w.command(t.Context(), args...)
			if !slices.Contains([]int{exit.OK, exit.Refused, exit.Partly, exit.Side}, code) {
				rt.Errorf("%v ended with %d: %s", args, code, lastLine(out+errs))
			}
			if strings.Contains(out+errs, simOpenCTIToken) || strings.Contains(out+errs, simHarfangLabToken) {
				rt.Error("a token was printed")
			}
			var v verdict
			ref.judge(w, exact, false, &v)
			for _, why := range v.bad() {
				rt.Error(why)
			}
		}
		w.octi.HTTP.Heal()
		w.hl.HTTP.Heal()
		var v verdict
		ref.converge(t.Context(), w, &v)
		for _, why := range v.bad() {
			rt.Error(why)
		}
	})
}
