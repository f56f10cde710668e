package hlsim

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

// Contract harfanglab-api 12.1.
func TestAccess(t *testing.T) {
	basic := func(s string) string { return "Basic " + base64.StdEncoding.EncodeToString([]byte(s)) }
	o := Options{ReadOnlyToken: "ro", Login: "op", Password: "pw"}
	tests := []struct {
		name, header, method, path string
		body                       any
		status                     int
		text                       string
	}{
		{"no header", "", "GET", iocs, nil, 401, `{"detail":"Authentication credentials were not provided."}`},
		{"another word", "Bearer token", "GET", iocs, nil, 401, `{"detail":`},
		{"a wrong token", "Token no", "GET", iocs, nil, 401, `{"detail":"Invalid token."}`},
		{"the token with its console prefix", "Token token_token", "GET", iocs, nil, 401, `{"detail":`},
		{"the token", "Token token", "GET", iocs, nil, 200, `{"count":0,"next":null,"previous":null,"results":[]}`},
		{"read-only reads", "Token ro", "GET", iocs, nil, 200, ``},
		{"read-only does not write", "Token ro", "POST", iocs, object{}, 403, `{"detail":`},
		{"read-only does not delete", "Token ro", "DELETE", iocs + "x/", nil, 403, `{"detail":`},
		{"basic auth", basic("op:pw"), "GET", "/api/auth/users/me/", nil, 200, `"username":"op"`},
		{"basic auth with a wrong password", basic("op:no"), "GET", iocs, nil, 401, `{"detail":`},
		{"the version needs a token", "", "GET", "/api/version/", nil, 401, `{"detail":`},
		{"the version", "Token ro", "GET", "/api/version/", nil, 200, `{"version":"24.12.11"}`},
		{"who the token is", "Token token", "GET", "/api/auth/users/me/", nil, 200, `{"id":3,"username":"opencti-bridge"}`},
		{"paths of unknown shape", "Token token", "GET", "/api/status/", nil, 200, `{}`},
		{"a verb that is not there", "Token token", "PUT", iocs, object{}, 405, `{"detail":`},
		{"nor on an item", "Token token", "POST", iocs + "x/", object{}, 405, `{"detail":`},
		{"nor on the version", "Token token", "POST", "/api/version/", object{}, 405, `{"detail":`},
		{"an unknown item", "Token token", "GET", iocs + "x/", nil, 404, `{"detail":"Not found."}`},
		{"an unknown path", "Token token", "GET", "/api/data/threat_intelligence/IOCIndicator/", nil, 404, `<h1>Not Found</h1>`},
		{"the console", "", "GET", "/", nil, 200, `<!doctype html>`},
		{"a body that is no JSON", "Token token", "POST", iocs, "{", 400, `{"detail":"JSON parse error`},
		{"a body that is no object", "Token token", "POST", iocs, "[]", 400, `{"non_field_errors":["`},
	}
	m := start(t, o)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m.head = map[string]string{"Authorization": tt.header}
			m.do(tt.method, tt.path, tt.body).want(t, tt.status, tt.text)
		})
	}
	t.Run("basic auth is off without a login", func(t *testing.T) {
		m := start(t, Options{})
		m.head["Authorization"] = basic(":")
		m.get(iocs).want(t, 401, `{"detail":`)
	})
	t.Run("a version of one's own", func(t *testing.T) {
		m := start(t, Options{Version: "25.1"})
		m.get("/api/version/").want(t, 200, `"25.1"`)
		m.SetKnobs(func(k *Knobs) { k.Version = "9.11.0" })
		m.get("/api/version/").want(t, 200, `"9.11.0"`)
	})
}

