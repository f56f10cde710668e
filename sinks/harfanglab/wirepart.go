package harfanglab

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// wirePart is a part of an alert that shows what its event was about (contract harfanglab-api 7.3). Which
// members it has tells of what kind; the names of the parts depend on the manager and on the event.
type wirePart struct {
	URL       loose       `json:"url"`
	Host      loose       `json:"host"`
	Requested loose       `json:"requested_name"`
	Resolved  many[loose] `json:"ip_addresses"`
	From      loose       `json:"saddr"`
	To        loose       `json:"daddr"`
	Direction loose       `json:"direction"`

	Target  loose             `json:"target_filename"`
	Library loose             `json:"image_loaded"`
	Driver  loose             `json:"imagepath"`
	Path    loose             `json:"file_path"`
	Path2   loose             `json:"path"`
	Written maybe[wireHashes] `json:"written_file_hashes"`
	Hashes  maybe[wireHashes] `json:"hashes"`
	Hashes2 maybe[wireHashes] `json:"file_hashes"`

	Key loose `json:"target_object"`

	Matches many[wireMatch] `json:"ioc_matches"`
	Rules   many[wireYARA]  `json:"matched_rules"`
}

// mostResolved is how many addresses of one answer of a name server count.
const mostResolved = 20

// gather adds what the parts of a document show, by the names of the parts.
func gather(a *alert.Alert, document json.RawMessage) {
	var members map[string]json.RawMessage
	_ = remote.Decode(document, &members) // it is an object
	for _, name := range slices.Sorted(maps.Keys(members)) {
		folded := strings.ToLower(name)
		if !strings.HasPrefix(folded, "details_") && !slices.Contains([]string{"driverload", "eventlog", "av_detection_details"}, folded) {
			continue
		}
		var part maybe[wirePart]
		_ = part.UnmarshalJSON(members[name]) // never fails
		part.v.add(a, folded)
	}
}

func (w *wirePart) add(a *alert.Alert, name string) {
	match(a, w.Matches, w.Rules)
	switch f := w.file(); {
	case !f.Known():
	case !a.Written.Known() && (w.Written.v != wireHashes{} || name == "details_windows_filesystem_event"):
		a.Written = f
	default:
		a.Files = append(a.Files, f)
	}
	if w.Key != "" {
		a.Registry = append(a.Registry, string(w.Key))
	}
	for _, v := range w.network(a.Agent.Address) {
		if v.Value != "" && !slices.Contains(a.Network, v) {
			a.Network = append(a.Network, v)
		}
	}
}

// file is the file that a part is about, with its hashes wherever they stand.
func (w *wirePart) file() alert.File {
	return file(cmp.Or(w.Target, w.Library, w.Driver, w.Path, w.Path2), cmp.Or(w.Written.v, w.Hashes.v, w.Hashes2.v))
}

// network is the far side of what a part shows; own is the endpoint's address, where nothing tells which
// side is the far one.
func (w *wirePart) network(own string) []reconcile.Value {
	out := []reconcile.Value{{Type: "url", Value: string(w.URL)}, {Type: "domain_name", Value: string(w.Host)}, {Type: "domain_name", Value: string(w.Requested)}}
	for _, s := range texts(w.Resolved[:min(len(w.Resolved), mostResolved)]) {
		out = append(out, reconcile.Value{Type: "ip_dst", Value: s})
	}
	direction := strings.ToLower(string(w.Direction))
	if direction != "in" && string(w.To) != own {
		out = append(out, reconcile.Value{Type: "ip_dst", Value: string(w.To)})
	}
	if direction != "out" && string(w.From) != own {
		out = append(out, reconcile.Value{Type: "ip_src", Value: string(w.From)})
	}
	return out
}

// match adds what a part says of the rules that matched, each once.
func match(a *alert.Alert, values []wireMatch, rules []wireYARA) {
	for _, m := range values {
		found := alert.Match{SourceID: string(m.SourceID), Type: string(m.Type), Value: string(m.Value)}
		if found.Value != "" && !slices.Contains(a.Matches, found) {
			a.Matches = append(a.Matches, found)
		}
	}
	for _, r := range rules {
		found := alert.YARAMatch{File: string(r.File), Rule: string(r.Rule), Source: string(r.Source)}
		if found.Rule != "" && !slices.Contains(a.YARA, found) {
			a.YARA = append(a.YARA, found)
		}
	}
}
