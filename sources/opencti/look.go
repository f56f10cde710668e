package opencti

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// mostTogether is how many indicators are looked at in one request with all else: of more the two questions about
// them are too much for one answer.
const mostTogether = 20

// errApart says that questions cannot be asked together, so that each has to be asked for itself.
var errApart = errors.New("asked apart")

// Look is what a Source that follows a stream asks of a few indicators, in one request: which of them are there, which
// pass the filter, their observables, the stream's filters, the markings that the account may see, and the state of our
// connector. ok is false where that cannot be asked together.
func (c *Client) Look(ctx context.Context, ids []string, f *FilterGroup, stream, connector string) (a reconcile.Answer, filters *FilterGroup, ok bool, err error) {
	if c.singly.Load() || len(ids) > mostTogether || slices.ContainsFunc(ids, func(id string) bool { return id == "" || strings.Contains(id, "--") }) {
		return a, nil, false, nil // observables are found by internal id
	}
	l := look{Client: c, passing: question{ids: ids, filter: f, known: c.witnessesOf(f)}, all: question{ids: ids, known: c.witnessesOf(nil)}}
	err = l.ask(ctx, stream, connector)
	if err == nil {
		err = l.check(ctx)
	}
	if errors.Is(err, errApart) {
		return a, nil, false, nil
	}
	if err != nil {
		return a, nil, false, err
	}
	a = reconcile.Answer{Found: together(l.passing.answers(), l.all.answers()), Markings: slices.Sorted(slices.Values(definitions(l.answer.Me.markings())))}
	if l.answer.Connector != nil {
		a.Stored = new(value(l.answer.Connector.State))
	}
	return a, l.stream.Filters, true, nil
}

// look is one Look.
type look struct {
	*Client
	passing, all question
	asked        []string
	answer       struct {
		List, All        *wirePage[wireIndicator]
		BasedOn          *wirePage[wireRelation]
		StreamCollection *wireStream
		Me               *wireAllowed
		Connector        *wireConnector
	}
	stream *Collection
}

// ask sends the request. Both questions ask for the same ids, witnesses included: those of the one without a filter.
func (l *look) ask(ctx context.Context, stream, connector string) error {
	l.asked = l.all.asked()
	l.passing.wanted = l.all.wanted
	f, ids := l.passing.filter, Group(Eq("ids", l.asked...))
	err := l.query(ctx, request{op: "Look", document: "look", fields: f.fields(), right: "KNOWLEDGE", also: l.along(connector), once: true,
		variables: map[string]any{"first": l.pageSize, "most": mostPage, "filters": And(f, ids), "ids": ids, "fromId": l.all.ids, "stream": stream}}, &l.answer)
	if e, known := errors.AsType[*Error](err); known && (e.Code != "" && !e.Temporary() || byItself(err)) { // each question alone says which it is
		l.singly.Store(e.Code == "GRAPHQL_VALIDATION_FAILED" || e.Code == "FORBIDDEN_ACCESS")
		l.takeOthers()
		return errApart
	}
	if err == nil && (l.answer.Me == nil || l.answer.StreamCollection == nil) {
		err = errApart
	}
	return err
}

// check takes in the parts of the answer, of which each has to be whole.
func (l *look) check(ctx context.Context) (err error) {
	if l.stream, err = l.answer.StreamCollection.collection(); err != nil {
		return err
	}
	for _, of := range []struct {
		*question
		page *wirePage[wireIndicator]
	}{{&l.passing, l.answer.List}, {&l.all, l.answer.All}} {
		if err := only(l.Client, listing{what: lookedUp, first: l.pageSize, most: len(l.asked)}, of.page, of.note); err != nil {
			return err
		}
		if err := l.believe(ctx, of.question); err != nil {
			return err
		}
	}
	return only(l.Client, listing{what: observablesOf, first: mostPage}, l.answer.BasedOn, l.attach)
}

// attach adds an observable to its indicator, in the answers to both questions.
func (l *look) attach(r *wireRelation) (string, error) {
	if !slices.Contains(l.all.ids, r.FromID) || r.ID == "" {
		return "", &IncompleteError{What: observablesOf, Why: "a relationship came that was not asked for"}
	}
	for _, page := range [][]reconcile.Indicator{l.passing.page, l.all.page} {
		for i := range page {
			if page[i].ID == r.FromID {
				page[i].Observables = append(page[i].Observables, r.observable())
			}
		}
	}
	return r.ID, nil
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

// only visits a page that is all of its listing: errApart says that it is not.
func only[T any](c *Client, l listing, page *wirePage[T], visit func(*T) (id string, err error)) error {
	l.op = "Look"
	w := c.start(l.what, l.first)
	var seen remote.IDs
	more, err := entries(l, w, &seen, page, visit)
	if err == nil && more {
		err = errApart
	}
	if err != nil {
		return err
	}
	return w.missing(w.total)
}

// together are the answers to both questions, that with the filter counting where both have one.
func together(passing, all []reconcile.Found) []reconcile.Found {
	there := map[string]bool{}
	for i := range passing {
		passing[i].Passes, there[passing[i].Asked] = true, true
	}
	return append(passing, slices.DeleteFunc(all, func(f reconcile.Found) bool { return there[f.Asked] })...)
}