// Contract harfanglab-api 12.2.
func TestPathWithoutSlash(t *testing.T) {
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		t.Run(method+" is redirected before anything else", func(t *testing.T) {
			m := start(t, Options{})
			item := strings.TrimSuffix(m.makeIOC("held.example"), "/")
			for _, path := range []string{strings.TrimSuffix(iocs, "/"), item, "/api/version"} {
				for _, token := range []string{"", "Token token"} {
					m.head["Authorization"] = token
					r := m.do(method, path+"?limit=1&search=a%2Bb", m.ioc("new.example", object{"enabled": false})).want(t, 301, "")
					simtest.Is(t, "Location", path+"/?limit=1&search=a%2Bb", r.header.Get("Location"))
				}
			}
			if rules := m.Rules(IOC); len(rules) != 1 || !rules[0].Enabled {
				t.Errorf("something happened: %v", rules)
			}
		})
	}
	t.Run("knob: answered directly", func(t *testing.T) {
		m := start(t, with(Knobs{NoRedirect: true}))
		m.do("POST", strings.TrimSuffix(iocs, "/"), m.ioc("a.example")).want(t, 201, "")
		m.get(strings.TrimSuffix(iocs, "/")).want(t, 200, `"count":1`)
		m.get("/api/version").want(t, 200, "")
	})
}

// Contract harfanglab-api 12.5: the faults that a client must live through.
func TestFaults(t *testing.T) {
	html := map[string]string{"Content-Type": "text/html"}
	tests := []struct {
		name, fault string
		status      int
		header      map[string]string
		text        string
		stored      int // rules after the POST
	}{
		{"429 with seconds", `{"do":"answer","status":429,"header":{"Retry-After":"7"}}`, 429, map[string]string{"Retry-After": "7"}, "", 0},
		{"429 without", `{"do":"answer","status":429}`, 429, map[string]string{"Retry-After": ""}, "", 0},
		{"429 with a date", `{"do":"answer","status":429,"header":{"Retry-After":"Wed, 21 Oct 2026 07:28:00 GMT"}}`, 429, map[string]string{"Retry-After": "Wed, 21 Oct 2026 07:28:00 GMT"}, "", 0},
		{"500", `{"do":"answer","status":500,"header":{"Content-Type":"text/html"},"payload":"<h1>oops</h1>"}`, 500, html, "<h1>oops</h1>", 0},
		{"502", `{"do":"answer","status":502,"header":{"Content-Type":"text/html"},"payload":"<h1>gateway</h1>"}`, 502, html, "<h1>gateway</h1>", 0},
		{"503", `{"do":"answer","status":503,"header":{"Content-Type":"text/html"},"payload":"<h1>busy</h1>"}`, 503, html, "<h1>busy</h1>", 0},
		{"a login page", `{"do":"answer","status":200,"header":{"Content-Type":"text/html"},"payload":"<form>login</form>"}`, 200, html, "<form>login</form>", 0},
		{"nothing", `{"do":"answer","status":200}`, 200, nil, "", 0},
		{"slow", `{"do":"slow","delay":1000000}`, 201, nil, `"id"`, 1},
		{"a reset before", `{"do":"reset"}`, 0, nil, "", 0},
		{"a reset after the write", `{"do":"reset_after"}`, 0, nil, "", 1},
		{"500 after the write", `{"do":"answer_after","status":500}`, 500, nil, "", 1},
		{"an answer that is cut", `{"do":"cut"}`, 0, nil, "", 1},
		{"half an answer", `{"do":"truncate"}`, 201, nil, `{"id"`, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := start(t, Options{})
			fault := strings.Replace(tt.fault, "{", `{"method":"POST","times":1,"path":"IOCRule","body":"a\\.example",`, 1)
			m.do("POST", "/_sim/faults", fault).want(t, 200, "")
			r := m.do("POST", iocs, m.ioc("a.example")).want(t, tt.status, tt.text)
			for k, v := range tt.header {
				if r.header.Get(k) != v {
					t.Errorf("%s: %q, want %q", k, r.header.Get(k), v)
				}
			}
			simtest.Is(t, "rules", tt.stored, m.Count(IOC))
			again := m.do("POST", iocs, m.ioc("a.example"))
			if tt.stored == 1 {
				again.want(t, 400, "already exists")
			} else {
				again.want(t, 201, "")
			}
		})
	}
}

