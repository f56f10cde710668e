// Package pull brings alerts and threats of HarfangLab into OpenCTI.
package pull

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/reconcile/run"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Puller brings alerts and threats of HarfangLab into OpenCTI: an incident for each alert, a sighting on
// the indicators whose rule fired, a case for each threat. The platform is its memory: an alert is new
// if its incident is not there, so that reading twice does no harm. Every member is needed unless it
// says otherwise.
type Puller struct {
	Alerts    Alerts
	Knowledge Knowledge
	Importer  Importer

	Own   reconcile.Identity
	Canon func(typ, value string) string
	List  string // name of our lists

	Statuses []string  // of alerts that are imported first
	Types    []string  // nil is every type
	Start    time.Time // older alerts are not imported
	Rolling  bool      // Start moves with the clock: after a pause, reading goes on where it stopped before it
	Since    time.Time // read from here on whatever is remembered; zero is what is remembered
	Threats  bool
	Marking  string        // standard id of what marks everything that is sent; "" is not looked for
	Highest  int           // confidence that OpenCTI grants the account
	Again    bool          // alerts that were given up are tried again
	Parallel int           // requests at once
	Patience time.Duration // with a work on which nothing moves; 0 is 5 minutes

	Keeper *state.Keeper
	Log    *slog.Logger
	Clock  func() time.Time                                 // may be nil
	Wait   func(ctx context.Context, d time.Duration) error // between looks at a work; may be nil
	// Show makes a dry run: it is given every bundle that would be pushed, and nothing is written.
	Show func(bundle string) error
}

// How a pull reads and waits. An alert is visible late, so the cursor stays behind the last one seen,
// and each read goes back behind the cursor (contract harfanglab-api 7.5).
const (
	lateness    = 2 * time.Minute
	overlap     = 15 * time.Minute
	mostQueued  = 200              // alerts for which things are looked up together
	mostAlerts  = 50               // of one bundle
	mostObjects = 900              // likewise
	mostBytes   = 4 << 20          // likewise
	mostSights  = 100              // likewise: what they are to be is remembered until they are
	mostLinks   = 10               // to alerts that one sighting gets from one bundle
	mostWaiting = 5 * time.Minute  // with a work on which nothing moves
	mostUnknown = time.Hour        // with one that cannot be asked for, while all else is answered
	mostDoubted = 30 * time.Second // with one whose push failed, and of which nothing else is known
	mostTries   = 5                // runs in which one alert is tried
)

// Result is what became of one alert or threat.
type Result string

// The results. Unchanged ones are counted and not listed.
const (
	Imported     Result = "imported"
	Updated      Result = "updated"
	Failed       Result = "failed"
	GivenUp      Result = "given_up"
	Waiting      Result = "pending" // handed over, and not known to be imported yet
	NotAttempted Result = "not_attempted"
	Unchanged    Result = "unchanged"
)

// Item is one alert or threat and what became of it.
type Item struct {
	Kind       string    `json:"kind"` // alert or threat
	ID         string    `json:"id"`
	Name       string    `json:"name,omitempty"`
	Time       time.Time `json:"time,omitzero"`
	Object     string    `json:"object,omitempty"`     // standard id in OpenCTI
	Indicators []string  `json:"indicators,omitempty"` // sighted, by standard id
	Result     Result    `json:"result"`
	Error      string    `json:"error,omitempty"`
}

// Report is what a pull did.
type Report struct {
	Items     []Item
	Read      int // alerts
	Unchanged int // of them
	Sightings int // written
	Problems  []string
	Cursor    time.Time // every alert until then is dealt with
	Wrote     bool      // something was handed over
}

// Count is the number of items with a result and, unless kind is empty, of that kind.
func (r *Report) Count(kind string, result Result) int {
	n := 0
	for i := range r.Items {
		if r.Items[i].Result == result && (kind == "" || r.Items[i].Kind == kind) {
			n++
		}
	}
	return n
}

// Summary counts alerts and threats.
type Summary struct {
	Read            int `json:"read"`
	Unchanged       int `json:"unchanged"`
	Imported        int `json:"imported"`
	Updated         int `json:"updated"`
	ThreatsImported int `json:"threats_imported"`
	ThreatsUpdated  int `json:"threats_updated"`
	Sightings       int `json:"sightings"`
	Failed          int `json:"failed"`
	GivenUp         int `json:"given_up"`
	Pending         int `json:"pending"`
	NotAttempted    int `json:"not_attempted"`
}

// Summary counts what the report tells.
func (r *Report) Summary() Summary {
	return Summary{
		Read: r.Read, Unchanged: r.Unchanged, Sightings: r.Sightings,
		Imported: r.Count("alert", Imported), Updated: r.Count("alert", Updated),
		ThreatsImported: r.Count("threat", Imported), ThreatsUpdated: r.Count("threat", Updated),
		Failed: r.Count("", Failed), GivenUp: r.Count("", GivenUp), Pending: r.Count("", Waiting), NotAttempted: r.Count("", NotAttempted),
	}
}

