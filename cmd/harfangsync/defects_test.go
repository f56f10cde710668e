package main

import (
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// must runs a command that has to end with a code, and gives what it printed.
func (w *chaosWorld) must(t testing.TB, code int, args ...string) string {
	t.Helper()
	got, out, errs := w.command(t.Context(), args...)
	if got != code {
		t.Fatalf("%v ended with %d, want %d\n%s%s", args, got, code, out, errs)
	}
	return out + errs
}

// values are the enabled IOC rules.
func (w *chaosWorld) values() []string {
	var out []string
	for _, r := range w.hl.Rules("ioc") {
		if r.Enabled {
			out = append(out, r.Type+" "+r.Value)
		}
	}
	slices.Sort(out)
	return out
}

func (w *chaosWorld) wantValues(t testing.TB, want ...string) {
	t.Helper()
	slices.Sort(want)
	if d := cmp.Diff(want, w.values()); d != "" {
		t.Errorf("enabled IOC rules (-want +got):\n%s", d)
	}
}

// stix adds an indicator with a STIX pattern.
func (w *chaosWorld) stix(n int, pattern string) {
	w.put(n, fmt.Sprintf("indicator %d", n), "stix", pattern, "")
}

// inSync requires that a run finds nothing to do.
func (w *chaosWorld) inSync(t testing.TB) {
	t.Helper()
	if out := w.must(t, exit.OK, "run"); !strings.Contains(out, "No changes.") {
		t.Error(out)
	}
}

func fails(t testing.TB, side *simhttp.Handler, f simhttp.Fault) {
	t.Helper()
	if err := side.Fail(f); err != nil {
		t.Fatal(err)
	}
}

func (w *chaosWorld) rule(t testing.TB, kind, key string) hlsim.Rule {
	t.Helper()
	for _, r := range w.hl.Rules(kind) {
		if r.Value == key || r.Name == key {
			return r
		}
	}
	t.Fatalf("no %s rule %q", kind, key)
	return hlsim.Rule{}
}

// Every defect of the connectors that this program replaces.
func TestDefectsOfTheOldConnectors(t *testing.T) {
	for name, test := range map[string]func(*testing.T, *chaosWorld){
		"AND split into separate blocks": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'a.example' AND url:value = 'http://a.example/x']")
			w.stix(2, "[domain-name:value = 'b.example'] AND [domain-name:value = 'c.example']")
			w.stix(3, "[domain-name:value = 'd.example']")
			out := w.must(t, 0, "run", "--full")
			w.wantValues(t, "domain_name d.example")
			if strings.Count(out, "? pattern_and: ") != 2 {
				t.Errorf("both are named as skipped: %s", out)
			}
		},
		"NOT and != turned positive": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value != 'good.example']")
			w.stix(2, "[domain-name:value NOT = 'fine.example']")
			w.stix(3, "[domain-name:value = 'bad.example' AND domain-name:value != 'good.example']")
			w.stix(4, "[domain-name:value = 'd.example']")
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name d.example")
		},
		"LIKE, MATCHES and CIDR pushed as text": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value LIKE '%.dga.example']")
			w.stix(2, "[url:value MATCHES '^http://.*']")
			w.stix(3, "[ipv4-addr:value = '198.51.100.77/24']")
			w.must(t, 0, "run")
			w.wantValues(t, "ip_both 198.51.100.0/24")
		},
		"one unsupported observable stops everything": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[user-account:account_login = 'mallory']")
			w.stix(2, "[domain-name:value = 'a.example']")
			w.octi.Attach(chaosID(2), octisim.Observable{EntityType: "Mutex", Name: "m", Value: "m"})
			w.stix(3, "[domain-name:value = 'b.example']")
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name a.example", "domain_name b.example")
		},
		"no timeout, retry or 429 handling": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'a.example']")
			for _, f := range []simhttp.Fault{
				{Method: "POST", Path: "IOCRule", Times: 1, Do: simhttp.Answer, Status: 429},
				{Method: "POST", Path: "IOCRule", Times: 1, Do: simhttp.Slow, Delay: time.Second},
				{Method: "POST", Path: "IOCRule", Times: 1, Do: simhttp.Answer, Status: 503},
			} {
				fails(t, w.hl.HTTP, f)
			}
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name a.example")
		},
		"old value kept after a pattern change": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'old.example']")
			w.must(t, 0, "run")
			w.edit(1, func(i *octisim.Indicator) { i.Pattern = "[domain-name:value = 'new.example']" })
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name new.example")
		},
		"values of attached observables never removed": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'a.example']")
			at := w.octi.Attach(chaosID(1), octisim.Observable{EntityType: "Domain-Name", Value: "b.example"})
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name a.example", "domain_name b.example")
			w.octi.Detach(chaosID(1), at)
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name a.example")
		},
		"unlinking one observable removes the detection": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'a.example']")
			at := w.octi.Attach(chaosID(1), octisim.Observable{EntityType: "Domain-Name", Value: "a.example"})
			w.must(t, 0, "run")
			w.octi.Detach(chaosID(1), at)
			w.inSync(t)
			w.wantValues(t, "domain_name a.example")
		},
		"shared value removed with its first owner": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'a.example']")
			w.stix(2, "[domain-name:value = 'A.EXAMPLE']")
			w.must(t, 0, "run")
			w.edit(1, func(i *octisim.Indicator) { i.Revoked = true })
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name a.example")
			w.edit(2, func(i *octisim.Indicator) { i.Revoked = true })
			w.must(t, 0, "run", "--allow-empty")
			w.wantValues(t)
		},
		"revoked and expired ignored": func(t *testing.T, w *chaosWorld) {
			for i := range 5 {
				w.stix(i, fmt.Sprintf("[domain-name:value = 'a%d.example']", i))
			}
			w.must(t, 0, "run")
			w.edit(1, func(i *octisim.Indicator) { i.Revoked = true })
			w.edit(2, func(i *octisim.Indicator) { i.ValidUntil = time.Now().Add(-time.Hour) })
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name a0.example", "domain_name a3.example", "domain_name a4.example")
		},
		"analyst's disable undone by any update": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'a.example']")
			w.must(t, 0, "run")
			w.hl.Edit("ioc", w.rule(t, "ioc", "a.example").ID, func(r *hlsim.Rule) { r.Enabled = false })
			w.edit(1, func(i *octisim.Indicator) { i.Description = "changed" })
			w.must(t, 0, "run")
			w.wantValues(t)
		},
		"namesakes overwrite each other": func(t *testing.T, w *chaosWorld) {
			w.put(1, "Same name", "sigma", fmt.Sprintf(chaosSigma, "one", chaosID(901), "one"), "")
			w.put(2, "Same name", "sigma", fmt.Sprintf(chaosSigma, "two", chaosID(902), "two"), "")
			w.put(3, "Same name", "yara", yaraRule("one", "one"), "")
			w.put(4, "Same name", "yara", yaraRule("two", "two"), "")
			w.must(t, 0, "run")
			if s, y := len(w.hl.Rules("sigma")), len(w.hl.Rules("yara")); s != 2 || y != 2 {
				t.Errorf("%d Sigma rules and %d YARA files, want 2 of each", s, y)
			}
			w.inSync(t)
		},
		"a refused rule counted as created": func(t *testing.T, w *chaosWorld) {
			w.put(1, "Bad rule", "sigma", fmt.Sprintf(chaosSigma, "bad", chaosID(901), "x"), "")
			fails(t, w.hl.HTTP, simhttp.Fault{Method: "POST", Path: "SigmaRule/", Do: simhttp.Answer, Status: http.StatusCreated, Payload: `{"status": [{"status": false, "code": "invalid_sigma_content"}]}`})
			w.stix(2, "[domain-name:value = 'a.example']")
			out := w.must(t, exit.Partly, "run")
			if !strings.Contains(out, "Apply complete: 1 added, 0 changed, 0 enabled, 0 disabled, 0 deleted, 0 adopted; 1 failed.") || !strings.Contains(out, "create sigma Bad rule: failed: refused: ") {
				t.Error(out)
			}
			w.hl.HTTP.Forget()
			out = w.must(t, 0, "run")
			if !strings.Contains(out, "? refused: sigma Bad rule") {
				t.Error(out)
			}
			for _, r := range w.hl.HTTP.Requests() {
				if r.Method != http.MethodGet {
					t.Errorf("sent again: %s %s", r.Method, r.Path)
				}
			}
		},
		"comment nested deeper at each disable": func(t *testing.T, w *chaosWorld) {
			w.env = []string{"HARFANGLAB_REMOVE_INDICATOR=false"}
			w.stix(1, "[domain-name:value = 'a.example']")
			w.stix(2, "[domain-name:value = 'b.example']")
			w.must(t, 0, "run")
			first := len(w.rule(t, "ioc", "a.example").Comment)
			for range 4 {
				w.edit(1, func(i *octisim.Indicator) { i.Revoked = true })
				w.must(t, 0, "run")
				w.edit(1, func(i *octisim.Indicator) { i.Revoked = false })
				w.must(t, 0, "run")
			}
			if now := w.rule(t, "ioc", "a.example"); len(now.Comment) != first || strings.Contains(now.Comment, `\"`) {
				t.Errorf("the comment grew from %d: %s", first, now.Comment)
			}
		},
		"ssl_verify without effect": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'a.example']")
			o, h := httptest.NewTLSServer(w.octi), httptest.NewTLSServer(w.hl)
			defer o.Close()
			defer h.Close()
			o.Config.ErrorLog, h.Config.ErrorLog = quietLog, quietLog
			plain := []string{w.octiURL, w.hlURL}
			bundle := filepath.Join(t.TempDir(), "ca.pem")
			if err := os.WriteFile(bundle, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: h.Certificate().Raw}), 0o600); err != nil {
				t.Fatal(err)
			}
			for _, side := range []string{"OPENCTI", "HARFANGLAB"} {
				w.octiURL, w.hlURL = plain[0], plain[1]
				if side == "OPENCTI" {
					w.octiURL = o.URL
				} else {
					w.hlURL = h.URL
				}
				w.env = nil
				if out := w.must(t, exit.Side, "run"); !strings.Contains(out, "certificate") {
					t.Errorf("%s: an unknown authority: %s", side, out)
				}
				w.env = []string{side + "_CA_BUNDLE=" + bundle}
				w.must(t, 0, "run")
				w.env = []string{side + "_SSL_VERIFY=false"}
				w.must(t, 0, "run")
			}
		},
		"only one hash of a file deployed": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[file:hashes.MD5 = '9e107d9d372bb6826bd81d3542a419d6' AND file:hashes.'SHA-256' = 'd7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592']")
			w.must(t, 0, "run")
			w.wantValues(t, "hash 9e107d9d372bb6826bd81d3542a419d6", "hash d7a8fbb307d7809469ca9abcb0082e4f8d5651e46d3cdb762d02d0bf37c9e592")
		},
		"names over 100 characters": func(t *testing.T, w *chaosWorld) {
			long := strings.Repeat("é", 98) + " x and more"
			w.put(1, long, "sigma", fmt.Sprintf(chaosSigma, "long", chaosID(901), "x"), "")
			w.put(2, long, "yara", yaraRule("long", "x"), "")
			w.must(t, 0, "run")
			if n := []rune(w.hl.Rules("sigma")[0].Name); len(n) > 100 || len(w.hl.Rules("yara")) != 1 {
				t.Errorf("a name of %d characters", len(n))
			}
			w.inSync(t)
		},
		"null query parameters matching any row": func(t *testing.T, w *chaosWorld) {
			list, err := w.hl.AddSource("ioc", "from_OpenCTI")
			if err != nil {
				t.Fatal(err)
			}
			w.hl.Add("ioc", hlsim.Rule{SourceID: list, Type: "domain_name", Value: "theirs.example", Enabled: true})
			w.stix(1, "[domain-name:value = 'a.example']")
			w.must(t, 0, "run")
			w.edit(1, func(i *octisim.Indicator) { i.Revoked = true })
			w.must(t, 0, "run", "--allow-empty")
			w.wantValues(t, "domain_name theirs.example")
			for _, r := range w.hl.HTTP.Requests() {
				for _, part := range strings.Split(r.Query, "&") {
					if _, v, _ := strings.Cut(part, "="); part != "" && (v == "" || v == "null" || v == "None") {
						t.Errorf("%s %s?%s asks for nothing in particular", r.Method, r.Path, r.Query)
					}
				}
			}
		},
		"missing canonical forms": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[domain-name:value = 'Bücher.Example.']")
			w.stix(2, "[ipv6-addr:value = '2001:0DB8:0:0::1']")
			w.stix(3, "[ipv6-addr:value = '::ffff:198.51.100.9']")
			w.stix(4, "[file:hashes.md5 = '9E107D9D372BB6826BD81D3542A419D6']")
			w.stix(5, "[ipv4-addr:value = '203.0.113.9/32']")
			w.must(t, 0, "run")
			w.wantValues(t, "domain_name xn--bcher-kva.example", "ip_both 2001:db8::1", "ip_both 198.51.100.9", "hash 9e107d9d372bb6826bd81d3542a419d6", "ip_both 203.0.113.9")
			w.inSync(t)
		},
		"delete by fuzzy search removing near matches": func(t *testing.T, w *chaosWorld) {
			w.stix(1, "[ipv4-addr:value = '198.51.100.1']")
			for i := range 9 {
				w.stix(10+i, fmt.Sprintf("[ipv4-addr:value = '198.51.100.1%d']", i))
			}
			w.must(t, 0, "run")
			w.edit(1, func(i *octisim.Indicator) { i.Revoked = true })
			w.must(t, 0, "run")
			if got := w.values(); len(got) != 9 || slices.Contains(got, "ip_both 198.51.100.1") {
				t.Errorf("%d left: %v", len(got), got)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, newChaosWorld(t))
		})
	}
}

