package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/config"
)

// files is a file system for Sources.ReadFile.
type files map[string]string

func (f files) read(path string) ([]byte, error) {
	content, ok := f[path]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	return []byte(content), nil
}

// load reads a config.yml and an environment of NAME=value lines.
func load(yml, env string, needs ...config.Need) (*config.Config, error) {
	f := files{}
	if yml != "" {
		f["config.yml"] = yml
	}
	return config.Load(config.Sources{Env: lines(env), Needs: needs, ReadFile: f.read})
}

func lines(s string) []string {
	var out []string
	for l := range strings.SplitSeq(s, "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}

// effective is a setting's value as JSON.
func effective(t *testing.T, c *config.Config, setting string) string {
	t.Helper()
	for _, e := range c.Effective() {
		if e.Setting == setting {
			b, err := json.Marshal(e.Value)
			if err != nil {
				t.Fatal(err)
			}
			return string(b)
		}
	}
	t.Fatalf("no setting %s", setting)
	return ""
}

// problems are the problems that an error joins, in order.
func problems(err error) []*config.Problem {
	var out []*config.Problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			out = append(out, problems(e)...)
		}
	} else if p, ok := errors.AsType[*config.Problem](err); ok {
		out = append(out, p)
	}
	return out
}

const id = "6f3b1f6e-5a0e-4d3c-9a53-9d7a5c1f2b11"

type tries [][2]string

