package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// lock takes the lock of this target (gate G10). What another run learned while it was waited for is
// read again.
func (t *target) lock(ctx context.Context, p *program, lost func(error)) (release func(), err error) {
	path, isFile := strings.CutPrefix(t.cfg.Sync.Lock, config.InFile)
	switch {
	case isFile:
		release, err = state.LockFile(ctx, path, ".lock", t.cfg.Sync.LockTimeout)
		err = unusable("sync.lock", path+".lock", err)
	case t.cfg.Sync.Lock != config.InOpenCTI:
		return func() {}, nil
	case t.away != nil:
		p.log.Warn("the lock is kept in OpenCTI, so nothing keeps another run away from this one; sync.lock: file:PATH does without OpenCTI")
		return func() {}, nil
	case t.cfg.Sync.State == config.InOpenCTI:
		release, err = t.lease(ctx, t.job.Keeper, lost)
		return t.unregistered(p, release, err)
	case !t.ident.Can("CONNECTORAPI"):
		return nil, &opencti.RightError{Capability: "CONNECTORAPI", For: ", needed to take the lock in OpenCTI (sync.lock: file:PATH or none does without)"}
	default:
		leases := state.Unread(t.connector(false))
		leases.Log = p.log
		release, err = t.lease(ctx, leases, lost)
		release, err = t.unregistered(p, release, err)
	}
	if err != nil {
		return nil, err
	}
	if err := t.job.Keeper.Reload(ctx); err != nil {
		release()
		return nil, t.unread(err)
	}
	return release, nil
}

// unregistered goes on without a lock where a connector that OpenCTI does not know cannot be registered, because the
// platform's message broker hangs: it would take imports, and rules do without. A state that was to be kept there is
// none.
func (t *target) unregistered(p *program, release func(), err error) (func(), error) {
	e, failed := errors.AsType[*opencti.Error](err)
	if !failed || !e.Hung() || t.importsOnly {
		return release, err
	}
	p.log.Warn("OpenCTI does not know this connector yet, and registers none while RabbitMQ, its message broker, hangs: "+
		"nothing keeps another run away from this one, and what is kept in OpenCTI is not remembered; rules are applied, alerts wait", "error", err)
	t.leases = nil
	if t.cfg.Sync.State == config.InOpenCTI {
		t.job.Keeper = state.Forgetful()
		t.job.Keeper.Log = p.log
	}
	return func() {}, nil
}

// lease takes the lock in a document of OpenCTI, which is our connector's own.
func (t *target) lease(ctx context.Context, k *state.Keeper, lost func(error)) (release func(), err error) {
	t.leases = k
	if t.held, err = k.Lock(ctx, t.lockKeys(ctx), t.cfg.Sync.LockTimeout, lost); err != nil {
		return nil, err
	}
	return t.held.Release, nil
}

// lockKeys name what two runs of one connector must not work on at once, however its address is spelled: the lists
// that are there, by id, and every address of the manager with the name of the lists, for those that are still to
// be made. Two runs that share one key keep each other out. A command that writes no list asks for none.
func (t *target) lockKeys(ctx context.Context) []string {
	name := t.cfg.HarfangLab.ListName
	var keys []string
	for _, address := range addresses(ctx, t.cfg.HarfangLab.URL) {
		keys = append(keys, "at "+address+"\n"+name)
	}
	kinds := t.job.Policy.Included()
	if t.importsOnly {
		kinds = nil
	}
	for _, k := range kinds {
		// A list that cannot be found now is one that the command itself will say so of.
		if list, err := t.hl.FindList(ctx, k, name); err == nil && list != nil {
			keys = append(keys, k.String()+" "+list.ID)
		}
	}
	for i, key := range keys {
		h := sha256.Sum256([]byte(key))
		keys[i] = hex.EncodeToString(h[:8])
	}
	return keys
}

// addresses are the places that a URL stands for, with the addresses of its host where these can be found out.
func addresses(ctx context.Context, address string) []string {
	const patience, most = 2 * time.Second, 8
	u, err := url.Parse(address)
	if err != nil {
		return []string{address}
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	hosts, err := net.DefaultResolver.LookupHost(ctx, u.Hostname())
	if err != nil || len(hosts) == 0 {
		hosts = []string{strings.ToLower(u.Hostname())}
	}
	slices.Sort(hosts)
	port := u.Port()
	if port == "" {
		port = u.Scheme
	}
	if n, err := net.LookupPort("tcp", port); err == nil {
		port = strconv.Itoa(n)
	}
	places := make([]string, 0, most)
	for _, host := range hosts[:min(len(hosts), most)] {
		places = append(places, net.JoinHostPort(host, port)+u.Path)
	}
	return places
}

// mayWrite is an error once the lock is lost.
func (t *target) mayWrite() error {
	if t.held == nil {
		return nil
	}
	return t.held.Check()
}

// locked works with the lock held. The context ends when the lock is lost; the command then ends with code 5, with 7 where it
// had stopped writing long before another run took the lock, or with what it had found out by itself, if that is graver.
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
	p.listener.watch(t.mayWrite)
	defer p.listener.watch(nil)
	err = work(ctx, t)
	if t.mayWrite() != nil && p.code(err) < exit.Signal {
		code := exit.LostCode(err)
		if err != nil && exit.Unsaid(err) && !errors.Is(err, context.Canceled) {
			return &exit.Status{Code: code, Err: err}
		}
		return exit.With(code)
	}
	return err
}
