package main

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// keeper opens the state. One that is there and cannot be read ends a command that writes, since it would undo what persons
// unblocked and count anew what the gates count, and a command that tells what is in it; to any other it is none, with a
// warning. Where the lock is taken in it next, it is read with that.
func (t *target) keeper(ctx context.Context, p *program, readOnly, locks bool) (*state.Keeper, error) {
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
	if locks && t.cfg.Sync.State == config.InOpenCTI && t.cfg.Sync.Lock == config.InOpenCTI {
		k := state.Unread(store)
		k.Log = p.log
		return k, nil
	}
	k, err := state.Open(ctx, store, p.log)
	if err == nil || ctx.Err() != nil || !readOnly || t.tellsState {
		return k, t.unread(err)
	}
	p.log.Warn("the state cannot be read and counts as empty", "error", err)
	return k, nil
}

// unread says of a state that cannot be read what to do about it.
func (t *target) unread(err error) error {
	if path, isFile := strings.CutPrefix(t.cfg.Sync.State, config.InFile); isFile {
		return unusable("sync.state", path, err)
	}
	return err
}

// unusable makes a problem of a setting of the failure of the file that it names.
func unusable(setting, path string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return &config.Problem{Setting: setting, Message: err.Error(), Remedy: "give this user the right to read and write " + path}
	}
	return err
}

func (t *target) connector(readOnly bool) *opencti.Connector {
	c := &t.cfg.Connector
	scope := strings.FieldsFunc(c.Scope, func(r rune) bool { return r == ',' || r == ' ' })
	return &opencti.Connector{Client: t.octi, ReadOnly: readOnly, MayWrite: t.mayWrite, Registration: opencti.Registration{ID: c.ID, Name: c.Name, Type: c.Type, Scope: scope, Auto: c.Auto}}
}
