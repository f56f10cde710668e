package stix

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// The objects as the platform reads them (contract opencti-api 11). Members that are empty are left out:
// an empty one would not clear anything.
type (
	head struct {
		Type        string `json:"type"`
		SpecVersion string `json:"spec_version"`
		ID          string `json:"id"`
	}

	// whose is what domain objects and relationships have. The confidence is never sent: without one the
	// platform takes the user's highest, so that what is pushed again is not refused (9).
	whose struct {
		Created   string   `json:"created,omitempty"`
		Modified  string   `json:"modified,omitempty"`
		CreatedBy string   `json:"created_by_ref,omitempty"`
		Markings  []string `json:"object_marking_refs"`
	}

	reference struct {
		Source     string `json:"source_name"`
		ExternalID string `json:"external_id"`
		URL        string `json:"url,omitempty"`
	}

	// identity has no dates: they would change with each alert of an endpoint.
	identity struct {
		head
		Name        string `json:"name"`
		Class       string `json:"identity_class"`
		Description string `json:"description,omitempty"`
		whose
	}

	attackPattern struct {
		head
		Name    string `json:"name"`
		MitreID string `json:"x_mitre_id"`
		whose
	}

	incident struct {
		head
		Name        string      `json:"name"`
		Description string      `json:"description"`
		Kind        string      `json:"incident_type"`
		Severity    string      `json:"severity"`
		Source      string      `json:"source"`
		FirstSeen   string      `json:"first_seen"`
		LastSeen    string      `json:"last_seen"`
		Labels      []string    `json:"labels,omitempty"`
		References  []reference `json:"external_references"`
		whose
	}

	caseIncident struct {
		head
		Name        string      `json:"name"`
		Description string      `json:"description"`
		Severity    string      `json:"severity"`
		Priority    string      `json:"priority"`
		Objects     []string    `json:"object_refs,omitempty"`
		References  []reference `json:"external_references"`
		whose
	}

	note struct {
		head
		Abstract string   `json:"abstract"`
		Content  string   `json:"content"`
		Types    []string `json:"note_types"`
		Objects  []string `json:"object_refs"`

		References []reference `json:"external_references"`
		whose
	}

	// relationship has no external references, since the importer guesses dates from them, which change
	// the id (9).
	relationship struct {
		head
		Kind   string `json:"relationship_type"`
		Source string `json:"source_ref"`
		Target string `json:"target_ref"`

		Description string `json:"description,omitempty"`
		whose
	}

	sighting struct {
		head
		Of        string   `json:"sighting_of_ref"`
		Where     []string `json:"where_sighted_refs"`
		FirstSeen string   `json:"first_seen,omitempty"`
		LastSeen  string   `json:"last_seen,omitempty"`
		Count     int      `json:"count,omitempty"`
		Negative  bool     `json:"x_opencti_negative"` // sent when false too, to take back a true

		References []reference `json:"external_references,omitempty"`
		whose
	}

	// observable is one of all types: which members it has tells the type.
	observable struct {
		head
		Value       string   `json:"value,omitempty"`
		Name        string   `json:"name,omitempty"`
		MoreNames   []string `json:"x_opencti_additional_names,omitempty"`
		Hashes      *hashes  `json:"hashes,omitempty"`
		Path        string   `json:"path,omitempty"`
		CommandLine string   `json:"command_line,omitempty"`
		Login       string   `json:"account_login,omitempty"`
		UserID      string   `json:"user_id,omitempty"`
		Score       int      `json:"x_opencti_score"`
		CreatedBy   string   `json:"x_opencti_created_by_ref"`
		Markings    []string `json:"object_marking_refs"`
	}

	hashes struct {
		MD5    string `json:"MD5,omitempty"`
		SHA1   string `json:"SHA-1,omitempty"`
		SHA256 string `json:"SHA-256,omitempty"`
	}
)

// each gives the hashes one by one.
func (h hashes) each() (all []hashes) {
	for _, one := range []hashes{{MD5: h.MD5}, {SHA1: h.SHA1}, {SHA256: h.SHA256}} {
		if one != (hashes{}) {
			all = append(all, one)
		}
	}
	return all
}

// within gives the hashes that are also among some others, by algorithm.
func (h hashes) within(others map[string]string) hashes {
	same := func(algorithm, hash string) string {
		if strings.EqualFold(others[algorithm], hash) {
			return hash
		}
		return ""
	}
	return hashes{same("MD5", h.MD5), same("SHA-1", h.SHA1), same("SHA-256", h.SHA256)}
}

func headOf(typ, id string) head { return head{Type: typ, SpecVersion: "2.1", ID: id} }

func (h head) self() head { return h }

func object(v interface{ self() head }) alert.Object {
	return alert.Object{ID: v.self().ID, Type: v.self().Type, JSON: encode(v)}
}

// encode writes JSON without the escapes that only HTML needs.
func encode(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("stix: encode %T: %v", v, err)) // texts, numbers and lists always encode
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}
