package migrate_test

import (
	"bufio"
	"encoding/pem"
	"errors"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/migrate"
)

const (
	octiToken = "8a1f3f3a-8d1d-4a65-9d1c-2d5b0a7f7c10"
	hlToken   = "s3cret#token"
	id        = "0b0f0d1e-3f57-4b0c-8f0b-3f6f0c9f4a10"
	otherID   = "0b0f0d1e-3f57-4b0c-8f0b-3f6f0c9f4a11"
)

var now = time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC)

// written migrates files, of which those that begin with a dash are only beside the others, and gives what is in force.
func written(t *testing.T, files map[string]string, o migrate.Options) (dir string, settings map[string]any, res *migrate.Result) {
	t.Helper()
	dir = t.TempDir()
	for name, content := range files {
		beside, only := strings.CutPrefix(name, "-")
		if err := os.WriteFile(filepath.Join(dir, beside), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if !only {
			o.Files = append(o.Files, filepath.Join(dir, beside))
		}
	}
	o.Now = now
	res, err := migrate.Read(o)
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "new")
	if _, _, err := res.Write(out, false); err != nil {
		t.Fatal(err)
	}
	var env []string
	for line := range strings.Lines(file(t, out, migrate.Env)) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && name[0] != '#' {
			env = append(env, name+"="+strings.Trim(value, "'"))
		}
	}
	c, err := config.Load(config.Sources{Env: env, Needs: []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance}})
	if err != nil {
		return dir, nil, res
	}
	settings = map[string]any{"tokens": c.OpenCTI.Token.Reveal() + " " + c.HarfangLab.Token.Reveal()}
	for _, s := range c.Stated() {
		if s.Setting != "opencti.token" && s.Setting != "harfanglab.token" {
			settings[s.Setting] = s.Value
		}
	}
	return dir, settings, res
}

func file(t *testing.T, path ...string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(path...))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Every form in which people have the same environment gives the same settings.
func TestFormsOfOneEnvironment(t *testing.T) {
	want := map[string]any{"tokens": octiToken + " " + hlToken, "opencti.url": "https://opencti.example", "connector.id": id, "connector.name": "HarfangLab Paris",
		"harfanglab.url": "https://edr.example:8443", "harfanglab.remove_indicator": true}
	lines := "OPENCTI_URL=https://opencti.example\nOPENCTI_TOKEN=" + octiToken + "\nCONNECTOR_ID=" + id + "\nCONNECTOR_NAME=HarfangLab Paris\n" +
		"HARFANGLAB_URL=https://edr.example:8443/\nHARFANGLAB_TOKEN=" + hlToken + "\nHARFANGLAB_REMOVE_INDICATOR=True\n"
	list := func(form func(name, value string) string) string {
		out := "services:\n  edr:\n    environment:\n"
		for line := range strings.Lines(lines) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			out += "      " + form(name, value) + "\n"
		}
		return out
	}
	mapping := list(func(name, value string) string { return name + ": \"" + value + "\"" })
	for name, files := range map[string]map[string]string{
		"a list":                                {"compose.yml": list(func(name, value string) string { return "- " + name + "=" + value })},
		"a list with quoted items":              {"compose.yml": list(func(name, value string) string { return "- '" + name + "=" + value + "'" })},
		"a list with quotes that compose keeps": {"compose.yml": list(func(name, value string) string { return "- " + name + "=\"" + value + "\"" })},
		"a mapping":                             {"compose.yml": mapping},
		"CRLF":                                  {"compose.yml": strings.ReplaceAll(mapping, "\n", "\r\n")},
		"a byte order mark":                     {"compose.yaml": "\ufeff" + mapping},
		"variables with defaults":               {"compose.yml": list(func(name, value string) string { return name + ": \"${NOT_SET_" + name + ":-" + value + "}\"" })},
		"variables of .env":                     {"compose.yml": list(func(name, _ string) string { return name + ": ${OLD_" + name + ":?set it}" }), "-.env": "OLD_" + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\nOLD_")},
		"names alone":                           {"compose.yml": list(func(name, _ string) string { return "- " + name }), "-.env": lines},
		"env_file":                              {"compose.yml": "services:\n  edr:\n    env_file: edr.env\n", "-edr.env": lines},
		"env_file, long form":                   {"compose.yml": "services:\n  edr:\n    env_file:\n      - path: ./edr.env\n      - path: gone.env\n        required: false\n", "-edr.env": "\ufeff" + strings.ReplaceAll(lines, "\n", "\r\n")},
		"environment over env_file":             {"compose.yml": mapping + "    env_file: [edr.env]\n", "-edr.env": "OPENCTI_TOKEN=older\n"},
		"anchors and merges": {"compose.yml": "x-all: &all\n  OPENCTI_URL: https://opencti.example\n  OPENCTI_TOKEN: &t " + octiToken + "\n  CONNECTOR_ID: wrong\nx-edr: &edr\n  environment:\n    <<: *all\n    CONNECTOR_ID: " + id +
			"\n    CONNECTOR_NAME: HarfangLab Paris\n    HARFANGLAB_URL: https://edr.example:8443\n    HARFANGLAB_TOKEN: '" + hlToken + "'\n    HARFANGLAB_REMOVE_INDICATOR: yes\nservices:\n  edr:\n    <<: *edr\n    image: x\n"},
		"an env file":  {"old.env": "# ours\nexport " + strings.Replace(lines, hlToken, "'"+hlToken+"'  # the token", 1)},
		"a config.yml": {"config.yml": "opencti:\n  url: 'https://opencti.example'\n  token: '" + octiToken + "'\nconnector:\n  id: " + id + "\n  name: HarfangLab Paris\nharfanglab_intel:\n  url: https://edr.example:8443\n  token: '" + hlToken + "'\n  remove_indicator: true\n"},
	} {
		t.Run(name, func(t *testing.T) {
			_, got, res := written(t, files, migrate.Options{})
			if d := cmp.Diff(want, got); d != "" {
				t.Errorf("settings (-want +got):\n%s%q", d, res.Open)
			}
		})
	}
}

