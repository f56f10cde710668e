package main

import (
	"errors"
	"path/filepath"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// What an apply came to counts more than that it could not be told, which is said beside it.
func TestAReportThatCannotBeWrittenKeepsTheCode(t *testing.T) {
	there, gone := filepath.Join(t.TempDir(), "report.json"), filepath.Join(t.TempDir(), "gone", "report.json")
	closed := errors.New("stdout is closed")
	for _, tt := range []struct {
		file   string
		untold error
		wrote  bool
		code   int
		want   int
	}{
		{there, nil, true, exit.OK, exit.OK}, {there, nil, true, exit.Partly, exit.Partly},
		{gone, nil, true, exit.Partly, exit.Partly}, {gone, nil, true, exit.OK, exit.Partly}, {gone, nil, false, exit.OK, exit.Unexpected},
		{there, closed, false, exit.Refused, exit.Refused}, {there, closed, false, exit.OK, exit.Unexpected}, {"", closed, true, exit.Partly, exit.Partly},
	} {
		a := applying{report: tt.file}
		err := a.finish(planfile.NewReport(planfile.New(&reconcile.Plan{}, planfile.Document{}), tt.code, nil), tt.wrote, tt.untold)
		if got, said := exit.Code(err, 0), tt.file == gone || tt.untold != nil; got != tt.want || exit.Unsaid(err) != said {
			t.Errorf("code %d to %s, %v: code %d, %v", tt.code, tt.file, tt.untold, got, err)
		}
	}
}
