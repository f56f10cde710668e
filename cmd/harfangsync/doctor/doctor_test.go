package doctor

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// diagnosis is what a doctor finds, by id; of two checks with one id the last.
type diagnosis struct {
	t      *testing.T
	doctor *Doctor
	by     map[string]check
	out    string
}

// about is a doctor for a world, with settings beside those of the simulators. Of one name twice the first counts.
func about(w *world, log io.Writer, env ...string) *Doctor {
	cfg, problems := config.Inspect(config.Sources{Path: os.DevNull, Env: append(env, w.env()...), Needs: []config.Need{config.NeedOpenCTI, config.NeedHarfangLab, config.NeedInstance}})
	return New(Options{Config: cfg, Problems: problems, Log: slog.New(slog.NewTextHandler(log, nil)), Version: "test", RetryWait: func(int) time.Duration { return time.Millisecond }})
}

// examined lets a doctor look at a world.
func examined(t *testing.T, w *world, change func(*Doctor), env ...string) *diagnosis {
	t.Helper()
	var out, log bytes.Buffer
	d := about(w, &log, env...)
	if change != nil {
		change(d)
	}
	if err := d.Examine(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := d.Print(&out, false, false); err != nil {
		t.Fatal(err)
	}
	found := &diagnosis{t: t, doctor: d, by: map[string]check{}, out: out.String()}
	for _, c := range d.checks {
		found.by[c.ID] = c
		if c.Status == isFail && c.Remedy == "" || c.Detail == "" || c.ID != c.Side && !strings.HasPrefix(c.ID, c.Side+".") {
			t.Errorf("check %+v: no detail, no remedy of a failure, or an id of another side", c)
		}
	}
	for _, secret := range []string{openCTIToken, harfangLabToken, hookSecret} {
		if strings.Contains(found.out+log.String(), secret) {
			t.Errorf("a secret was printed:\n%s%s", found.out, log.String())
		}
	}
	for _, sim := range []*simhttp.Handler{w.octi.HTTP, w.hl.HTTP} {
		for _, r := range sim.Requests() {
			if r.Method != "GET" && (r.Method != "POST" || strings.Contains(r.Path, "/api/") || r.Op == "Register" || r.Op == "Ping") {
				t.Errorf("a doctor sent %+v", r)
			}
		}
		sim.Forget()
	}
	return found
}

// want holds one check to a status and to words of its line.
func (f *diagnosis) want(id string, s status, words ...string) {
	f.t.Helper()
	c, there := f.by[id]
	line := c.Detail + "; remedy: " + c.Remedy
	if !there || c.Status != s {
		f.t.Errorf("%s: %s (%s), want %s", id, c.Status, line, s)
	}
	for _, word := range words {
		if !strings.Contains(line, word) {
			f.t.Errorf("%s: no %q in %q", id, word, line)
		}
	}
}

// failures are the ids that failed, and the exit code.
func (f *diagnosis) failures(code int, ids ...string) {
	f.t.Helper()
	var got []string
	for _, c := range f.doctor.checks {
		if c.Status == isFail {
			got = append(got, c.ID)
		}
	}
	slices.Sort(got)
	slices.Sort(ids)
	if !slices.Equal(got, ids) || f.doctor.Code() != code {
		f.t.Errorf("failed: %v with code %d, want %v with %d\n%s", got, f.doctor.Code(), ids, code, f.out)
	}
}

func TestAHealthyWorldHasNothingToMend(t *testing.T) {
	w := healthyWorld(t)
	f := examined(t, w, nil)
	f.failures(exit.OK)
	f.want("settings", isOK, "5 are set")
	f.want("opencti.account", isOK, "Connector")
	f.want("opencti.indicators", isOK, "1 indicator passes")
	f.want("opencti.filter", isOK, "the built-in filter", "flagged for detection")
	f.want("harfanglab.list.ioc", isOK, `"from_OpenCTI" is enabled and has 1 row`)
	f.want("harfanglab.list.yara", isWarn, "the first rule makes it")
	f.want("state.memory", isOK, "the last good run was", "with 1 indicator", "of the last 24 hours, 7 additions ioc")
	f.want("state.lock", isOK, "is free")
	if !strings.HasSuffix(f.out, " 0 fail, 5 skip.\n") {
		t.Errorf("the last line of\n%s", f.out)
	}
}

// A script can count on the ids: they are there whatever fails.
func TestEveryCheckIsAlwaysThere(t *testing.T) {
	w := healthyWorld(t)
	ids := func(f *diagnosis) (all []string) {
		for _, c := range f.doctor.checks {
			if c.Side != "settings" && !slices.Contains(all, c.ID) {
				all = append(all, c.ID)
			}
		}
		slices.Sort(all)
		return all
	}
	want := ids(examined(t, w, nil))
	for name, env := range map[string][]string{
		"no settings":       {"OPENCTI_URL=", "OPENCTI_TOKEN=", "HARFANGLAB_URL=", "HARFANGLAB_TOKEN=", "CONNECTOR_ID="},
		"wrong tokens":      {"OPENCTI_TOKEN=x", "HARFANGLAB_TOKEN=x"},
		"nobody listens":    {"OPENCTI_URL=http://127.0.0.1:1", "HARFANGLAB_URL=http://127.0.0.1:1"},
		"unreadable values": {"OPENCTI_URL=x", "HARFANGLAB_SSL_VERIFY=perhaps", "HARFANGSYNC_STATE=x"},
		"an unknown stream": {"CONNECTOR_LIVE_STREAM_ID=" + id(9)},
		"other places":      {"HARFANGSYNC_STATE=none", "HARFANGSYNC_LOCK=none"},
	} {
		got := ids(examined(t, w, nil, env...))
		if !slices.Equal(got, want) {
			t.Errorf("%s: checks\n%v\nwant\n%v", name, got, want)
		}
	}
}

func TestSettingsThatAreWrongSpoilTheirSideAlone(t *testing.T) {
	w := healthyWorld(t)
	s := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "" {
			t.Errorf("credentials were sent to a side whose settings are wrong: %s %s", r.Method, r.URL)
		}
		w.octi.ServeHTTP(rw, r)
	}))
	defer s.Close()
	f := examined(t, w, nil, "OPENCTI_URL="+s.URL, "OPENCTI_SSL_VERIFY=perhaps", "HARFANGSYNC_PAGE_SIZE=0", "HARFANGSYNC_STAET=none", "HARFANGSYNC_METRICS_TEXTFILE="+filepath.Join(t.TempDir(), "no", "x.prom"),
		"HARFANGSYNC_NOTIFY_WEBHOOK=http://127.0.0.1:1/"+hookSecret)
	f.failures(exit.Usage, "settings.opencti.ssl_verify", "settings.sync.page_size")
	f.want("settings.warning", isWarn, "HARFANGSYNC_STAET", "did you mean HARFANGSYNC_STATE?")
	f.want("opencti.connect", isOK)
	f.want("opencti.account", skipped, "settings are wrong")
	f.want("harfanglab.account", isOK)
	f.want("state.memory", skipped)
	f.want("reports.metrics", isWarn, "is not there")
	f.want("reports.webhook", skipped, "apply, refusal, failure")
}

