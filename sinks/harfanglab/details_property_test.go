package harfanglab_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// part is one place in which a manager shows evidence: a document of it, and whether an alert that was read tells it.
type part struct {
	name  string
	doc   map[string]any
	shown func(a *alert.Alert) bool
}

func anyPart(t *rapid.T) part {
	word := rapid.StringMatching(`[a-z]{1,8}( [a-z]{1,3})?`).Draw(t, "word")
	path, ip := `C:\x\`+word+".bin", fmt.Sprintf("203.0.113.%d", rapid.IntRange(1, 254).Draw(t, "ip"))
	hash := rapid.StringMatching(`[0-9a-f]{64}`).Draw(t, "hash")
	hashes := map[string]any{"sha256": rapid.SampledFrom([]string{hash, strings.ToUpper(hash)}).Draw(t, "spelling"), "md5": nil}
	file := func(a *alert.Alert) bool {
		want := alert.File{Path: path, SHA256: hash}
		return slices.Contains(append(slices.Clone(a.Files), a.Written, a.Detected), want)
	}
	network := func(typ, value string) func(a *alert.Alert) bool {
		return func(a *alert.Alert) bool { return slices.Contains(a.Network, reconcile.Value{Type: typ, Value: value}) }
	}
	return rapid.SampledFrom([]part{
		{"details_url_request", map[string]any{"url": "http://" + ip + "/" + word}, network("url", "http://"+ip+"/"+word)},
		{"details_url_request", map[string]any{"url": "http://x", "host": word + ".example"}, network("domain_name", word+".example")},
		{"details_dns_resolution", map[string]any{"requested_name": word + ".example", "ip_addresses": []any{}}, network("domain_name", word+".example")},
		{"details_dns_resolution", map[string]any{"requested_name": "x.example", "ip_addresses": []any{nil, ip}}, network("ip_dst", ip)},
		{"details_network", map[string]any{"saddr": "10.0.0.1", "daddr": ip, "direction": "out"}, network("ip_dst", ip)},
		{"details_network_event", map[string]any{"saddr": ip, "daddr": "10.0.0.1", "direction": "in"}, network("ip_src", ip)},
		{"details_windows_filesystem_event", map[string]any{"target_filename": path, "written_file_hashes": hashes}, file},
		{"details_windows_filesystem_event", map[string]any{"path": path, "written_file_hashes": hashes}, file}, // of an older manager
		{"details_library", map[string]any{"image_loaded": path, "hashes": hashes}, file},
		{"details_file", map[string]any{"target_filename": path, "hashes": hashes}, file},
		{"driverload", map[string]any{"imagepath": path, "hashes": hashes}, file},
		{"detection", map[string]any{"file_path": path, "file_hashes": hashes}, file},
		{"details_registry", map[string]any{"target_object": `HKLM\` + word}, func(a *alert.Alert) bool { return slices.Contains(a.Registry, `HKLM\`+word) }},
		{"eventlog", map[string]any{"ioc_matches": []any{map[string]any{"source_id": "l", "type": "url", "value": word}}}, func(a *alert.Alert) bool {
			return slices.Contains(a.Matches, alert.Match{SourceID: "l", Type: "url", Value: word})
		}},
		{"correlation", map[string]any{"events": []any{"odd", map[string]any{"rule_id": word}}}, func(a *alert.Alert) bool {
			return slices.Contains(a.Correlated, alert.Rule{ID: word})
		}},
	}).Draw(t, "part")
}

// odd is anything but what is due.
func odd(t *rapid.T) any {
	return rapid.SampledFrom([]any{nil, "x", 5, true, 1e300, []any{}, []any{"x", nil, 5}, map[string]any{}, map[string]any{"url": 5, "hashes": "x", "ip_addresses": "y", "events": 7}}).Draw(t, "odd")
}

func anyCase(t *rapid.T, name string) string {
	return rapid.SampledFrom([]string{name, name, strings.ToUpper(name), strings.ToUpper(name[:1]) + name[1:]}).Draw(t, "case")
}

// Wherever a manager shows evidence, in whatever case and among whatever else, an alert tells it, whatever the shape of
// its other parts.
func TestAnyEvidenceIsRead(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		doc := map[string]any{"id": "a", "alert_time": "2026-03-02T12:00:00Z", "alert_type": rapid.SampledFrom([]string{"ioc", "sigma", "driver", "quantum"}).Draw(rt, "type")}
		names := map[string]bool{}
		var parts []part
		for range rapid.IntRange(1, 4).Draw(rt, "parts") {
			p := anyPart(rt)
			if names[p.name] {
				continue
			}
			names[p.name] = true
			members := map[string]any{}
			for name, v := range p.doc {
				members[anyCase(rt, name)] = v
			}
			parts, doc[anyCase(rt, p.name)] = append(parts, p), members
		}
		for _, name := range []string{"process", "agent", "details_pipe", "details_powershell", "av_detection_details", "tags", "msg", "hashes", "details_library", "driverload", "detection"} {
			if !names[name] && rapid.Bool().Draw(rt, name) {
				doc[name] = odd(rt)
			}
		}
		raw, err := json.Marshal(doc)
		if err != nil {
			rt.Fatal(err)
		}
		a := only(t, string(raw))
		for _, p := range parts {
			if !p.shown(&a) {
				rt.Fatalf("%s of %s is not told: %+v", p.name, raw, a)
			}
		}
	})
}
