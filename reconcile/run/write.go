package run

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile"
)

// effect is how a change was made.
type effect struct {
	id       string // the row that a create made, when the server names it
	note     string // for the report, of what was done in another way than planned
	disabled bool   // instead of deleted
	unmarked bool   // disabled without a word in the row that we did it
	unsure   bool   // it may have been made although no answer said so
	gone     bool   // there was nothing to be deleted
	plain    bool   // read again it is as it was sent, as nearly all are
	told     bool   // Job.Touched has the row
}

// apply carries out one change. leaving says whether the plan is about to remove a row.
func (j *Job) apply(ctx context.Context, ch *reconcile.Change, list *reconcile.List, leaving func(id string) bool) (did effect, err error) {
	switch ch.Action {
	case reconcile.Create:
		did.id, err = j.create(ctx, ch, list, leaving)
		return did, err
	case reconcile.Delete:
		return j.remove(ctx, ch)
	case reconcile.Disable:
		return j.disable(ctx, ch)
	}
	return did, j.update(ctx, ch, ch.ID)
}

// create makes a rule. "Already exists" counts as success only if the row carries our marker: then
// an earlier attempt was stored although its answer was lost.
func (j *Job) create(ctx context.Context, ch *reconcile.Change, list *reconcile.List, leaving func(string) bool) (string, error) {
	row := ch.Row()
	id, err := j.post(ctx, list, row)
	if err == nil {
		return id, nil
	}
	f := reconcile.FaultOf(err)
	switch {
	case f.Exists:
		return j.adoptExisting(ctx, ch, list, leaving, err)
	case f.Once:
		// A YARA file may exist twice, so it is looked for before it is posted again.
		switch id, found, err2 := j.findOurs(ctx, ch, list); {
		case err2 != nil:
			return "", fmt.Errorf("%w; then look whether it was stored: %v", err, err2)
		case found:
			return id, nil
		}
		return j.post(ctx, list, row)
	}
	return "", err
}

// post sends a new rule, with shorter texts where the server names one as too long.
func (j *Job) post(ctx context.Context, list *reconcile.List, row reconcile.Row) (id string, err error) {
	less := reconcile.Patch{Level: orNil(row.Level), Confidence: orNil(row.Confidence), State: orNil(row.State)}
	if row.Kind == reconcile.IOC {
		less.Description, less.Comment = &row.Description, &row.Comment
	}
	for {
		if id, err = j.Sink.Create(ctx, list.ID, row); err == nil || !j.shorten(&less, err) {
			return id, err
		}
		if row.Kind == reconcile.IOC {
			row.Description, row.Comment = *less.Description, *less.Comment
		}
		row.Level, row.Confidence, row.State = orEmpty(less.Level), orEmpty(less.Confidence), orEmpty(less.State)
	}
}

