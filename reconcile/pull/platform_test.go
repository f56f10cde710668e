package pull_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/pull"
)

// read counts a call, and gives the error that is due.
func (r *platforms) read(method string) error {
	r.reads[method]++
	if r.down {
		return errA
	}
	return r.fails(r.failing[method])
}

func (r *platforms) Indicators(_ context.Context, ids []string) (out []pull.Stored, err error) {
	for _, id := range ids {
		if standard, there := r.indicators[id]; there {
			out = append(out, pull.Stored{IDs: []string{id, standard}})
		}
		err = cmp.Or(err, r.broken["indicator "+id])
	}
	return out, cmp.Or(err, r.read("Indicators"))
}

func (r *platforms) found(method string, ids []string) (out []pull.Stored, err error) {
	for _, id := range ids {
		if o := r.things[id]; o != nil {
			out = append(out, pull.Stored{IDs: []string{"internal-" + id, id}, Description: o.text, Whose: r.whose(id)})
		}
		err = cmp.Or(err, r.broken[id])
	}
	return out, cmp.Or(err, r.read(method))
}

// whose is what an object has that was imported whole.
func (r *platforms) whose(id string) pull.Whose {
	if r.bare[id] {
		return pull.Whose{}
	}
	return pull.Whose{Authored: r.firm[id] == 0, Markings: []string{"marking"}, Confidence: r.firm[id]}
}

func (r *platforms) Incidents(_ context.Context, ids []string) ([]pull.Stored, error) {
	return r.found("Incidents", ids)
}
func (r *platforms) Cases(_ context.Context, ids []string) ([]pull.Stored, error) {
	return r.found("Cases", ids)
}
func (r *platforms) Notes(_ context.Context, ids []string) ([]pull.Stored, error) {
	return r.found("Notes", ids)
}
func (r *platforms) Techniques(context.Context, []string) ([]pull.Stored, error) { return nil, nil }

// Relations lacks none. Each ties an observable to something, and is of our author.
func (r *platforms) Relations(_ context.Context, ids []string) (out []pull.Stored, err error) {
	for _, id := range ids {
		o := pull.Stored{IDs: []string{"internal-" + id, id}, Whose: r.whose(id)}
		for _, end := range []string{r.from[id], "identity--author"} {
			o.Ends = append(o.Ends, pull.Stored{IDs: []string{"internal-" + end, end}, Whose: r.whose(end)})
		}
		out = append(out, o)
	}
	return out, r.read("Relations")
}
func (r *platforms) Hostnames(context.Context, []string) ([]pull.Stored, error) { return nil, nil }
func (r *platforms) Files(context.Context, []string) ([]pull.Stored, error)     { return nil, nil }

func (r *platforms) Sightings(_ context.Context, indicators []string) (out []pull.Sighted, err error) {
	for _, s := range r.sights {
		for _, indicator := range indicators {
			if !slices.Contains(r.owned["of "+s.IDs[0]], indicator) {
				continue
			}
			told := *s
			told.Indicator = indicator
			told.Whose = r.whose(s.IDs[1])
			if r.blind {
				told.Endpoint = []string{"internal-" + s.Endpoint[0]}
			}
			out = append(out, told)
		}
	}
	for _, indicator := range indicators {
		err = cmp.Or(err, r.broken[indicator])
	}
	return out, cmp.Or(r.fails(err), r.read("Sightings"))
}

func (r *platforms) IncidentsOf(_ context.Context, indicator string) ([]pull.Stored, error) {
	var ids []string
	for _, id := range slices.Sorted(maps.Keys(r.things)) {
		if slices.Contains(r.owned[id], indicator) {
			ids = append(ids, id)
		}
	}
	return r.found("IncidentsOf", ids)
}

func (r *platforms) IndicatorsOf(_ context.Context, incidents []string) (out map[string][]string, err error) {
	out = map[string][]string{}
	for _, id := range incidents {
		out[id] = r.owned[strings.TrimPrefix(id, "internal-")]
		err = cmp.Or(err, r.broken["of "+id])
	}
	return out, cmp.Or(err, r.read("IndicatorsOf"))
}

