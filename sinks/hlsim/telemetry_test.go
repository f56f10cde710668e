package hlsim

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const telemetryPath = "/api/data/telemetry/"

var noonOfMarch = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// watched is a manager whose agents saw a few things, each a minute after the one before.
func watched(t testing.TB, seen ...Sighting) *manager {
	t.Helper()
	m := start(t, Options{Now: func() time.Time { return noonOfMarch }})
	for i, one := range seen {
		one.At = noonOfMarch.Add(time.Duration(i-len(seen)) * time.Minute)
		m.saws(0, one)
	}
	return m
}

// Contract harfanglab-telemetry 3, 12.2.
func TestTelemetryFilters(t *testing.T) {
	m := watched(t,
		Sighting{Value: "cdn.example.net", Host: "A"},         // 11:52
		Sighting{Value: "CDN.example.net", Host: "B"},         // 11:53
		Sighting{Value: "cdn.example.net.evil.example"},       // 11:54
		Sighting{Type: "ip_dst", Value: "203.0.113.5"},        // 11:55
		Sighting{Type: "ip_src", Value: "203.0.113.5"},        // 11:56
		Sighting{Value: sampleHash, Path: `C:\Temp\tool.exe`}, // 11:57
		Sighting{Type: "filename", Value: "a, b.exe"},         // 11:58
		Sighting{Value: `C:\Temp\other.exe`, Host: "A"},       // 11:59
	)
	tests := []struct {
		name, stream, query string
		knobs               Knobs
		want                string // minutes, in their order
	}{
		{"all, the newest first", "DNSResolution", "", Knobs{}, "54 53 52"},
		{"knob: the oldest first", "DNSResolution", "", Knobs{TelemetryKnobs: TelemetryKnobs{TelemetryOldestFirst: true}}, "52 53 54"},
		{"a plain name finds others that begin so, in any case", "DNSResolution", "requested_name=cdn.example.net", Knobs{}, "54 53 52"},
		{"but not parts of words", "DNSResolution", "requested_name=cdn.example.ne", Knobs{}, ""},
		{"an exact one", "DNSResolution", "requested_name__exact=cdn.example.net", Knobs{}, "52"},
		{"several", "DNSResolution", "requested_name__exact=cdn.example.net,CDN.example.net,x", Knobs{}, "53 52"},
		{"knob: commas are part of a value", "Processes", "process_name=a, b.exe", Knobs{TelemetryKnobs: TelemetryKnobs{LiteralCommas: true}}, "58"},
		{"commas cut values", "Processes", "process_name=a, b.exe", Knobs{}, ""},
		{"none of some", "DNSResolution", "requested_name__exact!=cdn.example.net", Knobs{}, "54 53"},
		{"knob: that has no effect", "DNSResolution", "requested_name__exact!=cdn.example.net", Knobs{TelemetryKnobs: TelemetryKnobs{IgnoreNegation: true}}, "54 53 52"},
		{"an agent", "DNSResolution", "agent.hostname=a", Knobs{}, "52"},
		{"not an agent", "DNSResolution", "agent.agentid__exact!=" + sameAs("agent A"), Knobs{}, "54 53"},
		{"a target", "Network", "daddr=203.0.113.5", Knobs{}, "55"},
		{"a source", "Network", "saddr=203.0.113.5", Knobs{}, "56"},
		{"a hash", "Processes", "hashes.sha256__exact=" + sampleHash, Knobs{}, "57"},
		{"a path", "Processes", `image_name=c:\temp\OTHER.exe`, Knobs{}, "59"},
		{"a base name", "Processes", "process_name=other.exe", Knobs{}, "59"},
		{"since", "Processes", "@event_create_date__gte=2026-03-02T11:58:00", Knobs{}, "59 58"},
		{"until", "Processes", "@event_create_date__lte=2026-03-02T11:58:00.000000Z", Knobs{}, "58 57"},
		{"unknown filters have no effect", "DNSResolution", "name=x&saddr=1&requested_name__like=y", Knobs{}, "54 53 52"},
		{"knob: filters that are unknown", "DNSResolution", "requested_name=x", Knobs{IgnoreFilters: []string{"requested_name"}}, "54 53 52"},
		{"knob: a stream without rows", "DNSResolution", "", Knobs{TelemetryKnobs: TelemetryKnobs{TelemetryQuiet: []string{"DNSResolution"}}}, ""},
		{"a page", "DNSResolution", "limit=1&offset=1", Knobs{}, "53"},
		{"knob: a page without limit", "DNSResolution", "", Knobs{TelemetryKnobs: TelemetryKnobs{TelemetryPage: 2}}, "54 53"},
		{"drivers", "DriverLoad", "", Knobs{}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { *k = tt.knobs })
			q, err := url.ParseQuery(strings.ReplaceAll(tt.query, `\`, `%5C`))
			simtest.Fine(t, err)
			got := []string{}
			for _, at := range m.get(telemetryPath+tt.stream+"/?"+q.Encode()).column(t, "@event_create_date") {
				got = append(got, at[14:16])
			}
			simtest.Same(t, "rows", tt.want, strings.Join(got, " "))
		})
	}
	refusals := []struct {
		name, query string
		knobs       Knobs
		status      int
	}{
		{"a bad date", "@event_create_date__gte=yesterday", Knobs{}, 400},
		{"knob: unknown filters", "name=x", Knobs{AlertKnobs: AlertKnobs{RefuseUnknown: true}}, 400},
		{"a long query", "requested_name=" + strings.Repeat("x,", 5000), Knobs{}, 414},
		{"knob: less is long", "requested_name=xxxxxxxxxxxx", Knobs{TelemetryKnobs: TelemetryKnobs{MaxQuery: 20}}, 414},
		{"beyond the window", "limit=10&offset=10000", Knobs{}, 400},
	}
	for _, tt := range refusals {
		t.Run(tt.name, func(t *testing.T) {
			m.SetKnobs(func(k *Knobs) { *k = tt.knobs })
			m.get(telemetryPath+"DNSResolution/?"+tt.query).want(t, tt.status, "")
		})
	}
}

func TestTelemetryViews(t *testing.T) {
	m := watched(t, Sighting{Value: "cdn.example.net", Host: "A"}, Sighting{Value: sampleHash, Path: `C:\Windows\System32\x.exe`}, Sighting{Value: sampleHash, Path: `C:\copy.exe`}, Sighting{Value: sampleHash, Written: true}, Sighting{Value: "https://203.0.113.9/x"})
	m.get(telemetryPath+"DNSResolution/?fields=requested_name,agent.hostname").want(t, 200, `"results":[{"agent":{"hostname":"A"},"requested_name":"cdn.example.net"}]`)
	m.get(telemetryPath+"Network/?fields=daddr,direction").want(t, 200, `[{"daddr":"203.0.113.9","direction":"out"}]`)
	m.get(telemetryPath+"Binary/?hashes.sha256="+sampleHash).want(t, 200, `"names":["x.exe","copy.exe"],"paths":["C:\\Windows\\System32\\x.exe","C:\\copy.exe"]`)
	m.get(telemetryPath+"Binary/?names=copy.exe&filesize__gte=1").want(t, 200, `{"count":1,`)
	m.get(telemetryPath+"Binary/?filesize__lte=x").want(t, 400, `{"filesize__lte":[`)
	m.get(telemetryPath+"Processes/?hashes.sha256="+sampleHash).want(t, 200, `{"count":2,`).want(t, 200, `"signature_info":{"signer_info":{"display_name":"Microsoft Windows"}}`)
	explorer := "/api/data/search/Search/explorer_with_list/?type=hash&values="
	m.get(explorer+sampleHash).want(t, 200, `{"data":[{"processCount":0,"telemetryProcessCount":2,"title":"`+sampleHash+`"}]}`)
	m.get(explorer+strings.Repeat("0", 64)).want(t, 200, `{"data":[]}`)
	m.get(endpoints+"Agent/?hostname=A&fields=hostname,status").want(t, 200, `[{"hostname":"A","status":"online"}]`)
	m.get(endpoints+"Policy/?fields=name,telemetry_dns_resolution_state,telemetry_network").want(t, 200,
		`{"name":"Default","telemetry_dns_resolution_state":"live"},{"name":"Servers","telemetry_dns_resolution_state":"on_alert"},{"name":"Old","telemetry_network":true}`)
	m.get(telemetryPath+"EventLog/").want(t, 404, "")
	m.do("POST", telemetryPath+"Processes/", "{}").want(t, 405, "")
	m.SetKnobs(func(k *Knobs) { k.WholeRows = true })
	m.get(telemetryPath+"DNSResolution/?fields=requested_name").want(t, 200, `"@timestamp"`)
	if typ := m.Prevalence("url", "https://203.0.113.9/y", noonOfMarch.Add(-time.Hour)); typ.Events != 1 || typ.Agents != 1 {
		t.Errorf("a URL's host: %+v", typ)
	}
}

// Contract harfanglab-telemetry 12.4, 12.5: what is seeded is what lists and Prevalence tell.
func TestSeededTelemetry(t *testing.T) {
	now := noonOfMarch
	m := start(t, Options{Now: func() time.Time { return now }})
	want := map[string][2]int{ // events and endpoints of the last 30 days
		"unseen": {}, "one busy host": {9000, 1}, "once on every host": {500, 500}, "more rows than are counted": {12_000, 30}, "a program of the system": {1200, 400},
		"a driver": {3, 2}, "an address of ours": {52, 1}, "an address": {60, 40}, "mixed case": {4, 2}, "a busy host name": {2000, 450}, "a comma": {3, 2},
		"near another": {2, 1}, "the other": {5, 3}, "in the future": {1, 1}, "not there yet": {}, "three weeks ago": {2, 2},
	}
	known := m.SeedTelemetry()
	got := map[string][2]int{}
	for _, v := range known {
		p := m.Prevalence(v.Type, strings.ToUpper(v.Value), now.AddDate(0, 0, -30))
		got[v.Name] = [2]int{p.Events, p.Agents}
	}
	simtest.Same(t, "events and endpoints", want, got)
	m.get(telemetryPath+"DNSResolution/?requested_name=chatty.example&limit=1").want(t, 200, `{"count":9000,`)
	m.get(telemetryPath+"Processes/?process_name=updater.exe&limit=1").want(t, 200, `{"count":10000,`)
	m.get(telemetryPath+"Network/?saddr="+ownAddress+"&limit=1&fields=saddr,direction").want(t, 200, `[{"direction":"out","saddr":"`+ownAddress+`"}]`)
	m.get(telemetryPath+"DriverLoad/?hashes.sha256__exact="+strings.Repeat("d7", 32)).want(t, 200, `{"count":3,`)
	m.get(endpoints+"Agent/?limit=1").want(t, 200, `{"count":510,`)
	m.get(endpoints+"Agent/?status=offline&limit=1").want(t, 200, `{"count":10,`).want(t, 200, `"lastseen":"2026-01-21T12:00:00Z"`)
	m.get(endpoints+"Agent/?ipaddress="+ownAddress).want(t, 200, `"external_ipaddress":"198.51.100.254"`)
	m.get(endpoints+"Agent/?hostname="+seededHost(498)).want(t, 200, `{"count":2,`)
	now = now.Add(time.Hour)
	if p := m.Prevalence("domain_name", "late.example", now.Add(-2*time.Hour)); p.Events != 1 || !p.Last.Equal(noonOfMarch.Add(-30*time.Minute)) {
		t.Errorf("what came late: %+v", p)
	}
	m.SetKnobs(func(k *Knobs) { k.TelemetryDays = 14 })
	simtest.Is(t, "knob: what is no longer kept", 0, m.Prevalence("domain_name", "old.example", now.AddDate(0, 0, -30)).Events)
	m.get("/_sim/telemetry?type=domain_name&value=near.example&days=30").want(t, 200, `{"events":2,"agents":1,"last":"2026-03-02T12:00:00Z"}`)
}

// Contract harfanglab-telemetry 12.7: what agents see is in telemetry before and after a rule is there.
func TestSawLeavesTelemetry(t *testing.T) {
	tests := []struct{ typ, value, stream string }{
		{"hash", sampleHash, "Processes"}, {"filename", "a tool.exe", "Processes"}, {"filepath", `C:\a\b.exe`, "Processes"}, {"ip_src", "198.51.100.7", "Network"},
		{"ip_dst", "198.51.100.7", "Network"}, {"ip_both", "2001:db8::1", "Network"}, {"domain_name", "c2.example.org", "DNSResolution"}, {"url", "https://c2.example.org/x", "DNSResolution"},
	}
	for _, tt := range tests {
		for _, typ := range []string{tt.typ, ""} {
			t.Run(fmt.Sprint(tt.typ, " seen as ", typ), func(t *testing.T) {
				m := start(t, Options{})
				since := time.Now().Add(-time.Hour)
				for n := range 2 {
					m.saws(n, Sighting{Type: typ, Value: tt.value, Host: fmt.Sprint("H", n)})
					if p := m.Prevalence(tt.typ, tt.value, since); (p.Events != n+1 || p.Agents != n+1) && (tt.typ != "ip_src" || typ != "") {
						t.Errorf("after %d: %+v", n+1, p)
					}
					m.get(telemetryPath+tt.stream+"/").want(t, 200, fmt.Sprintf(`{"count":%d,`, n+1))
					if n == 0 {
						m.makeRule(IOC, Rule{Type: tt.typ, Value: tt.value, Enabled: true})
					}
				}
			})
		}
	}
	m := start(t, Options{})
	m.makeRule(Sigma, Rule{Name: "shown", Content: sigmaSample, Enabled: true})
	m.saws(1, Sighting{Rule: "shown", Process: `C:\a.exe`})
	m.get(telemetryPath+"Processes/?process_name=a.exe").want(t, 200, `{"count":1,`)
}

// Contract harfanglab-telemetry 12.6: faults on telemetry alone.
func TestTelemetryFaults(t *testing.T) {
	for _, fault := range []string{`"status": 403, "payload": "{\"detail\": \"\"}"`, `"status": 404`, `"status": 429`, `"status": 502, "payload": "<html>"`, `"status": 200, "payload": "<html>"`, `"status": 200, "payload": "{\"count\": 3}"`} {
		m := watched(t, Sighting{Value: "a.example"})
		m.do("POST", "/_sim/faults", `{"path": "^/api/data/telemetry/", "do": "answer", `+fault+`}`).want(t, 200, "")
		if r := m.get(telemetryPath + "DNSResolution/"); strings.Contains(r.text, "a.example") {
			t.Errorf("%s: %s", fault, r.text)
		}
		m.get(alertPath).want(t, 200, "")
	}
}
