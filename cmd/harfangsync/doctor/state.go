package doctor

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// old is the age from which a last good run is worth a look.
const old = 7 * 24 * time.Hour

// examineState looks at what earlier runs left, and at the lock.
func (s *side) examineState(ctx context.Context) {
	cfg := &s.Config.Sync
	var there *state.Document // what OpenCTI keeps; nil when it was not asked or did not say
	if !s.broken("sync") && !s.broken("connector") && remembersThere(s.Doctor) && s.ident != nil && s.ident.Can("MODULES") {
		there = s.storedInOpenCTI(ctx)
	}
	file, inFile := strings.CutPrefix(cfg.State, config.InFile)
	switch {
	case s.broken("sync") || s.broken("connector"):
		s.skip("its settings are wrong", "memory")
	case cfg.State == config.Nowhere:
		s.warn("memory", "nothing is remembered between runs, so no run is compared with the one before (gates G2, G3, G4, G13, G14)", "set sync.state to opencti or file:PATH")
	case inFile:
		s.checkFile(ctx, file)
	case s.ident == nil:
		s.skip("there is no account in OpenCTI", "memory")
	case !s.ident.Can("MODULES"):
		s.skip("the account lacks MODULES", "memory")
	case there != nil:
		s.remembered("OpenCTI", there)
	}
	s.checkLock(ctx, there)
}

// storedInOpenCTI reads the state as a plan does: it registers nothing. It is nil when it cannot be read,
// which it notes if the memory is there.
func (s *side) storedInOpenCTI(ctx context.Context) *state.Document {
	text, _, err := s.dialOpenCTI().ConnectorState(ctx, s.Config.Connector.ID)
	doc, bad := state.Parse(text)
	switch {
	case err != nil && s.Config.Sync.State == config.InOpenCTI:
		s.failed("memory", err)
		return nil
	case err != nil:
		return nil
	case bad != nil && s.Config.Sync.State == config.InOpenCTI:
		s.damaged("OpenCTI", bad)
		return nil
	}
	return &doc
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

func (s *side) damaged(where string, err error) {
	s.warn("memory", fmt.Sprintf("the state in %s is damaged, and what cannot be read of it counts as empty: %v", where, err), "nothing: the next good run replaces it")
}

func (s *side) checkFile(ctx context.Context, path string) {
	dir := filepath.Dir(path)
	if !isDir(dir) {
		s.fail("memory", "the directory "+dir+" of the state is not there", "make it, or change sync.state").code = exit.Usage
		return
	}
	text, err := state.File(path).Load(ctx)
	if err != nil {
		s.fail("memory", "the state cannot be read: "+err.Error(), "let this user read and write "+path).code = exit.Usage
		return
	}
	doc, err := state.Parse(text)
	if err != nil {
		s.damaged(path, err)
		return
	}
	s.remembered(path, &doc)
}

// remembered notes how old the last good run is, and whether the account sees less than it did then.
func (s *side) remembered(where string, doc *state.Document) {
	good := &doc.LastGood
	if !good.Known() {
		s.ok("memory", "nothing is remembered in "+where+" yet: no run has ended with code 0")
		return
	}
	n := 0
	for _, k := range good.Sources {
		n += k
	}
	age := s.now().Sub(good.At)
	if age < -2*time.Minute {
		s.warn("memory", "the last good run is of "+good.At.UTC().Format(time.RFC3339)+", which is yet to come, and not believed; kept in "+where, "set the clock of the host that it ran on; the next good run replaces it")
		return
	}
	detail := fmt.Sprintf("the last good run was %s ago (%s), with %s; kept in %s", roughly(age), good.At.UTC().Format(time.RFC3339), reconcile.Count(n, "indicator"), where)
	span := s.Config.Sync.Limits.Window
	counted := doc.Window.Counted(s.now(), span)
	for i, gate := range slices.Sorted(maps.Keys(counted)) {
		if i == 0 {
			detail += fmt.Sprintf("; the gates count, of the last %s, ", roughly(span))
		} else {
			detail += ", "
		}
		detail += fmt.Sprintf("%d %s", counted[gate], strings.ReplaceAll(gate, "_", " "))
	}
	if age > old {
		s.warn("memory", detail, "see whether the job runs, and what its last runs ended with")
	} else {
		s.ok("memory", detail)
	}
	s.unblocked(doc)
	if s.ident == nil {
		return
	}
	seen := s.ident.MarkingNames()
	gone := slices.DeleteFunc(slices.Clone(good.Markings), func(name string) bool { return slices.Contains(seen, name) })
	if len(gone) > 0 {
		s.warn("markings", "the account saw these markings at the last good run and does not any more, so nothing is removed because it is gone (gate G3): "+strings.Join(gone, ", "),
			"let its group see them again")
	}
}

// unblocked names what is out of force by a person's word.
func (s *side) unblocked(doc *state.Document) {
	all := reconcile.Unblocks{List: doc.Unblocked}
	list := all.At(s.now())
	if len(list) == 0 {
		return
	}
	words := make([]string, len(list))
	for i := range list {
		words[i] = list[i].Words()
	}
	s.warn("unblocked", fmt.Sprintf("%d of at most %d values are unblocked by a person's word: %s", len(list), state.MostUnblocked, strings.Join(words, "; ")),
		"harfangsync block VALUE ends one; a value that is to stay out for good belongs into a file of sync.exclusions")
}

// roughly is a time to its largest unit.
func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	for _, u := range []struct {
		unit time.Duration
		name string
	}{{day, "days"}, {time.Hour, "hours"}, {time.Minute, "minutes"}} {
		if d >= 2*u.unit {
			return fmt.Sprintf("%d %s", d/u.unit, u.name)
		}
	}
	return reconcile.Count(int(max(d, 0)/time.Second), "second")
}

