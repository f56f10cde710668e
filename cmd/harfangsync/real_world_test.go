package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/secret"
	"github.com/harfangsync/harfangsync/sources/opencti"
	"github.com/harfangsync/harfangsync/sources/stix"
)

// realWorld is an OpenCTI, of which nothing is known but its address, and a HarfangLab in this process. What
// a run makes has its name in every value, and its label; it is deleted at the end.
type realWorld struct {
	url, token string
	run, label string
	sim        *simulators
	client     *opencti.Client
	connector  *opencti.Connector
	env        []string
	author     object            // of what a pull imports
	made       map[string]object // by id
	patience   time.Duration     // with the platform's workers

	differs     func(string) // what is done about a difference; nil fails the test
	differences []string
}

// realConnector is the same at every run, so that at most one stays behind.
const realConnector = "6f0c2f3e-1f0a-4d0e-9b51-7e6a0c9d1b42"

func newRealWorld(t *testing.T, url, token string) *realWorld {
	w := &realWorld{url: url, token: token, run: strings.ToLower(uuid.NewString()[:8]), made: map[string]object{}, patience: 3 * time.Minute, sim: simulated(t)}
	w.label = "harfangsync-real-" + w.run
	importer, err := stix.New(stix.Options{Author: w.label})
	if err == nil {
		err = json.Unmarshal(importer.Author().JSON, &w.author)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.client = opencti.New(opencti.Options{URL: url, Token: secret.Text(token)})
	ident, err := w.client.Ident(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("OpenCTI %s, label %s", ident.Version, w.label)
	w.connector = &opencti.Connector{Client: w.client, Registration: opencti.Registration{ID: realConnector, Name: "harfangsync real", Scope: []string{"harfanglab"}}}
	w.env = []string{
		"OPENCTI_URL=" + url, "OPENCTI_TOKEN=" + token, "HARFANGLAB_URL=" + w.sim.hlURL, "HARFANGLAB_TOKEN=" + simHarfangLabToken,
		"CONNECTOR_ID=" + realConnector, "CONNECTOR_NAME=" + w.label, "HARFANGSYNC_LABELS=" + w.label,
	}
	w.forget(t)
	t.Cleanup(func() { w.clear(t) })
	return w
}

// forget empties the state of an earlier run.
func (w *realWorld) forget(t *testing.T) {
	if _, err := w.client.Register(context.WithoutCancel(t.Context()), w.connector.Registration); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the first one after an administrator's reset is dropped
		if _, err := w.client.Ping(context.WithoutCancel(t.Context()), realConnector, "{}"); err != nil {
			t.Fatal(err)
		}
	}
}

// clear deletes everything that was made.
func (w *realWorld) clear(t *testing.T) {
	w.forget(t)
	var relations, others []object
	for _, id := range slices.Sorted(maps.Keys(w.made)) {
		if o := w.made[id]; o["type"] == "relationship" || o["type"] == "sighting" {
			relations = append(relations, o)
		} else {
			others = append(others, o)
		}
	}
	for _, some := range [][]object{relations, others} {
		if errs := w.push(t, deleting(some)); len(errs) > 0 {
			t.Logf("some of what was made may stay, with the label %s: %q", w.label, errs)
		}
	}
}

func deleting(objects []object) []object {
	out := make([]object, len(objects))
	for i, o := range objects {
		out[i] = o.with("opencti_operation", "delete")
	}
	return out
}

// object is a STIX object.
type object map[string]any

func (o object) id() string { id, _ := o["id"].(string); return id }

// with is a copy with one member changed.
func (o object) with(name string, value any) object {
	o = maps.Clone(o)
	o[name] = value
	return o
}

func (w *realWorld) uuid(of string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte(w.run+of)).String()
}
func (w *realWorld) digest(n int) string {
	h := sha256.Sum256(fmt.Append(nil, w.run, n))
	return hex.EncodeToString(h[:])
}
func (w *realWorld) name(n int) string { return fmt.Sprintf("d%d-%s.real.example", n, w.run) }

func (w *realWorld) domain(n int) object {
	return w.indicator(w.name(n), "stix", "[domain-name:value = '"+w.name(n)+"']")
}

func (w *realWorld) indicator(name, form, pattern string) object {
	now := time.Now().UTC().Truncate(time.Second)
	return object{
		"type": "indicator", "spec_version": "2.1", "id": "indicator--" + w.uuid(name), "name": name, "pattern": pattern, "pattern_type": form,
		"created": now.Format(time.RFC3339), "modified": now.Format(time.RFC3339), "valid_from": now.Add(-time.Hour).Format(time.RFC3339), "valid_until": now.AddDate(1, 0, 0).Format(time.RFC3339),
		"labels": []string{w.label}, "x_opencti_score": 80, "x_opencti_detection": true, "revoked": false, "description": "first",
	}
}

// imported has the platform take objects, and fails where it does not.
func (w *realWorld) imported(t *testing.T, objects ...object) {
	t.Helper()
	if errs := w.push(t, objects); len(errs) > 0 {
		t.Fatalf("OpenCTI does not take all of it: %q", errs)
	}
	for _, o := range objects {
		w.made[o.id()] = o
	}
}

func (w *realWorld) delete(t *testing.T, o object) {
	t.Helper()
	if errs := w.push(t, deleting([]object{o})); len(errs) > 0 {
		t.Fatalf("OpenCTI does not delete it: %q", errs)
	}
	delete(w.made, o.id())
}