// Clean says that all of it was done, or was given up in an earlier run.
func (r *Report) Clean() bool {
	return len(r.Problems) == 0 && r.Count("", Failed) == 0 && r.Count("", NotAttempted) == 0 && r.Count("", Waiting) == 0
}

// pull is one pull.
type pull struct {
	*Puller
	report  *Report
	lists   map[reconcile.Kind]*reconcile.List // nil until an alert has to be attributed
	rules   map[question]firing                // by hint
	held    held                               // rules, by value
	known   map[string]bool                    // techniques and host names: whether the platform has them
	queue   []*entry                           // to be imported
	queued  int                                // bytes of its longest texts
	failed  map[string]state.Failed            // alerts that OpenCTI did not take, in this run or before, by id
	filed   map[string]bool                    // those that failed in this run
	blind   int                                // look-ups by rule id in a row that found nothing
	streak  [steps][]string                    // alerts or threats in a row that failed by themselves, by key
	seen    map[uint64]bool                    // alerts judged in this run, by id and status
	touched map[string]string                  // ids of threats whose alerts were read in this run, by key
	began   state.Pull                         // what was remembered when reading began

	patience             time.Duration
	newest, newestChange time.Time
	stripped             []string            // incidents, cases and notes that lacked their marking or author when they were looked for last
	indicated            map[string][]Stored // incidents of an indicator, while one bundle is prepared

	pushed      bool  // the platform took a bundle
	unpushed    error // of the first push of one alert or threat that failed by itself
	hold        bool  // a read was not whole: the cursors stay
	holdChanges bool  // a threat failed or is pending: its changes are read again
}

// Pull imports what is new and what changed. It returns what it did also with an error, which is a
// side's failure or the end of ctx: what was not reached is left to the next run.
func (r *Puller) Pull(ctx context.Context) (*Report, error) {
	p := &pull{
		Puller: r, report: &Report{},
		rules: map[question]firing{}, known: map[string]bool{}, seen: map[uint64]bool{},
		failed: map[string]state.Failed{}, filed: map[string]bool{}, touched: map[string]string{},
	}
	p.patience = cmp.Or(r.Patience, mostWaiting)
	if p.Clock == nil {
		p.Clock = func() time.Time { return time.Now().UTC() }
	}
	if p.Wait == nil {
		p.Wait = remote.Sleep
	}
	err := p.pull(ctx)
	p.report.Cursor = p.Keeper.Document().Pull.Alerts
	return p.report, err
}

func (p *pull) pull(ctx context.Context) error {
	if err := p.settlePending(ctx); err != nil {
		return err
	}
	p.began = p.Keeper.Document().Pull
	for _, f := range p.began.Failed {
		p.failed[failedKey(f.Threat, f.ID)] = f
	}
	err := p.importAlerts(ctx)
	if err == nil && p.Puller.Threats {
		err = p.threats(ctx)
	}
	if err == nil {
		err = p.noPush()
	}
	whole := err == nil
	note, all := p.remember()
	if saved := p.save(ctx, func(d *state.Pull) {
		if note(d); whole && all {
			p.advance(d)
		}
	}); err == nil {
		err = saved
	}
	return err
}

// importAlerts imports the alerts that are new, that changed, and that failed before.
func (p *pull) importAlerts(ctx context.Context) error {
	if err := p.retry(ctx, p.began.Failed); err != nil {
		return err
	}
	const skew = 24 * time.Hour // the manager's clock is not ours
	fresh := AlertQuery{From: p.from(p.began.Alerts), To: p.Clock().Add(skew), Statuses: p.Statuses, Types: p.Types}
	if err := p.alerts(ctx, fresh, false); err != nil {
		return err
	}
	// Whatever its status is now, an alert that was imported follows its triage.
	changed := AlertQuery{ChangedSince: p.from(p.began.Changes), Types: p.Types}
	return p.alerts(ctx, changed, true)
}

// alerts imports the alerts of a query, which are new ones or changes, and keeps the newest time of them.
func (p *pull) alerts(ctx context.Context, q AlertQuery, changes bool) error {
	err := p.Alerts.Alerts(ctx, q, func(page []alert.Alert, bad []alert.Bad) error {
		p.unreadable(bad)
		for i := range page {
			at, newest := page[i].Time, &p.newest
			if changes {
				at, newest = page[i].LastUpdate, &p.newestChange
			}
			if at.After(*newest) && !at.After(p.Clock()) {
				*newest = at
			}
		}
		return p.sift(ctx, page, changes)
	})
	if err = p.incomplete(err); err != nil {
		return err
	}
	return p.flush(ctx)
}

// from is where a read begins.
func (p *pull) from(cursor time.Time) time.Time {
	if !p.Since.IsZero() {
		return p.Since
	}
	return p.due(cursor)
}