func TestWhatAnAccountMayNot(t *testing.T) {
	w := healthyWorld(t)
	w.octi.PutUser(octisim.User{Name: "Reader", Token: "reader-token", Capabilities: []string{"APIACCESS_USETOKEN", "KNOWLEDGE"}, Markings: []string{"TLP:CLEAR", "TLP:GREEN"}})
	f := examined(t, w, nil, "OPENCTI_TOKEN=reader-token")
	f.failures(exit.Side, "opencti.right.CONNECTORAPI")
	f.want("opencti.right.KNOWLEDGE", isOK)
	f.want("opencti.right.TAXIIAPI", skipped, "not needed")
	f.want("opencti.right.CONNECTORAPI", isFail, "keeps the state and the lock", "built-in role Connector")
	f.want("opencti.right.MODULES", isWarn)
	f.want("opencti.right.KNOWLEDGE_KNUPDATE", skipped, "not needed")
	f.want("opencti.confidence", isWarn, "no maximum confidence level")
	f.want("opencti.markings", isOK, "TLP:CLEAR, TLP:GREEN")
	f.want("state.memory", skipped, "lacks MODULES")

	// With alerts to import, and a stream, more is needed.
	_ = w.hl.HTTP.Fail(simhttp.Fault{Path: "/alert/Alert/", Do: simhttp.Answer, Status: 403, Payload: `{"detail": "no"}`})
	f = examined(t, w, nil, "OPENCTI_TOKEN=reader-token", "HARFANGSYNC_STATE=none", "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "CONNECTOR_LIVE_STREAM_ID="+id(9))
	f.failures(exit.Side, "opencti.right.CONNECTORAPI", "opencti.right.MODULES", "opencti.right.KNOWLEDGE_KNUPDATE", "opencti.right.TAXIIAPI", "opencti.confidence", "opencti.stream", "harfanglab.alerts")
	f.want("harfanglab.alerts", isFail, "403 no", "check the token and its right")
	f.want("opencti.right.SETTINGS_SETLABELS", isWarn)
	f.want("opencti.stream", isFail, "lacks the capability TAXIIAPI", "give its role that right")
	f.want("state.memory", isWarn, "nothing is remembered")
	f.want("state.lock", isWarn, "there is no lock")

	// Nothing can be read at all.
	w.octi.PutUser(octisim.User{Name: "Nobody", Token: "nobody-token", Capabilities: []string{"APIACCESS_USETOKEN"}, Markings: []string{}})
	f = examined(t, w, nil, "OPENCTI_TOKEN=nobody-token", "HARFANGSYNC_STATE=none")
	f.failures(exit.Side, "opencti.right.KNOWLEDGE")
	f.want("opencti.indicators", skipped, "may not read indicators")
	f.want("opencti.markings", isWarn, "may see no marking")

	// Fewer markings than at the last good run.
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.HideMarking = []string{"TLP:RED"} })
	examined(t, w, nil).want("state.markings", isWarn, "TLP:RED", "gate G3")
}

