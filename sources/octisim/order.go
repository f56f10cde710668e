package octisim

import "slices"

// order keeps items sorted. Additions are gathered and sorted in when somebody reads; removals only
// mark the item dead and are swept out when there are many. So a bulk load is one sort, and an edit
// between two pages is cheap at a million rows.
type order[T item] struct {
	compare func(a, b T) int
	sorted  []T
	fresh   []T
	dead    int // dead items in sorted
}

func (o *order[T]) add(t T) { o.fresh = append(o.fresh, t) }

// remove must be told of every item that dies.
func (o *order[T]) remove(T) { o.dead++ }

// swap puts a new state in the place of an old one, which the caller marks dead.
func (o *order[T]) swap(old, now T) {
	if o.compare(old, now) == 0 {
		if i := o.find(old); i >= 0 {
			o.sorted[i] = now
			return
		}
	}
	o.remove(old)
	o.add(now)
}

// find gives the index of an item; -1 is not here.
func (o *order[T]) find(t T) int {
	o.settle()
	i, _ := slices.BinarySearchFunc(o.sorted, t, o.compare)
	for ; i < len(o.sorted) && o.compare(o.sorted[i], t) == 0; i++ {
		if o.sorted[i].core() == t.core() {
			return i
		}
	}
	return -1
}

// list is every item in order, dead ones among them; it holds until the next change.
func (o *order[T]) list() []T {
	o.settle()
	if o.dead > 64+len(o.sorted)/16 {
		o.sorted = slices.DeleteFunc(o.sorted, func(t T) bool { return t.core().dead })
		o.dead = 0
	}
	return o.sorted
}

// few is how many additions are put in one by one, rather than by a sort of everything.
const few = 32

func (o *order[T]) settle() {
	if len(o.fresh) == 0 {
		return
	}
	fresh := o.fresh
	o.fresh = nil
	slices.SortStableFunc(fresh, o.compare)
	if n := len(o.sorted); n == 0 || o.compare(o.sorted[n-1], fresh[0]) <= 0 {
		o.sorted = append(o.sorted, fresh...)
		return
	}
	if len(fresh) <= few {
		for _, t := range fresh {
			i, _ := slices.BinarySearchFunc(o.sorted, t, o.compare)
			o.sorted = slices.Insert(o.sorted, i, t)
		}
		return
	}
	o.sorted = append(o.sorted, fresh...)
	slices.SortFunc(o.sorted, o.compare)
}
