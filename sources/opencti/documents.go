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

// labels are what documents ask of an indicator that take the platform a third of a page's time (contract
// opencti-api 0.9).
const labels = "objectLabel { value }"
