package hlsim

import "slices"

// chunkSize bounds the work of one delete and the length of the walk to an offset.
const chunkSize = 1024

// chunk is a stretch of a list, in order.
type chunk struct{ rows []*row }

// rows are the rules of one list in the order of their making. A page at any offset of a million
// rows is found by a walk over a thousand chunks.
type rows struct {
	chunks []*chunk
	n      int
}

func (l *rows) add(r *row) {
	if k := len(l.chunks); k == 0 || len(l.chunks[k-1].rows) == chunkSize {
		l.chunks = append(l.chunks, &chunk{})
	}
	c := l.chunks[len(l.chunks)-1]
	c.rows = append(c.rows, r)
	r.chunk = c
	l.n++
}

func (l *rows) remove(r *row) {
	c := r.chunk
	for i := range c.rows {
		if c.rows[i] == r {
			c.rows = slices.Delete(c.rows, i, i+1)
			break
		}
	}
	r.chunk = nil
	l.n--
	if len(c.rows) > 0 {
		return
	}
	l.chunks = slices.DeleteFunc(l.chunks, func(o *chunk) bool { return o == c })
}

// walk visits the rows from offset on until visit says no, and reports whether it never did.
func (l *rows) walk(offset int, visit func(*row) bool) bool {
	for _, c := range l.chunks {
		if offset >= len(c.rows) {
			offset -= len(c.rows)
			continue
		}
		for _, r := range c.rows[offset:] {
			if !visit(r) {
				return false
			}
		}
		offset = 0
	}
	return true
}

// pageOf are up to limit rows of several lists in a row, from offset on.
func pageOf(lists []*source, offset, limit int) []*row {
	if limit <= 0 {
		return nil
	}
	out := make([]*row, 0, min(limit, 1024))
	for _, s := range lists {
		if offset >= s.rows.n {
			offset -= s.rows.n
			continue
		}
		s.rows.walk(offset, func(r *row) bool {
			out = append(out, r)
			return len(out) < limit
		})
		if offset = 0; len(out) == limit {
			break
		}
	}
	return out
}
