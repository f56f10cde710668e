package render_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/render"
)

func TestPullEvents(t *testing.T) {
	var b strings.Builder
	r := &planfile.PullReport{
		ExitCode: 5, Cursor: time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC),
		Summary:  pull.Summary{Read: 2, Imported: 1, Failed: 1},
		Items:    []pull.Item{{Kind: "alert", ID: "a<1>", Result: "imported"}, {Kind: "alert", ID: "b", Result: "failed", Error: "no \x1b[31m"}},
		Problems: []string{"a second holds too many"},
	}
	if err := render.PullEvents(&b, r, true, "Pull would give: one"); err != nil {
		t.Fatal(err)
	}
	want := `{"type":"pull_item","item":{"kind":"alert","id":"a<1>","result":"imported"}}
{"type":"pull_item","item":{"kind":"alert","id":"b","result":"failed","error":"no \u001b[31m"}}
{"type":"diagnostic","level":"warning","message":"a second holds too many"}
{"type":"pull_complete","summary":{"read":2,"unchanged":0,"imported":1,"updated":0,"threats_imported":0,"threats_updated":0,"sightings":0,"failed":1,"given_up":0,"pending":0,"not_attempted":0},"cursor":"2026-03-01T10:00:00Z","dry_run":true,"exit_code":5,"message":"Pull would give: one"}
`
	if d := cmp.Diff(want, b.String()); d != "" {
		t.Errorf("events (-want +got):\n%s", d)
	}
}
