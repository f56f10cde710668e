package opencti_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/pull"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

const (
	workID = "work_0d5b1a3c-8f53-4c8b-9a55-0f6d2f5c7a10_2026-03-20T12:00:00.000Z"
	bundle = `{"type":"bundle","id":"bundle--7f0c9a52-6a3e-4a41-9c0e-2f4f5b6f1c11","objects":[{"type":"identity","name":"<a> & \"b\" \u2028"}]}`
	queued = `{"data":{"stixBundlePush":true}}`
)

// tell sends a document to a simulator past the client.
func tell(t testing.TB, s *octisim.Sim, document string) {
	t.Helper()
	body, err := json.Marshal(map[string]string{"query": document})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(string(body)))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	if w.Code != http.StatusOK || strings.Contains(w.Body.String(), `"errors":[{`) {
		t.Fatalf("%s: %d %s", document, w.Code, w.Body)
	}
}

func TestAWorkFromItsBeginningToItsEnd(t *testing.T) {
	ctx := context.Background()
	for _, version := range []string{"5.12.24", "6.2.6", "6.9.22", "7.260817.0"} {
		s, p := simulated(t, octisim.Options{Version: version}, opencti.Options{})
		if _, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab"}); err != nil {
			t.Fatal(err)
		}
		id, err := p.AddWork(ctx, connectorID, "alerts of HarfangLab")
		if err != nil || !strings.HasPrefix(id, "work_"+connectorID) {
			t.Fatalf("%s: work %q, %v", version, id, err)
		}
		edit := func(what string) { tell(t, s, fmt.Sprintf(`mutation { workEdit(id: %q) { %s } }`, id, what)) }
		for _, step := range []struct {
			edit string
			want *pull.Work
		}{
			{"addExpectations(expectations: 0)", &pull.Work{}},
			{"addExpectations(expectations: 2)", &pull.Work{Expected: 2}},
			{`reportExpectation(error: {error: "MISSING_REFERENCE_ERROR:\nElement(s) not found", source: "{\"id\": \"incident--1\"}"})`,
				&pull.Work{Expected: 2, Processed: 1, Errors: []pull.WorkError{{Message: "MISSING_REFERENCE_ERROR:\nElement(s) not found", Source: `{"id": "incident--1"}`}}}},
			{"reportExpectation", &pull.Work{Complete: true, Expected: 2, Processed: 2,
				Errors: []pull.WorkError{{Message: "MISSING_REFERENCE_ERROR:\nElement(s) not found", Source: `{"id": "incident--1"}`}}}},
			{"delete", nil},
		} {
			if step.edit == "delete" {
				if err := p.CloseWork(ctx, id, "2 objects, 1 failed"); err != nil {
					t.Errorf("%s: %v", version, err)
				}
			}
			edit(step.edit)
			state, err := p.Work(ctx, id)
			if d := cmp.Diff(step.want, state); d != "" || err != nil {
				t.Errorf("%s, after %s: %v (-want +got):\n%s", version, step.edit, err, d)
			}
		}
		if err := p.CloseWork(ctx, id, "too late"); err != nil {
			t.Errorf("%s: closing a work that is gone: %v", version, err)
		}
	}
}