func quoted(volume string) string {
	if volume[0] == '{' {
		return volume
	}
	return "'" + volume + "'"
}

const both = `
services:
  redis: {image: redis}
  intel:
    networks: {cti: {}}
    environment:
      OPENCTI_URL: http://opencti:8080
      OPENCTI_TOKEN: ` + octiToken + `
      CONNECTOR_ID: ` + id + `
      CONNECTOR_NAME: Intel
      CONNECTOR_LIVE_STREAM_ID: 0b0f0d1e-3f57-4b0c-8f0b-3f6f0c9f4a12
      CONNECTOR_LIVE_STREAM_LISTEN_DELETE: "false"
      CONNECTOR_VALIDATE_BEFORE_IMPORT: "true"
      HARFANGLAB_INTEL_URL: https://edr.example
      HARFANGLAB_INTEL_SSL_VERIFY: "false"
      HARFANGLAB_INTEL_TOKEN: ` + hlToken + `
      HTTPS_PROXY: http://me:proxypassword@proxy:3128
      NO_PROXY: opencti
  incidents:
    environment:
      OPENCTI_URL: http://opencti:8080
      OPENCTI_TOKEN: another-token
      CONNECTOR_ID: ` + otherID + `
      CONNECTOR_NAME: Paris
      HARFANGLAB_INCIDENTS_URL: https://edr.example
      HARFANGLAB_INCIDENTS_TOKEN: ` + hlToken + `
      HARFANGLAB_INCIDENTS_IMPORT_THREATS: "true"
      HARFANGLAB_INCIDENTS_IMPORT_START_DATE: 1970-01-01
`

// Both successors become one: the id of whoever fills the lists, the author of whoever imports.
func TestTwoConnectorsBecomeOne(t *testing.T) {
	dir, got, res := written(t, map[string]string{"compose.yml": both}, migrate.Options{})
	want := map[string]any{"tokens": octiToken + " " + hlToken, "opencti.url": "http://opencti:8080", "connector.id": id, "connector.name": "Paris",
		"connector.live_stream_id": "0b0f0d1e-3f57-4b0c-8f0b-3f6f0c9f4a12", "sync.policy": "upsert-only", "harfanglab.url": "https://edr.example", "harfanglab.ssl_verify": false,
		"harfanglab.import_security_events_as_incidents": true, "harfanglab.import_threats_as_case_incidents": true, "harfanglab.import_start_date": "2026-11-01T08:00:00Z"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("settings (-want +got):\n%s", d)
	}
	if len(res.Ignored) != 1 || res.Ignored[0] != "redis" || res.Names() != "intel and incidents" {
		t.Errorf("%s, %q ignored", res.Names(), res.Ignored)
	}
	page := file(t, dir, "new", migrate.Checklist)
	for _, want := range []string{"stop intel", "start incidents", "--adopt-names", "restore " + dir + "/new/before --exact", "`ssl_verify` is false", "upsert-only", id, otherID + " of incidents", "CONNECTOR_VALIDATE_BEFORE_IMPORT",
		"opencti.token differs: that of intel is kept, not that of incidents", "up -d harfangsync", "was 1970-01-01", "http address"} {
		if !strings.Contains(page, want) {
			t.Errorf("the checklist does not say %q", want)
		}
	}
}

