package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

func printed(t *testing.T, c *config.Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := config.Print(&b, c); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestPrintShowsOriginsAndNoSecrets(t *testing.T) {
	f := files{
		"config.yml":   "harfanglab:\n  url: https://h\n  password: hunter3\nsync:\n  labels: [b, 'a: x']\n",
		"/run/secrets": "hunter2\n",
	}
	c, err := config.Load(config.Sources{
		Env:   []string{"OPENCTI_TOKEN=hunter1", "HARFANGLAB_TOKEN_FILE=/run/secrets", "HARFANGLAB_INCIDENTS_IMPORT_THREATS=true"},
		Flags: map[string]string{"sync.state": "file:/var/lib/x"}, ReadFile: f.read,
	})
	if err != nil {
		t.Fatal(err)
	}
	out := printed(t, c)
	for _, want := range []string{
		"url: https://h # config.yml line 2: harfanglab.url\n",
		"token: '***' # environment OPENCTI_TOKEN\n",
		"token: '***' # environment HARFANGLAB_TOKEN_FILE, file /run/secrets\n",
		"password: '***' # config.yml line 3: harfanglab.password\n",
		"labels: ['a: x', b] # config.yml line 5: sync.labels\n",
		"state: file:/var/lib/x # flag --state\n",
		"lock: file:/var/lib/x # follows sync.state\n",
		"import_security_events_as_incidents: true # implied by environment HARFANGLAB_INCIDENTS_IMPORT_THREATS\n",
		"page_size: 500 # default\n",
		"id: \"\" # not set\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no line %q in\n%s", want, out)
		}
	}
	all := out + fmt.Sprintf("%v %+v %#v", *c, *c, *c) + fmt.Sprint(c.Effective())
	if strings.Contains(all, "hunter") {
		t.Errorf("a secret in\n%s", all)
	}
}

// again loads what Print wrote, without its secrets.
func again(yml string) (*config.Config, error) {
	return load(strings.ReplaceAll(yml, "'***'", "''"), "")
}

func TestPrintCanBeLoaded(t *testing.T) {
	for name, env := range map[string]string{"defaults": "", "first": firstConnector, "intel": intelConnector, "incidents": incidentsConnector} {
		c, err := load("", env)
		if err != nil {
			t.Fatal(err)
		}
		back, err := again(printed(t, c))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(values(c), values(back)); diff != "" {
			t.Errorf("%s (-printed +loaded):\n%s", name, diff)
		}
	}
}

// values are the settings in effect but for secrets.
func values(c *config.Config) map[string]any {
	m := map[string]any{}
	for _, e := range c.Effective() {
		if !strings.HasSuffix(e.Setting, "token") && !strings.HasSuffix(e.Setting, "password") {
			m[e.Setting] = e.Value
		}
	}
	return m
}

