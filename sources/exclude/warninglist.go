package exclude

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/sources/pattern"
)

// warningList is a file of MISP's warning lists, as github.com/MISP/misp-warninglists has them.
type warningList struct {
	Name       string
	Type       string
	Attributes []string `json:"matching_attributes"` // of MISP, that the list is about; none is any
	List       []string
}

var errNoUse = errors.New("cannot be used")

// isWarningList tells such a file from one with an entry a line, of which none begins so.
func isWarningList(content string) bool { return strings.HasPrefix(strings.TrimSpace(content), "{") }

// readWarningList takes the entries of a list for what they are in MISP: of type hostname a name with all under
// it, of type cidr a network, of type string the whole value. An entry that can be no value of ours, such as a
// name with a star inside, matches nothing there and nothing here; a list of nothing else is an error.
func (l *List) readWarningList(f File, content string) error {
	var w warningList
	if err := json.Unmarshal([]byte(content), &w); err != nil {
		return fmt.Errorf("%s: is no warning list of MISP: %w", f.Name, err)
	}
	var add func(entry) error
	switch w.Type {
	case "hostname":
		add = func(e entry) error { return l.addHost(l.domains, strings.TrimLeft(e.text, "*."), e) }
	case "cidr":
		add = func(e entry) error { return l.addHost(nil, e.text, e) }
	case "string":
		add = func(e entry) error { return l.addText(&w, e) }
	default:
		return fmt.Errorf("%s: a warning list of type %q %w: hostname, cidr and string can", f.Name, w.Type, errNoUse)
	}
	source, read := fmt.Sprintf("%s, warning list %q", f.Name, w.Name), 0
	for _, text := range w.List {
		if text = strings.TrimSpace(text); text != "" && add(entry{text: text, source: source}) == nil {
			read++
		}
	}
	if read == 0 {
		return fmt.Errorf("%s: a warning list without an entry that could be a value %w", f.Name, errNoUse)
	}
	return nil
}

// addHost adds an address or a network, or else a name.
func (l *List) addHost(names map[string]entry, text string, e entry) error {
	if prefix, ok := pattern.ParseAddress(text); ok {
		put(l.networks.entries, prefix, e)
		return nil
	}
	if names == nil {
		return fmt.Errorf("%q is no network", text)
	}
	return addDomain(names, text, e)
}

// addText adds a value of any type: what is neither a hash nor a URL nor an address may be a name of a host and of
// a file, unless the list says which.
func (l *List) addText(w *warningList, e entry) error {
	switch {
	case isHash(e.text):
		return add(l.hashes, pattern.Hash, e.text, e)
	case strings.Contains(e.text, "://"):
		return add(l.urls, pattern.URL, e.text, e)
	}
	about := func(words ...string) bool {
		return len(w.Attributes) == 0 || slices.ContainsFunc(w.Attributes, func(a string) bool {
			return slices.ContainsFunc(words, func(word string) bool { return strings.Contains(a, word) })
		})
	}
	err := fmt.Errorf("%q is no value", e.text)
	if about("domain", "hostname", "ip-", "url", "uri") {
		err = l.addHost(l.exact, e.text, e)
	}
	if about("filename") && addFile(l.files, e.text, e) == nil {
		return nil
	}
	return err
}