// What is not meant for secrets holds none, and everything is for its owner alone.
func TestSecretsStayInTheirFiles(t *testing.T) {
	dir, _, res := written(t, map[string]string{"compose.yml": both}, migrate.Options{})
	err := filepath.WalkDir(filepath.Join(dir, "new"), func(path string, e os.DirEntry, err error) error {
		info, err2 := e.Info()
		if err := errors.Join(err, err2); err != nil || e.IsDir() {
			return err
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		text := file(t, path)
		for _, s := range []string{octiToken, hlToken, "another-token", "proxypassword"} {
			secret := filepath.Base(filepath.Dir(path)) == "secrets" || s == "proxypassword" && strings.HasSuffix(path, ".env")
			if strings.Contains(text, s) && !secret {
				t.Errorf("%s shows %s", path, s)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(append(res.Notes, res.Open...), "\n"); strings.Contains(said, "token-") || strings.Contains(said, hlToken) {
		t.Errorf("a note shows a secret: %s", said)
	}
}

// The manifest is what Kubernetes takes, with the policy of the one that is shipped.
func TestTheCronJobIsAManifest(t *testing.T) {
	dir, _, _ := written(t, map[string]string{"compose.yml": both}, migrate.Options{})
	docs := yaml.NewYAMLReader(bufio.NewReader(strings.NewReader(file(t, dir, "new", "cronjob.yaml"))))
	var settings, env corev1.ConfigMap
	var job batchv1.CronJob
	for _, into := range []any{&env, &settings, &job} {
		doc, err := docs.Read()
		if err != nil {
			t.Fatal(err)
		}
		if err := strict.UnmarshalStrict(doc, into); err != nil {
			t.Fatal(err)
		}
	}
	if settings.Data["config.yml"] != file(t, dir, "new", "config.yml") || env.Data["HARFANGSYNC_CONFIG"] != "/etc/harfangsync/config.yml" {
		t.Errorf("the settings are not those of config.yml: %v", settings.Data)
	}
	spec := job.Spec.JobTemplate.Spec
	got := map[string]string{}
	for _, v := range spec.Template.Spec.Containers[0].Env {
		got[v.Name] = v.Value
		if v.ValueFrom != nil {
			got[v.Name] = "key " + v.ValueFrom.SecretKeyRef.Key
		}
	}
	want := map[string]string{"OPENCTI_TOKEN_FILE": "/run/secrets/harfangsync/opencti-token", "HARFANGLAB_TOKEN_FILE": "/run/secrets/harfangsync/harfanglab-token", "HTTPS_PROXY": "key https-proxy"}
	if d := cmp.Diff(want, got); d != "" || spec.PodFailurePolicy == nil {
		t.Errorf("environment (-want +got):\n%s", d)
	}
}

// Whoever imported alerts alone gets no rules.
func TestAlertsAloneArePulled(t *testing.T) {
	dir, got, _ := written(t, map[string]string{"compose.yml": both}, migrate.Options{Services: []string{"incidents"}})
	if got["connector.id"] != otherID {
		t.Errorf("settings %v", got)
	}
	for name, want := range map[string]string{"docker-compose.yml": "- pull", "cronjob.yaml": "args: [pull,"} {
		if text := file(t, dir, "new", name); !strings.Contains(text, want) {
			t.Errorf("%s has no %s", name, want)
		}
	}
	if page := file(t, dir, "new", migrate.Checklist); strings.Contains(page, "harfangsync apply") || !strings.Contains(page, "doctor --for pull") {
		t.Error("the checklist applies a plan")
	}
}

func TestWhatIsLackingIsSaid(t *testing.T) {
	dir, _, res := written(t, map[string]string{"old.env": "HARFANGLAB_URL=https://edr.example\nHARFANGLAB_TOKEN=ChangeMe\nHARFANGLAB_RULE_MATURITY=stabel\nOPENCTI_URL=${NOWHERE}\n"}, migrate.Options{})
	page := file(t, dir, "new", migrate.Checklist)
	if text := file(t, dir, "new", migrate.Env); !strings.Contains(text, "HARFANGLAB_TOKEN_FILE=") || file(t, dir, "new", "secrets", "harfanglab-token") != "\n" {
		t.Errorf("there is no file to write the token into: %s", text)
	}
	for _, want := range []string{"opencti.url: is not set", "opencti.token: is not set", "connector.id: is not set", "harfanglab.token: is not set", `"stabel" is none of its values`} {
		if !strings.Contains(page, "- [ ] ") || !strings.Contains(page, want) {
			t.Errorf("the checklist does not say %q", want)
		}
	}
	if want := "uses ${NOWHERE}, which is not set here"; len(res.Notes) != 1 || !strings.Contains(res.Notes[0], want) {
		t.Errorf("%q, want %q", res.Notes, want)
	}
	if len(res.Open) != 1 {
		t.Errorf("%q", res.Open)
	}
}

// Authorities go along as text, from wherever the service has them.
func TestAuthoritiesGoAlong(t *testing.T) {
	ca := httptest.NewTLSServer(nil)
	defer ca.Close()
	text := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Certificate().Raw}))
	for name, volume := range map[string]string{"short": "./own.pem:/etc/ssl/ca.pem:ro", "long": "{type: bind, source: ./own.pem, target: /etc/ssl/ca.pem}", "a folder": ".:/etc/ssl/"} {
		path := "/etc/ssl/ca.pem"
		if name == "a folder" {
			path = "/etc/ssl/own.pem"
		}
		dir, got, res := written(t, map[string]string{"-own.pem": text, "compose.yml": "services:\n  edr:\n    volumes: ['data:/data', " + quoted(volume) + "]\n    environment:\n      REQUESTS_CA_BUNDLE: " + path +
			"\n      OPENCTI_URL: https://a\n      OPENCTI_TOKEN: x\n      CONNECTOR_ID: " + id + "\n      HARFANGLAB_URL: https://b\n      HARFANGLAB_TOKEN: y\n"}, migrate.Options{})
		if trusted := strings.TrimSpace(text); got["opencti.ca_bundle"] != trusted || got["harfanglab.ca_bundle"] != trusted {
			t.Errorf("%s: %q, %q", name, got["opencti.ca_bundle"], res.Open)
		}
		if page := file(t, dir, "new", migrate.Checklist); strings.Contains(page, "BEGIN") || !strings.Contains(page, "| a text of ") {
			t.Error("the checklist shows the certificates")
		}
	}
	dir, got, res := written(t, map[string]string{"-own.pem": strings.Repeat(text, 50), "old.env": "HARFANGLAB_CA_BUNDLE=own.pem\n"}, migrate.Options{})
	if len(got) > 0 || len(res.Notes) > 0 || len(res.Open) == 0 {
		t.Errorf("%v, %q: a file that is not there was found", got, res.Notes)
	}
	system := filepath.Join(dir, "own.pem")
	if err := os.WriteFile(filepath.Join(dir, "old.env"), []byte("HARFANGLAB_CA_BUNDLE="+system+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	res, err := migrate.Read(migrate.Options{Files: []string{filepath.Join(dir, "old.env")}})
	if err != nil || len(res.Notes) != 1 || !strings.Contains(res.Notes[0], "the authorities of a whole system") {
		t.Errorf("%q, %v", res.Notes, err)
	}
}

func TestRefusals(t *testing.T) {
	service := func(name, vars string) string { return "  " + name + ":\n    environment: [" + vars + "]\n" }
	for _, tt := range []struct{ name, file, content, services, want string }{
		{"no connector of HarfangLab's", "compose.yml", "services:\n" + service("worker", "A=b"), "", "none of these services is a connector of HarfangLab's (HARFANGLAB_... in its environment): worker"},
		{"two managers", "compose.yml", "services:\n" + service("a", "HARFANGLAB_URL=https://a") + service("b", "HARFANGLAB_URL=https://b"), "", "harfanglab.url is https://a in a and https://b in b: one instance fills one list of one manager; run migrate once for each, with --service"},
		{"a service that is not there", "compose.yml", "services:\n" + service("a", "HARFANGLAB_URL=https://a"), "b", "--service b: no connector of HarfangLab's in these files has that name"},
		{"an env_file that is not there", "compose.yml", "services:\n  a:\n    env_file: gone.env\n", "", "no such file"},
		{"no YAML", "compose.yml", "services:\n\ta: b\n", "", "is no valid YAML: line 2"},
		{"another YAML", "compose.yml", "a: b\n", "", "is neither a compose file (services:) nor a connector's config.yml (opencti:)"},
		{"an env file of something else", "x.env", "A=b\n", "", "sets nothing of HarfangLab's connectors"},
		{"no env file", "x.env", "{\n", "", "is no env file of NAME=value lines"},
		{"a variable that has to be set", "compose.yml", "services:\n" + service("a", `"HARFANGLAB_TOKEN=${X:?no}"`), "", "uses variables in a way"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tt.file)
			if err := os.WriteFile(path, []byte(tt.content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := migrate.Read(migrate.Options{Files: []string{path}, Services: strings.Fields(tt.services)})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	dir, _, res := written(t, map[string]string{"compose.yml": both}, migrate.Options{})
	out := filepath.Join(dir, "new")
	if err := os.WriteFile(filepath.Join(out, "config.yml"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := res.Write(out, false); err == nil || !strings.Contains(err.Error(), "is there already, and nothing was written") {
		t.Errorf("written over: %v", err)
	}
	if file(t, out, "config.yml") != "mine" {
		t.Error("config.yml was replaced")
	}
	if _, _, err := res.Write(out, true); err != nil || file(t, out, "config.yml") == "mine" {
		t.Errorf("not replaced with force: %v", err)
	}
}
