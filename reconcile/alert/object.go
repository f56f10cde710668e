package alert

import (
	"cmp"
	"encoding/json"
	"time"
)

// Object is one STIX 2.1 object of a bundle: its id, its type and its JSON text, which holds both.
type Object struct {
	ID, Type string
	JSON     []byte
}

// Description is the object's own; of a note it is the content.
func (o Object) Description() string {
	var text struct{ Description, Content string }
	_ = json.Unmarshal(o.JSON, &text) // we wrote it
	return cmp.Or(text.Description, text.Content)
}

// Sighting says how often an indicator was seen on an endpoint. Indicator and Endpoint are standard ids;
// ID is computed from both, without dates, so that it stays while the dates grow.
type Sighting struct {
	ID, Indicator, Endpoint string

	First, Last time.Time
	Count       int
	Negative    bool // every alert of the pair was taken for a mistake
	Created     time.Time
}

// Facts are what an incident's or a case's description says in its fixed lines. The platform is the
// memory: later runs compare with them.
type Facts struct {
	Status   Status // "" when none was given
	Endpoint string // standard id of the endpoint's identity, "" for none
	Imported int    // alerts of a threat that the case holds
}

// The most that one bundle holds, in objects and in bytes of JSON (contract opencti-api 8).
const (
	MaxObjects = 1000
	MaxBytes   = 5_000_000
)

// Size counts what a bundle would hold.
type Size struct{ Objects, Bytes int }

// SizeOf counts objects. It takes repeated ones for different ones, so it is never too low.
func SizeOf(objects ...Object) Size {
	s := Size{Objects: len(objects)}
	for _, o := range objects {
		s.Bytes += len(o.JSON) + len(",")
	}
	return s
}

// Plus is the size of both together.
func (s Size) Plus(t Size) Size { return Size{s.Objects + t.Objects, s.Bytes + t.Bytes} }

// Fits says whether one bundle may hold that much; its envelope and its author are allowed for.
func (s Size) Fits() bool {
	const envelope = 4096
	return s.Objects < MaxObjects && s.Bytes <= MaxBytes-envelope
}