// Commands that read send nothing that writes, whatever the platforms hold (gate G12).
func TestCommandsThatReadSendNoWrite(t *testing.T) {
	w := newTemplate(t).copyOf(t)
	dir := t.TempDir()
	plan := filepath.Join(dir, "plan.json")
	exact := w.exact()
	state, _ := w.octi.Connector(simConnectorID)
	for _, args := range [][]string{
		{"plan", "--out", plan},
		{"plan", "--as-of", "2027-01-01"},
		{"show", plan},
		{"explain", "--value", "steady-3.example"},
		{"explain", "--indicator", chaosID(3)},
		{"explain", "--pattern", "[domain-name:value = 'a.example']"},
		{"dump", filepath.Join(dir, "dump")},
		{"config", "validate"},
		{"config", "print"},
		{"config", "schema"},
		{"version"},
	} {
		w.octi.HTTP.Forget()
		w.hl.HTTP.Forget()
		w.must(t, 0, args...)
		for _, r := range w.hl.HTTP.Requests() {
			if r.Method != http.MethodGet {
				t.Errorf("%v sent %s %s", args, r.Method, r.Path)
			}
		}
		for _, r := range w.octi.HTTP.Requests() {
			if r.Op == "Register" || r.Op == "Ping" || r.Op == "" {
				t.Errorf("%v sent the mutation %s", args, r.Op)
			}
		}
	}
	w.must(t, exit.Usage, "apply") // prints the plan, and nobody approves it
	if !maps.Equal(exact, w.exact()) {
		t.Error("a rule was changed")
	}
	if now, _ := w.octi.Connector(simConnectorID); now != state {
		t.Errorf("the state was changed: %s", now)
	}
}

var quietLog = log.New(io.Discard, "", 0)
