package hlsim

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

var day = Spec{From: time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC), To: time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC)}

// drawn are the documents of a spec, as objects.
func drawn(t testing.TB, spec Spec) []object {
	t.Helper()
	docs, err := New(Options{}).Documents(spec)
	simtest.Fine(t, err)
	out := make([]object, len(docs))
	for i, raw := range docs {
		simtest.Fine(t, json.Unmarshal(raw, &out[i]))
	}
	return out
}

// at is what is at a path of names in an object, nil when nothing is.
func at(d object, path string) any {
	var v any = d
	for name := range strings.SplitSeq(path, ".") {
		switch o := v.(type) {
		case object:
			v = o[name]
		case []any:
			if len(o) == 0 {
				return nil
			}
			v, _ = o[0].(object)[name]
		default:
			return nil
		}
	}
	return v
}

// Contract harfanglab-api 7.4, 12.24: what each shape is there for.
func TestShapes(t *testing.T) {
	has := func(paths ...string) func(object) bool {
		return func(d object) bool {
			return !slices.ContainsFunc(paths, func(p string) bool { return at(d, p) == nil })
		}
	}
	without := func(paths ...string) func(object) bool {
		return func(d object) bool {
			return !slices.ContainsFunc(paths, func(p string) bool { return at(d, p) != nil })
		}
	}
	says := func(path, pattern string) func(object) bool {
		re := regexp.MustCompile(`(?s)` + pattern)
		return func(d object) bool { v, ok := at(d, path).(string); return ok && re.MatchString(v) }
	}
	type tests []func(object) bool
	want := map[string]tests{
		"ioc hash":                            {says("msg", `^File was found malicious by an IOC: ?.*[0-9a-f]{64}$`), says("detection.file_hashes.sha256", `^[0-9a-f]{64}$`)},
		"ioc hash sha1":                       {says("msg", `[0-9a-f]{40}$`), has("detection.file_hashes.sha1"), without("detection.file_hashes.sha256")},
		"ioc hash upper case":                 {says("msg", `[0-9A-F]{32}$`), says("detection.file_hashes.md5", `^[0-9a-f]{32}$`)},
		"ioc hash by another program":         {says("process.image_name", `explorer`), says("detection.file_path", `set up\.exe$`)},
		"ioc hash written":                    {without("detection.file_hashes"), has("details_windows_filesystem_event.written_file_hashes.sha256"), says("process.process_name", `svchost`)},
		"ioc hash linux":                      {says("agent.ostype", `^linux$`), says("detection.file_path", `^/tmp/`)},
		"ioc filename":                        {says("msg", `: ?.*invoice = .* final\.exe$`)},
		"ioc filepath":                        {says("msg", `: ?.*C:\\Program Files\\a=b\\.* v2\\tool\.exe$`)},
		"ioc ip_src":                          {says("msg", `203\.0\.113\.\d+$`), without("detection.file_path")},
		"ioc ip_dst":                          {says("msg", `203\.0\.113\.\d+$`), has("process")},
		"ioc ip_both":                         {says("msg", `2001:db8::[0-9a-f]+$`)},
		"ioc domain_name":                     {says("msg", `c2-.*\.example\.org$`)},
		"ioc url":                             {says("msg", `https://cdn.*\?id=7&next=http://x\.example/\?q=a b&url=z$`)},
		"ioc url with its request":            {says("details_url_request.url", `^https://cdn\.example\.net/`), says("details_url_request.host", `^cdn\.example\.net$`)},
		"ioc multi-line message":              {says("msg", `^Two engines agree: score=100\..*\n.*[0-9a-f]{64}\nSee the policy`)},
		"ioc without process":                 {without("process")},
		"ioc null process":                    {without("process"), func(d object) bool { _, there := d["process"]; return there }},
		"ioc null hashes":                     {has("process"), without("process.hashes")},
		"ioc partly null hashes":              {has("process.hashes.sha256"), without("process.hashes.md5", "process.hashes.sha1", "detection.file_path")},
		"sigma process":                       {says("rule_name", `^Local admin group changed: S=1$`), says("msg", `group=Administrators\.\nLook`), has("process")},
		"sigma event log":                     {without("process"), has("eventlog.event_id"), says("alert_subtype", `^eventlog$`)},
		"yara 2021":                           {says("rule_id", `^YARA binary check$`), says("process.matched_rules.rulename", `^loader_strings$`)},
		"yara 2023":                           {says("rule_name", `: ?loader_strings$`), without("process.matched_rules")},
		"ioc domain_name with its resolution": {has("details_dns_resolution.requested_name", "details_dns_resolution.ip_addresses")},
		"ioc ip_dst with its connection":      {says("details_network.daddr", `203\.0\.113\.\d+$`), says("details_network.direction", `^out$`)},
		"sigma library":                       {has("details_library.image_loaded", "details_library.hashes.md5"), has("process")},
		"sigma registry":                      {says("details_registry.target_object", `^HKLM`)},
		"sigma file, process at the top":      {has("details_file.target_filename", "username", "pid", "commandline"), without("process")},
		"driver":                              {says("msg", `^driver hash=[0-9a-f]{64} is blacklisted, not blocked$`), has("driverload.ioc_matches.source_id"), without("process")},
		"hlai":                                {has("process.score")},
		"vt":                                  {has("process.hashes.md5")},
		"ransom":                              {says("msg", `=`)},
		"antivirus":                           {says("alert_type", `^hurukaiav$`), has("av_detection_details"), without("process")},
		"self protection":                     {says("alert_type", `^selfprotection$`), has("firewall_self_protection")},
		"correlation":                         {has("correlation.events.rule_id"), without("process")},
		"unknown type":                        {says("alert_type", `^quantum$`), has("quantum.state")},
		"unknown level":                       {says("level", `^severe$`), says("maturity", `^retired$`)},
	}
	spec := day
	spec.Count = 7 * len(shapes)
	all := drawn(t, spec)
	for i, shape := range shapes {
		name := shape.name
		t.Run(name, func(t *testing.T) {
			if want[name] == nil {
				t.Fatal("nothing is known of this shape")
			}
			for turn := range 7 {
				d := all[turn*len(shapes)+i]
				for j, holds := range want[name] {
					if !holds(d) {
						t.Errorf("claim %d does not hold for %v", j+1, d)
					}
				}
				if typ := d["alert_type"]; strings.HasPrefix(name, "ioc") != (typ == "ioc") {
					t.Errorf("type %v", typ)
				}
			}
		})
	}
	simtest.Is(t, "shapes known", len(shapes), len(want))
}