func orNil(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func orEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// patch changes a rule, with shorter texts where the server names one as too long.
func (j *Job) patch(ctx context.Context, k reconcile.Kind, id string, p reconcile.Patch) (err error) {
	for {
		if err = j.Sink.Update(ctx, k, id, p); err == nil || !j.shorten(&p, err) {
			return err
		}
	}
}

// shorten cuts the text that a refusal names, and says whether there was one that could be cut: a
// comment to its winner, a description to the length that the server's words allow. A field of a mapping that
// this manager does not take is left out; what the row holds instead is then read back and noted.
func (j *Job) shorten(p *reconcile.Patch, refused error) bool {
	f := reconcile.FaultOf(refused)
	if !f.Verdict || f.Exists {
		return false
	}
	if p.Comment != nil && slices.Contains(f.Fields, "comment") {
		if short, ok := reconcile.ShortComment(*p.Comment); ok {
			p.Comment = &short
			return true
		}
	}
	if p.Description != nil && slices.Contains(f.Fields, "description") {
		if short, ok := reconcile.ShortDescription(*p.Description, f.Words); ok {
			p.Description = &short
			return true
		}
	}
	cut := false
	for name, field := range map[string]**string{"rule_level_override": &p.Level, "rule_confidence_override": &p.Confidence, "global_state": &p.State} {
		if *field != nil && slices.Contains(f.Fields, name) {
			*field, cut = nil, true
		}
	}
	if cut && p.State == nil && slices.Contains(f.Fields, "global_state") {
		on := true // which the state would have said
		p.Enabled = &on
	}
	return cut
}

// existsElsewhere is the server's verdict on a Sigma id that another list holds. It unwraps to the
// adapter's error, whose Fault says Exists and Verdict.
type existsElsewhere struct{ err error }

func (e *existsElsewhere) Error() string {
	return "another list holds a rule with this id: " + e.err.Error()
}
func (e *existsElsewhere) Unwrap() error { return e.err }

// unsureError is a failure after a write that may have been stored.
type unsureError struct{ error }

func (e *unsureError) Unwrap() error { return e.error }

func (e *unsureError) Fault() reconcile.Fault {
	f := reconcile.FaultOf(e.error)
	f.Unsure = true
	return f
}

// errUnconfirmed is "already exists" for a rule that cannot be found. It is no verdict: it is tried
// again in the next run.
var errUnconfirmed = errors.New("HarfangLab says that it exists and does not show it")

// adoptExisting finds the rule that stands in the way of a create. A row of ours in another spelling is
// that rule if nothing else in the plan wants it: a run that ended early did not note how the server
// spells the value. A row that another rule wants stays that rule's.
func (j *Job) adoptExisting(ctx context.Context, ch *reconcile.Change, list *reconcile.List, leaving func(string) bool, refused error) (string, error) {
	rows, err := j.lookup(ctx, ch, list.ID)
	if err != nil {
		if reconcile.FaultOf(refused).Unsure { // what exists may come of it
			err = &unsureError{err}
		}
		return "", fmt.Errorf("%v; then look it up: %w", refused, err)
	}
	others := false
	for i := range rows {
		row := &rows[i].Row
		mine, _, key := reconcile.Whose(row, j.Policy.Own, j.Canon)
		if key != ch.Key && !(mine && leaving(row.ID)) {
			others = true
			continue
		}
		if !mine {
			return "", fmt.Errorf("%w: a rule that is not ours was made meanwhile", reconcile.ErrConflict)
		}
		if ch.After.SameAs(row) {
			return row.ID, nil
		}
		return row.ID, j.update(ctx, ch, row.ID)
	}
	switch {
	case ch.Kind == reconcile.Sigma:
		return "", &existsElsewhere{refused}
	case others:
		return "", refused // the verdict of a server that takes two values for one
	}
	return "", fmt.Errorf("%w: %w", errUnconfirmed, refused)
}

func (j *Job) findOurs(ctx context.Context, ch *reconcile.Change, list *reconcile.List) (id string, found bool, err error) {
	rows, err := j.lookup(ctx, ch, list.ID)
	if err != nil {
		return "", false, err
	}
	for i := range rows {
		mine, _, key := reconcile.Whose(&rows[i].Row, j.Policy.Own, j.Canon)
		if mine && key == ch.Key {
			return rows[i].ID, true, nil
		}
	}
	return "", false, nil
}

func (j *Job) lookup(ctx context.Context, ch *reconcile.Change, list string) ([]reconcile.Located, error) {
	row := reconcile.Query{Type: ch.Type, Value: cmp.Or(ch.Stored, ch.Value)}
	if ch.Kind != reconcile.IOC {
		row = reconcile.Query{Name: ch.Name}
	}
	if ch.Kind == reconcile.Sigma && ch.After != nil {
		r := ch.Row()
		row = reconcile.Query{RuleID: r.RuleID, Name: ch.Name}
	}
	row.ID = ch.ID
	return j.Sink.Lookup(ctx, ch.Kind, list, row)
}

// update writes what differs.
func (j *Job) update(ctx context.Context, ch *reconcile.Change, id string) error {
	err := j.patch(ctx, ch.Kind, id, patchOf(ch))
	if err != nil && reconcile.FaultOf(err).Missing {
		return fmt.Errorf("%w: the row is gone", reconcile.ErrConflict)
	}
	return err
}

// patchOf holds the fields that a change writes. The marker goes along whatever changed, because it
// notes what was applied.
func patchOf(ch *reconcile.Change) reconcile.Patch {
	var p reconcile.Patch
	b := ch.After
	if ch.Reason == reconcile.Promoted {
		return reconcile.Patch{HLStatus: &b.HLStatus}
	}
	p.Level, p.Confidence, p.State = b.Level, b.Confidence, b.State
	// A state says whether the rule is enabled, to a manager that knows states: one whose rows have them, or one
	// of which nothing is known yet; there the read-back finds out.
	state := b.State != nil && (ch.Before == nil || orEmpty(ch.Before.State) != "")
	if !state && (ch.Before == nil || ch.Before.Enabled != b.Enabled) {
		p.Enabled = &b.Enabled
	}
	if ch.Before == nil || slices.Contains(ch.Fields, "hl_status") {
		p.HLStatus = &b.HLStatus
	}
	if ch.Kind == reconcile.IOC {
		p.Comment = b.Comment
		if ch.Before == nil || slices.Contains(ch.Fields, "description") {
			p.Description = b.Description
		}
		return p
	}
	if ch.Action != reconcile.Disable || slices.Contains(ch.Fields, "content") {
		p.Content = b.Content
	}
	if ch.Before == nil || slices.Contains(ch.Fields, "name") {
		p.Name = b.Name
	}
	return p
}

// disable takes a rule out of force and notes why. A server that refuses the note still takes the
// rule out of force.
func (j *Job) disable(ctx context.Context, ch *reconcile.Change) (did effect, err error) {
	err = j.patch(ctx, ch.Kind, ch.ID, patchOf(ch))
	if err == nil {
		return did, nil
	}
	f := reconcile.FaultOf(err)
	switch {
	case f.Missing:
		return did, fmt.Errorf("%w: the row is gone", reconcile.ErrConflict)
	case f.Verdict:
		off := false
		did = effect{unmarked: true, note: "disabled without a note of why, which was refused: " + f.Words}
		return did, j.Sink.Update(ctx, ch.Kind, ch.ID, reconcile.Patch{Enabled: &off})
	}
	return did, err
}

// remove deletes a row. One that a correlation uses cannot be deleted, so it is disabled.
func (j *Job) remove(ctx context.Context, ch *reconcile.Change) (did effect, err error) {
	err = j.Sink.Delete(ctx, ch.Kind, ch.ID)
	if err == nil || !reconcile.FaultOf(err).Linked {
		return did, err
	}
	if !ch.Before.Enabled {
		return did, err // the verdict is remembered, and the row is held from now on
	}
	instead := ch.AsDisable(j.Policy)
	did, err2 := j.disable(ctx, &instead)
	if err2 != nil {
		return did, fmt.Errorf("%v; then disable it: %w", err, err2)
	}
	did.disabled, did.note = true, "a correlation uses it, so it was disabled instead of deleted"
	return did, nil
}
