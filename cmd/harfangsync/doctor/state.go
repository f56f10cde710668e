package doctor

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile/state"
)

// old is the age from which a last good run is worth a look.
const old = 7 * 24 * time.Hour

// examineState looks at what earlier runs left, and at the lock.
func (d *Doctor) examineState(ctx context.Context) {
	s := &d.Config.Sync
	var there *state.Document // what OpenCTI keeps; nil when it was not asked or did not say
	if !d.broken("sync") && !d.broken("connector") && remembersThere(d.Config) && d.ident != nil && d.ident.Can("MODULES") {
		there = d.storedInOpenCTI(ctx)
	}
	file, inFile := strings.CutPrefix(s.State, config.InFile)
	switch {
	case d.broken("sync") || d.broken("connector"):
		d.skip("state", "its settings are wrong", "memory")
	case s.State == config.Nowhere:
		d.note("state", "memory", isWarn, "nothing is remembered between runs, so no run is compared with the one before (gates G2 and G3)", "set sync.state to opencti or file:PATH")
	case inFile:
		d.checkFile(ctx, file)
	case d.ident == nil:
		d.skip("state", "there is no account in OpenCTI", "memory")
	case !d.ident.Can("MODULES"):
		d.skip("state", "the account lacks MODULES", "memory")
	case there != nil:
		d.remembered("OpenCTI", there)
	}
	d.checkLock(ctx, there)
}

// storedInOpenCTI reads the state as a plan does: it registers nothing. It is nil when it cannot be read,
// which it notes if the memory is there.
func (d *Doctor) storedInOpenCTI(ctx context.Context) *state.Document {
	c, err := d.dialOpenCTI()
	var text string
	if err == nil {
		text, _, err = c.ConnectorState(ctx, d.Config.Connector.ID)
	}
	doc, bad := state.Parse(text)
	switch {
	case err != nil && d.Config.Sync.State == config.InOpenCTI:
		d.failed("state", "memory", err)
		return nil
	case err != nil:
		return nil
	case bad != nil && d.Config.Sync.State == config.InOpenCTI:
		d.damaged("OpenCTI", bad)
		return nil
	}
	return &doc
}

func (d *Doctor) damaged(where string, err error) {
	d.note("state", "memory", isWarn, fmt.Sprintf("the state in %s is damaged and counts as empty: %v", where, err), "nothing: the next good run replaces it")
}

func (d *Doctor) checkFile(ctx context.Context, path string) {
	dir := filepath.Dir(path)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		d.note("state", "memory", isFail, "the directory "+dir+" of the state is not there", "make it, or change sync.state")
		d.checks[len(d.checks)-1].code = exit.Usage
		return
	}
	text, err := state.File(path).Load(ctx)
	if err != nil {
		d.note("state", "memory", isFail, "the state cannot be read: "+err.Error(), "let this user read and write "+path)
		d.checks[len(d.checks)-1].code = exit.Usage
		return
	}
	doc, err := state.Parse(text)
	if err != nil {
		d.damaged(path, err)
		return
	}
	d.remembered(path, &doc)
}

// remembered notes how old the last good run is, and whether the account sees less than it did then.
func (d *Doctor) remembered(where string, doc *state.Document) {
	good := &doc.LastGood
	if !good.Known() {
		d.note("state", "memory", isOK, "nothing is remembered in "+where+" yet: no run has ended with code 0", "")
		return
	}
	n := 0
	for _, k := range good.Sources {
		n += k
	}
	age := d.now().Sub(good.At)
	detail := fmt.Sprintf("the last good run was %s ago (%s), with %d indicators; kept in %s", roughly(age), good.At.UTC().Format(time.RFC3339), n, where)
	if age > old {
		d.note("state", "memory", isWarn, detail, "see whether the job runs, and what its last runs ended with")
	} else {
		d.note("state", "memory", isOK, detail, "")
	}
	if d.ident == nil {
		return
	}
	seen := map[string]bool{}
	for _, m := range d.ident.Markings {
		seen[m.Definition] = true
	}
	var gone []string
	for _, m := range good.Markings {
		if !seen[m] {
			gone = append(gone, m)
		}
	}
	if len(gone) > 0 {
		d.note("state", "markings", isWarn, "the account saw these markings at the last good run and does not any more, so nothing is removed because it is gone (gate G3): "+strings.Join(gone, ", "),
			"let its group see them again")
	}
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
	return fmt.Sprintf("%d seconds", max(d, 0)/time.Second)
}

// checkLock says whether a run could start now (gate G10). there is what OpenCTI keeps.
func (d *Doctor) checkLock(ctx context.Context, there *state.Document) {
	file, inFile := strings.CutPrefix(d.Config.Sync.Lock, config.InFile)
	switch {
	case d.broken("sync"):
		d.skip("state", "its settings are wrong", "lock")
	case d.Config.Sync.Lock == config.Nowhere:
		d.note("state", "lock", isWarn, "there is no lock: two runs at once may undo each other's work", "set sync.lock to opencti or file:PATH")
	case inFile:
		d.checkLockFile(ctx, file+".lock")
	case there == nil:
		d.skip("state", "what OpenCTI keeps is not known", "lock")
	default:
		lease, held := there.Leases[config.LockKey(d.Config)]
		if held && lease.Until.After(d.now()) {
			d.held("in OpenCTI, until " + lease.Until.UTC().Format(time.RFC3339) + " unless it is renewed")
			return
		}
		d.note("state", "lock", isOK, "the lock in OpenCTI is free", "")
	}
}

func (d *Doctor) held(where string) {
	d.note("state", "lock", isWarn, "another run holds the lock "+where, "wait for its end; the lease of a run that was killed ends by itself")
}

// checkLockFile tries the lock for a moment, where there is a file: it makes none.
func (d *Doctor) checkLockFile(ctx context.Context, path string) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		d.note("state", "lock", isOK, "the lock "+path+" is free", "")
		return
	}
	release, err := state.LockFile(ctx, path, 0)
	if _, locked := errors.AsType[*state.LockedError](err); locked {
		d.held(path)
		return
	}
	if err != nil {
		d.note("state", "lock", isFail, err.Error(), "let this user read and write it")
		d.checks[len(d.checks)-1].code = exit.Usage
		return
	}
	release()
	d.note("state", "lock", isOK, "the lock "+path+" is free", "")
}

// examineReports looks at where metrics and notices go, without sending any.
func (d *Doctor) examineReports() {
	s := &d.Config.Sync
	if s.Metrics.TextFile != "" {
		dir := filepath.Dir(s.Metrics.TextFile)
		if info, err := os.Stat(dir); err != nil || !info.IsDir() {
			d.note("reports", "metrics", isWarn, "the directory "+dir+" of the metrics is not there, so they would not be written", "make it, or change sync.metrics.textfile")
		} else {
			d.note("reports", "metrics", isOK, "metrics are written to "+s.Metrics.TextFile, "")
		}
	}
	if s.Metrics.PushGateway != "" {
		d.note("reports", "pushgateway", skipped, "metrics are pushed to "+s.Metrics.PushGateway+"; not tried, since a doctor writes nothing", "")
	}
	if s.Notify.Webhook.Set() {
		d.note("reports", "webhook", skipped, "notices are sent of "+strings.Join(s.Notify.On, ", ")+"; not tried, since a doctor writes nothing", "")
	}
}
