package opencti

import (
	"embed"
	"strings"
)

// The documents of the operations, one file each (contract opencti-api 2.1, 2.4, 4 to 9, 11 to 14). All of
// them run on every version from 5.12.24 but those of which the code asks for a later one.
//
//go:embed queries/*.graphql queries/*.fields
var documents embed.FS

// document is the text of a file; its name is a constant of this package. Its line for an indicator or
// a sighting gives way to what is read of every one, its line for facts to further fields.
func document(name, fields string) string {
	return strings.NewReplacer("        # indicator\n", part("indicator.fields"), "        # sighting\n", part("sighting.fields"), "# facts", fields).Replace(part(name + ".graphql"))
}

func part(file string) string {
	text, err := documents.ReadFile("queries/" + file)
	if err != nil {
		panic(err)
	}
	return string(text)
}

// lean leaves out of a document what nothing uses. A filter on labels is held against their texts, too.
func (c *Client) lean(document, fields string) string {
	for part, without := range map[string]bool{
		"objectLabel { value }":                          c.o.Without.Labels && !strings.Contains(fields, "objectLabel"),
		"createdBy { name }":                             c.o.Without.Authors,
		"killChainPhases { kill_chain_name phase_name }": c.o.Without.Phases,
	} {
		if without {
			document = strings.ReplaceAll(document, part, "")
		}
	}
	return document
}