// Contract harfanglab-api 12.6.
func TestLatencyAndRate(t *testing.T) {
	m := start(t, Options{Latency: 30 * time.Millisecond})
	from := time.Now()
	m.get("/api/version/").want(t, 200, "")
	if took := time.Since(from); took < 30*time.Millisecond {
		t.Errorf("took %v", took)
	}
	m.do("PUT", "/_sim/latency?d=0s", nil).want(t, 200, "")
	m.do("PUT", "/_sim/rate?n=0.001", nil).want(t, 200, "")
	m.get("/api/version/").want(t, 200, "")
	simtest.Is(t, "Retry-After", "1", m.get("/api/version/").want(t, 429, "").header.Get("Retry-After"))
}

func TestRequestsAreCountedAndLogged(t *testing.T) {
	m := start(t, Options{})
	m.get(iocs+"?limit=1").want(t, 200, "")
	var got struct {
		Count    int
		Requests []struct{ Method, Path, Query string }
	}
	simtest.Fine(t, json.Unmarshal([]byte(m.get("/_sim/requests").text), &got))
	if diff := cmp.Diff([]struct{ Method, Path, Query string }{{"GET", iocs, "limit=1"}}, got.Requests); diff != "" || got.Count != 1 {
		t.Errorf("count %d, requests (-want +got):\n%s", got.Count, diff)
	}
}

// Many clients read and write at once; run with -race. What they made, and only that, is there in the end.
func TestManyClients(t *testing.T) {
	m := numbered(t, 300, Knobs{})
	const clients, each = 8, 12
	var all sync.WaitGroup
	run := func(work func(i int)) {
		for c := range clients {
			all.Go(func() {
				for i := range each {
					work(c*each + i)
				}
			})
		}
	}
	run(func(i int) {
		path := m.makeIOC(fmt.Sprint("new-", i, ".example"), object{"comment": "made"})
		m.do("PATCH", path, object{"comment": strings.Repeat("x", i), "references": []string{"r"}}).want(t, 200, "")
		if i%2 == 0 {
			m.do("DELETE", path, nil).want(t, 204, "")
		}
	})
	run(func(i int) {
		m.get(fmt.Sprint(iocs, "?limit=40&offset=", i)).want(t, 200, "")
		m.get(iocs+"?search=new&limit=5").want(t, 200, "")
		m.get(iocLists).want(t, 200, "")
	})
	run(func(i int) {
		m.makeFile(sigmas, m.sigma("s", titled(newID())))
		m.get(sigmas+"?limit=5").want(t, 200, "")
	})
	all.Go(func() {
		for i := range each {
			m.SetKnobs(func(k *Knobs) { k.IgnoreFilters, k.NewestFirst = []string{fmt.Sprint("x", i)}, i%2 == 0 })
			m.Promote()
			_, _, _ = m.Rules(Sigma), m.Sources(IOC), m.Knobs()
		}
	})
	all.Wait()
	simtest.Is(t, "IOC rules", 300+clients*each/2, m.Count(IOC))
	simtest.Is(t, "Sigma rules", clients*each, m.Count(Sigma))
}

// Of clients that want the same at once, one gets it.
func TestOneOfManyTwins(t *testing.T) {
	m := start(t, Options{})
	made := make([]int, 8)
	var all sync.WaitGroup
	for i := range made {
		all.Go(func() { made[i] = m.do("POST", iocs, m.ioc("a.example")).status })
	}
	all.Wait()
	n := 0
	for _, status := range made {
		if status == 201 {
			n++
		}
	}
	if n != 1 || m.Count(IOC) != 1 {
		t.Errorf("answers %v", made)
	}
}

// A request that waits holds nobody else up.
func TestLatencyIsNotShared(t *testing.T) {
	m := start(t, Options{Latency: 100 * time.Millisecond})
	from := time.Now()
	var all sync.WaitGroup
	for i := range 20 {
		all.Go(func() { m.makeIOC(fmt.Sprint(i, ".example")) })
	}
	all.Wait()
	if took := time.Since(from); took > time.Second {
		t.Errorf("20 requests of 100 ms at once took %v", took)
	}
}