func (r *platforms) AddWork(context.Context, string) (string, error) {
	if r.workless {
		return "", r.read("AddWork")
	}
	id := fmt.Sprintf("work-%d", len(r.works)+1)
	r.works[id] = &pull.Work{}
	return id, r.read("AddWork")
}

func (r *platforms) Push(_ context.Context, bundle, work string) error {
	r.pushes = append(r.pushes, bundle)
	if r.take != nil {
		return r.take(r, bundle, work)
	}
	r.importBundle(bundle, work)
	return nil
}

func (r *platforms) Work(_ context.Context, id string) (*pull.Work, error) {
	if err := cmp.Or(r.read("Work"), r.broken[id]); err != nil {
		return nil, err
	}
	return r.works[id], nil
}

func (r *platforms) Withdraw(_ context.Context, id string) (bool, error) {
	if r.withdraws {
		delete(r.works, id)
	}
	return r.withdraws, nil
}

func (r *platforms) CloseWork(_ context.Context, id, _ string) error {
	r.closed = append(r.closed, id)
	return nil
}

// memObjects are the objects of a bundle.
func memObjects(bundle string) (out []memObject) {
	for line := range strings.Lines(bundle) {
		var o memObject
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			panic(err)
		}
		out = append(out, o)
	}
	return out
}

// importBundle is what the workers do.
func (r *platforms) importBundle(bundle, work string) {
	w := r.works[work]
	if w == nil {
		w = &pull.Work{}
	}
	for _, o := range memObjects(bundle) {
		w.Expected, w.Processed, w.Complete = w.Expected+1, w.Processed+1, true
		if r.refuse != nil && r.refuse(o) {
			w.Errors = append(w.Errors, pull.WorkError{Message: o.Type + " refused", Source: o.ID})
			continue
		}
		r.importObject(o)
	}
}

func (r *platforms) importObject(o memObject) {
	switch {
	case o.Type == "identity":
	case r.spares > 0:
		r.spares--
	case r.strips > 0:
		r.strips--
		r.bare[o.ID] = true
	default:
		delete(r.bare, o.ID)
	}
	switch o.Type {
	case "incident", "case-incident", "note":
		if r.things[o.ID] == nil {
			r.things[o.ID] = &thing{id: o.ID}
		}
		r.things[o.ID].text, r.things[o.ID].parts = o.Text, o.Parts
	case "relationship":
		r.from[o.ID] = o.From
		for internal, standard := range r.indicators {
			if standard == o.From && !slices.Contains(r.owned[o.To], internal) {
				r.owned[o.To] = append(r.owned[o.To], internal)
			}
		}
	case "sighting":
		r.importSighting(o)
	}
}

// importSighting adds counts up where the range grows, and replaces the count otherwise (contract
// opencti-api 9).
func (r *platforms) importSighting(o memObject) {
	var internal string
	for id, standard := range r.indicators {
		if standard == o.Seen.Indicator {
			internal = id
		}
	}
	if internal == "" {
		return
	}
	for _, s := range r.sights {
		if !slices.Contains(s.IDs, o.Seen.ID) {
			continue
		}
		if o.Seen.First.Before(s.First) || o.Seen.Last.After(s.Last) {
			s.Count += o.Seen.Count
		} else {
			s.Count = o.Seen.Count
		}
		if o.Seen.First.Before(s.First) {
			s.First = o.Seen.First
		}
		if o.Seen.Last.After(s.Last) {
			s.Last = o.Seen.Last
		}
		s.Negative = o.Seen.Negative
		return
	}
	s := &pull.Sighted{IDs: []string{"internal-" + o.Seen.ID, o.Seen.ID}, Endpoint: []string{o.Seen.Endpoint}, Count: o.Seen.Count, First: o.Seen.First, Last: o.Seen.Last, Negative: o.Seen.Negative}
	r.sights = append(r.sights, s)
	r.owned["of "+s.IDs[0]] = []string{internal}
}