// Each row says what a setting is without any source, and what texts in the environment and in the
// file make of it. "!" before a part of a message is an error.
var everySetting = []struct {
	setting, env, def string
	tries             tries
}{
	{"opencti.url", "OPENCTI_URL", `""`, tries{
		{"https://opencti.example:8443/", `"https://opencti.example:8443"`}, {"HTTP://OpenCTI:8080/base//", `"http://opencti:8080/base"`},
		{"https://[::1]:8080", `"https://[::1]:8080"`}, {"opencti.example", "!no http or https"}, {"opencti:8080", "!no http or https"}, {"ftp://x", "!no http or https"},
		{"https://", "!names no host"}, {"https://:8080", "!names no host"}, {"https://x:", "!colon"}, {"https://x:0", "!port"}, {"https://x:70000", "!port"},
		{"http://localhost:PORT", "!no address"}, {"https://u:p@x", "!user name"}, {"https://x?y=1", "!query"}, {"https://x#y", "!fragment"}, {"https://x y", "!no address"},
	}},
	{"opencti.token", "OPENCTI_TOKEN", `""`, tries{{"abc", `"***"`}, {"Bearer abc", `"***"`}, {"a b", "!no token"}}},
	{"opencti.ssl_verify", "OPENCTI_SSL_VERIFY", `true`, tries{
		{"False", `false`}, {"NO", `false`}, {"off", `false`}, {"0", `false`}, {"TRUE", `true`}, {"Yes", `true`}, {"on", `true`}, {"1", `true`}, {"2", "!neither"}, {"t", "!neither"},
	}},
	{"opencti.ca_bundle", "OPENCTI_CA_BUNDLE", `""`, tries{{"/none.pem", "!cannot be read"}, {"a\x1bb", "!do not print"}, {"-----BEGIN CERTIFICATE-----", "!holds no certificate"}}},
	{"opencti.client_cert", "OPENCTI_CLIENT_CERT", `""`, tries{{"/cert.pem", "!its key is not"}}},
	{"opencti.client_key", "OPENCTI_CLIENT_KEY", `""`, tries{{"/key.pem", "!its certificate is not"}}},
	{"opencti.custom_headers", "OPENCTI_CUSTOM_HEADERS", `""`, tries{
		{"X-Api-Key: abc;; Cf-Access: x:y ;", `"***"`}, {"X-Api-Key", "!no header"}, {"X Key: abc", "!no header"}, {"authorization: Basic x", "!holds the header Authorization"}}},
	{"connector.id", "CONNECTOR_ID", `""`, tries{{strings.ToUpper(id), `"` + id + `"`}, {"harfanglab", "!no UUID"}, {"urn:uuid:" + id, "!no UUID"}, {strings.ReplaceAll(id, "-", ""), "!no UUID"}}},
	{"connector.name", "CONNECTOR_NAME", `"HarfangLab"`, tries{{"HarfangLab Paris", `"HarfangLab Paris"`}}},
	{"connector.type", "CONNECTOR_TYPE", `"EXTERNAL_IMPORT"`, tries{{"STREAM", `"STREAM"`}, {"ENRICHMENT", "!EXTERNAL_IMPORT"}}},
	{"connector.auto", "CONNECTOR_AUTO", `false`, tries{{"true", `true`}}},
	{"connector.scope", "CONNECTOR_SCOPE", `"harfanglab"`, tries{{"anything", `"anything"`}, {"ChangeMe", `"harfanglab"`}}},
	{"connector.live_stream_id", "CONNECTOR_LIVE_STREAM_ID", `"live"`, tries{{"live", `"live"`}, {"LIVE", `"live"`}, {id, `"` + id + `"`}, {"raw", "!no UUID"}}},
	{"connector.live_stream_listen_delete", "CONNECTOR_LIVE_STREAM_LISTEN_DELETE", `true`, tries{{"true", `true`}, {"false", "!would leave rules"}}},
	{"connector.live_stream_no_dependencies", "CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES", `false`, tries{{"true", `true`}, {"false", `false`}}},
	{"connector.log_level", "CONNECTOR_LOG_LEVEL", `"info"`, tries{{"DEBUG", `"debug"`}, {"warning", `"warn"`}, {"warn", `"warn"`}, {"error", `"error"`}, {"loud", "!none of its values"}}},
	{"harfanglab.url", "HARFANGLAB_URL", `""`, tries{{"https://a1b2.hurukai.io:8443/", `"https://a1b2.hurukai.io:8443"`}}},
	{"harfanglab.ssl_verify", "HARFANGLAB_SSL_VERIFY", `true`, tries{{"false", `false`}}},
	{"harfanglab.ca_bundle", "HARFANGLAB_CA_BUNDLE", `""`, tries{{"/none.pem", "!cannot be read"}}},
	{"harfanglab.client_cert", "HARFANGLAB_CLIENT_CERT", `""`, tries{{"/cert.pem", "!its key is not"}}},
	{"harfanglab.client_key", "HARFANGLAB_CLIENT_KEY", `""`, tries{{"/key.pem", "!its certificate is not"}}},
	{"harfanglab.token", "HARFANGLAB_TOKEN", `""`, tries{{"abc", `"***"`}, {"Token abc", `"***"`}, {"Token", "!no token"}}},
	{"harfanglab.login", "HARFANGLAB_LOGIN", `""`, tries{{"soc", `"soc"`}}},
	{"harfanglab.password", "HARFANGLAB_PASSWORD", `""`, tries{{"p w", `"***"`}}},
	{"harfanglab.source_list_name", "HARFANGLAB_SOURCE_LIST_NAME", `"from_OpenCTI"`, tries{{"cti", `"cti"`}}},
	{"harfanglab.remove_indicator", "HARFANGLAB_REMOVE_INDICATOR", `false`, tries{{"true", `true`}}},
	{"harfanglab.rule_maturity", "HARFANGLAB_RULE_MATURITY", `"stable"`, tries{{"Testing", `"testing"`}, {"experimental", "!none of its values"}}},
	{"harfanglab.import_security_events_as_incidents", "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS", `false`, tries{{"true", `true`}}},
	{"harfanglab.import_threats_as_case_incidents", "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS", `false`, tries{{"true", "!needs the import of alerts"}}},
	{"harfanglab.import_security_events_filters_by_status", "HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS", `["new","investigating"]`, tries{
		{"closed,New ,, false_positive", `["new","false_positive","closed"]`}, {"probable_false_positive", `["probable_false_positive"]`}, {"new,old", `!"old"`},
	}},
	{"harfanglab.import_filters_by_alert_type", "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE", `["ioc","sigma","yara"]`, tries{
		{"yara, SIGMA", `["sigma","yara"]`}, {"all", `["all"]`}, {"ioc,ALL", `["all"]`}, {"driver", `!"driver"`},
	}},
	{"harfanglab.import_start_date", "HARFANGLAB_IMPORT_START_DATE", `"P7D"`, tries{
		{"1970-01-01", `"1970-01-01T00:00:00Z"`}, {"2026-01-31T08:00:00+02:00", `"2026-01-31T06:00:00Z"`}, {"2026-01-31 08:00", `"2026-01-31T08:00:00Z"`},
		{"P30D", `"P30D"`}, {"30 days ago", `"P30D"`}, {"yesterday", "!no time"},
	}},
	{"harfanglab.default_markings", "HARFANGLAB_DEFAULT_MARKINGS", `"TLP:AMBER"`, tries{
		{"tlp:white", `"TLP:CLEAR"`}, {"GREEN", `"TLP:GREEN"`}, {"TLP:AMBER+STRICT", `"TLP:AMBER+STRICT"`}, {"TLP:RED", `"TLP:RED"`}, {"PAP:RED", "!no TLP marking"},
	}},
	{"harfanglab.default_score", "HARFANGLAB_DEFAULT_SCORE", `50`, tries{{"1", `1`}, {"100", `100`}, {"0", "!from 1 to 100"}, {"101", "!from 1 to 100"}, {"5.5", "!from 1 to 100"}}},
	{"sync.parallelism", "HARFANGSYNC_PARALLELISM", `8`, tries{{"1", `1`}, {"0", "!from 1"}}},
	{"sync.rate_limit", "HARFANGSYNC_RATE_LIMIT", `0`, tries{{"2.5", `2.5`}, {"none", `0`}, {"-1", "!no number"}, {"NaN", "!no number"}, {"Inf", "!no number"}}},
	{"sync.page_size", "HARFANGSYNC_PAGE_SIZE", `500`, tries{{"5000", `5000`}, {"5001", "!from 1 to 5000"}}},
	{"sync.request_timeout", "HARFANGSYNC_REQUEST_TIMEOUT", `"2m"`, tries{{"10s", `"10s"`}, {"1m30s", `"1m30s"`}, {"90", `"1m30s"`}, {"0", "!too short"}, {"none", "!no duration"}, {"-1s", "!no duration"}, {"1e300", "!no duration"}}},
	{"sync.run_every", "HARFANGSYNC_RUN_EVERY", `"none"`, tries{{"15m", `"15m"`}, {"0", `"none"`}, {"hourly", "!no duration"}}},
	{"sync.deadline", "HARFANGSYNC_DEADLINE", `"none"`, tries{{"1h", `"1h"`}, {"0", `"none"`}, {"None", `"none"`}, {"1h30m", `"1h30m"`}, {"soon", "!no duration"}}},
	{"sync.values_from", "HARFANGSYNC_VALUES_FROM", `"pattern+observables"`, tries{{"Pattern", `"pattern"`}, {"observables", "!none of its values"}}},
	{"sync.hashes", "HARFANGSYNC_HASHES", `"all"`, tries{{"strongest", `"strongest"`}, {"best", "!none of its values"}}},
	{"sync.sigma", "HARFANGSYNC_SIGMA", `"translate"`, tries{{"Verbatim", `"verbatim"`}, {"off", "!none of its values"}}},
	{"sync.behaviour", "HARFANGSYNC_BEHAVIOUR", `"off"`, tries{{"Sigma", `"sigma"`}, {"on", "!none of its values"}}},
	{"sync.yara_modules", "HARFANGSYNC_YARA_MODULES", `["console","dotnet","elf","hash","macho","math","pe","string","time"]`, tries{{"PE, cuckoo", `["cuckoo","pe"]`}}},
	{"sync.detection", "HARFANGSYNC_DETECTION", `"stream"`, tries{{"required", `"required"`}, {"any", `"any"`}, {"true", "!none of its values"}}},
	{"sync.min_score", "HARFANGSYNC_MIN_SCORE", `"none"`, tries{{"0", `0`}, {"70", `70`}, {"none", `"none"`}, {"101", "!from 0 to 100"},
		{"ioc=60,sigma=0", `{"ioc":60,"sigma":0}`}, {"YARA = 5", `{"yara":5}`}, {"ioc=60, sigma=60, yara=60", `60`},
		{"ioc=60, sigm=0", "!did you mean sigma?"}, {"ioc=", "!from 0 to 100"}, {"ioc=1, ioc=2", "!names ioc twice"}, {"ioc=101", "!from 0 to 100"}}},
	{"sync.labels", "HARFANGSYNC_LABELS", `[]`, tries{{"Blocklist, apt ,\n blocklist,", `["apt","blocklist"]`}, {"a\x1bb", "!do not print"}}},
	{"sync.exclude_labels", "HARFANGSYNC_EXCLUDE_LABELS", `[]`, tries{{"Test", `["test"]`}}},
	{"sync.max_tlp", "HARFANGSYNC_MAX_TLP", `"none"`, tries{{"amber+strict", `"TLP:AMBER+STRICT"`}, {"WHITE", `"TLP:CLEAR"`}, {"none", `"none"`}, {"blue", "!no TLP marking"}}},
	{"sync.exclusions", "HARFANGSYNC_EXCLUSIONS", `[]`, tries{{"/none.txt", "!cannot be read"}}},
	{"sync.builtin_exclusions", "HARFANGSYNC_BUILTIN_EXCLUSIONS", `true`, tries{{"off", `false`}}},
	{"sync.mapping", "HARFANGSYNC_MAPPING", `""`, tries{
		{"[{level: HIGH, match: {min_score: 80, kind: [yara, stix], label: Apt}}, {maturity: testing}]", `[{"match":{"min_score":80,"kind":["ioc","yara"],"label":["apt"]},"level":"high"},{"maturity":"testing"}]`},
		{"/none.yml", "!cannot be read"}, {"[{level: hihg}]", "!did you mean high?"}, {"[{]", "!no valid YAML"},
	}},
	{"sync.analyst_disable", "HARFANGSYNC_ANALYST_DISABLE", `"respect"`, tries{{"revert", `"revert"`}, {"ignore", "!none of its values"}}},
	{"sync.unmanaged", "HARFANGSYNC_UNMANAGED", `"report"`, tries{{"adopt", `"adopt"`}, {"remove", `"remove"`}, {"delete", "!none of its values"}}},
	{"sync.adopt_names", "HARFANGSYNC_ADOPT_NAMES", `false`, tries{{"yes", `true`}, {"maybe", "!is neither true nor false"}}},
	{"sync.policy", "HARFANGSYNC_POLICY", `"sync"`, tries{{"upsert-only", `"upsert-only"`}, {"create-only", `"create-only"`}, {"delete-only", "!none of its values"}}},
	{"sync.impact", "HARFANGSYNC_IMPACT", `"off"`, tries{{"report", `"report"`}, {"True", `"report"`}, {"OFF", `"off"`}, {"hold", "!neither of its values"}}},
	{"sync.impact_days", "HARFANGSYNC_IMPACT_DAYS", `7`, tries{{"30", `30`}, {"0", "!from 1 to 90"}}},
	{"sync.impact_budget", "HARFANGSYNC_IMPACT_BUDGET", `500`, tries{{"50", `50`}, {"0", "!from 1"}}},
	{"sync.impact_names", "HARFANGSYNC_IMPACT_NAMES", `true`, tries{{"false", `false`}}},
	{"sync.promote.after", "HARFANGSYNC_PROMOTE_AFTER", `"none"`, tries{{"14d", `"336h"`}, {"None", `"none"`}, {"-1d", "!no duration"}, {"x", "!no duration"}}},
	{"sync.promote.min_alerts", "HARFANGSYNC_PROMOTE_MIN_ALERTS", `0`, tries{{"3", `3`}, {"-1", "!from 0"}}},
	{"sync.promote.max_false_positives", "HARFANGSYNC_PROMOTE_MAX_FALSE_POSITIVES", `0`, tries{{"1", `1`}, {"x", "!from 0"}}},
	{"sync.on_refusal", "HARFANGSYNC_ON_REFUSAL", `"hold"`, tries{{"Stop", `"stop"`}, {"go", "!none of its values"}}},
	{"sync.limits.source_shrink", "HARFANGSYNC_LIMITS_SOURCE_SHRINK", `20`, tries{{"0", `0`}, {"35%", `35`}, {"101", "!from 0 to 100"}}},
	{"sync.limits.additions", "HARFANGSYNC_LIMITS_ADDITIONS", `1000`, tries{{"50", `50`}, {"0", "!from 1"}}},
	{"sync.limits.changes", "HARFANGSYNC_LIMITS_CHANGES", `200`, tries{{"50", `50`}, {"0", "!from 1"}}},
	{"sync.limits.values", "HARFANGSYNC_LIMITS_VALUES", `5000`, tries{{"50", `50`}, {"0", "!from 1"}}},
	{"sync.limits.impact", "HARFANGSYNC_LIMITS_IMPACT", `1`, tries{{"5 %", `5`}, {"101", "!from 0 to 100"}}},
	{"sync.limits.window", "HARFANGSYNC_LIMITS_WINDOW", `"24h"`, tries{{"7200", `"2h"`}, {"1s", "!too short"}}},
	{"sync.limits.failures", "HARFANGSYNC_LIMITS_FAILURES", `10`, tries{{"3", `3`}, {"0", "!from 1"}}},
	{"sync.limits.plan_age", "HARFANGSYNC_LIMITS_PLAN_AGE", `"24h"`, tries{{"3600", `"1h"`}, {"0", "!too short"}}},
	{"sync.state", "HARFANGSYNC_STATE", `"opencti"`, tries{{"none", `"none"`}, {"file:/var/lib/state.json", `"file:/var/lib/state.json"`}, {"file:", "!no place"}, {"/var/lib", "!no place"}}},
	{"sync.lock", "HARFANGSYNC_LOCK", `"opencti"`, tries{{"none", `"none"`}, {"file:./lock", `"file:lock"`}, {"redis", "!no place"}}},
	{"sync.lock_timeout", "HARFANGSYNC_LOCK_TIMEOUT", `"2m"`, tries{{"0", `"0s"`}, {"5m", `"5m"`}}},
	{"sync.tail.quiet", "HARFANGSYNC_TAIL_QUIET", `"1s"`, tries{{"500ms", `"500ms"`}, {"0", `"0s"`}}},
	{"sync.tail.full_every", "HARFANGSYNC_TAIL_FULL_EVERY", `"1h"`, tries{{"30m", `"30m"`}, {"0", "!too short"}}},
	{"sync.tail.patience", "HARFANGSYNC_TAIL_PATIENCE", `"15m"`, tries{{"90s", `"1m30s"`}, {"0", `"0s"`}}},
	{"sync.tail.pull_every", "HARFANGSYNC_TAIL_PULL_EVERY", `"5m"`, tries{{"90s", `"1m30s"`}, {"0", "!too short"}}},
	{"sync.listen", "HARFANGSYNC_LISTEN", `""`, tries{
		{"9090", `"127.0.0.1:9090"`}, {":9090", `"127.0.0.1:9090"`}, {"0.0.0.0:9090", `"0.0.0.0:9090"`}, {"[::]:9090", `"[::]:9090"`}, {"localhost:0", `"localhost:0"`},
		{"here", "!no port from 0 to 65535"}, {"::1", "!no host and port"}, {"a:b:c", "!no host and port"}, {":65536", "!no port"}, {":+1", "!no port"}, {"a b:9090", "!no host"}, {"http://x:9090", "!no host and port"},
	}},
	{"sync.metrics.textfile", "HARFANGSYNC_METRICS_TEXTFILE", `""`, tries{{"/var/lib/node_exporter/harfangsync.prom", `"/var/lib/node_exporter/harfangsync.prom"`}}},
	{"sync.metrics.pushgateway", "HARFANGSYNC_METRICS_PUSHGATEWAY", `""`, tries{{"http://Gateway:9091/", `"http://gateway:9091"`}, {"https://u:hunter2@x", "!user name"}, {"gateway:9091", "!no http or https"}}},
	{"sync.metrics.pushgateway_login", "HARFANGSYNC_METRICS_PUSHGATEWAY_LOGIN", `""`, tries{{"job", "!its password is not"}}},
	{"sync.metrics.pushgateway_password", "HARFANGSYNC_METRICS_PUSHGATEWAY_PASSWORD", `""`, tries{{"p w", "!its login is not"}}},
	{"sync.notify.webhook", "HARFANGSYNC_NOTIFY_WEBHOOK", `""`, tries{
		{"https://hooks.example/a/b?key=c", `"***"`}, {"http://u:p@[::1]:8080/x", `"***"`}, {"hooks.example/a", "!no http or https"}, {"ftp://hooks.example/a", "!no http or https"},
		{"https:///a", "!no http or https"}, {"https://hooks.example:port/", "!no http or https"}, {"mailto:soc@example.org", "!no http or https"},
	}},
	{"sync.notify.on", "HARFANGSYNC_NOTIFY_ON", `["apply","refusal","failure"]`, tries{{"Failure, refusal", `["refusal","failure"]`}, {"success", `!"success"`}}},
}

