package opencti

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// kind is how objects of one type are asked for. The typename is empty where it is of several.
type kind struct{ what, op, document, typename string }

// Incidents asks for incidents by ids of any kind, at most 200 at a time. The order is that of their
// making; one that is asked for by two ids comes once. An id that none of them has is absent or not
// visible. That word decides what counts as new, so it has to be proven: of each batch with an absent id
// one is looked up without the filter, and what was not asked for is an error too.
func (c *Client) Incidents(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return c.stored(ctx, kind{"incidents", "Incidents", "incidents", "Incident"}, ids)
}

// Indicators asks for the ids of indicators like Incidents. The platform gives them also of one of which it cannot give more.
func (c *Client) Indicators(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return c.stored(ctx, kind{"indicators", "FindIDs", "find_ids", "Indicator"}, ids)
}

// Cases asks for incident response cases like Incidents.
func (c *Client) Cases(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return c.stored(ctx, kind{"cases", "Cases", "cases", "CaseIncident"}, ids)
}

// Notes asks for notes like Incidents.
func (c *Client) Notes(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return c.stored(ctx, kind{"notes", "Notes", "notes", "Note"}, ids)
}

// Techniques asks for attack patterns like Incidents.
func (c *Client) Techniques(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return c.stored(ctx, kind{"attack patterns", "AttackPatterns", "attack_patterns", "AttackPattern"}, ids)
}

// Hostnames asks for host names like Incidents, with their authors.
func (c *Client) Hostnames(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return c.stored(ctx, kind{"host names", "Hostnames", "hostnames", "Hostname"}, ids)
}

// Relations asks for relationships like Incidents, with their authors and ends.
func (c *Client) Relations(ctx context.Context, ids []string) ([]pull.Stored, error) {
	return c.stored(ctx, kind{"relationships", "RelationsByID", "relations_by_id", ""}, ids)
}

// Files asks for files like Incidents: those with one of the ids that a pushed file's hashes have, and which the
// platform would merge it into. It tells their hashes, and whether an indicator is based on them.
func (c *Client) Files(ctx context.Context, ids []string) ([]pull.Stored, error) {
	all, err := c.stored(ctx, kind{"files", "Files", "files", "StixFile"}, ids)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	internal := make([]string, len(all))
	for i := range all {
		internal[i] = all[i].IDs[0]
	}
	of, err := c.indicatorsBy(ctx, "based-on", "indicators based on files", internal)
	for i := range all {
		all[i].Based = len(of[all[i].IDs[0]]) > 0
	}
	return all, err
}

func (c *Client) stored(ctx context.Context, k kind, ids []string) ([]pull.Stored, error) {
	var once remote.IDs
	asked := slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return id == "" || !once.Add(id) })
	var all []pull.Stored
	var have remote.IDs // one object may be asked for in two batches
	for batch := range slices.Chunk(asked, lookupBatch) {
		found, err := c.believed(ctx, k, batch)
		if err != nil {
			return nil, err
		}
		for _, o := range found {
			if have.Add(o.IDs[0]) {
				all = append(all, o)
			}
		}
	}
	return all, nil
}

// believed asks for a batch until the platform does not contradict itself: an object may be made between
// the two questions, but not twice.
func (c *Client) believed(ctx context.Context, k kind, ids []string) ([]pull.Stored, error) {
	for try := 1; ; try++ {
		found, err := c.byID(ctx, k, ids)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(ids, func(id string) bool {
			return !slices.ContainsFunc(found, func(o pull.Stored) bool { return slices.Contains(o.IDs, id) })
		})
		if i < 0 {
			return found, nil
		}
		there, err := c.there(ctx, k, ids[i])
		if err != nil {
			return nil, err
		}
		if !there {
			return found, nil
		}
		if try == 2 {
			return nil, &IncompleteError{What: k.what + " asked for by id", Why: oneLine(ids[i]) + " is there and was not found: the filter by id does not work"}
		}
	}
}

type wireStored struct {
	ID          string      `json:"id"`
	StandardID  string      `json:"standard_id"`
	StixIDs     []*string   `json:"x_opencti_stix_ids"`
	Name        *string     `json:"name"`
	Description *string     `json:"description"`
	Hashes      wireHashes  `json:"hashes"`
	Seen        moment      `json:"last_seen"`
	From        *wireStored `json:"from"`
	To          *wireStored `json:"to"`
	wireWhose
}

// wireWhose is who an object is of, and who may see it.
type wireWhose struct {
	Author *struct {
		ID       string       `json:"standard_id"`
		Markings wireMarkings `json:"objectMarking"`
	} `json:"createdBy"`
	Markings   wireMarkings `json:"objectMarking"`
	Confidence *int         `json:"confidence"`
}

type wireMarkings []*struct {
	ID string `json:"standard_id"`
}

func (w wireMarkings) ids() (ids []string) {
	for _, m := range w {
		if m != nil {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

func (w *wireWhose) whose() pull.Whose {
	return pull.Whose{Authored: w.Author != nil, Markings: w.Markings.ids(), Confidence: value(w.Confidence)}
}

func (w *wireStored) object() pull.Stored {
	o := pull.Stored{IDs: idsOf(w.ID, w.StandardID, w.StixIDs), Name: value(w.Name), Description: value(w.Description), Hashes: w.Hashes.byAlgorithm(), Seen: w.Seen.Time, Whose: w.whose()}
	if w.Author != nil {
		o.Author = w.Author.ID
	}
	for _, end := range []*wireStored{w.From, w.To} {
		if end != nil && end.ID != "" {
			o.Ends = append(o.Ends, end.object())
		}
	}
	if len(o.Ends) > 0 && w.Author != nil {
		o.Ends = append(o.Ends, pull.Stored{IDs: []string{w.Author.ID}, Whose: pull.Whose{Authored: true, Markings: w.Author.Markings.ids()}})
	}
	return o
}

// idsOf are all ids of an object, the internal one first.
func idsOf(internal, standard string, further []*string) []string {
	ids := []string{internal}
	for _, id := range append([]*string{&standard}, further...) {
		if id != nil && *id != "" && !slices.Contains(ids, *id) {
			ids = append(ids, *id)
		}
	}
	return ids
}

func (c *Client) byID(ctx context.Context, k kind, ids []string) (found []pull.Stored, err error) {
	l := listing{
		request: request{op: k.op, document: k.document, variables: map[string]any{"filters": Group(Eq("ids", ids...))}, right: "KNOWLEDGE"},
		what:    k.what + " asked for by id", first: c.pageSize, most: len(ids),
	}
	err = list(ctx, c, l, func(w *wireStored) (string, error) {
		o := w.object()
		if !slices.ContainsFunc(ids, func(id string) bool { return slices.Contains(o.IDs, id) }) {
			return "", fmt.Errorf("%s, which was not asked for: the filter by id is ignored", oneLine(w.ID))
		}
		found = append(found, o)
		return w.ID, nil
	})
	return found, err
}

// there looks for one object without a filter.
func (c *Client) there(ctx context.Context, k kind, id string) (bool, error) {
	var w struct {
		Object *struct {
			Type string `json:"__typename"`
		} `json:"stixObjectOrStixRelationship"`
	}
	err := c.query(ctx, request{op: "There", document: "there", variables: map[string]any{"id": id}, right: "KNOWLEDGE"}, &w)
	if e, failed := errors.AsType[*Error](err); failed && e.Absent() {
		return false, nil
	}
	return err == nil && w.Object != nil && (k.typename == "" || w.Object.Type == k.typename), err
}
