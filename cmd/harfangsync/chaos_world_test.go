package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/marker"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// chaosWorld is a pair of platforms in the middle of their life: rules in sync, then a change of every
// sort on both sides. Every cell of the fault matrix starts from a copy of one template.
type chaosWorld struct {
	octi    *octisim.Sim
	hl      *hlsim.Sim
	octiURL string
	hlURL   string
	env     []string // beside that of the simulators
	timeout string   // of a request; 400ms when empty
	close   func()
}

// template is what a world is copied from.
type template struct {
	indicators []octisim.Indicator
	rules      map[string][]hlsim.Rule // by kind
	state      string
	// fresh is the same life with a stream whose filters are adopted, without a YARA list, which is to
	// be made, and of a connector that OpenCTI does not know yet.
	fresh bool
}

var chaosKinds = []string{"ioc", "sigma", "yara"}

func newChaosWorld(t testing.TB) *chaosWorld {
	w := &chaosWorld{octi: octisim.New(octisim.Options{Token: simOpenCTIToken}), hl: hlsim.New(hlsim.Options{Token: simHarfangLabToken})}
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.StateDelay = 10 * time.Millisecond })
	o, h := httptest.NewServer(w.octi), httptest.NewServer(w.hl)
	o.Config.ErrorLog, h.Config.ErrorLog = nil, nil
	w.octiURL, w.hlURL = o.URL, h.URL
	w.close = sync.OnceFunc(func() { o.Close(); h.Close() })
	t.Cleanup(w.close)
	return w
}

// command runs one command line in this process, with retries that do not wait.
func (w *chaosWorld) command(ctx context.Context, args ...string) (code int, stdout, stderr string) {
	var out, errs bytes.Buffer
	code = w.program(&out, &errs).run(ctx, append([]string{"harfangsync"}, args...))
	return code, out.String(), errs.String()
}

// program is one command line to be, with waits as short as tests need them.
func (w *chaosWorld) program(out, errs io.Writer) *program {
	s := simulators{octiURL: w.octiURL, hlURL: w.hlURL}
	p := newProgram(strings.NewReader(""), out, errs, append(s.env(), "HARFANGSYNC_REQUEST_TIMEOUT="+cmp.Or(w.timeout, "400ms"), "HARFANGLAB_REMOVE_INDICATOR=true"))
	p.env = append(p.env, w.env...)
	p.noConfig = true
	p.retryWait = func(int) time.Duration { return time.Millisecond }
	p.patience = 300 * time.Millisecond
	return p
}

const chaosSigma = "title: %s\nid: %s\nlogsource:\n  category: process_creation\n  product: windows\ndetection:\n  sel:\n    CommandLine|contains: '%s'\n  condition: sel\n"

func chaosID(n int) string { return fmt.Sprintf("%08d-1111-4111-8111-111111111111", n) }

// put adds an indicator whose id follows from its number.
func (w *chaosWorld) put(n int, name, typ, pattern, description string) {
	yes, score := true, 60
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.octi.Put(octisim.Indicator{
		ID: chaosID(n), Name: name, PatternType: typ, Pattern: pattern, Description: description, Detection: &yes, Score: &score,
		ValidFrom: from, ValidUntil: from.AddDate(20, 0, 0), CreatedAt: from.Add(time.Duration(n) * time.Minute), UpdatedAt: from.Add(time.Duration(n) * time.Minute),
	})
}

func domainPattern(name string) string { return "[domain-name:value = '" + name + "']" }

func yaraRule(name, text string) string {
	return "rule " + name + " { strings: $a = \"" + text + "\" condition: $a }\n"
}

