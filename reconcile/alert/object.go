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

// Known is what the platform has, and an import must leave as it is.
type Known struct {
	Name string // of the incident; "" for a new one
	// Hostname tells whether the platform has a host name as an alert spells it, or one of ours in lower case, by
	// its standard id; nil is none.
	Hostname func(id string) bool
	// Technique tells whether the platform has a technique, by its standard id; nil is all of them.
	Technique func(id string) bool
	// File gives the hashes, by algorithm, of a file that an indicator is based on, by the id of one of its
	// hashes; nil is a file that is free to learn. What such a file learns is a value that the indicator wants,
	// and an alert is no reason to want one.
	File func(id string) map[string]string
}

// Sighting says how often an indicator was seen on an endpoint. Indicator and Endpoint are standard ids;
// ID is computed from both, without dates, so that it stays while the dates grow.
type Sighting struct {
	ID, Indicator, Endpoint string

	First, Last time.Time
	Count       int
	Negative    bool // every alert of the pair was taken for a mistake
	Created     time.Time
	Alerts      []string // ids of some of them
}

// Facts are what an incident's or a case's description says in its fixed lines. The platform is the
// memory: later runs compare with them.
type Facts struct {
	Status   Status // "" when none was given
	Endpoint string // standard id of the endpoint's identity, "" for none
	Imported int    // alerts of a threat that the case holds
}