func TestEverySetting(t *testing.T) {
	c, err := load("", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := len(c.Effective()); got != len(everySetting) {
		t.Errorf("%d settings, the table has %d", got, len(everySetting))
	}
	for _, tt := range everySetting {
		t.Run(tt.setting, func(t *testing.T) {
			if got := effective(t, c, tt.setting); got != tt.def {
				t.Errorf("default %s, want %s", got, tt.def)
			}
			for _, try := range tt.tries {
				for source, load := range map[string]func() (*config.Config, error){
					"environment": func() (*config.Config, error) { return load("", tt.env+"="+try[0]) },
					"file":        func() (*config.Config, error) { return load(inYAML(tt.setting, try[0]), "") },
				} {
					c, err := load()
					if message, fails := strings.CutPrefix(try[1], "!"); fails {
						if ps := problems(err); len(ps) != 1 || ps[0].Setting != tt.setting || !strings.Contains(err.Error(), message) {
							t.Errorf("%q from the %s: got %v, want a problem of %s that says %q", try[0], source, err, tt.setting, message)
						}
						continue
					}
					if err != nil {
						t.Errorf("%q from the %s: %v", try[0], source, err)
						continue
					}
					if got := effective(t, c, tt.setting); got != try[1] {
						t.Errorf("%q from the %s: got %s, want %s", try[0], source, got, try[1])
					}
				}
			}
		})
	}
}

// inYAML is a config.yml with one setting.
func inYAML(path, value string) string {
	var b strings.Builder
	words := strings.Split(path, ".")
	for depth, w := range words[:len(words)-1] {
		fmt.Fprintf(&b, "%s%s:\n", strings.Repeat("  ", depth), w)
	}
	fmt.Fprintf(&b, "%s%s: %q\n", strings.Repeat("  ", len(words)-1), words[len(words)-1], value)
	return b.String()
}

func TestPrecedence(t *testing.T) {
	f := files{"config.yml": "sync:\n  page_size: 100\n", "other.yml": "sync:\n  page_size: 200\n", "third.yml": "sync:\n  page_size: 250\n"}
	for _, tt := range []struct {
		name   string
		in     config.Sources
		want   int
		origin string
	}{
		{"a flag wins over everything", config.Sources{Env: []string{"HARFANGSYNC_PAGE_SIZE=300"}, Flags: map[string]string{"sync.page_size": "400"}}, 400, "flag --page-size"},
		{"the environment wins over the file", config.Sources{Env: []string{"HARFANGSYNC_PAGE_SIZE=300"}}, 300, "environment HARFANGSYNC_PAGE_SIZE"},
		{"the file wins over the default", config.Sources{}, 100, "config.yml line 2: sync.page_size"},
		{"HARFANGSYNC_CONFIG names another file", config.Sources{Env: []string{"HARFANGSYNC_CONFIG=other.yml"}}, 200, "other.yml line 2: sync.page_size"},
		{"--config wins over HARFANGSYNC_CONFIG", config.Sources{Path: "third.yml", Env: []string{"HARFANGSYNC_CONFIG=other.yml"}}, 250, "third.yml line 2: sync.page_size"},
		{"an empty variable is unset", config.Sources{Env: []string{"HARFANGSYNC_PAGE_SIZE= ", "HARFANGSYNC_CONFIG="}}, 100, "config.yml line 2: sync.page_size"},
		{"an empty flag is unset", config.Sources{Flags: map[string]string{"sync.page_size": ""}}, 100, "config.yml line 2: sync.page_size"},
		{"of one name twice the first counts", config.Sources{Env: []string{"HARFANGSYNC_PAGE_SIZE=300", "HARFANGSYNC_PAGE_SIZE=301"}}, 300, "environment HARFANGSYNC_PAGE_SIZE"},
		{"a value that is overridden is not looked at", config.Sources{Env: []string{"HARFANGSYNC_PAGE_SIZE=many"}, Flags: map[string]string{"sync.page_size": "400"}}, 400, "flag --page-size"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			tt.in.ReadFile = f.read
			c, err := config.Load(tt.in)
			if err != nil {
				t.Fatal(err)
			}
			origin := ""
			for _, e := range c.Effective() {
				if e.Setting == "sync.page_size" {
					origin = e.Origin.String()
				}
			}
			if c.Sync.PageSize != tt.want || origin != tt.origin {
				t.Errorf("got %d (%s), want %d (%s)", c.Sync.PageSize, origin, tt.want, tt.origin)
			}
		})
	}
}

