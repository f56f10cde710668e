package opencti

import (
	"context"
	"errors"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

// tiesWorks says whether the platform ties bundles to works that Push names.
func (c *Client) tiesWorks() bool { return c.since(pushWithWork) }

// AddWork opens a work of a connector, under which the platform shows what becomes of one bundle
// (contract opencti-api 7), and returns its id. It is repeated only if the platform turned it away; a work
// whose answer was lost stays behind empty, which harms nothing.
func (c *Client) AddWork(ctx context.Context, connector, name string) (id string, err error) {
	var w struct {
		Work *struct {
			ID string `json:"id"`
		} `json:"workAdd"`
	}
	r := request{op: "WorkAdd", document: "work_add", variables: map[string]any{"connectorId": connector, "name": name}, right: "CONNECTORAPI"}
	if err := c.mutate(ctx, r, &w); err != nil {
		return "", err
	}
	if w.Work == nil || w.Work.ID == "" {
		return "", misshapen("WorkAdd", "no work")
	}
	return w.Work.ID, nil
}

// Push hands over a bundle, as JSON text, to be imported later: when it returns nil the bundle is queued,
// and only its work tells what comes of it. Bundles need at least two objects, for the work to be counted,
// and should stay below 5 MB and 1,000 objects (contract opencti-api 7, 8). work is left out when empty,
// and before 6.5.7, where the platform makes one of its own; before 6.2.6 nothing can be pushed, which is
// a *VersionError.
//
// A push is repeated only if the platform turned it away. One that may have been taken although it failed
// is an error for which Fault.Unsure holds. A deleted work is a verdict where the platform says so, from 6.9.19 on; before, the bundle is lost, and Work answers nil.
func (c *Client) Push(ctx context.Context, connector, bundle, work string) error {
	r := request{op: "Push", document: "push", variables: map[string]any{"connectorId": connector, "bundle": bundle}, right: "CONNECTORAPI", broker: true}
	if !c.since(firstPush) {
		return &VersionError{Version: c.known(), Least: firstPush, For: "for pushing bundles"}
	}
	if work != "" && c.tiesWorks() {
		r.document = "push_work"
		r.variables["workId"] = work
	}
	var w struct {
		Queued *bool `json:"stixBundlePush"`
	}
	err := c.mutate(ctx, r, &w)
	if err != nil && ctx.Err() != nil {
		return leftError{err}
	}
	if err != nil {
		return err
	}
	if w.Queued == nil || !*w.Queued {
		return misshapen("Push", "no word that the bundle was queued")
	}
	return nil
}

const codeWorkGone = "WORK_NOT_ALIVE"

// leftError is a push that was no longer waited for, and may have been taken all the same.
type leftError struct{ error }

func (e leftError) Unwrap() error          { return e.error }
func (e leftError) Fault() reconcile.Fault { return reconcile.Fault{Unsure: true} }

// Work reads what a work has come to; nil when it was deleted, with which a bundle that still waits is
// lost (contract opencti-api 7, 8).
func (c *Client) Work(ctx context.Context, id string) (*pull.Work, error) {
	var w struct {
		Work *struct {
			ID       string `json:"id"`
			Status   string `json:"status"`
			Tracking *struct {
				Expected  *int `json:"import_expected_number"`
				Processed *int `json:"import_processed_number"`
			} `json:"tracking"`
			Errors []*struct {
				Message *string `json:"message"`
				Source  *string `json:"source"`
			} `json:"errors"`
		} `json:"work"`
	}
	err := c.query(ctx, request{op: "Work", document: "work", variables: map[string]any{"id": id}, right: "MODULES"}, &w)
	if e, failed := errors.AsType[*Error](err); failed && (e.Absent() || e.Code == codeWorkGone) {
		return nil, nil
	}
	if err != nil || w.Work == nil {
		return nil, err
	}
	if w.Work.ID != id || w.Work.Status == "" {
		return nil, misshapen("Work", "another work than the one that was asked for, or none")
	}
	s := &pull.Work{Complete: w.Work.Status == "complete"}
	if t := w.Work.Tracking; t != nil {
		s.Expected, s.Processed = value(t.Expected), value(t.Processed)
	}
	for _, e := range w.Work.Errors {
		if e != nil {
			s.Errors = append(s.Errors, pull.WorkError{Message: value(e.Message), Source: value(e.Source)})
		}
	}
	return s, nil
}

// CloseWork adds a last word to a work that is complete. Before that it must not be called: it would
// close a work whose objects still wait (contract opencti-api 7). Nothing hangs on it; a work that is gone
// is fine.
func (c *Client) CloseWork(ctx context.Context, id, message string) error {
	return c.endWork(ctx, id, message, false)
}

func (c *Client) endWork(ctx context.Context, id, message string, failed bool) error {
	var w struct{}
	err := c.mutate(ctx, request{op: "WorkDone", document: "work_done", variables: map[string]any{"id": id, "message": message, "failed": failed}, right: "CONNECTORAPI"}, &w)
	if e, failed := errors.AsType[*Error](err); failed && (e.Absent() || e.Code == codeWorkGone) {
		return nil
	}
	return err
}

// Withdraw deletes a work, so that a bundle which waits under it is never imported. It is false where that is
// not so, or where the account may not: before 6.8.17 the platform may import the bundle all the same.
func (c *Client) Withdraw(ctx context.Context, id string) (bool, error) {
	if !c.since(dropsDead) {
		return false, nil
	}
	var w struct{}
	err := c.mutate(ctx, request{op: "WorkDelete", document: "work_delete", variables: map[string]any{"id": id}, right: "CONNECTORAPI"}, &w)
	e, failed := errors.AsType[*Error](err)
	switch {
	case failed && (e.Absent() || e.Code == codeWorkGone):
		return true, nil
	case failed && e.Code == "FORBIDDEN_ACCESS":
		return false, nil
	}
	return err == nil, err
}
