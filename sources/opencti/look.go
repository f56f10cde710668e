package opencti

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"harfangsync/reconcile"
	"harfangsync/reconcile/remote"
)

// mostTogether is how many indicators are looked at in one request with all else: of more the two questions about
// them are too much for one answer.
const mostTogether = 20

// Look is what a Source that follows a stream asks of a few indicators, in one request: which of them are there, which
// pass the filter, their observables, the stream's filters, the markings that the account may see, and the state of our
// connector. ok is false
// where that cannot be asked together, so that each has to be asked for itself.
func (c *Client) Look(ctx context.Context, ids []string, f *FilterGroup, stream, connector string) (a reconcile.Answer, filters *FilterGroup, ok bool, err error) {
	if c.singly.Load() || len(ids) > mostTogether || slices.ContainsFunc(ids, func(id string) bool { return id == "" || strings.Contains(id, "--") }) {
		return a, nil, false, nil // observables are found by internal id
	}
	var w struct {
		List, All        *wirePage[wireIndicator]
		BasedOn          *wirePage[wireRelation]
		StreamCollection *wireStream
		Me               *wireAllowed
		Connector        *wireConnector
	}
	// Both questions ask for the same ids, witnesses included: those of the question without a filter.
	passing, all := question{ids: ids, filter: f, known: c.witnessesOf(f)}, question{ids: ids, known: c.witnessesOf(nil)}
	asked := all.asked()
	passing.asked()
	passing.wanted = all.wanted
	r := request{op: "Look", document: "look", fields: f.fields(), right: "KNOWLEDGE", also: c.along(connector),
		variables: map[string]any{"first": c.pageSize, "most": mostPage, "filters": And(f, Group(Eq("ids", asked...))), "ids": Group(Eq("ids", asked...)), "fromId": ids, "stream": stream}}
	if err := c.query(ctx, r, &w); err != nil {
		e, known := errors.AsType[*Error](err)
		if known && e.Code != "" && !e.Temporary() { // each question alone says which of them it is
			c.singly.Store(e.Code == "GRAPHQL_VALIDATION_FAILED" || e.Code == "FORBIDDEN_ACCESS")
			return a, nil, false, nil
		}
		return a, nil, false, err
	}
	if w.Me == nil || w.StreamCollection == nil {
		return a, nil, false, nil
	}
	collection, err := w.StreamCollection.collection()
	if err != nil {
		return a, nil, false, err
	}
	for _, of := range []struct {
		*question
		page *wirePage[wireIndicator]
	}{{&passing, w.List}, {&all, w.All}} {
		l := listing{request: r, what: lookedUp, first: c.pageSize, most: len(asked)}
		if more, err := only(c, l, of.page, of.note); err != nil || more {
			return a, nil, false, err
		}
		if err := c.believe(ctx, of.question); err != nil {
			return a, nil, false, err
		}
	}
	relations := listing{request: r, what: observablesOf, first: mostPage}
	if more, err := only(c, relations, w.BasedOn, func(r *wireRelation) (string, error) {
		if !slices.Contains(ids, r.FromID) || r.ID == "" {
			return "", &IncompleteError{What: observablesOf, Why: "a relationship came that was not asked for"}
		}
		for _, page := range [][]reconcile.Indicator{passing.page, all.page} {
			for i := range page {
				if page[i].ID == r.FromID {
					page[i].Observables = append(page[i].Observables, r.observable())
				}
			}
		}
		return r.ID, nil
	}); err != nil || more {
		return a, nil, false, err
	}
	a = reconcile.Answer{Found: together(passing.answers(), all.answers()), Markings: slices.Sorted(slices.Values(definitions(w.Me.markings())))}
	if w.Connector != nil {
		a.Stored = new(value(w.Connector.State))
	}
	return a, collection.Filters, true, nil
}

// along is what a Look asks for beside indicators, by the line of its document that stands for it.
func (c *Client) along(connector string) map[string]string {
	also := map[string]string{}
	if c.since(tellOrigins) {
		also["# origin"] = "origin_filters"
	}
	if _, err := uuid.Parse(connector); err == nil {
		also["# connector"] = fmt.Sprintf("connector(id: %q) { connector_state }", connector)
	}
	return also
}

// only visits a page that is all of its listing; more says that it is not.
func only[T any](c *Client, l listing, page *wirePage[T], visit func(*T) (id string, err error)) (more bool, err error) {
	w := c.start(l.what, l.first)
	var seen remote.IDs
	if more, err = entries(l, w, &seen, page, visit); err != nil || more {
		return more, err
	}
	return false, w.missing(w.total)
}

// together are the answers to both questions, that with the filter counting where both have one.
func together(passing, all []reconcile.Found) []reconcile.Found {
	there := map[string]bool{}
	for i := range passing {
		passing[i].Passes, there[passing[i].Asked] = true, true
	}
	return append(passing, slices.DeleteFunc(all, func(f reconcile.Found) bool { return there[f.Asked] })...)
}