// due is where a read has to begin to leave nothing out.
func (p *pull) due(cursor time.Time) time.Time {
	if cursor.IsZero() || !p.Rolling && cursor.Add(-overlap).Before(p.Start) {
		return p.Start
	}
	return cursor.Add(-overlap)
}

// incomplete turns the loss of rows, which a read names after it visited all others, into a problem of
// the report. What may be there at the next time keeps the cursors where they are.
func (p *pull) incomplete(err error) error {
	if err == nil {
		return nil
	}
	f := reconcile.FaultOf(err)
	if !f.Incomplete && !f.Saturated {
		return err
	}
	p.report.Problems = append(p.report.Problems, err.Error())
	p.hold = p.hold || f.Incomplete
	return nil
}

// remember notes what failed. Of more than can be remembered, those that were given up go first, and then threats whose
// case lacks an alert that came late; any other that goes keeps the cursors where they are, so that it is read again.
func (p *pull) remember() (note func(*state.Pull), all bool) {
	failed := slices.SortedFunc(maps.Values(p.failed), func(a, b state.Failed) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.At.Compare(b.At), cmp.Compare(a.ID, b.ID))
	})
	kept := failed[:min(len(failed), state.MostFailed)]
	var doubted time.Time
	given, lacking := 0, 0
	for _, f := range failed[len(kept):] {
		switch rank(f) {
		case gaveUp:
			given++
		case lacks:
			lacking++
			continue
		}
		doubted = later(doubted, f.At)
	}
	if lacking > 0 {
		p.Log.Warn("more cases lack an alert that came late than are remembered; they get it when their threat changes, or by pull --since", "threats", lacking)
	}
	if n := len(failed) - len(kept) - given - lacking; n > 0 {
		p.report.Problems = append(p.report.Problems, fmt.Sprintf("%d more alerts or threats failed than the %d that are remembered: the next run reads them again, and all that came since", n, state.MostFailed))
	} else if given > 0 {
		p.Log.Warn("alerts or threats that were given up are forgotten, and not listed any more", "alerts", given)
	}
	return func(d *state.Pull) { d.Failed, d.Doubted = kept, later(d.Doubted, doubted) }, given+lacking == len(failed)-len(kept)
}

// Ranks of what failed: what goes last where there is no room for all.
const (
	tries = iota
	lacks
	gaveUp
)

func rank(f state.Failed) int {
	switch {
	case f.Tries >= mostTries:
		return gaveUp
	case f.Threat && f.Tries == 0:
		return lacks
	}
	return tries
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// advance moves the cursors behind what was seen.
func (p *pull) advance(d *state.Pull) {
	if p.hold || d.Alerts.Before(p.began.Alerts) || d.Changes.Before(p.began.Changes) {
		return // a reset came meanwhile, and means that reading starts over
	}
	p.move(&d.Alerts, p.newest)
	if !p.holdChanges {
		p.move(&d.Changes, p.newestChange)
	}
}

// move moves a cursor behind the newest that was read, unless something before it was left out.
func (p *pull) move(cursor *time.Time, newest time.Time) {
	if newest.IsZero() || p.Since.After(p.due(*cursor)) {
		return
	}
	if at := newest.Add(-lateness).Truncate(time.Second); at.After(*cursor) {
		*cursor = at
	}
}

// save changes what is remembered, which a dry run does not.
func (p *pull) save(ctx context.Context, change func(*state.Pull)) error {
	if p.Show != nil {
		return nil
	}
	before := p.Keeper.Document()
	after := p.Keeper.Document()
	change(&after.Pull)
	if before.Text() == after.Text() {
		return nil
	}
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), run.SaveTimeout)
	defer cancel()
	return p.Keeper.Update(short, func(d *state.Document) { change(&d.Pull) })
}

// unreadable files rows that could not be read.
func (p *pull) unreadable(bad []alert.Bad) {
	for _, b := range bad {
		p.fail(Item{Kind: "alert", ID: b.ID}, time.Time{}, fmt.Errorf("cannot be read: %w", b.Err))
	}
}

// failedKey is unique to an alert or a threat.
func failedKey(threat bool, id string) string {
	if threat {
		return threatKey(id)
	}
	return id
}

func threatKey(id string) string { return "threat " + strings.ToLower(id) }

// fail files an alert or a threat that could not be imported, once a run.
func (p *pull) fail(it Item, at time.Time, err error) {
	it.Result, it.Error, it.Time = Failed, err.Error(), at
	if it.ID != "" {
		threat := it.Kind == "threat"
		key := failedKey(threat, it.ID)
		f := p.failed[key]
		if p.filed[key] || f.Tries >= mostTries && !p.Again {
			return
		}
		f.ID, f.At, f.Tries, f.Threat = it.ID, at, f.Tries+1, threat
		p.failed[key], p.filed[key] = f, true
	}
	p.report.Items = append(p.report.Items, it)
}
