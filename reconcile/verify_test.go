package reconcile_test

import (
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile"
)

// TestVerify holds what a row may look like after a write (gate G8).
func TestVerify(t *testing.T) {
	p := policy()
	own := p.Own
	create := func(i reconcile.Indicator) *reconcile.Change { return decide(t, p, nil, i).Changes.At(0) }
	a := ind("a", "domain_name x.example")
	appliedRows := applied(t, p, a)
	stop := decide(t, p, appliedRows).Changes.At(0)
	p.Remove = true
	remove := decide(t, p, appliedRows).Changes.At(0)
	for _, tt := range []struct {
		name    string
		change  *reconcile.Change
		row     func(*reconcile.Row)
		none    bool
		problem string
		note    bool
		status  bool
	}{
		{name: "as sent", change: create(a)},
		{name: "a missing row", change: create(a), none: true, problem: "does not hold it"},
		{name: "out of force", change: create(a), row: off, problem: "enabled false"},
		{name: "another text is noted", change: create(a), row: func(r *reconcile.Row) { r.Description = "cut" }, note: true},
		{name: "another value is noted", change: create(ind("a", "url http://h/A")), row: func(r *reconcile.Row) { r.Value = "http://h/a" }, note: true},
		{name: "another spelling that is the same is not", change: create(a), row: func(r *reconcile.Row) { r.Value = "X.EXAMPLE" }},
		{name: "another maturity is patched", change: create(a), row: func(r *reconcile.Row) { r.HLStatus = "testing" }, status: true},
		{name: "a lost marker", change: create(a), row: func(r *reconcile.Row) { r.Comment = "" }, problem: "did not keep our marker"},
		{name: "a Sigma rule in another form", change: create(sigma("s", ruleA)), row: func(r *reconcile.Row) {
			r.Content = strings.Replace(r.Content, "condition: sel", `"condition": 'sel'`, 1)
		}},
		{name: "a YARA file with other line ends", change: create(yara("y")), row: func(r *reconcile.Row) { r.Content = strings.ReplaceAll(r.Content, "\n", "\r\n") }},
		{name: "a disabled row", change: stop, row: off},
		{name: "a row that stayed in force", change: stop, row: func(r *reconcile.Row) { r.Enabled = true }, problem: "enabled true"},
		{name: "a deleted row", change: remove, none: true},
		{name: "a row that is still there", change: remove, problem: "still holds it"},
	} {
		var row reconcile.Row
		if tt.change.After != nil {
			row = tt.change.Row()
		}
		if tt.row != nil {
			tt.row(&row)
		}
		at := &row
		if tt.none {
			at = nil
		}
		back := tt.change.Verify(at, own, canon, false)
		if !strings.Contains(back.Problem, tt.problem) || back.Problem != "" && tt.problem == "" || (back.Note != nil) != tt.note || back.Status != tt.status {
			t.Errorf("%s: problem %q, note %t, status %t", tt.name, back.Problem, back.Note != nil, back.Status)
		}
		if tt.note {
			row.Comment = *back.Note.Comment
			if again := tt.change.Verify(&row, own, canon, true); again.Problem != "" || again.Note != nil {
				t.Errorf("%s: after the note: %+v", tt.name, again)
			}
			row.Description += "!"
			if again := tt.change.Verify(&row, own, canon, true); again.Problem == "" {
				t.Errorf("%s: a third text passes", tt.name)
			}
		}
	}
}
