package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// oldSettings are those of the harfanglab connector, in its own words.
var oldSettings = []string{
	"CONNECTOR_TYPE=STREAM", "CONNECTOR_NAME=HarfangLab", "CONNECTOR_SCOPE=harfanglab", "CONNECTOR_CONFIDENCE_LEVEL=80", "CONNECTOR_LOG_LEVEL=error",
	"CONNECTOR_LIVE_STREAM_ID=live", "CONNECTOR_LIVE_STREAM_LISTEN_DELETE=true", "CONNECTOR_LIVE_STREAM_NO_DEPENDENCIES=true",
	"HARFANGLAB_SSL_VERIFY=false", "HARFANGLAB_SOURCE_LIST_NAME=from_OpenCTI", "HARFANGLAB_REMOVE_INDICATOR=true", "HARFANGLAB_RULE_MATURITY=stable",
	"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_THREATS_AS_CASE_INCIDENTS=true",
	"HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS='new, investigating'", "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE='yara, sigma, ioc'",
	"HARFANGLAB_DEFAULT_MARKINGS=TLP:AMBER", "HARFANGLAB_DEFAULT_SCORE=50", "HARFANGLAB_IMPORT_START_DATE=2026-11-01T08:00:00Z",
}

// oldState is what the stream consumer of pycti and the import of that connector keep.
const oldState = `{"start_from": "1772359200000-3", "recover_until": "2026-11-01T10:00:00+00:00", "last_alert_datetime": "2026-11-01T10:00:00.000000Z"}`

// Whoever goes back to an old connector finds its settings, its state and its rules as it needs them: at any time a
// state to start from and comments to read, and after the way back of the migration guide the very rows of before.
func TestTheWayBackToAnOldConnector(t *testing.T) {
	t.Parallel()
	w := newOldWorld(t)
	w.env = append([]string{"HARFANGSYNC_STATE=opencti", "HARFANGSYNC_LOCK=opencti"}, oldSettings...)
	dir := t.TempDir()
	w.wayBack(t, func(code int, args ...string) string { return w.ends(t, code, dir, args...) })
}

// A compose file of the old connectors becomes settings with which every step of the checklist works, to the first plan,
// and back.
func TestMigrationToTheFirstPlanAndBack(t *testing.T) {
	t.Parallel()
	w := newOldWorld(t)
	dir := t.TempDir()
	compose := "x-octi: &octi\r\n  OPENCTI_URL: " + w.octiURL + "\r\n  OPENCTI_TOKEN: ${OCTI_TOKEN:-" + simOpenCTIToken + "}\r\nservices:\r\n  rabbitmq: {image: rabbitmq}\r\n" +
		"  harfanglab:\r\n    image: opencti/connector-harfanglab\r\n    env_file: [old.env]\r\n    environment:\r\n      <<: *octi\r\n      CONNECTOR_ID: " + simConnectorID + "\r\n"
	old := "HARFANGLAB_URL='" + w.hlURL + "'\nHARFANGLAB_TOKEN=\"" + simHarfangLabToken + "\"\n" + strings.Join(oldSettings, "\n") + "\n"
	for name, content := range map[string]string{"docker-compose.yml": compose, "old.env": old} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ends := func(code int, env []string, args ...string) string {
		t.Helper()
		cmd := w.prepare(dir, append([]string{os.Args[0]}, args...)...)
		cmd.Env = append(itself(env...), asProgram+"=1")
		out, err := cmd.CombinedOutput()
		if got := exitOf(t, err); got != code {
			t.Fatalf("%v ended with %d, want %d\n%s", args, got, code, out)
		}
		return string(out)
	}
	ends(exit.OK, nil, "migrate", "docker-compose.yml", "--out", "new")
	content, err := os.ReadFile(filepath.Join(dir, "new", "harfangsync.env"))
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Split(strings.ReplaceAll(string(content), "'", ""), "\n")[1:]
	ends(exit.OK, env, "config", "validate")
	if said := ends(exit.OK, env, "doctor"); strings.Contains(said, "FAIL") {
		t.Errorf("doctor says\n%s", said)
	}
	w.wayBack(t, func(code int, args ...string) string { return ends(code, env, args...) }, "--adopt-names")
}

// newOldWorld is a pair of platforms with what an old connector left there.
func newOldWorld(t testing.TB) *chaosWorld {
	t.Helper()
	w := newChaosWorld(t)
	if err := w.store(oldState); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"kept", "off", "gone"} {
		w.put(i, name, "stix", domainPattern(name+".example"), "of an old connector")
	}
	w.put(10, "sigma", "sigma", chaosSigmaOf("sigma", 900), "")
	w.put(11, "yara", "yara", yaraRule("y", "loader"), "")
	w.put(12, "new", "stix", domainPattern("new.example"), "since")
	w.rowsOfAnOldConnector(t)
	return w
}