// newTemplate lives the life that every cell begins with.
func newTemplate(t testing.TB) *template {
	w := newChaosWorld(t)
	for i := range 40 {
		w.put(i, fmt.Sprintf("steady %d", i), "stix", domainPattern(fmt.Sprintf("steady-%d.example", i)), "steady")
	}
	for i, name := range []string{"edited", "pinned", "back", "adopted"} {
		w.put(100+i, name, "stix", domainPattern(name+".example"), "as wanted")
	}
	w.put(110, "revoked", "stix", "[url:value = 'https://revoked.example/']", "")
	w.put(111, "gone", "stix", "[file:hashes.MD5 = '9e107d9d372bb6826bd81d3542a419d6']", "")
	w.put(112, "shared one", "stix", domainPattern("shared.example"), "")
	w.put(113, "shared two", "stix", domainPattern("SHARED.example"), "")
	for i := range 12 {
		w.put(120+i, fmt.Sprintf("sigma %d", i), "sigma", fmt.Sprintf(chaosSigma, fmt.Sprintf("sigma %d", i), chaosID(900+i), "enc"), "")
		w.put(140+i, fmt.Sprintf("yara %d", i), "yara", yaraRule(fmt.Sprintf("y%d", i), "loader"), "")
	}
	must := func(args ...string) {
		t.Helper()
		if code, out, errs := w.command(t.Context(), args...); code != 0 {
			t.Fatalf("template: %v ended with %d\n%s%s", args, code, out, errs)
		}
	}
	w.octi.Delete(chaosID(103)) // the old connector's rule comes before its indicator does
	must("run")
	w.edit(102, func(i *octisim.Indicator) { i.Revoked = true })
	must("run", "--remove-indicator=false")

	// The day between: a change of every sort.
	w.edit(102, func(i *octisim.Indicator) { i.Revoked = false })
	w.edit(100, func(i *octisim.Indicator) { i.Description = "moved" })
	w.edit(110, func(i *octisim.Indicator) { i.Revoked = true })
	w.octi.Delete(chaosID(111))
	w.octi.Delete(chaosID(113))
	w.edit(120, func(i *octisim.Indicator) { i.Pattern = fmt.Sprintf(chaosSigma, "sigma 0", chaosID(900), "changed") })
	w.edit(140, func(i *octisim.Indicator) { i.Pattern = yaraRule("y0", "changed") })
	w.octi.Delete(chaosID(131))
	w.octi.Delete(chaosID(151))
	w.put(103, "adopted", "stix", domainPattern("adopted.example"), "as wanted")
	for i := range 3 {
		w.put(200+i, fmt.Sprintf("new %d", i), "stix", domainPattern(fmt.Sprintf("new-%d.example", i)), "new")
	}
	w.put(210, "new sigma", "sigma", fmt.Sprintf(chaosSigma, "new sigma", chaosID(950), "new"), "")
	w.put(211, "new yara", "yara", yaraRule("fresh", "new"), "")

	list := ""
	for _, r := range w.hl.Rules("ioc") {
		list = r.SourceID
		switch r.Value {
		case "steady-0.example":
			w.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Description = "edited in the console" })
		case "steady-1.example":
			w.hl.Delete("ioc", r.ID)
		case "pinned.example":
			w.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Enabled = false })
		}
	}
	for _, r := range []hlsim.Rule{
		{Type: "domain_name", Value: "adopted.example", Comment: `{"indicator_id": "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11", "indicator_score": 70, "indicator_platforms": []}`},
		{Type: "domain_name", Value: "by-hand.example", Comment: "made in the console"},
		{Type: "domain_name", Value: "steady-2.example.org", Comment: ""},
		{Type: "domain_name", Value: "theirs.example", Comment: `{"indicator_id": "x", "managed_by": "harfangsync", "instance": "9f4d2a10-7c11-4f0a-8a3e-2b1c0d9e8f70"}`},
	} {
		r.SourceID, r.Enabled = list, true
		if w.hl.Add("ioc", r) == "" {
			t.Fatalf("template: %s was not added", r.Value)
		}
	}
	tpl := &template{indicators: w.octi.Indicators(), rules: map[string][]hlsim.Rule{}}
	for _, k := range chaosKinds {
		tpl.rules[k] = w.hl.Rules(k)
	}
	tpl.state, _ = w.octi.Connector(simConnectorID)
	return tpl
}

func (w *chaosWorld) edit(n int, change func(*octisim.Indicator)) {
	if !w.octi.Edit(chaosID(n), change) {
		panic("no indicator " + chaosID(n))
	}
}

