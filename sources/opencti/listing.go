package opencti

import (
	"context"
	"errors"
	"fmt"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// wireList is one page of a listing that its document calls list.
type wireList[T any] struct {
	List *wirePage[T] `json:"list"`
}

// wirePage is one page of a listing.
type wirePage[T any] struct {
	PageInfo *pageInfo `json:"pageInfo"`
	Edges    []*struct {
		Node *T `json:"node"`
	} `json:"edges"`
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
	var size int64
	ctx = context.WithValue(ctx, sizeKey{}, &size)
	for {
		var answer wireList[T]
		r := l.request
		r.variables = w.page(l.variables)
		if err := c.query(ctx, r, &answer); err != nil {
			return err
		}
		if most := remote.MostListed(); size > most {
			return misshapen(l.op, fmt.Sprintf("%s that have no end, or take more than %d bytes and more memory than there is here: give it more", l.what, most))
		}
		more, err := entries(l, w, &seen, answer.List, visit)
		if err != nil {
			return err
		}
		c.learn(w)
		if !more {
			return w.missing(w.total)
		}
	}
}

// entries visits the entries of one page, and says whether there are more.
func entries[T any](l listing, w *walk, seen *remote.IDs, page *wirePage[T], visit func(*T) (id string, err error)) (more bool, err error) {
	if page == nil {
		return false, misshapen(l.op, "no "+l.what)
	}
	at, err := page.PageInfo.place(l.op)
	if err != nil {
		return false, err
	}
	before := seen.Len()
	for _, e := range page.Edges {
		if e == nil || e.Node == nil {
			continue
		}
		id, err := visit(e.Node)
		_, incomplete := errors.AsType[*IncompleteError](err)
		switch {
		case incomplete:
			return false, err
		case err != nil:
			return false, misshapen(l.op, err.Error())
		case id == "":
			return false, misshapen(l.op, "an entry without an id")
		case !seen.Add(id):
			return false, w.incomplete(oneLine(id) + " came twice")
		}
	}
	if l.most > 0 && at.total > l.most {
		return false, misshapen(l.op, fmt.Sprintf("a count of %d for %d ids: the filter by id is ignored", at.total, l.most))
	}
	return w.step(at, len(page.Edges), seen.Len()-before)
}
