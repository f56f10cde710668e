package pull

import (
	"context"
	"errors"
	"hash/maphash"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// entry is one alert on its way.
type entry struct {
	a        alert.Alert
	incident string  // standard id
	stored   *Stored // what OpenCTI has of it; nil for a new one
	again    bool    // an earlier attempt may have left a part of it
	single   bool    // goes in a bundle of its own
	late     bool    // no later run reads it again, and its threat's case lacks it
	endpoint string
	name     string // of the incident, "" for a new one
	owners   []owner
}

// owner is an indicator whose rule fired.
type owner struct{ internal, standard string }

func (e *entry) self() *entry { return e }

func (e *entry) item() Item {
	it := Item{Kind: "alert", ID: e.a.ID, Name: e.a.RuleName, Time: e.a.Time, Object: e.incident}
	for _, o := range e.owners {
		it.Indicators = append(it.Indicators, o.standard)
	}
	return it
}

// sift finds out which alerts of a page are new and which have changed. Both are queued; the queue is
// sent when it is long enough.
func (p *pull) sift(ctx context.Context, page []alert.Alert, changes bool) error {
	ids, of := make([]string, 0, len(page)), map[string]*alert.Alert{}
	page = slices.DeleteFunc(page, func(a alert.Alert) bool {
		if p.judged(&a) {
			return true
		}
		p.report.Read++
		id := p.Importer.IncidentID(&a)
		if id == "" {
			p.fail(Item{Kind: "alert", ID: a.ID, Name: a.RuleName}, a.Time, errNameless)
			return true
		}
		if _, bad := p.failed[a.ID]; bad {
			return true // tried already, or given up
		}
		ids = append(ids, id)
		of[id] = &a
		return false
	})
	stored, bad, err := p.asked(ctx, finding, p.Knowledge.Incidents, ids, func(id string, err error) {
		p.failAlone(finding, Item{Kind: "alert", ID: of[id].ID, Name: of[id].RuleName, Object: id}, of[id].Time, err)
	})
	if err != nil {
		return err
	}
	seen := p.began.Alerts.Add(lateness + time.Second) // by a pull that came to its end, with the threats
	for i := range page {
		a := &page[i]
		if bad[ids[i]] {
			continue
		}
		e := &entry{a: *a, incident: ids[i], stored: stored[ids[i]], endpoint: p.Importer.EndpointID(a)}
		if e.stored == nil && changes && !p.wanted(a) {
			continue
		}
		e.again = e.stored == nil && !a.Time.After(p.began.Doubted)
		if again := a.Time.After(seen); e.stored == nil || again || !p.Since.IsZero() {
			p.touch(a)
			e.late = p.ofThreat(a) && e.stored == nil && !again
		}
		if p.tells(e.stored, a) {
			p.report.Unchanged++
			continue
		}
		if err := p.line(ctx, e); err != nil {
			return err
		}
	}
	return nil
}

// line puts an alert into the queue, and sends the queue when it is long enough.
func (p *pull) line(ctx context.Context, e *entry) error {
	p.queue = append(p.queue, e)
	if p.queued += len(e.a.RuleContent) + len(e.a.Message); len(p.queue) == mostQueued || p.queued > mostBytes {
		return p.flush(ctx)
	}
	return nil
}

// tells says whether an incident, which may be nil, tells of an alert what there is: its status, and when it
// last changed.
func (p *pull) tells(stored *Stored, a *alert.Alert) bool {
	if stored == nil || p.lost(&stored.Whose) || !stored.Seen.IsZero() && a.LastUpdate.Truncate(time.Millisecond).After(stored.Seen) {
		return false
	}
	facts, ours := p.Importer.Read(stored.Description)
	return ours && facts.Status == a.Status
}

// ofThreat says whether the case of a threat is to hold an alert.
func (p *pull) ofThreat(a *alert.Alert) bool { return p.Puller.Threats && a.ThreatKey != "" }

// touch notes the threat of an alert which its case may lack.
func (p *pull) touch(a *alert.Alert) {
	if a.ThreatKey != "" {
		p.touched[threatKey(a.ThreatKey)] = a.ThreatKey
	}
}

// judged says that an alert came before in this run with the status it has. An alert whose status
// changed meanwhile comes again.
func (p *pull) judged(a *alert.Alert) bool {
	key := maphash.String(alertSeed, a.ID+"\x00"+string(a.Status))
	was := p.seen[key]
	p.seen[key] = true
	return was
}

var alertSeed = maphash.MakeSeed()

var errNameless = errors.New("it has no id or no time, so its incident could not be found again")

// wanted says whether an alert is one that is imported, which the manager judges for new ones.
func (p *pull) wanted(a *alert.Alert) bool {
	start := p.Start
	if !p.Since.IsZero() && p.Since.Before(start) {
		start = p.Since
	}
	among := func(words []string, word string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.EqualFold(w, word) })
	}
	return among(p.Statuses, string(a.Status)) && (p.Types == nil || among(p.Types, a.Type)) && !a.Time.Before(start)
}