// push hands a bundle over and waits for its work.
func (w *realWorld) push(t *testing.T, objects []object) (errs []string) {
	t.Helper()
	if len(objects) == 0 {
		return nil
	}
	ctx := context.WithoutCancel(t.Context())
	if len(objects) == 1 { // which nobody counts
		objects = append(objects, w.author)
		w.made[w.author.id()] = w.author
	}
	b, err := json.Marshal(object{"type": "bundle", "id": "bundle--" + uuid.NewString(), "objects": objects})
	if err != nil {
		t.Fatal(err)
	}
	work, err := w.connector.AddWork(ctx, w.label)
	if err == nil {
		err = w.connector.Push(ctx, string(b), work)
	}
	if err != nil {
		t.Fatal(err)
	}
	for end, wait := time.Now().Add(w.patience), 20*time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		state, err := w.client.Work(ctx, work)
		switch {
		case err != nil:
			t.Fatal(err)
		case state != nil && state.Complete:
			for _, e := range state.Errors {
				errs = append(errs, e.Message)
			}
			return errs
		case time.Now().After(end):
			t.Fatalf("OpenCTI imports nothing in %s: do its workers run?", w.patience)
		}
		time.Sleep(wait)
	}
}

// noteImports takes in what a dry run would import, which is to be deleted at the end.
func (w *realWorld) noteImports(lines string) {
	for line := range strings.Lines(lines) {
		var bundle struct{ Objects []object }
		if json.Unmarshal([]byte(line), &bundle) != nil {
			continue
		}
		for _, o := range bundle.Objects {
			if o["type"] != "marking-definition" && o["type"] != "indicator" {
				w.made[o.id()] = o
			}
		}
	}
}

func (w *realWorld) program(out, errs io.Writer) *program {
	p := newProgram(strings.NewReader(""), out, errs, slices.Clone(w.env))
	p.noConfig = true
	return p
}

// ends runs a command that has to end with a code, and gives what it printed.
func (w *realWorld) ends(t *testing.T, code int, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if got := w.program(&out, &errs).run(t.Context(), append([]string{"harfangsync"}, args...)); got != code {
		w.differ(t, "%s ended with %d, want %d\n%s%s", strings.Join(args, " "), got, code, out.String(), errs.String())
	}
	return out.String()
}

// says runs a command that has to end well with a line.
func (w *realWorld) says(t *testing.T, command, line string) {
	t.Helper()
	if out := w.ends(t, 0, command); !strings.Contains(out, line) {
		w.differ(t, "%s says %q, want %q", command, out, line)
	}
}

// plans makes a plan that has to hold so many changes of each action.
func (w *realWorld) plans(t *testing.T, want string) {
	t.Helper()
	var doc planfile.Document
	out := w.ends(t, 0, "plan", "--format", "json")
	if err := json.Unmarshal([]byte(out), &doc); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	var got []string
	for _, action := range []string{"adopt", "create", "delete", "disable", "enable", "update"} {
		if n := doc.Summary.ByAction[action]; n > 0 {
			got = append(got, fmt.Sprint(action, " ", n))
		}
	}
	if line := strings.Join(got, ", "); line != want {
		var changes strings.Builder
		for i := range doc.Changes.Len() {
			ch := doc.Changes.At(i)
			fmt.Fprintf(&changes, "%s %s (%s) %v\n", ch.Action, ch.Label(), ch.Reason, ch.Fields)
		}
		w.differ(t, "plans %s, want %s\n%s", line, want, changes.String())
	}
}

// enforces requires that so many rules are in force.
func (w *realWorld) enforces(t *testing.T, want int) {
	t.Helper()
	n := 0
	for _, kind := range chaosKinds {
		for _, r := range w.sim.hl.Rules(kind) {
			if r.Enabled {
				n++
			}
		}
	}
	if n != want {
		w.differ(t, "%d rules are in force, want %d", n, want)
	}
}

func (w *realWorld) enforced(value string) bool {
	for _, r := range w.sim.hl.Rules("ioc") {
		if r.Value == value {
			return r.Enabled
		}
	}
	return false
}

func (w *realWorld) description(value string) string {
	for _, r := range w.sim.hl.Rules("ioc") {
		if r.Value == value {
			return r.Description
		}
	}
	return ""
}

func (w *realWorld) until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(w.patience); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it does not come about that %s", what)
		}
	}
}

// differ says what differs from what is due.
func (w *realWorld) differ(t *testing.T, format string, a ...any) {
	t.Helper()
	text := fmt.Sprintf(format, a...)
	w.differences = append(w.differences, text)
	if w.differs == nil {
		t.Error(text)
		return
	}
	w.differs(text)
}

// addStream makes a stream of indicators, which goes at the end.
func (w *realWorld) addStream(t *testing.T) string {
	t.Helper()
	var made struct {
		Add struct{ ID string } `json:"streamCollectionAdd"`
	}
	w.mutate(t, `mutation($input: StreamCollectionAddInput!) { streamCollectionAdd(input: $input) { id } }`, map[string]any{"input": map[string]any{
		"name": w.label, "stream_live": true, "filters": `{"mode":"and","filters":[{"key":["entity_type"],"operator":"eq","values":["Indicator"],"mode":"or"}],"filterGroups":[]}`,
	}}, &made)
	t.Cleanup(func() {
		w.mutate(t, `mutation($id: ID!) { streamCollectionEdit(id: $id) { delete } }`, map[string]any{"id": made.Add.ID}, nil)
	})
	return made.Add.ID
}

func (w *realWorld) mutate(t *testing.T, query string, variables map[string]any, into any) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPost, w.url+"/graphql", bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+w.token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer struct{ Data, Errors json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil || len(answer.Errors) > 0 {
		t.Fatalf("%s: %s", query, text)
	}
	if into != nil {
		if err := json.Unmarshal(answer.Data, into); err != nil {
			t.Fatal(err)
		}
	}
}