func TestSettingsFile(t *testing.T) {
	for _, tt := range []struct {
		name, yml string
		problems  []string
		warnings  []string
	}{
		{"an empty file sets nothing", "", nil, nil},
		{"comments alone set nothing", "# nothing\n", nil, nil},
		{"empty sections and values set nothing", "sync:\nharfanglab:\n  url:\n  token: ''\n  default_score: ~\n  import_filters_by_alert_type: []\n", nil, nil},
		{"lists are lists", "sync:\n  labels: [a, b]\n  exclude_labels:\n  - x, y\n", nil, nil},
		{"merge keys are followed", "base: &b\n  url: https://x\nharfanglab:\n  <<: *b\n", nil, []string{"base (config.yml line 1) is no setting and is not read"}},
		{"an unknown key under sync is an error with a suggestion", "sync:\n  paralelism: 4\n", []string{`sync.paralelism: is no setting (config.yml line 2); did you mean sync.parallelism?`}, nil},
		{"a key with dashes is known by its suggestion", "sync:\n  rate-limit: 4\n", []string{`sync.rate-limit: is no setting (config.yml line 2); did you mean sync.rate_limit?`}, nil},
		{"a key on the wrong level is known by its suggestion", "sync:\n  source_shrink: 4\n", []string{`sync.source_shrink: is no setting (config.yml line 2); did you mean sync.limits.source_shrink?`}, nil},
		{"an unknown key deep under sync is an error", "sync:\n  limits:\n    sauce: 4\n", []string{`sync.limits.sauce: is no setting (config.yml line 3)`}, nil},
		{"unknown keys elsewhere are one warning each", "harfanglab:\n  remove_indicators: true\n  colour: red\nlogging:\n  level: x\n", nil, []string{
			"harfanglab.remove_indicators (config.yml line 2) is no setting and is not read; did you mean harfanglab.remove_indicator?",
			"harfanglab.colour (config.yml line 3) is no setting and is not read",
			"logging (config.yml line 4) is no setting and is not read",
		}},
		{"a misspelt section is a warning with a suggestion", "synch:\n  page_size: 4\n", nil, []string{"synch (config.yml line 1) is no setting and is not read; did you mean sync?"}},
		{"keys of the old connectors are expected", "connector:\n  type: STREAM\n  confidence_level: 80\n  send_to_directory: false\n", nil, nil},
		{"what they ask for and is not done is a warning", "connector:\n  send_to_directory: true\n", nil, []string{
			"connector.send_to_directory (config.yml line 2) is known from the old connectors and has no effect: what is imported goes to OpenCTI alone; pull --dry-run prints it"}},
		{"a key that stands twice is an error", "sync:\n  page_size: 4\n  page_size: 5\n", []string{"sync.page_size: stands twice (config.yml line 3); keep one"}, nil},
		{"a section that is a value is an error", "sync: 4\n", []string{"sync: holds a single value where settings belong (config.yml line 1); write the settings below it, each on its own line, indented"}, nil},
		{"a value that is a section is an error", "sync:\n  page_size:\n    x: 1\n", []string{"sync.page_size: holds settings where a single value belongs (config.yml line 2); write one value, or a list where one is asked for"}, nil},
		{"a list where a value belongs is an error", "sync:\n  page_size: [1, 2]\n", []string{`sync.page_size: "1, 2" is a list (config.yml line 2: sync.page_size); write one value`}, nil},
		{"a list of lists is an error", "sync:\n  labels: [[a]]\n", []string{"sync.labels: holds something else than single values in its list (config.yml line 2); write one value an entry"}, nil},
		{"two documents are an error", "sync: {}\n---\nsync: {}\n", []string{"holds more than one document (config.yml); keep one"}, nil},
		{"a syntax error names the line", "sync:\n\t- x\n", []string{"is no valid YAML: line 2: found character that cannot start any token (config.yml)"}, nil},
		{"an unquoted password is not repeated", "harfanglab:\n  password: *hunter2\n", []string{"is no valid YAML: an alias or an anchor in it is not valid (config.yml); put quotes around values that begin with * or &"}, nil},
		{"an alias of itself is an error", "sync: &s\n  limits: *s\n", []string{"sync.limits.limits"}, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := load(tt.yml, "")
			var got []string
			for _, p := range problems(err) {
				got = append(got, p.Error())
			}
			if tt.name == "an alias of itself is an error" { // the text matters less than that it ends
				if len(got) == 0 {
					t.Error("no problem")
				}
				return
			}
			if diff := cmp.Diff(tt.problems, got); diff != "" {
				t.Fatalf("problems (-want +got):\n%s", diff)
			}
			if err == nil {
				if diff := cmp.Diff(tt.warnings, c.Warnings); diff != "" {
					t.Errorf("warnings (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// Scores by kind are a mapping in the file, and one word for all three otherwise.
func TestScoresByKind(t *testing.T) {
	for yml, want := range map[string]string{
		"{ioc: 60, sigma: 0}": `{"ioc":60,"sigma":0}`, "{ioc: 50, sigma: 50, yara: 50}": `50`, "{ioc: 60, yara: }": `{"ioc":60}`, "{ioc: }": `"none"`, "{}": `"none"`,
	} {
		c, err := load("sync:\n  min_score: "+yml+"\n", "")
		if err != nil {
			t.Fatal(err)
		}
		if got := effective(t, c, "sync.min_score"); got != want {
			t.Errorf("%s is %s, want %s", yml, got, want)
		}
		if again, err := load(printed(t, c), ""); err != nil || effective(t, again, "sync.min_score") != want {
			t.Errorf("%s, printed and loaded, is %s (%v)", yml, effective(t, again, "sync.min_score"), err)
		}
	}
	for yml, want := range map[string]string{"{stix: 60}": "is none of its values", "{ioc: [60]}": "holds settings where a single value belongs", "[60]": "is a list"} {
		if _, err := load("sync:\n  min_score: "+yml+"\n", ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", yml, err, want)
		}
	}
}

func TestAListItemMayHoldAComma(t *testing.T) {
	c, err := load("sync:\n  labels: ['a, b', c]\n", "")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a, b", "c"}, c.Sync.Selection(true).Labels); diff != "" {
		t.Errorf("labels (-want +got):\n%s", diff)
	}
}

func TestAFileThatWasNamedMustBeThere(t *testing.T) {
	for origin, in := range map[string]config.Sources{
		"flag --config":                  {Path: "x.yml", ReadFile: files{}.read},
		"environment HARFANGSYNC_CONFIG": {Env: []string{"HARFANGSYNC_CONFIG=x.yml"}, ReadFile: files{}.read},
	} {
		_, err := config.Load(in)
		if ps := problems(err); len(ps) != 1 || ps[0].Origin.String() != origin || !strings.Contains(ps[0].Message, "x.yml") {
			t.Errorf("%s: got %v", origin, err)
		}
	}
}

func TestSecrets(t *testing.T) {
	for _, tt := range []struct {
		name, env string
		files     files
		token     string
		password  string
		problem   string
		warning   string
	}{
		{name: "a token from its variable", env: "HARFANGLAB_TOKEN=abc", token: "abc"},
		{name: "the word Token is dropped in any case", env: "HARFANGLAB_TOKEN=token  abc", token: "abc"},
		{name: "the prefix that consoles show is dropped", env: "HARFANGLAB_TOKEN=Token token_abc", token: "abc"},
		{name: "one pair of quotes around a value is taken off", env: `HARFANGLAB_TOKEN="abc"` + "\nHARFANGLAB_PASSWORD='a\"b'", token: "abc", password: `a"b`,
			warning: "environment HARFANGLAB_PASSWORD: the quotes around its value are no part of it and are taken off; remove them\nenvironment HARFANGLAB_TOKEN: the quotes around its value are no part of it and are taken off; remove them"},
		{name: "quotes inside of a value stay", env: `HARFANGLAB_PASSWORD="a" and "b"`, password: `"a" and "b"`},
		{name: "a token from a file loses its line end", env: "HARFANGLAB_TOKEN_FILE=/t", files: files{"/t": "abc\n"}, token: "abc"},
		{name: "a password from a file loses one line end and nothing else", env: "HARFANGLAB_PASSWORD_FILE=/p", files: files{"/p": " a b \r\n"}, password: " a b "},
		{name: "a password from its variable keeps its blanks", env: "HARFANGLAB_PASSWORD=a,b c", password: "a,b c"},
		{name: "a successor's file", env: "HARFANGLAB_INTEL_TOKEN_FILE=/t", files: files{"/t": "abc"}, token: "abc"},
		{name: "the variable and the file may say the same", env: "HARFANGLAB_TOKEN=Token abc\nHARFANGLAB_TOKEN_FILE=/t", files: files{"/t": "abc\n"}, token: "abc"},
		{name: "the variable and the file may not differ", env: "HARFANGLAB_TOKEN=hunter1\nHARFANGLAB_TOKEN_FILE=/t", files: files{"/t": "hunter2\n"},
			problem: "harfanglab.token: is set under two names to different values (environment HARFANGLAB_TOKEN and environment HARFANGLAB_TOKEN_FILE, file /t); keep one of them"},
		{name: "a file that is not there is an error", env: "OPENCTI_TOKEN_FILE=/t", problem: "opencti.token: its file cannot be read: /t: file does not exist (environment OPENCTI_TOKEN_FILE)"},
		{name: "a token in place of its file is not shown", env: "OPENCTI_TOKEN_FILE=hunter2", problem: "opencti.token: its file cannot be read: a name that is no whole path, and is not shown since it may be the secret itself: file does not exist (environment OPENCTI_TOKEN_FILE)"},
		{name: "an empty file is a warning", env: "OPENCTI_TOKEN_FILE=/t", files: files{"/t": "\n"}, warning: "opencti.token: the file /t (environment OPENCTI_TOKEN_FILE) is empty"},
		{name: "a wrong token is not shown", env: "HARFANGLAB_TOKEN=hunter2 hunter2", problem: "harfanglab.token: is no token (environment HARFANGLAB_TOKEN); write the token alone; it has no blanks or line ends"},
		{name: "an address with a password is not shown", env: "OPENCTI_URL=https://u:hunter2@x", problem: "opencti.url: has a user name in the address (environment OPENCTI_URL); write the address alone and the credentials in their own settings"},
		{name: "nor one that cannot be parsed", env: "OPENCTI_URL=https://u:hunter2@x:y", problem: "opencti.url: is no address (environment OPENCTI_URL); write it as https://host, https://host:port or https://host/path"},
		{name: "nor a token in its place", env: "OPENCTI_URL=3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11", problem: "opencti.url: is no http or https address (environment OPENCTI_URL); write it as https://host, https://host:port or https://host/path"},
		{name: "nor one of another form", env: "OPENCTI_URL=flgrn_octi_tkn_s3cret", problem: "opencti.url: is no http or https address (environment OPENCTI_URL); write it as https://host, https://host:port or https://host/path"},
		{name: "nor a token in its path", env: "HARFANGLAB_URL=https://edr.example/0123456789abcdef0123456789abcdef01234567/", problem: "harfanglab.url: has what looks like a token in it (environment HARFANGLAB_URL); write the address alone and the token in its own setting"},
		{name: "nor a token for its host", env: "OPENCTI_URL=https://3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11", problem: "opencti.url: has what looks like a token in it (environment OPENCTI_URL); write the address alone and the token in its own setting"},
		{name: "nor a token behind it", env: "OPENCTI_URL=https://opencti.example s3cret", problem: "opencti.url: is no address (environment OPENCTI_URL); write it as https://host, https://host:port or https://host/path"},
		{name: "a remote address without encryption is a warning", env: "OPENCTI_URL=http://opencti:8080", warning: "opencti.url is an http address: tokens, and all that is read and written, can be read and changed on their way; use https"},
		{name: "on this machine it is none", env: "OPENCTI_URL=http://localhost:8080\nHARFANGLAB_URL=http://[::1]:8081"},
		{name: "nor in 127.0.0.0/8", env: "OPENCTI_URL=http://127.0.0.2:8080\nHARFANGLAB_URL=https://edr.example"},
		{name: "nor in a conflict", env: "HARFANGLAB_URL=https://u:hunter2@x\nHARFANGLAB_INTEL_URL=https://y",
			problem: `harfanglab.url: is set under two names to different values, "..." and "https://y" (environment HARFANGLAB_URL and environment HARFANGLAB_INTEL_URL); keep one of them`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if tt.files == nil {
				tt.files = files{}
			}
			c, err := config.Load(config.Sources{Env: lines(tt.env), ReadFile: tt.files.read})
			if tt.problem != "" {
				if err == nil || err.Error() != tt.problem {
					t.Errorf("got  %v\nwant %s", err, tt.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := c.HarfangLab.Token.Reveal(); got != tt.token {
				t.Errorf("token %q, want %q", got, tt.token)
			}
			if got := c.HarfangLab.Password.Reveal(); got != tt.password {
				t.Errorf("password %q, want %q", got, tt.password)
			}
			if got := strings.Join(c.Warnings, "\n"); got != tt.warning {
				t.Errorf("warnings %q, want %q", got, tt.warning)
			}
		})
	}
}

func TestNoSecretHasAFlag(t *testing.T) {
	for _, f := range config.Flags() {
		if strings.Contains(f.Setting, "token") || strings.Contains(f.Setting, "password") {
			t.Errorf("--%s", f.Name)
		}
	}
	_, err := config.Load(config.Sources{Flags: map[string]string{"harfanglab.token": "hunter2"}, ReadFile: files{}.read})
	if err == nil || strings.Contains(err.Error(), "hunter2") || len(problems(err)) != 1 {
		t.Errorf("got %v, want a problem without the value", err)
	}
}

func TestAllProblemsAtOnce(t *testing.T) {
	_, err := load("sync:\n  pagesize: 1\nharfanglab:\n  default_score: 1000\n",
		"OPENCTI_URL=opencti\nCONNECTOR_ID=ChangeMe\nHARFANGSYNC_PARALLELISM=many\nHARFANGLAB_LOGIN=soc",
		config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance)
	var got []string
	for _, p := range problems(err) {
		got = append(got, p.Setting)
		if p.Message == "" {
			t.Errorf("%s: no message", p.Setting)
		}
	}
	want := []string{"sync.pagesize", "opencti.url", "harfanglab.default_score", "sync.parallelism", "connector.id", "opencti.token", "harfanglab.url", "harfanglab.password"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("settings with problems (-want +got):\n%s", diff)
	}
}

// What completion offers is taken.
func TestFlagsTakeTheirValues(t *testing.T) {
	offered := 0
	for _, f := range config.Flags() {
		for _, v := range f.Values {
			offered++
			if v == "file:" {
				v += "/var/lib/harfangsync/state.json"
			}
			if _, err := config.Load(config.Sources{Flags: map[string]string{f.Setting: v}, ReadFile: files{}.read}); err != nil {
				t.Errorf("--%s %s: %v", f.Name, v, err)
			}
		}
	}
	if offered < 30 {
		t.Errorf("%d values are offered; the test looks at too little", offered)
	}
}