// wayBack goes to harfangsync and back by commands that have to end with a code; flags are those of the first plan.
func (w *chaosWorld) wayBack(t testing.TB, ends func(code int, args ...string) string, flags ...string) {
	t.Helper()
	before := w.exact()
	ends(exit.OK, "dump", "before")
	w.octi.Delete(chaosID(2))
	ends(exit.OK, append([]string{"plan", "--out", "first.json"}, flags...)...)
	ends(exit.OK, append([]string{"apply", "first.json"}, flags...)...)
	w.oldStateHolds(t, "an apply")
	ends(exit.OK, "run")
	w.oldStateHolds(t, "a run")
	w.readAsAnOldConnector(t)

	ends(exit.OK, "restore", "before", "--auto-approve")
	ends(exit.OK, "restore", "before", "--exact", "--auto-approve", "--allow-empty")
	w.oldStateHolds(t, "the way back")
	// What was deleted came back under another id, which no old connector knows a rule by.
	if after := w.exact(); !maps.Equal(withoutIDs(before), withoutIDs(after)) {
		t.Errorf("the rows are not those of before:\n%v\n%v", before, after)
	}
}

func chaosSigmaOf(name string, id int) string {
	return strings.NewReplacer("%s", name).Replace(strings.Replace(chaosSigma, "id: %s", "id: "+chaosID(id), 1))
}

// rowsOfAnOldConnector fills the lists as a connector did that knew no markers.
func (w *chaosWorld) rowsOfAnOldConnector(t testing.TB) {
	t.Helper()
	w.ends(t, exit.OK, t.TempDir(), "run", "--lock=none", "--state=none") // makes the lists, and what the rows say
	list := map[string]string{}
	standard := map[string]string{}
	for _, i := range w.octi.Indicators() {
		standard[i.Name] = i.StandardID
	}
	for _, k := range chaosKinds {
		for _, r := range w.hl.Rules(k) {
			list[k] = r.SourceID
			w.hl.Delete(k, r.ID)
			r.ID = ""
			switch name := strings.TrimSuffix(r.Value, ".example"); {
			case name == "new":
				continue
			case k == "ioc":
				r.Comment = `{"indicator_id": "` + standard[name] + `", "indicator_score": 60, "indicator_platforms": null}`
				r.Enabled = name != "off"
			default:
				for _, i := range w.octi.Indicators() {
					if i.Name == r.Name {
						r.Content = i.Pattern
					}
				}
			}
			if w.hl.Add(k, r) == "" {
				t.Fatalf("%s %s was not added", k, r.Name+r.Value)
			}
		}
	}
}

// oldStateHolds says whether an old connector that is started now finds its own members.
func (w *chaosWorld) oldStateHolds(t testing.TB, after string) {
	t.Helper()
	text, _ := w.octi.Connector(simConnectorID)
	var was, is map[string]any
	if err := json.Unmarshal([]byte(oldState), &was); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(text), &is); err != nil {
		t.Fatal(err)
	}
	for name := range was {
		if is[name] != was[name] {
			t.Errorf("after %s %s is %v, and was %v", after, name, is[name], was[name])
		}
	}
}

// readAsAnOldConnector reads the rows as an old connector does, to find the one of an indicator.
func (w *chaosWorld) readAsAnOldConnector(t testing.TB) {
	t.Helper()
	owner := regexp.MustCompile(`^indicator--[0-9a-f-]{36}$`)
	for _, r := range w.hl.Rules("ioc") {
		var comment map[string]any
		err := json.Unmarshal([]byte(r.Comment), &comment)
		id, isText := comment["indicator_id"].(string)
		_, scored := comment["indicator_score"]
		_, placed := comment["indicator_platforms"]
		if err != nil || !isText || !owner.MatchString(id) || !scored || !placed {
			t.Errorf("%s: an old connector cannot read %s (%v)", r.Value, r.Comment, err)
		}
	}
	for _, r := range w.hl.Rules("sigma") {
		if rule, err := marker.ReadSigma(r.Content); err != nil || rule.ID != chaosID(900) || r.Name != "sigma" {
			t.Errorf("sigma %s: %v\n%s", r.Name, err, r.Content)
		}
	}
	for _, r := range w.hl.Rules("yara") {
		if names, err := marker.CheckYARA(r.Content); err != nil || len(names) != 1 || r.Name != "yara" {
			t.Errorf("yara %s: %q, %v", r.Name, names, err)
		}
	}
}

// withoutIDs counts rows by all that they say.
func withoutIDs(rows map[string]string) map[string]int {
	n := map[string]int{}
	for key, row := range rows {
		kind, _, _ := strings.Cut(key, " ")
		n[kind+" "+row]++
	}
	return n
}