func TestSettingsDigest(t *testing.T) {
	f := files{"a.txt": "evil.example\n", "copy.txt": "evil.example\n", "b.txt": "other.example\n"}
	digest := func(env string) string {
		c, err := config.Load(config.Sources{Env: lines(env), ReadFile: f.read})
		if err != nil {
			t.Fatal(err)
		}
		return config.SettingsDigest(c)
	}
	plain := digest("")
	if want := "aa991584157d588841dba2e26ad628573e18c5e37e8b63f7dc581cfc13adeb0e"; plain != want {
		t.Errorf("digest of the defaults is %s, was %s: saved plans of the release before become stale", plain, want)
	}
	for _, same := range []string{
		"OPENCTI_TOKEN=x", "HARFANGLAB_TOKEN=x", "HARFANGLAB_LOGIN=x", "HARFANGLAB_PASSWORD=x", "OPENCTI_SSL_VERIFY=false", "CONNECTOR_LOG_LEVEL=debug", "CONNECTOR_NAME=x",
		"HARFANGSYNC_PARALLELISM=1", "HARFANGSYNC_RATE_LIMIT=1", "HARFANGSYNC_PAGE_SIZE=1", "HARFANGSYNC_REQUEST_TIMEOUT=1", "HARFANGSYNC_DEADLINE=1", "HARFANGSYNC_STATE=none",
		"HARFANGSYNC_LOCK=none", "HARFANGSYNC_LIMITS_SOURCE_SHRINK=1", "HARFANGSYNC_LIMITS_FAILURES=1", "HARFANGSYNC_LIMITS_PLAN_AGE=1", "HARFANGSYNC_TAIL_QUIET=2", "HARFANGSYNC_IMPACT=report", "HARFANGSYNC_LIMITS_IMPACT=2", "HARFANGSYNC_PROMOTE_MIN_ALERTS=1",
		"HARFANGLAB_DEFAULT_SCORE=1", "HARFANGLAB_RULE_MATURITY=Stable", "CONNECTOR_LIVE_STREAM_ID=live", "HARFANGSYNC_MIN_SCORE=none", "HARFANGLAB_INTEL_REMOVE_INDICATOR=no",
	} {
		if digest(same) != plain {
			t.Errorf("%s changes the digest", same)
		}
	}
	seen := map[string]string{plain: "the defaults"}
	for _, other := range []string{
		"OPENCTI_URL=https://o", "CONNECTOR_ID=" + id, "CONNECTOR_LIVE_STREAM_ID=" + id, "HARFANGLAB_SOURCE_LIST_NAME=x", "HARFANGLAB_REMOVE_INDICATOR=true", "HARFANGLAB_RULE_MATURITY=testing",
		"HARFANGSYNC_VALUES_FROM=pattern", "HARFANGSYNC_HASHES=strongest", "HARFANGSYNC_DETECTION=any", "HARFANGSYNC_MIN_SCORE=0", "HARFANGSYNC_LABELS=a", "HARFANGSYNC_LABELS=a,b",
		"HARFANGSYNC_EXCLUDE_LABELS=a", "HARFANGSYNC_MAX_TLP=RED", "HARFANGSYNC_EXCLUSIONS=a.txt", "HARFANGSYNC_EXCLUSIONS=b.txt", "HARFANGSYNC_BUILTIN_EXCLUSIONS=false",
		"HARFANGSYNC_ANALYST_DISABLE=revert", "HARFANGSYNC_UNMANAGED=adopt", "HARFANGSYNC_POLICY=create-only", "HARFANGSYNC_SIGMA=verbatim", "HARFANGSYNC_BEHAVIOUR=sigma", "HARFANGSYNC_PROMOTE_AFTER=14d", "HARFANGSYNC_PROMOTE_AFTER=14d\nHARFANGSYNC_PROMOTE_MIN_ALERTS=1",
	} {
		d := digest(other)
		if before, twice := seen[d]; twice {
			t.Errorf("%s has the digest of %s", other, before)
		}
		seen[d] = other
	}
	for _, pair := range [][2]string{
		{"HARFANGSYNC_LABELS=b, A", "HARFANGSYNC_LABELS=a,B,a"},
		{"HARFANGSYNC_EXCLUSIONS=a.txt", "HARFANGSYNC_EXCLUSIONS=copy.txt"},
		{"OPENCTI_URL=https://o/", "OPENCTI_URL=HTTPS://O"},
	} {
		if digest(pair[0]) != digest(pair[1]) {
			t.Errorf("%s and %s have different digests", pair[0], pair[1])
		}
	}
}

