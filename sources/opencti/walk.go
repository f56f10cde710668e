package opencti

import "fmt"

// pageInfo is where a page stands in its listing (contract opencti-api 2.2). All members are there on
// the platform; one that is missing must not read as 0 or false.
type pageInfo struct {
	EndCursor   *string `json:"endCursor"`
	HasNextPage *bool   `json:"hasNextPage"`
	GlobalCount *int    `json:"globalCount"`
}

// place is a checked pageInfo.
type place struct {
	cursor string
	more   bool
	total  int
}

func (p *pageInfo) place(op string) (place, error) {
	if p == nil || p.HasNextPage == nil || p.GlobalCount == nil || *p.GlobalCount < 0 {
		return place{}, misshapen(op, "a page without page information")
	}
	return place{cursor: value(p.EndCursor), more: *p.HasNextPage, total: *p.GlobalCount}, nil
}

// walk is the way through the pages of one listing. It asks for first entries after a cursor, and goes
// on where the platform cut a page without a word: a page above the cap of the platform comes short,
// with hasNextPage false (contract opencti-api 1.6).
type walk struct {
	what  string // what is listed, for errors
	first int    // entries to ask for
	after string // "" is the first page

	pages   int
	got     int // different entries so far
	total   int // the platform's count, on the last page
	atStart int // and on the first one
	cut     int // length of a page that looks cut; 0 is none
}

// step judges a page of rows entries, fresh of them not seen before, and says whether to ask for
// another one. Every page but the last must bring something new, so that a walk ends.
func (w *walk) step(p place, rows, fresh int) (more bool, err error) {
	w.pages++
	w.got += fresh
	w.total = p.total
	if w.pages == 1 {
		w.atStart = p.total
	}
	switch {
	case p.more && (p.cursor == "" || fresh == 0):
		return false, w.incomplete("a page promises another one and brings nothing, or names no cursor")
	case p.more:
		w.after = p.cursor
		return true, nil
	case w.pages == 1 && rows > 0 && rows < w.first && w.got < w.total && p.cursor != "":
		w.cut, w.first, w.after = rows, rows, p.cursor
		return true, nil
	}
	return false, nil
}

// wasCut is the platform's page cap, when this walk has proven one: what a short page left out came
// on the next.
func (w *walk) wasCut() (limit int, ok bool) { return w.cut, w.cut > 0 && w.got > w.cut }

// missing says that fewer entries came than least.
func (w *walk) missing(least int) error {
	if w.got >= least {
		return nil
	}
	why := fmt.Sprintf("%d came and the platform counts %d", w.got, least)
	if w.cut > 0 {
		why += "; if it stays so, look for a page limit (elasticsearch:max_pagination_result) below sync.page_size, or for a proxy that drops rows"
	}
	return w.incomplete(why)
}

func (w *walk) incomplete(why string) error { return &IncompleteError{What: w.what, Why: why} }

// start begins a walk over a listing in pages of at most most.
func (c *Client) start(what string, most int) *walk {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cap > 0 {
		most = min(most, c.cap)
	}
	return &walk{what: what, first: most}
}

// learn remembers the page cap that a walk ran into, so that the next ones do not.
func (c *Client) learn(w *walk) {
	limit, ok := w.wasCut()
	if !ok {
		return
	}
	c.mu.Lock()
	known := c.cap > 0 && c.cap <= limit
	if !known {
		c.cap = limit
	}
	c.mu.Unlock()
	if !known {
		c.o.Log.Warn("OpenCTI cuts pages (elasticsearch:max_pagination_result); going on with smaller ones, which takes more requests", "limit", limit)
	}
}

// page are the variables of a page.
func (w *walk) page(more map[string]any) map[string]any {
	vars := map[string]any{"first": w.first}
	for k, v := range more {
		vars[k] = v
	}
	if w.after != "" {
		vars["after"] = w.after
	}
	return vars
}
