package stix

import (
	"encoding/json"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/gowebpki/jcs"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// space is the namespace of deterministic ids, which is STIX 2.1's (contract opencti-api 10.1).
var space = uuid.MustParse("00abedb4-aa42-466c-9c01-fed23315a9b7")

// contributing holds the properties that an id is computed over (contract opencti-api 10.2).
type contributing map[string]any

// standardID is TYPE--UUIDv5 over the canonical JSON of what contributes.
func standardID(typ string, c contributing) string {
	return typ + "--" + uuid.NewSHA1(space, canonical(c)).String()
}

// canonical is RFC 8785. jcs writes it exactly: members in the order of UTF-16 code units and nothing
// escaped that need not be, so that it also undoes what encoding/json escapes beyond that, such as < and
// U+2028.
func canonical(v any) []byte {
	text, err := json.Marshal(v)
	if err == nil {
		text, err = jcs.Transform(text)
	}
	if err != nil {
		panic(err) // texts, lists and whole numbers always have a canonical form
	}
	return text
}

// trim removes what JavaScript's trim removes, which is not what strings.TrimSpace removes: not U+0085,
// but U+FEFF (contract opencti-api 10.1).
func trim(s string) string {
	return strings.TrimFunc(s, func(r rune) bool {
		switch r {
		case '\t', '\n', '\v', '\f', '\r', '\u2028', '\u2029', '\ufeff':
			return true
		}
		return unicode.Is(unicode.Zs, r)
	})
}

// lower is Unicode's lower case without a locale, as JavaScript knows it: with the letters that become
// two and with the sigma of a word's end, which strings.ToLower does not have.
func lower(s string) string {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return cases.Lower(language.Und).String(s)
		}
	}
	return strings.ToLower(s)
}

func folded(s string) string { return lower(trim(s)) }

// stamp is the one form of times, in ids and beside them: UTC, three digits of a second, cut and not
// rounded (contract opencti-api 10.3).
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000Z") }

// dated says whether a time is known and has a form at all.
func dated(t time.Time) bool {
	const lastYear = 9999
	return !t.IsZero() && t.UTC().Year() >= 0 && t.UTC().Year() <= lastYear
}

func identityID(class, name string) string {
	return standardID("identity", contributing{"identity_class": folded(class), "name": folded(name)})
}

// namedID is the id of an incident or a case-incident.
func namedID(typ, name string, created time.Time) string {
	return standardID(typ, contributing{"name": folded(name), "created": stamp(created)})
}

func noteID(content, abstract string, created time.Time) string {
	c := contributing{"content": trim(content), "created": stamp(created)}
	if a := trim(abstract); a != "" {
		c["attribute_abstract"] = a
	}
	return standardID("note", c)
}

// attackPatternID is the id of a technique such as T1059.001.
func attackPatternID(technique string) string {
	return standardID("attack-pattern", contributing{"x_mitre_id": folded(technique)})
}

// oldAttackPatternID is what platforms before 7.260529.0 compute, which keep the technique's case.
func oldAttackPatternID(technique string) string {
	return standardID("attack-pattern", contributing{"x_mitre_id": trim(technique)})
}

// valueID is the id of an observable that one property makes: value, path or command_line.
func valueID(typ, property, value string) string {
	return standardID(typ, contributing{property: trim(value)})
}

// fileID is the id of a file: of its first hash in the platform's order, else of its name.
func fileID(h hashes, name string) string {
	for _, one := range []struct{ algorithm, hash string }{{"MD5", h.MD5}, {"SHA-1", h.SHA1}, {"SHA-256", h.SHA256}} {
		if one.hash != "" {
			return standardID("file", contributing{"hashes": contributing{one.algorithm: trim(one.hash)}})
		}
	}
	return standardID("file", contributing{"name": trim(name)})
}

// userAccountID is the id of an account. The type of an account contributes too, and is never given:
// an alert and its threat could not always tell the same.
func userAccountID(login, userID string) string {
	c := contributing{}
	if s := trim(login); s != "" {
		c["account_login"] = s
	}
	if s := trim(userID); s != "" {
		c["user_id"] = s
	}
	return standardID("user-account", c)
}

// relationshipID is the id of a relationship without dates. Dates would contribute, and a relationship
// whose dates grow must stay itself (contract opencti-api 10.4).
func relationshipID(kind, source, target string) string {
	return standardID("relationship", contributing{"relationship_type": kind, "source_ref": source, "target_ref": target})
}

// sightingID is the id of a sighting without dates, for the same reason.
func sightingID(of, where string) string {
	return standardID("sighting", contributing{"type": "sighting", "sighting_of_ref": of, "where_sighted_refs": []string{where}})
}

// tlpMarkings are the ids of the TLP markings on every platform, in the order of reconcile.TLP (contract
// opencti-api 10.6). OASIS's own ids of TLP 2.0 are unknown there.
var tlpMarkings = [...]string{
	"marking-definition--613f2e26-407d-48c7-9eca-b8e91df99dc9", // CLEAR
	"marking-definition--34098fce-860f-48ae-8e50-ebd3cc5e41da", // GREEN
	"marking-definition--f88d31f6-486f-44da-b317-01333bde0b82", // AMBER
	"marking-definition--826578e1-40ad-459f-bc73-ede076f81f37", // AMBER+STRICT
	"marking-definition--5e57c739-391a-4eb3-b6be-7d15ca92d5ed", // RED
}