// A doctor asks for what the command to come needs, and for nothing else.
func TestADoctorForACommand(t *testing.T) {
	w := healthyWorld(t)
	w.octi.PutUser(octisim.User{Name: "Planner", Token: "planner-token", Capabilities: []string{"APIACCESS_USETOKEN", "KNOWLEDGE"}, Markings: []string{"TLP:CLEAR"}})
	w.octi.PutStream(octisim.Stream{ID: id(10), Name: "stopped", Filters: new(`{"mode":"and","filters":[],"filterGroups":[]}`)})
	w.octi.PutStream(octisim.Stream{ID: id(11), Name: "bare", Live: true})
	aim := func(command string, env ...string) *diagnosis {
		return examined(t, w, func(d *Doctor) { d.For = command }, env...)
	}
	imports := "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true"
	f := aim(ForPlan, "OPENCTI_TOKEN=planner-token", imports)
	f.failures(exit.OK)
	f.want("opencti.right.CONNECTORAPI", skipped)
	f.want("opencti.right.KNOWLEDGE_KNUPDATE", skipped)
	f.want("opencti.right.MODULES", isWarn, "lets a plan read the state")
	f.want("opencti.confidence", skipped)
	f.want("harfanglab.edit", skipped, "a plan edits nothing")
	f.want("harfanglab.alerts", skipped)
	f.want("state.lock", skipped, "takes no lock")
	for _, command := range []string{ForRun, ForPull} {
		aim(command, "OPENCTI_TOKEN=planner-token", imports).failures(exit.Side, "opencti.confidence", "opencti.right.CONNECTORAPI", "opencti.right.KNOWLEDGE_KNUPDATE", "opencti.right.MODULES")
	}
	aim(ForTail).failures(exit.Usage, "opencti.stream")
	aim(ForTail, "CONNECTOR_LIVE_STREAM_ID="+id(10)).failures(exit.Side, "opencti.stream")
	f = aim(ForTail, "CONNECTOR_LIVE_STREAM_ID="+id(11))
	f.failures(exit.OK)
	f.want("opencti.stream", isWarn, "has no filters", "give it one")
}

func TestVersionsAreJudged(t *testing.T) {
	const importing = "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true"
	for _, tt := range []struct {
		version string
		env     string
		s       status
		words   string
	}{
		{"5.12.20", "", isFail, "5.12.24 or later is needed"},
		{"5.12.24", "", isOK, "bringing alerts back needs 6.2.6"},
		{"6.2.5", importing, isFail, "needs 6.2.6"},
		{"6.2.6", importing, isOK, "fewer details"},
		{"6.5.11", "", isOK, "supported"},
		{"7.260817.0", "", isOK, "supported"},
		{"8.270101.0", "", isWarn, "newer"},
	} {
		w := newWorld(t)
		w.octi.SetVersion(tt.version)
		f := examined(t, w, nil, tt.env)
		f.want("opencti.version", tt.s, tt.words)
		f.want("opencti.account", isOK)
		if (f.by["opencti.version"].Status == isFail) != (f.doctor.Code() == exit.Side) && tt.env == "" {
			t.Errorf("%s: code %d", tt.version, f.doctor.Code())
		}
		w.close()
	}
}

func TestTheDoctorsJSON(t *testing.T) {
	w := healthyWorld(t)
	for _, tt := range []struct {
		env  []string
		code int
	}{{nil, exit.OK}, {[]string{"HARFANGLAB_TOKEN=wrong"}, exit.Side}, {[]string{"HARFANGSYNC_PARALLELISM=many", "OPENCTI_TOKEN=wrong"}, exit.Usage}} {
		var out bytes.Buffer
		d := about(w, io.Discard, tt.env...)
		if err := errors.Join(d.Examine(t.Context()), d.Print(&out, false, true)); err != nil || d.Code() != tt.code {
			t.Errorf("%v: code %d, want %d, %v\n%s", tt.env, d.Code(), tt.code, err, out.String())
		}
		var got struct {
			Checks []struct{ ID, Side, Status, Detail, Remedy *string }
			OK     *bool
		}
		dec := json.NewDecoder(&out)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&got); err != nil || got.OK == nil || *got.OK != (tt.code == exit.OK) || len(got.Checks) < 20 {
			t.Fatalf("%v: %v, %+v", tt.env, err, got)
		}
		for _, c := range got.Checks {
			if c.ID == nil || c.Side == nil || c.Status == nil || c.Detail == nil || c.Remedy == nil || !slices.Contains([]string{"ok", "warn", "fail", "skip"}, *c.Status) {
				t.Errorf("%v: %+v", tt.env, c)
			}
		}
	}
}