func TestWorkAnswers(t *testing.T) {
	work := func(members string) string { return `{"data":{"work":{"id":"` + workID + `",` + members + `}}}` }
	for _, tt := range []struct {
		name, answer string
		want         *pull.Work
		says         string
	}{
		{"nobody has counted", work(`"status":"progress","tracking":null,"errors":null`), &pull.Work{}, ""},
		{"counts that are null", work(`"status":"progress","tracking":{"import_expected_number":null,"import_processed_number":null},"errors":[]`), &pull.Work{}, ""},
		{"waiting", work(`"status":"wait"`), &pull.Work{}, ""},
		{"complete with odd errors", work(`"status":"complete","tracking":{"import_expected_number":3,"import_processed_number":4},"errors":[null,{"message":null,"source":null},{"message":"m"}]`),
			&pull.Work{Complete: true, Expected: 3, Processed: 4, Errors: []pull.WorkError{{}, {Message: "m"}}}, ""},
		{"a status of tomorrow", work(`"status":"paused"`), &pull.Work{}, ""},
		{"deleted", `{"data":{"work":null}}`, nil, ""},
		{"deleted, with a code", coded("RESOURCE_NOT_FOUND"), nil, ""},
		{"deleted, with another code", coded("WORK_NOT_ALIVE"), nil, ""},
		{"another work", strings.Replace(work(`"status":"complete"`), "work_", "work-", 1), nil, "OpenCTI: Work: 200 with another work than the one that was asked for"},
		{"no status", work(`"status":""`), nil, "another work than"},
		{"no right", coded("FORBIDDEN_ACCESS"), nil, "capability MODULES"},
		{"partial", `{"errors":[{"message":"half","extensions":{"code":"FUNCTIONAL_ERROR"}}],"data":{"work":{"id":"w","status":"complete"}}}`, nil, "half"},
		{"another shape", work(`"status":"complete","errors":{}`), nil, "another shape"},
	} {
		p := connect(t, &canned{answers: map[string]string{"": tt.answer}}, opencti.Options{})
		state, err := p.Work(context.Background(), workID)
		if d := cmp.Diff(tt.want, state); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
		if tt.says != "" {
			says(t, err, tt.says)
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}

// stixBundlePush is there since 6.2.6, its work_id since 6.5.7 (contract opencti-api 12.2).
func TestPushSendsWhatTheVersionTakes(t *testing.T) {
	for _, tt := range []struct {
		version, work string
		want          map[string]any
	}{
		{"6.2.6", workID, map[string]any{"connectorId": connectorID, "bundle": bundle}},
		{"6.5.6", workID, map[string]any{"connectorId": connectorID, "bundle": bundle}},
		{"6.5.7", workID, map[string]any{"connectorId": connectorID, "bundle": bundle, "workId": workID}},
		{"7.260817.0", workID, map[string]any{"connectorId": connectorID, "bundle": bundle, "workId": workID}},
		{"7.260817.0", "", map[string]any{"connectorId": connectorID, "bundle": bundle}},
		{"", workID, map[string]any{"connectorId": connectorID, "bundle": bundle, "workId": workID}},
	} {
		c := &canned{answers: map[string]string{"Ident": strings.Replace(identAnswer, "6.9.22", tt.version, 1), "Push": queued}}
		p := connect(t, c, opencti.Options{})
		if tt.version != "" {
			if _, err := p.Ident(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.Push(context.Background(), connectorID, bundle, tt.work); err != nil {
			t.Errorf("%s: %v", tt.version, err)
		}
		q := c.questions("Push")[0]
		if d := cmp.Diff(tt.want, q.vars); d != "" || strings.Contains(string(q.raw), "work_id") != (tt.want["workId"] != nil) {
			t.Errorf("%s: sent %s (-want +got):\n%s", tt.version, q.raw, d)
		}
	}
	c := &canned{answers: map[string]string{"Ident": strings.Replace(identAnswer, "6.9.22", "6.2.5", 1), "Push": queued}}
	p := connect(t, c, opencti.Options{})
	if _, err := p.Ident(context.Background()); err != nil {
		t.Fatal(err)
	}
	err := p.Push(context.Background(), connectorID, bundle, "")
	says(t, err, "OpenCTI 6.2.5 is too old for pushing bundles: 6.2.6 or later is needed; update the platform")
	if _, ok := errors.AsType[*opencti.VersionError](err); !ok || len(c.questions("Push")) != 0 || reconcile.FaultOf(err).Unsure {
		t.Errorf("error %T after %d pushes", err, len(c.questions("Push")))
	}
}

// A push is sent again only when it was turned away; of any other failure the caller learns whether the
// bundle may have been taken.
func TestPushesThatFail(t *testing.T) {
	const never, maybe = false, true
	verdicts := []string{"an invalid bundle", "a work that is gone", "too large"}
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter)
		says   string
		tries  int // 3 and 9 are all that are allowed, of failures and of refusals for lack of time
		unsure bool
	}{
		{"an invalid bundle", text(coded("UNSUPPORTED_ERROR")), "the platform refuses the bundle for good, or does not know the connector", 1, never},
		{"no right", text(coded("FORBIDDEN_ACCESS")), "the capability CONNECTORAPI", 1, never},
		{"a work that is gone", text(coded("WORK_NOT_ALIVE")), "OpenCTI: Push: WORK_NOT_ALIVE: told so; the next run opens another work", 1, never},
		{"a field that this version lacks", text(coded("GRAPHQL_VALIDATION_FAILED")), "does not take the request", 1, never},
		{"false", text(`{"data":{"stixBundlePush":false}}`), "no word that the bundle was queued", 1, maybe},
		{"null", text(`{"data":{"stixBundlePush":null}}`), "no word that the bundle was queued", 1, maybe},
		{"an answer that is null", text(`null`), "not a GraphQL answer", 1, maybe},
		{"partial", text(`{"errors":[{"message":"half","extensions":{"code":"DATABASE_ERROR"}}],"data":{"stixBundlePush":true}}`), "DATABASE_ERROR: half", 1, maybe},
		{"HTML", text("<html>"), "HTML where JSON is due", 1, maybe},
		{"an empty body", text(""), "an empty body", 1, maybe},
		{"a reset", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "check opencti.url", 1, maybe},
		{"500", code(500), "500", 1, maybe},
		{"504", code(504), "504", 1, maybe},
		{"429", code(429), "lower sync.parallelism", 9, never},
		{"503", code(503), "503", 9, never},
		{"a lock", text(coded("LOCK_ERROR")), "LOCK_ERROR", 3, never},
		{"a redirect", code(302), "set opencti.url", 1, never},
		{"401", code(401), "check the token", 1, never},
		{"too large", code(413), "app:max_payload_body_size", 1, never},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var n atomic.Int32
			p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				n.Add(1)
				tt.answer(w)
			}), opencti.Options{Retry: remote.Retry{Attempts: 3}})
			err := p.Push(context.Background(), connectorID, bundle, workID)
			says(t, err, tt.says)
			if int(n.Load()) != tt.tries || reconcile.FaultOf(err).Unsure != tt.unsure || !reconcile.FaultOf(err).Verdict == slices.Contains(verdicts, tt.name) {
				t.Errorf("after %d tries: %v, %+v", n.Load(), err, reconcile.FaultOf(err))
			}
		})
	}
}

