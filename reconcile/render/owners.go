package render

import "github.com/harfangsync/harfangsync/reconcile"

// ownerTable puts each owner into a page once.
type ownerTable struct {
	page *pageData
	at   map[ownerKey]int
	byID map[string]int
}

type ownerKey struct {
	id, standard, name string
	score              int // -1: none
}

func (t *ownerTable) add(list []reconcile.Owner) []int {
	places := make([]int, len(list))
	for i, o := range list {
		key := ownerKey{o.ID, o.StandardID, o.Name, -1}
		if o.Score != nil {
			key.score = *o.Score
		}
		at, ok := t.at[key]
		if !ok {
			at = len(t.page.Owners)
			t.at[key] = at
			t.byID[o.ID] = at
			t.page.Owners = append(t.page.Owners, pageOwner{ID: Escape(o.ID), Standard: Escape(o.StandardID), Name: Escape(o.Name), Score: o.Score,
				Link: t.page.Base != "" && linkable(o.ID)})
		}
		places[i] = at
	}
	return places
}

// known is the place of the owner with an internal id, and a name if it is new.
func (t *ownerTable) known(id, name string) int {
	if at, ok := t.byID[id]; ok {
		return at
	}
	return t.add([]reconcile.Owner{{ID: id, Name: name}})[0]
}