// checkLock says whether a run could start now (gate G10). there is what OpenCTI keeps.
func (s *side) checkLock(ctx context.Context, there *state.Document) {
	file, inFile := strings.CutPrefix(s.Config.Sync.Lock, config.InFile)
	switch {
	case s.broken("sync"):
		s.skip("its settings are wrong", "lock")
	case !s.writes():
		s.pass("lock", "a plan takes no lock")
	case s.Config.Sync.Lock == config.Nowhere:
		s.warn("lock", "there is no lock: two runs at once may undo each other's work", "set sync.lock to opencti or file:PATH")
	case inFile:
		s.checkLockFile(ctx, file)
	case there == nil:
		s.skip("what OpenCTI keeps is not known", "lock")
	default:
		if lease, held := there.HeldBy(s.now()); held {
			s.held(fmt.Sprintf("in OpenCTI: %v, until %s unless it is renewed", lease.Process, lease.Until.UTC().Format(time.RFC3339)))
			return
		}
		s.ok("lock", "the lock in OpenCTI is free")
	}
}

func (s *side) held(where string) {
	s.warn("lock", "another run holds the lock "+where, "wait for its end; the lease of a run that was killed ends by itself")
}

// checkLockFile tries the lock for a moment, where there is a file: it makes none.
func (s *side) checkLockFile(ctx context.Context, file string) {
	const ending = ".lock"
	path := file + ending
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		s.ok("lock", "the lock "+path+" is free")
		return
	}
	release, err := state.LockFile(ctx, file, ending, 0)
	if _, locked := errors.AsType[*state.LockedError](err); locked {
		s.held(path)
		return
	}
	if err != nil {
		s.fail("lock", err.Error(), "let this user read and write it").code = exit.Usage
		return
	}
	release()
	s.ok("lock", "the lock "+path+" is free")
}

// examineReports looks at where metrics and notices go, without sending any.
func (s *side) examineReports() {
	cfg := &s.Config.Sync
	if cfg.Metrics.TextFile != "" {
		dir := filepath.Dir(cfg.Metrics.TextFile)
		if !isDir(dir) {
			s.warn("metrics", "the directory "+dir+" of the metrics is not there, so they would not be written", "make it, or change sync.metrics.textfile")
		} else {
			s.ok("metrics", "metrics are written to "+cfg.Metrics.TextFile)
		}
	}
	if cfg.Metrics.PushGateway != "" {
		s.pass("pushgateway", "metrics are pushed to "+cfg.Metrics.PushGateway+"; not tried, since a doctor writes nothing")
	}
	if cfg.Notify.Webhook.Set() {
		s.pass("webhook", "notices are sent of "+strings.Join(cfg.Notify.On, ", ")+"; not tried, since a doctor writes nothing")
	}
}
