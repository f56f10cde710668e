package octisim

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"sort"
)

// sorting is one order of a listing: by a column, then by standard id.
type sorting[T item] struct {
	by   string
	desc bool
	col  column[T]
}

// key is what an object sorts by, the first of several texts; nil is missing.
func (c column[T]) key(v T) any {
	switch {
	case c.date != nil:
		if d := c.date(v); d != never {
			return float64(d)
		}
	case c.num != nil:
		if n, ok := c.num(v); ok {
			return n
		}
	case c.flag != nil:
		if f := c.flag(v); f >= 0 {
			return float64(f)
		}
	default:
		if all := c.values(v); len(all) > 0 && keyword(slices.Min(all)) != "" {
			return keyword(slices.Min(all))
		}
	}
	return nil
}

// compareKeys puts a missing one last in either direction.
func compareKeys(a, b any, desc bool) int {
	if a == nil || b == nil {
		return cmp.Compare(flag(a == nil), flag(b == nil))
	}
	x, isText := a.(string)
	y, areTexts := b.(string)
	c := cmp.Compare(x, y)
	if !isText && !areTexts {
		c = cmp.Compare(a.(float64), b.(float64))
	}
	if desc {
		return -c
	}
	return c
}

func (o sorting[T]) compare(a, b T) int {
	return cmp.Or(compareKeys(o.col.key(a), o.col.key(b), o.desc), cmp.Compare(a.core().standard, b.core().standard))
}

// cursor is the opaque place after v: the sort values of v.
func (o sorting[T]) cursor(v T) string {
	return base64.StdEncoding.EncodeToString(jsonText([]any{o.col.key(v), v.core().standard}))
}

// seek gives the index of the first row after the cursor.
func (o sorting[T]) seek(rows []T, cursor string) (int, error) {
	var at []any
	raw, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil || json.Unmarshal(raw, &at) != nil {
		return 0, internal("Unexpected token in JSON at position 0")
	}
	if len(at) != 2 {
		return 0, internal("search_after has %d value(s) but sort has 2", len(at))
	}
	standard, ok := at[1].(string)
	switch at[0].(type) {
	case nil, string, float64:
	default:
		ok = false
	}
	if !ok {
		return 0, internal("search_after value is no sort value")
	}
	return sort.Search(len(rows), func(i int) bool {
		return cmp.Or(compareKeys(o.col.key(rows[i]), at[0], o.desc), cmp.Compare(rows[i].core().standard, standard)) > 0
	}), nil
}
