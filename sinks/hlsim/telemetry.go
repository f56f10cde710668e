package hlsim

import (
	"cmp"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// telemetryRow is something that an agent reported: what happened at a moment, and came some time later.
type telemetryRow struct {
	at, ingested time.Time // zero for what has no moment
	doc          document
}

// telemetryStream is what the rows of one stream can be asked for: a parameter, and where its value is.
type telemetryStream map[string]string

var hashFilters = telemetryStream{"hashes.md5": "hashes.md5", "hashes.sha1": "hashes.sha1", "hashes.sha256": "hashes.sha256"}

// telemetryStreams are the streams with their filters (contract harfanglab-telemetry 2, 3). Binary has no
// agent and no moment.
var telemetryStreams = map[string]telemetryStream{
	"Processes":     telemetryStream{}.of(hashFilters, "process_name", "image_name", "agent.hostname", "agent.agentid"),
	"Network":       telemetryStream{}.of(nil, "saddr", "daddr", "sport", "dport", "agent.hostname", "agent.agentid"),
	"DNSResolution": telemetryStream{}.of(nil, "requested_name", "query_type", "ip_addresses", "agent.hostname", "agent.agentid"),
	"DriverLoad":    telemetryStream{}.of(hashFilters, "imagename", "imagepath", "agent.hostname", "agent.agentid"),
	"Binary":        telemetryStream{"fullpaths": "paths", "filesize": "size"}.of(hashFilters, "names"),
}

func (f telemetryStream) of(more telemetryStream, names ...string) telemetryStream {
	for name, path := range more {
		f[name] = path
	}
	for _, name := range names {
		f[name] = name
	}
	return f
}

// at is every value at a path of names in a document, as a text.
func (d document) at(path string) (all []string) {
	d.has(path, func(v string) bool {
		all = append(all, v)
		return false
	})
	return all
}

// has says whether a value at a path of names in a document, as a text, passes a test.
func (d document) has(path string, test func(string) bool) bool {
	name, rest, deeper := strings.Cut(path, ".")
	switch v := d[name].(type) {
	case nil:
		return false
	case document:
		return deeper && v.has(rest, test)
	case []string:
		return slices.ContainsFunc(v, test)
	case string:
		return test(v)
	case *string:
		return v != nil && test(*v)
	default:
		return test(fmt.Sprint(v))
	}
}

func (s *Sim) listTelemetry(r *http.Request, name string, stream telemetryStream) *answer {
	k := s.knobs.Load()
	q := k.query(r)
	if len(r.URL.RawQuery) > orDefault(k.MaxQuery, 8192) {
		return detail(http.StatusRequestURITooLong, "Request-URI Too Long")
	}
	tests, bad := k.telemetryTests(name, stream, q)
	if bad != nil {
		return bad
	}
	w := q.window(k)
	if q.Get("limit") == "" {
		w.limit = orDefault(k.TelemetryPage, 10)
	}
	var fields []string
	if !k.WholeRows {
		fields = words(q.Get("fields"))
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	found := []*telemetryRow{}
	for _, row := range s.telemetryRows(k, name) {
		if !slices.ContainsFunc(tests, func(test func(*telemetryRow) bool) bool { return !test(row) }) {
			found = append(found, row)
		}
	}
	slices.SortStableFunc(found, func(a, b *telemetryRow) int {
		if k.TelemetryOldestFirst {
			return a.at.Compare(b.at)
		}
		return b.at.Compare(a.at)
	})
	return paged(k, r, w, found, func(row *telemetryRow) any { return slim(row.doc, fields) })
}

// telemetryTests are what the parameters ask of a row. Those of no known name have no effect.
func (k *Knobs) telemetryTests(name string, stream telemetryStream, q query) (tests []func(*telemetryRow) bool, _ *answer) {
	for param := range q.Values {
		v := q.Get(param)
		if v == "" || slices.Contains([]string{"limit", "offset", "fields", "ordering"}, param) || strings.HasSuffix(param, "!") && k.IgnoreNegation {
			continue
		}
		test, why := k.telemetryTest(name, stream, param, v)
		switch {
		case why != "":
			return nil, refused(param, why)
		case test != nil:
			tests = append(tests, test)
		case k.RefuseUnknown:
			return nil, refused(param, "Unknown filter.")
		}
	}
	return tests, nil
}

// telemetryTest is what one parameter asks, or why it is refused; nothing when there is none of that name.
func (k *Knobs) telemetryTest(name string, stream telemetryStream, param, v string) (test func(*telemetryRow) bool, why string) {
	bare, not := strings.CutSuffix(param, "!")
	field, lookup, _ := strings.Cut(bare, "__")
	path, known := stream[field]
	bounded := slices.Contains([]string{"gt", "gte", "lt", "lte"}, lookup) && !not
	switch {
	case known && (lookup == "" || lookup == "exact"):
		return k.telemetryValue(path, v, lookup == "exact", not), ""
	case field == "filesize" && known && bounded:
		limit, err := strconv.Atoi(v)
		if err != nil {
			return nil, "Enter a number."
		}
		return func(row *telemetryRow) bool { size, _ := row.doc["size"].(int); return compares(lookup, size-limit) }, ""
	case field == "@event_create_date" && name != "Binary" && bounded:
		at, err := time.Parse(time.RFC3339, v)
		if err != nil {
			at, err = time.Parse("2006-01-02T15:04:05", v)
		}
		if err != nil {
			return nil, "Enter a valid date/time."
		}
		return func(row *telemetryRow) bool { return compares(lookup, row.at.Compare(at)) }, ""
	}
	return nil, ""
}

// telemetryValue is the test for a value at a path. Plain ones do not mind case, and find names that go
// on behind a sign, as an index does that cuts texts into words.
func (k *Knobs) telemetryValue(path, v string, exact, not bool) func(*telemetryRow) bool {
	any := []string{v}
	if !k.LiteralCommas {
		any = words(v)
	}
	matches := func(have string) bool {
		return slices.ContainsFunc(any, func(want string) bool {
			n := len(want)
			return have == want || !exact && len(have) >= n && strings.EqualFold(have[:n], want) && (len(have) == n || strings.IndexByte(`.-_ /\`, have[n]) >= 0)
		})
	}
	return func(row *telemetryRow) bool { return row.doc.has(path, matches) != not }
}

// telemetryRows are the rows of a stream that have come and are still kept.
func (s *Sim) telemetryRows(k *Knobs, name string) (rows []*telemetryRow) {
	now := s.options.Now()
	switch {
	case slices.Contains(k.TelemetryQuiet, name):
		return nil
	case name == "Binary":
		return s.binaries(k)
	}
	for _, row := range s.telemetry[name] {
		if !row.ingested.After(now) && (k.TelemetryDays <= 0 || row.at.After(now.AddDate(0, 0, -k.TelemetryDays))) {
			rows = append(rows, row)
		}
	}
	return rows
}

// binaries are the files of processes and drivers, each once.
func (s *Sim) binaries(k *Knobs) (rows []*telemetryRow) {
	byHash := map[string]document{}
	add := func(file document, name, path string) {
		hash := strings.Join(file.at("hashes.sha256"), "")
		d := byHash[hash]
		if d == nil {
			d = document{"names": []string{}, "paths": []string{}, "size": file["size"], "hashes": file["hashes"], "signed": file["signed"], "signature_info": file["signature_info"], "downloaded": 0}
			byHash[hash] = d
			rows = append(rows, &telemetryRow{doc: d})
		}
		for list, v := range map[string]string{"names": name, "paths": path} {
			if all := d[list].([]string); !slices.Contains(all, v) {
				d[list] = append(all, v)
			}
		}
	}
	for _, row := range s.telemetryRows(k, "Processes") {
		add(row.doc, row.doc["process_name"].(string), row.doc["image_name"].(string))
	}
	for _, row := range s.telemetryRows(k, "DriverLoad") {
		add(row.doc, row.doc["imagename"].(string), row.doc["imagepath"].(string))
	}
	return rows
}

// explore counts the processes of one hash, over all time (contract harfanglab-telemetry 7).
func (s *Sim) explore(r *http.Request, _ *user) *answer {
	q := r.URL.Query()
	hash, n := q.Get("values"), 0
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, row := range s.telemetryRows(s.knobs.Load(), "Processes") {
		if q.Get("type") == "hash" && slices.Contains(row.doc.at("hashes."+hashName(hash)), strings.ToLower(hash)) {
			n++
		}
	}
	data := []any{}
	if n > 0 {
		data = append(data, document{"title": hash, "processCount": 0, "telemetryProcessCount": n})
	}
	return ok(document{"data": data})
}

func hashName(hash string) string {
	return map[int]string{32: "md5", 40: "sha1", 64: "sha256"}[len(hash)]
}

// place is where a value can be seen.
type place struct{ stream, path string }

// places are those for a value of a type (contract harfanglab-telemetry 5). What stands for a URL is its
// host.
func places(typ, value string) ([]place, string) {
	switch typ {
	case "hash":
		path := "hashes." + hashName(value)
		return []place{{"Processes", path}, {"DriverLoad", path}}, strings.ToLower(value)
	case "ip_src":
		return []place{{"Network", "saddr"}}, value
	case "ip_dst":
		return []place{{"Network", "daddr"}}, value
	case "ip_both":
		return []place{{"Network", "daddr"}, {"Network", "saddr"}}, value
	case "domain_name":
		return []place{{"DNSResolution", "requested_name"}}, value
	case "filename":
		return []place{{"Processes", "process_name"}, {"DriverLoad", "imagename"}}, value
	case "filepath":
		return []place{{"Processes", "image_name"}, {"DriverLoad", "imagepath"}}, value
	case "url":
		host := value
		if u, err := url.Parse(value); err == nil && u.Hostname() != "" {
			host = u.Hostname()
		}
		if _, err := netip.ParseAddr(host); err == nil {
			return places("ip_dst", host)
		}
		return places("domain_name", host)
	}
	return nil, ""
}

// Prevalence is how often a value was seen, and where: the truth that a client estimates.
type Prevalence struct {
	Events int       `json:"events"`
	Agents int       `json:"agents"`
	Last   time.Time `json:"last,omitzero"`
}

// Prevalence counts what telemetry holds of a value of an IOC's type since a moment, in any case. Of a
// URL it is that of its host.
func (s *Sim) Prevalence(typ, value string, since time.Time) (p Prevalence) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	where, v := places(typ, value)
	k, agents, counted := s.knobs.Load(), map[string]bool{}, map[*telemetryRow]bool{}
	for _, at := range where {
		for _, row := range s.telemetryRows(k, at.stream) {
			if row.at.Before(since) || counted[row] || !row.doc.has(at.path, func(have string) bool { return strings.EqualFold(have, v) }) {
				continue
			}
			counted[row] = true
			for _, id := range row.doc.at("agent.agentid") {
				agents[id] = true
			}
			if row.at.After(p.Last) {
				p.Last = row.at
			}
		}
	}
	p.Events, p.Agents = len(counted), len(agents)
	return p
}

// typeOf is a type that a value may be of.
func typeOf(value string) string {
	_, err := netip.ParseAddr(value)
	switch {
	case err == nil:
		return "ip_both"
	case hexDigits.MatchString(value):
		return "hash"
	case strings.Contains(value, "://"):
		return "url"
	case strings.ContainsAny(value, `/\`):
		return "filepath"
	case !dotted.MatchString(value), strings.HasSuffix(value, ".exe"), strings.HasSuffix(value, ".dll"), strings.HasSuffix(value, ".sys"):
		return "filename"
	}
	return "domain_name"
}

// leaveTelemetry holds the row of a sighting, which comes some time later; in the first stream where its
// value can be seen, unless another is named. A file that was written is in none.
func (s *Sim) leaveTelemetry(x *alertBuilder, late time.Duration, stream string) {
	if x.Written {
		return
	}
	at, value := place{"Processes", ""}, x.Value // of what a rule describes
	if value != "" {
		var where []place
		where, value = places(cmp.Or(x.Type, typeOf(value)), value)
		at = where[max(0, slices.IndexFunc(where, func(p place) bool { return p.stream == stream }))]
	}
	a := s.alerts.agents.of(x)
	a.seen(x.At)
	d := x.telemetry(a.document(), at, value).add(document{
		"@event_create_date": stamp(x.At.UnixMicro()), "@timestamp": stamp(x.At.Add(late).UnixMicro()), "agent": a.document(), "tenant": "",
		"groups": []any{document{"id": sameAs("group Workstations"), "name": "Workstations"}},
	})
	s.telemetry[at.stream] = append(s.telemetry[at.stream], &telemetryRow{x.At, x.At.Add(late), d})
}

// telemetry are the members of a row of a stream that are its own (contract harfanglab-telemetry 4).
func (x *alertBuilder) telemetry(agent document, at place, value string) document {
	switch at.stream {
	case "Network":
		own, far, direction := strings.Join(agent.at("ipaddress"), ""), value, "out"
		d := document{"sport": 49_152 + x.IntN(16_000), "dport": 443, "conn_type": "tcp", "initiated": true, "is_ipv6": strings.Contains(value, ":"), "image_name": x.Process, "username": x.User}
		if at.path == "saddr" && value != own {
			own, far, direction = value, own, "in"
		} else if at.path == "saddr" {
			far = "203.0.113.80"
		}
		return d.add(document{"saddr": own, "daddr": far, "direction": direction})
	case "DNSResolution":
		return document{"requested_name": value, "query_type": "A", "ip_addresses": []string{"203.0.113.7"}, "status": "success", "process_image_path": x.Process, "username": x.User}
	}
	image := cmp.Or(x.Path, x.Process, `C:\Users\alice\Downloads\tool.exe`)
	switch at.path {
	case "process_name":
		image = `C:\Users\alice\Downloads\` + value
	case "image_name":
		image = value
	}
	hashes := x.Hashes
	if strings.HasPrefix(at.path, "hashes.") {
		hashes = hashes.with(value)
	} else if hashes == (Hashes{}) {
		hashes = hashesOf(image)
	}
	d := x.program(image, hashes)
	d["signature_info"] = nil
	if d["signed"] = strings.HasPrefix(image, `C:\Windows\`); d["signed"] == true {
		d["signature_info"] = document{"signer_info": document{"display_name": "Microsoft Windows"}}
	}
	if at.stream == "DriverLoad" {
		return document{"imagename": baseName(image), "imagepath": image, "hashes": d["hashes"], "signed": d["signed"], "signature_info": d["signature_info"], "size": d["size"]}
	}
	return d
}
