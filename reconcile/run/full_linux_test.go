package run_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/spool/spooltest"
)

// A plan for which the disk has no room is an error of what makes it, and none that is smaller.
func TestAPlanThatTheDiskHasNoRoomForIsNone(t *testing.T) {
	const rules = 4000
	src, snk := &source{}, newSink()
	var values []reconcile.Value
	for i := range rules {
		values = append(values, reconcile.Value{Type: "domain_name", Value: fmt.Sprintf("n%d.example", i)})
		one := ind(fmt.Sprint(i), "domain_name "+values[i].Value)
		one.Description = strings.Repeat("x", 3000)
		src.read = append(src.read, one)
	}
	j := job(t, src, snk)
	j.Limits.Additions, j.Unblocks = rules, exactly
	syncAll(t, j)
	d, err := j.Dump(t.Context(), t.TempDir()+"/dump", "target")
	if err != nil {
		t.Fatal(err)
	}
	for i := range snk.rows {
		d.Rows = append(d.Rows, snk.rows[i])
		d.Rows[i].Enabled = false
	}
	spooltest.Fill(t, 9<<20) // rows stay in memory, and a plan holds two of each: before and after
	for name, plan := range map[string]func() (*run.Planned, error){
		"restore": func() (*run.Planned, error) { return j.PlanRestore(t.Context(), d, false) },
		"unblock": func() (*run.Planned, error) {
			return j.PlanUnblock(t.Context(), reconcile.Unblock{Value: "x", Until: noon.AddDate(0, 0, 1)}, values)
		},
	} {
		if p, err := plan(); err == nil || !strings.Contains(err.Error(), "temporary file") {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}
