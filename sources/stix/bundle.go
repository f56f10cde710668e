package stix

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// SightingID is the id of the sighting of an indicator on an endpoint, both named by standard id. It is
// of these alone: with dates it would be another one whenever they grow (contract opencti-api 10.4).
func (m *Maker) SightingID(indicator, endpoint string) string { return sightingID(indicator, endpoint) }

// Sighting makes a sighting. Times that are unknown are left out, and are put in order if they are not: the
// platform refuses a last one before the first. A count that is not positive is left to the platform, which
// takes 1.
func (m *Maker) Sighting(s alert.Sighting) alert.Object {
	const most = 999_999_999 // STIX 2.1's
	first, last := s.First, s.Last
	switch {
	case !dated(first):
		first = last
	case !dated(last):
		last = first
	case last.Before(first):
		first, last = last, first
	}
	v := sighting{
		head: headOf("sighting", s.ID), Of: s.Indicator, Where: []string{s.Endpoint},
		Count: min(max(s.Count, 0), most), Negative: s.Negative,
	}
	if v.ID == "" {
		v.ID = sightingID(s.Indicator, s.Endpoint)
	}
	if dated(first) {
		v.FirstSeen, v.LastSeen = stamp(first), stamp(last)
	}
	for _, id := range s.Alerts {
		v.References = append(v.References, m.securityEvent(id)...)
	}
	created := s.Created
	if !dated(created) {
		created = first
	}
	v.whose = whose{CreatedBy: m.authorID, Markings: m.markings}
	if dated(created) {
		v.whose = m.by(created, last)
	}
	return object(v)
}

// ErrEmpty says that there is nothing to put into a bundle, which the platform would refuse.
var ErrEmpty = errors.New("a bundle without objects")

// Bundle is the envelope of objects and of their author, as JSON text. Of objects with one id the first
// counts. Both ends of a relationship have to be among the objects unless they are an indicator or a
// technique, which the platform has: a bundle may be imported before or beside another. What a sighting, a
// note and a case refer to may be on the platform; the caller sees to it, and to the size.
// Equal objects give equal text: the id, which has the form of a random one, is of the contents.
func (m *Maker) Bundle(objects []alert.Object) (string, error) {
	if len(objects) == 0 {
		return "", ErrEmpty
	}
	objects = unique(append([]alert.Object{m.Author()}, objects...))
	texts := make([]json.RawMessage, len(objects))
	has := map[string]bool{}
	for i, o := range objects {
		if !validID(o.ID) || typeOf(o.ID) != o.Type || !json.Valid(o.JSON) {
			return "", fmt.Errorf("object %q is not a STIX object", o.ID)
		}
		texts[i], has[o.ID] = o.JSON, true
	}
	for _, o := range objects {
		if o.Type != "relationship" {
			continue
		}
		var ends struct {
			Source string `json:"source_ref"`
			Target string `json:"target_ref"`
		}
		if err := json.Unmarshal(o.JSON, &ends); err != nil {
			return "", fmt.Errorf("read %s: %w", o.ID, err)
		}
		for _, end := range []string{ends.Source, ends.Target} {
			if t := typeOf(end); !has[end] && t != "indicator" && t != "attack-pattern" {
				return "", fmt.Errorf("%s refers to %q, which is not in the bundle", o.ID, end)
			}
		}
	}
	const random = 4 // the version of UUID that a bundle's id has
	return string(encode(struct {
		Type    string            `json:"type"`
		ID      string            `json:"id"`
		Objects []json.RawMessage `json:"objects"`
	}{"bundle", "bundle--" + uuid.NewHash(sha256.New(), space, encode(texts), random).String(), texts})), nil
}
