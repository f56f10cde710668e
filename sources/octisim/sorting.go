package octisim

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"slices"
	"sort"
	"strconv"
)

// sortKey is the value an object sorts by; a missing one comes last in either direction.
type sortKey struct {
	missing, isText bool
	num             float64
	text            string
}

func (a sortKey) compare(b sortKey, desc bool) int {
	if a.missing || b.missing {
		return cmp.Compare(flag(a.missing), flag(b.missing))
	}
	c := cmp.Compare(a.num, b.num)
	if a.isText {
		c = cmp.Compare(a.text, b.text)
	}
	if desc {
		return -c
	}
	return c
}

// key reads what the column sorts by: the first of several texts.
func (c column[T]) key(v T) sortKey {
	switch {
	case c.flag != nil:
		f := c.flag(v)
		return sortKey{missing: f < 0, num: float64(f)}
	case c.num != nil:
		n, ok := c.num(v)
		return sortKey{missing: !ok, num: n}
	case c.date != nil:
		d := c.date(v)
		return sortKey{missing: d == never, num: float64(d)}
	case c.text != nil:
		k := keyword(c.text(v))
		return sortKey{missing: k == "", isText: true, text: k}
	case c.texts != nil:
		var k string
		if all := c.texts(v); len(all) > 0 {
			k = keyword(slices.Min(all))
		}
		return sortKey{missing: k == "", isText: true, text: k}
	}
	return sortKey{missing: true}
}

// sorting is one order of a listing: by a column, then by standard id.
type sorting[T item] struct {
	by   string // empty is the standard id alone
	desc bool
	col  column[T]
}

func (o sorting[T]) compare(a, b T) int {
	if o.by == "" {
		c := cmp.Compare(a.core().standard, b.core().standard)
		if o.desc {
			return -c
		}
		return c
	}
	return cmp.Or(o.col.key(a).compare(o.col.key(b), o.desc), cmp.Compare(a.core().standard, b.core().standard))
}

// cursor is the opaque place after v: the sort values of v.
func (o sorting[T]) cursor(v T) string {
	b := []byte{'['}
	if o.by != "" {
		switch k := o.col.key(v); {
		case k.missing:
			b = append(b, "null,"...)
		case k.isText:
			b = append(appendJSON(b, k.text), ',')
		default:
			b = append(strconv.AppendFloat(b, k.num, 'f', -1, 64), ',')
		}
	}
	b = append(appendJSON(b, v.core().standard), ']')
	return base64.StdEncoding.EncodeToString(b)
}

// seek gives the index of the first row after the cursor.
func (o sorting[T]) seek(rows []T, cursor string) (int, error) {
	raw, err := base64.StdEncoding.DecodeString(cursor)
	if err != nil {
		return 0, internal("Unexpected token in JSON at position 0")
	}
	var at []any
	d := json.NewDecoder(bytes.NewReader(raw))
	if err := d.Decode(&at); err != nil {
		return 0, internal("Unexpected token in JSON at position 0")
	}
	var key sortKey
	if o.by != "" {
		if len(at) != 2 {
			return 0, internal("search_after has %d value(s) but sort has 2", len(at))
		}
		switch v := at[0].(type) {
		case nil:
			key = sortKey{missing: true}
		case string:
			key = sortKey{isText: true, text: v}
		case float64:
			key = sortKey{num: v}
		default:
			return 0, internal("search_after value is no sort value")
		}
		at = at[1:]
	}
	standard, ok := "", len(at) == 1
	if ok {
		standard, ok = at[0].(string)
	}
	if !ok {
		return 0, internal("search_after has %d value(s) but sort has 1", len(at))
	}
	return sort.Search(len(rows), func(i int) bool {
		c, s := 0, cmp.Compare(rows[i].core().standard, standard)
		if o.by != "" {
			c = o.col.key(rows[i]).compare(key, o.desc)
		} else if o.desc {
			s = -s
		}
		return cmp.Or(c, s) > 0
	}), nil
}
