package main

import (
	"context"
	"strings"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile/state"
	"harfangsync/sources/opencti"
)

// keeper opens the state. A state that cannot be read is none, with a warning.
func (t *target) keeper(ctx context.Context, p *program, readOnly bool) (*state.Keeper, error) {
	var store state.Store
	switch path, isFile := strings.CutPrefix(t.cfg.Sync.State, config.InFile); {
	case isFile:
		store = state.File(path)
	case t.cfg.Sync.State == config.InOpenCTI && t.away != nil:
		p.log.Warn("the state is kept in OpenCTI, so this run knows nothing of earlier ones, and later ones nothing of it; sync.state: file:PATH does without OpenCTI")
	case t.cfg.Sync.State == config.InOpenCTI && readOnly && !t.ident.Can("MODULES"):
		p.log.Warn("the account may not read its state in OpenCTI, so this plan is not compared with the last good run", "missing", "MODULES")
	case t.cfg.Sync.State == config.InOpenCTI && !readOnly && !t.ident.Can("CONNECTORAPI"):
		return nil, &opencti.RightError{Capability: "CONNECTORAPI", For: ", needed to keep the state (sync.state: file:PATH or none does without)"}
	case t.cfg.Sync.State == config.InOpenCTI:
		store = t.connector(readOnly)
	}
	k, err := state.Open(ctx, store)
	if k != nil {
		k.Log = p.log
	}
	if err == nil || ctx.Err() != nil || !readOnly && exit.SideFailed(err) {
		return k, err // a run that writes needs its lock, and what gates compare with
	}
	p.log.Warn("the state cannot be read and counts as empty", "error", err)
	return k, nil
}

func (t *target) connector(readOnly bool) *opencti.Connector {
	c := &t.cfg.Connector
	return &opencti.Connector{Client: t.octi, ID: c.ID, Name: c.Name, Scope: []string{c.Scope}, ReadOnly: readOnly}
}

// lock takes the lock of this target (gate G10). What another run learned while it was waited for is
// read again.
func (t *target) lock(ctx context.Context, p *program, lost func(error)) (release func(), err error) {
	key, timeout := config.LockKey(t.cfg), t.cfg.Sync.LockTimeout
	path, isFile := strings.CutPrefix(t.cfg.Sync.Lock, config.InFile)
	switch {
	case isFile:
		release, err = state.LockFile(ctx, path+".lock", timeout)
	case t.cfg.Sync.Lock != config.InOpenCTI:
		return func() {}, nil
	case t.away != nil:
		p.log.Warn("the lock is kept in OpenCTI, so nothing keeps another run away from this one; sync.lock: file:PATH does without OpenCTI")
		return func() {}, nil
	case t.cfg.Sync.State == config.InOpenCTI:
		t.keeps(t.job.Keeper, p)
		return t.job.Keeper.Lock(ctx, key, timeout, lost)
	case !t.ident.Can("CONNECTORAPI"):
		return nil, &opencti.RightError{Capability: "CONNECTORAPI", For: ", needed to take the lock in OpenCTI (sync.lock: file:PATH or none does without)"}
	default:
		leases, err2 := state.Open(ctx, t.connector(false))
		if err2 != nil && exit.SideFailed(err2) {
			return nil, err2
		}
		t.keeps(leases, p)
		release, err = leases.Lock(ctx, key, timeout, lost)
	}
	if err != nil {
		return nil, err
	}
	if err := t.job.Keeper.Reload(ctx); err != nil {
		p.log.Warn("the state cannot be read and counts as empty", "error", err)
	}
	return release, nil
}

// keeps makes k the keeper of the lease.
func (t *target) keeps(k *state.Keeper, p *program) {
	k.Log, t.leases = p.log, k
	if t.endless {
		k.Renew, k.Patience = tailRenew, t.cfg.Sync.Tail.Patience
	}
}

// locked works with the lock held. The context ends when the lock is lost.
func (p *program) locked(ctx context.Context, t *target, work func(context.Context, *target) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	release, err := t.lock(ctx, p, func(err error) {
		p.log.Error("stopping: "+err.Error(), "remedy", "run again")
		cancel(err)
	})
	if err != nil {
		return err
	}
	defer release()
	return work(ctx, t)
}
