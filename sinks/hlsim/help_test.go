package hlsim

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const (
	iocs     = "/api/data/threat_intelligence/IOCRule/"
	sigmas   = "/api/data/threat_intelligence/SigmaRule/"
	yaras    = "/api/data/threat_intelligence/YaraFile/"
	iocLists = "/api/data/threat_intelligence/IOCSource/"
)

// manager is a Sim that is served, with one list of each kind.
type manager struct {
	*Sim
	t    testing.TB
	url  string
	head map[string]string // of every request
	list map[string]string // ids
}

func start(t testing.TB, o Options) *manager {
	t.Helper()
	m := &manager{Sim: New(o), t: t, head: map[string]string{"Authorization": "Token token"}, list: map[string]string{}}
	for _, k := range kinds {
		id, err := m.AddSource(k, "from_OpenCTI")
		simtest.Fine(t, err)
		m.list[k] = id
	}
	srv := httptest.NewServer(m.Sim)
	t.Cleanup(srv.Close)
	m.url = srv.URL
	return m
}

func with(k Knobs) Options { return Options{Knobs: k} }

// reply is an answer, with its JSON if it is an object.
type reply struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

var client = &http.Client{
	Timeout:       10 * time.Second,
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// do sends a body as it is, a string, or as JSON. A request that gets no answer has the status 0.
func (m *manager) do(method, path string, body any) reply {
	m.t.Helper()
	text, raw := body.(string)
	if body != nil && !raw {
		b, err := json.Marshal(body)
		simtest.Fine(m.t, err)
		text = string(b)
	}
	req, err := http.NewRequest(method, m.url+path, strings.NewReader(text))
	simtest.Fine(m.t, err)
	for k, v := range m.head {
		req.Header.Set(k, v)
	}
	resp, err := client.Do(req)
	if err != nil {
		return reply{text: err.Error()}
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return reply{text: err.Error()}
	}
	out := reply{status: resp.StatusCode, header: resp.Header, text: string(b)}
	_ = json.Unmarshal(b, &out.json) // not every answer is an object
	return out
}

func (m *manager) get(path string) reply { m.t.Helper(); return m.do(http.MethodGet, path, nil) }

// want checks the status and a part of the text, and gives the answer back.
func (r reply) want(t testing.TB, status int, part string) reply {
	t.Helper()
	if r.status != status || !strings.Contains(r.text, part) {
		t.Fatalf("got %d %s\nwant %d with %s", r.status, r.text, status, part)
	}
	return r
}

// rows are the results of a list.
func (r reply) rows(t testing.TB) []map[string]any {
	t.Helper()
	var e struct{ Results []map[string]any }
	if err := json.Unmarshal([]byte(r.text), &e); r.status != http.StatusOK || err != nil {
		t.Fatalf("got %d %s (%v), want a list", r.status, r.text, err)
	}
	return e.Results
}

// column is one member of every result.
func (r reply) column(t testing.TB, name string) []string {
	t.Helper()
	out := []string{}
	for _, row := range r.rows(t) {
		v, _ := row[name].(string)
		out = append(out, v)
	}
	return out
}

type object = map[string]any

// ioc is the body of a creation in the default list, with what differs from a plain one.
func (m *manager) ioc(value string, more ...object) object {
	return merge(object{"source_id": m.list[IOC], "type": "domain_name", "value": value}, more...)
}

func (m *manager) sigma(name, content string, more ...object) object {
	return merge(object{"source_id": m.list[Sigma], "name": name, "content": content}, more...)
}

func (m *manager) yara(name, content string, more ...object) object {
	return merge(object{"source_id": m.list[YARA], "name": name, "content": content}, more...)
}

func merge(o object, more ...object) object {
	for _, m := range more {
		for k, v := range m {
			o[k] = v
		}
	}
	return o
}

// entry is the only one of a status list.
func (r reply) entry(t testing.TB) object {
	t.Helper()
	list, _ := r.json["status"].([]any)
	if len(list) != 1 {
		t.Fatalf("got %d %s, want a status list of one", r.status, r.text)
	}
	return list[0].(object)
}

// makeIOC creates a rule and gives its path.
func (m *manager) makeIOC(value string, more ...object) string {
	m.t.Helper()
	return iocs + m.do("POST", iocs, m.ioc(value, more...)).want(m.t, 201, "").json["id"].(string) + "/"
}

// makeFile creates a Sigma rule or YARA file and gives its path.
func (m *manager) makeFile(path string, body object) string {
	m.t.Helper()
	e := m.do("POST", path, body).entry(m.t)
	if e["status"] != true {
		m.t.Fatalf("refused: %v", e)
	}
	return path + e["id"].(string) + "/"
}

// makeRule makes a rule in the console, in the default list, and gives its id.
func (m *manager) makeRule(kind string, r Rule) string {
	m.t.Helper()
	if r.SourceID == "" {
		r.SourceID = m.list[kind]
	}
	id := m.Add(kind, r)
	if id == "" {
		m.t.Fatalf("not made: %+v", r)
	}
	return id
}

const (
	sigmaID     = "0f9a4a54-0c1c-4d10-9e3a-6b8c5f1d2e01"
	otherID     = "7f1d8c1e-52f7-4f0e-8f0b-6a7c2f9b3311"
	sigmaSample = `title: Encoded PowerShell
id: ` + sigmaID + `
status: test
level: high
tags:
    - attack.execution
    - attack.t1059.001
logsource:
    product: windows
    category: process_creation
detection:
    sel:
        CommandLine|contains: "-enc"
    condition: sel
`
	yaraSample = "rule loader : t1059 { meta: id = \"T1027.002\" strings: $a = \"loader\" condition: $a }\n"
)

// titled is the sample rule with another id.
func titled(id string) string { return strings.Replace(sigmaSample, sigmaID, id, 1) }

// ask gets a path without a server between.
func ask(s *Sim, path string) (int, []byte) {
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Authorization", "Token token")
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w.Code, w.Body.Bytes()
}