// there is what OpenCTI has of some ids, by each of its own.
func there(ctx context.Context, ask func(context.Context, []string) ([]Stored, error), ids []string) (map[string]*Stored, error) {
	if len(ids) == 0 {
		return map[string]*Stored{}, nil
	}
	found, err := ask(ctx, ids)
	m := map[string]*Stored{}
	for i := range found {
		for _, id := range found[i].IDs {
			m[id] = &found[i]
		}
	}
	return m, err
}

// flush sends what is queued: new alerts in one bundle, changed ones in another.
func (p *pull) flush(ctx context.Context) error {
	queue := p.queue
	p.queue, p.queued = nil, 0
	var fresh, old []*entry
	for _, e := range queue {
		if e.stored == nil || e.again {
			fresh = append(fresh, e)
		} else {
			old = append(old, e)
		}
	}
	if err := p.importAll(ctx, fresh); err != nil {
		return err
	}
	return p.updateAll(ctx, old)
}

// retry tries the alerts again that failed in earlier runs, each in a bundle of its own.
func (p *pull) retry(ctx context.Context, failed []state.Failed) error {
	for _, f := range failed {
		kind := "alert"
		if f.Threat {
			kind = "threat"
		}
		if f.Tries >= mostTries && !p.Again {
			p.report.Items = append(p.report.Items, Item{
				Kind: kind, ID: f.ID, Time: f.At, Result: GivenUp,
				Error: "failed in five runs and is not tried any more; pull --retry-failed tries again",
			})
			continue
		}
		if f.Threat {
			continue // it is read with the others
		}
		a, err := p.Alerts.Alert(ctx, f.ID)
		switch {
		case err != nil && reconcile.FaultOf(err).Side && !p.alone(ctx, fetching, err):
			return err
		case err != nil:
			p.failAlone(fetching, Item{Kind: "alert", ID: f.ID}, f.At, err)
			continue
		case a == nil:
			p.Log.Warn("an alert that failed before is gone in HarfangLab", "alert", f.ID)
			delete(p.failed, f.ID)
			continue
		}
		p.streak[fetching] = nil
		e := &entry{a: *a, incident: p.Importer.IncidentID(a), endpoint: p.Importer.EndpointID(a), again: true, single: true, late: p.ofThreat(a)}
		p.judged(a)
		p.touch(a)
		p.report.Read++
		if err := p.importAll(ctx, []*entry{e}); err != nil {
			return err
		}
	}
	return nil
}

// seenAt is when an alert's event happened: its own time, unless that cannot be.
func seenAt(a *alert.Alert) time.Time {
	const far = 365 * 24 * time.Hour
	if e := a.EventTime; !e.IsZero() && !e.After(a.Time) && a.Time.Sub(e) < far {
		return e.Truncate(time.Millisecond)
	}
	return a.Time.Truncate(time.Millisecond)
}