// A file that is written to while a command begins: the digest is that of the entries in effect.
func TestAnExclusionFileIsReadOnce(t *testing.T) {
	reads := 0
	c, err := config.Load(config.Sources{Env: []string{"HARFANGSYNC_EXCLUSIONS=a.txt"}, ReadFile: func(path string) ([]byte, error) {
		if path != "a.txt" {
			return nil, fs.ErrNotExist
		}
		reads++
		return fmt.Appendf(nil, "example%d.org\n", reads), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	if entry, hit := c.Sync.Excluded.Match(reconcile.Value{Type: pattern.DomainName, Value: "example1.org"}); !hit || reads != 1 {
		t.Errorf("read %d times, the first bytes exclude %q", reads, entry)
	}
	again, err := config.Load(config.Sources{Env: []string{"HARFANGSYNC_EXCLUSIONS=a.txt"}, ReadFile: files{"a.txt": "example1.org\n"}.read})
	if err != nil || again.Sync.ExclusionsDigest != c.Sync.ExclusionsDigest {
		t.Errorf("the digest is not that of these bytes: %v", err)
	}
}

func TestSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(config.Schema()))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("config.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := compiler.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	check := func(yml string) error {
		var v any
		if err := yaml.Unmarshal([]byte(yml), &v); err != nil {
			t.Fatal(err)
		}
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		if v, err = jsonschema.UnmarshalJSON(bytes.NewReader(b)); err != nil {
			t.Fatal(err)
		}
		return schema.Validate(v)
	}
	for _, s := range everySetting {
		for _, try := range s.tries {
			if strings.HasPrefix(try[1], "!") || try[0] == "ChangeMe" {
				continue
			}
			for _, yml := range []string{inYAML(s.setting, try[0]), strings.ReplaceAll(inYAML(s.setting, try[0]), `"`, "")} {
				if yaml.Unmarshal([]byte(yml), new(any)) != nil {
					continue // needs its quotes
				}
				if err := check(yml); err != nil {
					t.Errorf("the schema refuses what Load accepts:\n%s%v", yml, err)
				}
			}
		}
	}
	defaults, err := load("", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, yml := range []string{
		"", "sync:\n", printed(t, defaults), "harfanglab_incidents:\n  alert_types: 'yara,sigma'\n  import_threats: true\n", "harfanglab_intel:\n  token: x\n",
		"connector:\n  type: STREAM\nlogging: x\n", "sync:\n  min_score: 0\n  deadline: 30\n  labels: []\n", "sync:\n  min_score: {ioc: 60, sigma: 0, yara: }\n",
	} {
		if err := check(yml); err != nil {
			t.Errorf("the schema refuses\n%s%v", yml, err)
		}
	}
	for _, yml := range []string{
		"sync:\n  paralelism: 4\n", "sync:\n  limits:\n    sauce: 1\n", "sync: 4\n", "sync:\n  parallelism: 0\n", "sync:\n  policy: delete\n", "sync:\n  min_score: {stix: 60}\n", "sync:\n  min_score: {ioc: 101}\n",
		"harfanglab:\n  ssl_verify: maybe\n", "harfanglab:\n  default_score: 101\n", "harfanglab_incidents:\n  default_marking: TLP:BLUE\n", "sync:\n  state: /x\n",
	} {
		if check(yml) == nil {
			t.Errorf("the schema accepts\n%s", yml)
		}
	}
}

func TestReferenceAndFlagsNameEverySetting(t *testing.T) {
	reference := config.Reference()
	flags := map[string]config.Flag{}
	names := map[string]bool{}
	for _, f := range config.Flags() {
		if names[f.Name] || strings.HasPrefix(f.Name, "-") || f.Usage == "" || strings.Contains(f.Usage, "`") {
			t.Errorf("flag %+v is unusable", f)
		}
		flags[f.Setting], names[f.Name] = f, true
	}
	for _, s := range everySetting {
		if !strings.Contains(reference, "| `"+s.setting+"` | `"+s.env+"`") {
			t.Errorf("the reference lacks %s", s.setting)
		}
		secret := strings.HasSuffix(s.setting, "password") || strings.HasSuffix(s.setting, "webhook")
		if _, has := flags[s.setting]; has == secret && strings.HasPrefix(s.setting, "sync.") {
			t.Errorf("%s has a flag: %t", s.setting, has)
		}
	}
	for setting, name := range map[string]string{
		"sync.limits.source_shrink": "limits-source-shrink", "sync.tail.full_every": "tail-full-every", "sync.lock_timeout": "lock-timeout", "sync.page_size": "page-size",
		"harfanglab.source_list_name": "source-list-name", "harfanglab.remove_indicator": "remove-indicator", "harfanglab.rule_maturity": "rule-maturity",
	} {
		if flags[setting].Name != name {
			t.Errorf("flag of %s is %q, want %q", setting, flags[setting].Name, name)
		}
	}
	if !flags["harfanglab.remove_indicator"].Bool || flags["sync.state"].Bool {
		t.Error("the wrong flags may stand alone")
	}
	for _, row := range []string{"| `harfanglab_incidents.alert_statuses` | `HARFANGLAB_INCIDENTS_ALERT_STATUSES` | `harfanglab.import_security_events_filters_by_status` |"} {
		if !strings.Contains(config.Aliases(), row) {
			t.Errorf("the other names lack %s", row)
		}
	}
}

func TestTimes(t *testing.T) {
	now := time.Date(2026, 3, 31, 12, 0, 0, 0, time.FixedZone("", 3600))
	for _, tt := range []struct{ in, want string }{
		{"2026-01-31", "2026-01-31T00:00:00Z"}, {"20260131", "2026-01-31T00:00:00Z"}, {"2026-01-31T08:15:30.250", "2026-01-31T08:15:30.25Z"},
		{"2026-01-31t08:15z", "2026-01-31T08:15:00Z"}, {"2026-01-31 08:15:30+0200", "2026-01-31T06:15:30Z"}, {"20260131T081530Z", "2026-01-31T08:15:30Z"},
		{"2026-01-31T08:15:30-05", "2026-01-31T13:15:30Z"}, {"2026-01-31T08", "2026-01-31T08:00:00Z"}, {"now", "2026-03-31T11:00:00Z"},
		{"P7D", "2026-03-24T11:00:00Z"}, {"-P1W", "2026-03-24T11:00:00Z"}, {"PT1H30M", "2026-03-31T09:30:00Z"}, {"PT0.5S", "2026-03-31T10:59:59.5Z"}, {"P1Y", "2025-03-31T11:00:00Z"},
		{"7 days ago", "2026-03-24T11:00:00Z"}, {"1 Hour", "2026-03-31T10:00:00Z"}, {"2weeks", "2026-03-17T11:00:00Z"},
		{"", ""}, {"P", ""}, {"PT", ""}, {"P1", ""}, {"2026-13-01", ""}, {"2026-02-30", ""}, {"31/01/2026", ""}, {"tomorrow", ""}, {"1700000000", ""}, {"0000-01-01", ""},
	} {
		at, err := config.ParseTime(tt.in, now)
		if tt.want == "" {
			if err == nil {
				t.Errorf("%q is %v, want an error", tt.in, at)
			}
			continue
		}
		if got := at.Format(time.RFC3339Nano); err != nil || got != tt.want {
			t.Errorf("%q is %s, %v; want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestAuthoritiesAndExclusions(t *testing.T) {
	f := files{"/ca.pem": "no certificate", "/ok.txt": "x\n", "/bad.txt": "10.0.0.0/33\nok.example\n*.x.example\n"}
	for _, tt := range []struct{ name, env, problem, warning string }{
		{"a bundle without certificate is a problem", "OPENCTI_CA_BUNDLE=/ca.pem", `opencti.ca_bundle: "/ca.pem" holds no certificate (environment OPENCTI_CA_BUNDLE); name a file with certificates in PEM form (BEGIN CERTIFICATE)`, ""},
		{"a bundle that is not used is a warning", "HARFANGLAB_CA_BUNDLE=/ca.pem\nHARFANGLAB_SSL_VERIFY=no", "", "harfanglab.ca_bundle has no effect while harfanglab.ssl_verify is false"},
		{"every exclusion file has to be there", "HARFANGSYNC_EXCLUSIONS=/a,/ok.txt,/b", "sync.exclusions: a file cannot be read: /a: file does not exist (environment HARFANGSYNC_EXCLUSIONS)\n" +
			"sync.exclusions: a file cannot be read: /b: file does not exist (environment HARFANGSYNC_EXCLUSIONS)", ""},
		{"every bad line of one is told", "HARFANGSYNC_EXCLUSIONS=/bad.txt", `sync.exclusions: /bad.txt:1: "10.0.0.0/33": no address, CIDR, domain, =domain, hash, file:NAME or URL (environment HARFANGSYNC_EXCLUSIONS)` + "\n" +
			`sync.exclusions: /bad.txt:3: "*.x.example": a domain covers the names under it: write x.example (environment HARFANGSYNC_EXCLUSIONS)`, ""},
		{"what does not print is refused", "HARFANGLAB_SOURCE_LIST_NAME=a\x1b[31mb", `harfanglab.source_list_name: "a\x1b[31mb" has characters that do not print (environment HARFANGLAB_SOURCE_LIST_NAME); write it anew`, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := config.Load(config.Sources{Env: lines(tt.env), ReadFile: f.read})
			if got := errorText(err); got != tt.problem {
				t.Errorf("got  %s\nwant %s", got, tt.problem)
			}
			if err == nil && strings.Join(c.Warnings, "\n") != tt.warning {
				t.Errorf("warnings %q, want %q", c.Warnings, tt.warning)
			}
		})
	}
}

// Whatever stands in the file and in the environment: no panic, only problems as errors, and settings
// in effect that can be printed and loaded again to the same plan.
func FuzzLoad(f *testing.F) {
	f.Add("sync:\n  labels: [a, b]\n  limits: {source_shrink: 5}\n", "OPENCTI_URL=https://x")
	f.Add("a: &a\n  <<: *a\n", "HARFANGSYNC_STATE=file:x")
	f.Add("sync: &s\n  limits: *s\n  tail: {quiet: 1.5}\n", "HARFANGLAB_IMPORT_START_DATE=2026-01-01T00:00")
	f.Add("harfanglab: {token: !!binary aGk=, default_score: 0x10}\n", "HARFANGSYNC_RATE_LIMIT=1e3\nHARFANGSYNC_MIN_SCORE=5")
	f.Add("sync:\n  mapping: [{match: {min_score: 8, label: a}, level: high}, {maturity: testing}]\n", "HARFANGSYNC_MAPPING=[{level: low}]")
	f.Add(firstConnector, intelConnector)
	f.Fuzz(func(t *testing.T, yml, env string) {
		c, err := load(yml, env)
		if err != nil {
			for _, p := range problems(err) {
				if p.Message == "" {
					t.Errorf("a problem without words: %+v", p)
				}
			}
			if len(problems(err)) == 0 {
				t.Errorf("an error that is no problem: %v", err)
			}
			return
		}
		if _, err := json.Marshal(c.Effective()); err != nil {
			t.Error(err)
		}
		yml = printed(t, c)
		if strings.Contains(strings.ToLower(yml), "changeme") || c.OpenCTI.CABundle+c.HarfangLab.CABundle != "" {
			return
		}
		back, err := again(yml)
		if err != nil {
			t.Fatalf("%v\n%s", err, yml)
		}
		if config.SettingsDigest(back) != config.SettingsDigest(c) {
			t.Errorf("another digest after printing (-before +after):\n%s", cmp.Diff(values(c), values(back)))
		}
	})
}

func TestEveryErrorIsAProblem(t *testing.T) {
	_, err := load("sync: [\n", "OPENCTI_URL=x")
	if _, ok := errors.AsType[*config.Problem](err); !ok || len(problems(err)) != 2 {
		t.Errorf("got %v, want two problems", err)
	}
}

func TestAFolderOfExclusionsStandsForItsFiles(t *testing.T) {
	dir := t.TempDir()
	for name, content := range map[string]string{
		"lists/office/list.json": `{"name": "Office", "type": "hostname", "list": ["office.example"]}`,
		"lists/form/list.json":   `{"name": "Form", "type": "regex", "list": ["x"]}`,
		"ours.txt":               "198.51.100.7\n",
		"README.md":              "not a list of ours",

		"misp/lists/cdn/list.json": `{"name": "CDNs", "type": "cidr", "list": ["203.0.113.0/24"]}`, // a checkout of MISP's
		"misp/schema.json":         `{"type": "object"}`,
		"misp/requirements.txt":    "requests>=2.0\nother.example\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(config.Sources{Env: []string{"HARFANGSYNC_EXCLUSIONS=" + dir}})
	if err != nil {
		t.Fatal(err)
	}
	for value, want := range map[reconcile.Value]bool{
		{Type: "domain_name", Value: "www.office.example"}: true, {Type: "ip_both", Value: "198.51.100.7"}: true, {Type: "domain_name", Value: "other.example"}: false, {Type: "ip_both", Value: "203.0.113.7"}: true,
	} {
		if entry, hit := c.Sync.Excluded.Match(value); hit != want {
			t.Errorf("%v: %q", value, entry)
		}
	}
	if all := strings.Join(c.Warnings, "\n"); !strings.Contains(all, filepath.Join("form", "list.json")) || strings.Contains(all, "office") || strings.Contains(all, "misp") {
		t.Errorf("warnings:\n%s", all)
	}
	if _, err := config.Load(config.Sources{Env: []string{"HARFANGSYNC_EXCLUSIONS=" + t.TempDir()}}); err == nil || !strings.Contains(err.Error(), "a folder without any") {
		t.Errorf("an empty folder: %v", err)
	}
}