// Contract harfanglab-api 12.24: among many alerts is everything that may vary.
func TestGeneratedAlertsVary(t *testing.T) {
	spec := day
	spec.Count = 600
	docs, err := New(Options{}).Documents(spec)
	simtest.Fine(t, err)
	patterns := []string{
		`"threat_key":\d`, `"threat_key":"\d+"`, `"threat_key":"[0-9a-f-]{36}"`, `"detection_date":null`, `"x_added_later"`,
		`"last_update".*"status":"investigating"`, `"last_update".*"status":"false_positive"`, `"last_update".*"status":"closed"`, `"last_update".*"status":"probable_false_positive"`,
		`"alert_type":"ioc".*"rule_content":"[^"]*,\\"`, `"alert_type":"ioc".*"rule_content":"[^"]*,'\{`, `"alert_type":"ioc".*"rule_content":"[^"]*,\{`,
		`"alert_type":"ioc".*"msg":"[^"]*: \w+=`, `"alert_type":"ioc".*"msg":"[^"]*: (hash|filename|ip_dst):`, `"alert_type":"ioc".*"msg":"[^"]*: [0-9a-f.]+"`, `"ioc_matches":\[\{`,
	}
	for i := range 10 {
		for _, zone := range []string{"Z", `\+00:00`} {
			patterns = append(patterns, fmt.Sprintf(`"alert_time":"[^".]*:\d\d%s%s"`, map[bool]string{true: fmt.Sprintf(`\.\d{%d}`, i)}[i > 0], zone))
		}
	}
	for _, p := range patterns {
		if like := regexp.MustCompile(p); !slices.ContainsFunc(docs, func(d json.RawMessage) bool { return like.Match(d) }) {
			t.Errorf("none with %s", p)
		}
	}
	for _, p := range []string{`"threat_key"`, `"alert_type":"(?:[^i]|i[^o]).*|"rule_content"`, `"alert_type":"(?:[^i]|i[^o]).*|"ioc_matches":\[\{`} {
		if like := regexp.MustCompile(p); !slices.ContainsFunc(docs, func(d json.RawMessage) bool { return !like.Match(d) }) {
			t.Errorf("none without %s", p)
		}
	}
	for _, d := range docs {
		if strings.Contains(string(d), `"last_update"`) == strings.Contains(string(d), `"status":"new"`) {
			t.Errorf("a change without its moment, or the other way round: %s", d)
		}
	}
}

func TestGenerateIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := Spec{
			Seed: rapid.Uint64().Draw(t, "seed"), Count: rapid.IntRange(0, 70).Draw(t, "count"), Hosts: rapid.IntRange(0, 5).Draw(t, "hosts"), Plain: rapid.Bool().Draw(t, "plain"),
			From: day.From, To: day.From.Add(time.Duration(rapid.IntRange(0, 1e9).Draw(t, "span"))),
		}
		one, err := New(Options{}).Documents(spec)
		other, err2 := New(Options{}).Documents(spec)
		if err != nil || err2 != nil {
			t.Fatal(err, err2)
		}
		s := New(Options{})
		ids, err := s.Generate(spec)
		if len(ids) != len(one) || err != nil {
			t.Fatal(len(ids), err)
		}
		for i := range one {
			if string(one[i]) != string(other[i]) {
				t.Fatalf("%s\nthen %s", one[i], other[i])
			}
			e := s.alerts.byID[ids[i]]
			if e.at.Before(spec.From) && e.at.Before(spec.From.Truncate(time.Second)) || e.at.After(spec.To) {
				t.Fatalf("at %v, want it from %v to %v", e.at, spec.From, spec.To)
			}
		}
	})
}

func TestGenerateSpecs(t *testing.T) {
	bad := []struct {
		name string
		spec Spec
		text string
	}{
		{"no such shape", Spec{Shapes: []string{"ioc hash", "round"}}, `no shape of an alert is called "round"`},
		{"times the wrong way round", Spec{From: day.To, To: day.From}, "from is not after to"},
		{"less than none", Spec{Count: -1}, "at least 0"},
	}
	for _, tt := range bad {
		t.Run(tt.name, func(t *testing.T) {
			s := New(Options{})
			if ids, err := s.Generate(tt.spec); err == nil || !strings.Contains(err.Error(), tt.text) || len(ids)+s.AlertCount() > 0 {
				t.Errorf("%d alerts, %v", len(ids), err)
			}
		})
	}
}

func TestGenerateTwiceTheSame(t *testing.T) {
	s := New(Options{})
	if _, err := s.Generate(day); err != nil {
		t.Fatal(err)
	}
	if ids, err := s.Generate(day); err == nil || len(ids) > 0 || s.AlertCount() != len(shapes) {
		t.Errorf("%d more, %v", len(ids), err)
	}
}

func TestGenerateTheLastDay(t *testing.T) {
	s := New(Options{Now: func() time.Time { return day.To }})
	if _, err := s.Generate(Spec{Count: 50}); err != nil {
		t.Fatal(err)
	}
	for _, e := range s.alerts.byTime {
		if e.at.Before(day.From) || e.at.After(day.To) {
			t.Errorf("at %v", e.at)
		}
	}
}

func TestGeneratePlainAlerts(t *testing.T) {
	spec := day
	spec.Count, spec.Shapes, spec.Plain, spec.Spelling, spec.Hosts = 20, []string{"ioc url"}, true, &AlertSpelling{}, 1
	for _, d := range drawn(t, spec) {
		got := []any{d["status"], d["threat_key"], d["last_update"], at(d, "agent.hostname"), strings.Contains(d["msg"].(string), ": url=https://")}
		simtest.Same(t, "alert", []any{"new", nil, nil, "WKS-001", true}, got)
	}
}

func TestGenerateOfKnownRules(t *testing.T) {
	m := armed(t, Options{})
	spec := day
	spec.Shapes, spec.Known, spec.Spelling = []string{"ioc domain_name", "ioc url"}, true, &AlertSpelling{}
	ids, err := m.Generate(spec)
	simtest.Fine(t, err)
	for i, id := range ids {
		d := m.document(id)
		r, there := m.Rule(IOC, d["rule_id"].(string))
		if !there || !r.Enabled || r.Type != []string{"domain_name", "url"}[i] || !strings.HasSuffix(d["msg"].(string), r.Value) {
			t.Errorf("alert of %+v: %v", r, d["msg"])
		}
	}
}

func TestGeneratedAlertsPassThroughTheAPI(t *testing.T) {
	m := start(t, Options{})
	if ids, err := m.Generate(Spec{Count: 300, Hosts: 30}); err != nil || len(ids) != 300 {
		t.Fatal(len(ids), err)
	}
	simtest.Is(t, "listed", 300, len(m.get(alertPath+"?limit=1000").rows(t)))
	m.get(threatPath+"?limit=1000").want(t, 200, `"results":[{"id":`)
	m.get(agentPath+"?limit=1000").want(t, 200, `{"count":30,`)
}