func text(s string) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { _, _ = io.WriteString(w, s) }
}

func code(status int) func(http.ResponseWriter) {
	return func(w http.ResponseWriter) { w.WriteHeader(status) }
}

func TestAPushThatIsTurnedAwayAtFirst(t *testing.T) {
	var n atomic.Int32
	p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 1:
			w.WriteHeader(429)
		case 2:
			_, _ = io.WriteString(w, coded("LOCK_ERROR"))
		default:
			_, _ = io.WriteString(w, queued)
		}
	}), opencti.Options{})
	if err := p.Push(context.Background(), connectorID, bundle, workID); err != nil || n.Load() != 3 {
		t.Errorf("after %d tries: %v", n.Load(), err)
	}
}

// Whoever stops waiting does not know; whoever reached nobody does.
func TestUnsureOfWhatWasNotWaitedFor(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		cancel()
		<-r.Context().Done()
	}), opencti.Options{})
	if err := p.Push(ctx, connectorID, bundle, workID); !errors.Is(err, context.Canceled) || !reconcile.FaultOf(err).Unsure {
		t.Errorf("a push that was left: %v, unsure %t", err, reconcile.FaultOf(err).Unsure)
	}
	nobody := opencti.New(opencti.Options{URL: "http://127.0.0.1:1", Token: token, Retry: remote.Retry{Attempts: 1}})
	if err := nobody.Push(context.Background(), connectorID, bundle, workID); err == nil || reconcile.FaultOf(err).Unsure {
		t.Errorf("a push that reached nobody: %v, unsure %t", err, reconcile.FaultOf(err).Unsure)
	}
}