// copyOf is a new world in the state of a template.
func (tpl *template) copyOf(t testing.TB) *chaosWorld {
	w := newChaosWorld(t)
	for _, i := range tpl.indicators {
		w.octi.Put(i)
	}
	if tpl.fresh {
		const id = "3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11"
		w.octi.PutStream(octisim.Stream{ID: id, Name: "chaos", Live: true, Filters: text(`{"mode":"and","filters":[{"key":["entity_type"],"values":["Indicator"]}],"filterGroups":[]}`)})
		w.env = append(w.env, "CONNECTOR_LIVE_STREAM_ID="+id)
	}
	for _, k := range chaosKinds {
		if tpl.fresh && k == "yara" {
			continue
		}
		id, err := w.hl.AddSource(k, "from_OpenCTI")
		if err == nil {
			err = w.hl.Load(k, id, slices.Clone(tpl.rules[k]))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if !tpl.fresh {
		if err := w.store(tpl.state); err != nil {
			t.Fatal(err)
		}
	}
	w.octi.HTTP.Forget()
	return w
}

// store gives OpenCTI the connector state, as an earlier run did.
func (w *chaosWorld) store(state string) error {
	for _, body := range []map[string]any{
		{"query": "mutation R($i: RegisterConnectorInput) { registerConnector(input: $i) { id } }", "variables": map[string]any{"i": map[string]any{"id": simConnectorID, "name": "HarfangLab", "type": "EXTERNAL_IMPORT", "scope": []string{"harfanglab"}, "auto": false, "only_contextual": false}}},
		{"query": "mutation P($id: ID!, $s: String) { pingConnector(id: $id, state: $s) { id } }", "variables": map[string]any{"id": simConnectorID, "s": state}},
	} {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		req, err := http.NewRequest(http.MethodPost, w.octiURL+"/graphql", bytes.NewReader(b))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+simOpenCTIToken)
		req.Header.Set("Content-Type", "application/json")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			return err
		}
		_ = resp.Body.Close()
	}
	if got, _ := w.octi.Connector(simConnectorID); got != state {
		return fmt.Errorf("the state was not stored: %q", got)
	}
	return nil
}

// ruleKey names a rule as a person would: two rows with one key are a duplicate.
func ruleKey(kind string, r hlsim.Rule) string {
	switch kind {
	case "ioc":
		return kind + " " + r.Type + " " + strings.ToLower(r.Value)
	case "sigma":
		return kind + " " + strings.ToLower(r.RuleID)
	}
	return kind + " " + r.Name
}

// meaning is what of a rule matters: whether it is in force and what it says, markers left out.
func meaningOf(kind string, r hlsim.Rule) string {
	text := r.Description
	switch kind {
	case "sigma":
		rule, err := marker.ReadSigma(r.Content)
		if err != nil {
			return err.Error()
		}
		text = fmt.Sprint(marker.SigmaText(r.Name, rule))
	case "yara":
		text = fmt.Sprint(marker.YARAText(r.Name, r.Content))
	}
	return fmt.Sprintf("enabled=%t %s", r.Enabled, text)
}

// held is what the lists hold: meaning by key, and the keys that are there twice.
func (w *chaosWorld) held() (rows map[string]string, doubled []string) {
	rows = map[string]string{}
	for _, k := range chaosKinds {
		for _, r := range w.hl.Rules(k) {
			key := ruleKey(k, r)
			if _, twice := rows[key]; twice {
				doubled = append(doubled, key)
			}
			rows[key] = meaningOf(k, r)
		}
	}
	return rows, doubled
}

// exact is every row with everything that a person sees of it.
func (w *chaosWorld) exact() map[string]string {
	rows := map[string]string{}
	for _, k := range chaosKinds {
		for _, r := range w.hl.Rules(k) {
			rows[k+" "+r.ID] = fmt.Sprintf("%t %s %s %s %s %s %s %s", r.Enabled, r.HLStatus, r.Type, r.Value, r.Name, r.Description, r.Comment, r.Content)
		}
	}
	return rows
}
