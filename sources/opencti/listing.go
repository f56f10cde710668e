package opencti

import (
	"context"
	"errors"
	"fmt"
	"harfangsync/reconcile/remote"
)

// wireList is one page of a listing that its document calls list.
type wireList[T any] struct {
	List *struct {
		PageInfo *pageInfo `json:"pageInfo"`
		Edges    []*struct {
			Node *T `json:"node"`
		} `json:"edges"`
	} `json:"list"`
}

// listing is a question that is answered in pages.
type listing struct {
	request
	what  string // what is listed, for errors
	first int    // entries to ask for at once
	most  int    // entries that an answer can hold if it is one to this question; 0 is any number
}

// list visits all entries of a listing and proves that they are all: ids unique, as many as the platform
// counts. visit returns the id of its entry. Empty entries are allowed by the schema; the count then finds
// what they stand for.
func list[T any](ctx context.Context, c *Client, l listing, visit func(*T) (id string, err error)) error {
	w := c.start(l.what, l.first)
	var seen remote.IDs
	for {
		var answer wireList[T]
		r := l.request
		r.variables = w.page(l.variables)
		if err := c.query(ctx, r, &answer); err != nil {
			return err
		}
		if answer.List == nil {
			return misshapen(l.op, "no "+l.what)
		}
		at, err := answer.List.PageInfo.place(l.op)
		if err != nil {
			return err
		}
		before := seen.Len()
		for _, e := range answer.List.Edges {
			if e == nil || e.Node == nil {
				continue
			}
			id, err := visit(e.Node)
			_, incomplete := errors.AsType[*IncompleteError](err)
			switch {
			case incomplete:
				return err
			case err != nil:
				return misshapen(l.op, err.Error())
			case id == "":
				return misshapen(l.op, "an entry without an id")
			case !seen.Add(id):
				return w.incomplete(oneLine(id) + " came twice")
			}
		}
		if l.most > 0 && at.total > l.most {
			return misshapen(l.op, fmt.Sprintf("a count of %d for %d ids: the filter by id is ignored", at.total, l.most))
		}
		more, err := w.step(at, len(answer.List.Edges), seen.Len()-before)
		if err != nil {
			return err
		}
		c.learn(w)
		if !more {
			return w.missing(w.total)
		}
	}
}