func TestWorksThatCannotBeOpened(t *testing.T) {
	for _, tt := range []struct {
		name   string
		answer func(http.ResponseWriter)
		says   string
		tries  int
		unsure bool
	}{
		{"null", text(`{"data":{"workAdd":null}}`), "OpenCTI: WorkAdd: 200 with no work", 1, true},
		{"no id", text(`{"data":{"workAdd":{"id":""}}}`), "no work", 1, true},
		{"no right", text(coded("FORBIDDEN_ACCESS")), "the capability CONNECTORAPI", 1, false},
		{"a lost answer", func(http.ResponseWriter) { panic(http.ErrAbortHandler) }, "check opencti.url", 1, true},
		{"too many requests", code(429), "429", 6, false},
		{"HTML", text("<html>"), "HTML where JSON is due", 1, true},
	} {
		var n atomic.Int32
		p := connect(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			n.Add(1)
			tt.answer(w)
		}), opencti.Options{Retry: remote.Retry{Attempts: 2}})
		id, err := p.AddWork(context.Background(), connectorID, "n")
		says(t, err, tt.says)
		if id != "" || int(n.Load()) != tt.tries || reconcile.FaultOf(err).Unsure != tt.unsure {
			t.Errorf("%s: work %q after %d tries, unsure %t", tt.name, id, n.Load(), reconcile.FaultOf(err).Unsure)
		}
	}
	for name, answer := range map[string]string{"gone": coded("WORK_NOT_ALIVE"), "absent": coded("ALREADY_DELETED_ERROR"), "done": `{"data":{"workEdit":{"toProcessed":"` + workID + `"}}}`} {
		p := connect(t, &canned{answers: map[string]string{"WorkDone": answer}}, opencti.Options{})
		if err := p.CloseWork(context.Background(), workID, "m"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	p := connect(t, &canned{answers: map[string]string{"WorkDone": coded("FORBIDDEN_ACCESS")}}, opencti.Options{})
	says(t, p.CloseWork(context.Background(), workID, "m"), "OpenCTI: WorkDone: FORBIDDEN_ACCESS")
}

// A bundle that was withdrawn while it waited never comes in, where workers look at its work at all.
func TestAWithdrawnBundleNeverComesIn(t *testing.T) {
	const bundle = `{"type": "bundle", "id": "bundle--7f0c9a52-6a3e-4a41-9c0e-2f4f5b6f1c11", "objects": [` +
		`{"type": "identity", "spec_version": "2.1", "id": "identity--5291661f-02f8-509d-9f7b-34bf85259b21", "name": "Example EDR Bridge", "identity_class": "organization"},` +
		`{"type": "identity", "spec_version": "2.1", "id": "identity--81f298e7-4bb5-5459-8451-8bca41e52c14", "name": "srv-db-01.corp.example", "identity_class": "system"}]}`
	for version, can := range map[string]bool{"6.8.16": false, "6.8.17": true, "7.260817.0": true} {
		at := now
		s, p := simulated(t, octisim.Options{Version: version, Now: func() time.Time { return at }, ImportDelay: time.Minute}, opencti.Options{})
		_, err := p.Ident(t.Context())
		if err == nil {
			_, err = p.Register(t.Context(), opencti.Registration{ID: connectorID, Name: "HarfangLab"})
		}
		if err != nil {
			t.Fatal(err)
		}
		work, err := p.AddWork(t.Context(), connectorID, "alerts")
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Push(t.Context(), connectorID, bundle, work); err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time it is gone
			if gone, err := p.Withdraw(t.Context(), work); gone != can || err != nil {
				t.Errorf("%s: withdrawn %v, %v", version, gone, err)
			}
		}
		at = at.Add(time.Hour)
		if n := len(s.Identities()); (n == 0) != can {
			t.Errorf("%s: %d identities came in", version, n)
		}
	}
}
