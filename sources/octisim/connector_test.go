package octisim

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

const (
	registerQuery = `mutation Register($input: RegisterConnectorInput) { registerConnector(input: $input) { id connector_state connector_user_id } }`
	pingQuery     = `mutation Ping($id: ID!, $state: String, $info: ConnectorInfoInput) { pingConnector(id: $id, state: $state, connectorInfo: $info) { id connector_state } }`
	workAddQuery  = `mutation WorkAdd($connectorId: String!, $name: String) { workAdd(connectorId: $connectorId, friendlyName: $name) { id status } }`
	workQuery     = `query WorkState($id: ID!) { work(id: $id) { id status received_time processed_time completed_time completed_number
		tracking { import_expected_number import_processed_number import_last_processed }
		messages { timestamp message } errors { timestamp message source } } }`
	conID = "9f6b8f1e-0d1c-4f52-9d5a-3f1f6f7a0c11"
)

func registered(t testing.TB, o Options) *Sim {
	t.Helper()
	s := five(o)
	r := ask(t, s, registerQuery, map[string]any{"input": map[string]any{"id": conID, "name": "HarfangLab", "type": "EXTERNAL_IMPORT", "scope": []string{"harfanglab"}}})
	if r.code() != "" || r.get("registerConnector", "id") != conID || r.get("registerConnector", "connector_state") != nil {
		t.Fatalf("register: %s", r.Text)
	}
	return s
}

func pinged(t *testing.T, s *Sim, state any) any {
	t.Helper()
	r := ask(t, s, pingQuery, map[string]any{"id": conID, "state": state})
	if r.code() != "" {
		t.Fatalf("ping: %s", r.Text)
	}
	return r.get("pingConnector", "connector_state")
}

func TestPingKeepsTheState(t *testing.T) {
	s := registered(t, Options{})
	for _, state := range []string{`{"a":1}`, "null", "", `"` + strings.Repeat("x", 200_000) + `"`} {
		simtest.Is(t, "state answered", any(state), pinged(t, s, state))
		if got, ok := s.Connector(conID); got != state || !ok {
			t.Errorf("sent %.20q, kept %.20q, %v", state, got, ok)
		}
	}
	r := ask(t, s, pingQuery, map[string]any{"id": conID, "state": "no JSON"})
	if got, _ := s.Connector(conID); r.code() != "INTERNAL_SERVER_ERROR" || got != "no JSON" {
		t.Errorf("a text that is no JSON: kept %q, answered %s", got, r.Text)
	}
	again := ask(t, s, registerQuery, map[string]any{"input": map[string]any{"id": conID, "name": "Other", "type": "STREAM"}})
	simtest.Is(t, "registering again answers state", "no JSON", again.get("registerConnector", "connector_state"))
}

func TestResetReachesTheNextPingOnce(t *testing.T) {
	s := registered(t, Options{})
	pinged(t, s, `"before"`)
	s.ResetConnector(conID)
	again := ask(t, s, registerQuery, map[string]any{"input": map[string]any{"id": conID, "name": "HarfangLab", "type": "EXTERNAL_IMPORT"}})
	got := []any{again.get("registerConnector", "connector_state"), pinged(t, s, `"first"`), pinged(t, s, `"second"`)}
	simtest.Same(t, "states", []any{"", "", `"second"`}, got)
}

// What a real platform did once in a while, a knob each.
func TestConnectorsMeetTheBroker(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := registered(t, Options{Now: time.Now})
		s.SetKnobs(func(k *Knobs) { k.BrokerDelay, k.NewQueueDelay, k.LockPings = 3*time.Second, time.Minute, 1 })
		start := time.Now()
		id := pushedAs(t, s, "t", corp, hostUnit)
		simtest.Is(t, "a push took", 3*time.Second, time.Since(start))
		time.Sleep(30*time.Second - time.Since(start))
		simtest.Is(t, "objects counted after 30 s", 0, workOf(s, id).Expected)
		time.Sleep(time.Minute - time.Since(start))
		simtest.Is(t, "objects counted after a minute", 2, workOf(s, id).Expected)
		if r := ask(t, s, pingQuery, map[string]any{"id": conID}); r.code() != "INTERNAL_SERVER_ERROR" || !strings.Contains(r.Text, "LOCK_ERROR") {
			t.Errorf("a locked connector: %s", r.Text)
		}
		pinged(t, s, "{}")
	})
}

// An answer about a state may be out of date when it comes, and a question wait before it is looked at.
func TestStatesTravel(t *testing.T) {
	bubble(t, func(t *testing.T) {
		s := registered(t, Options{Now: time.Now})
		s.SetKnobs(func(k *Knobs) { k.StateDelay = time.Second })
		seen, old := map[string]bool{}, 0
		for range 50 {
			sent := time.Now()
			go func() {
				time.Sleep(500 * time.Millisecond)
				s.SetConnector(conID, time.Now().String())
			}()
			got, _ := ask(t, s, `query($id: String!) { connector(id: $id) { connector_state } }`, map[string]any{"id": conID}).get("connector", "connector_state").(string)
			seen[time.Since(sent).String()] = true
			time.Sleep(time.Until(sent.Add(2 * time.Second)))
			if now, _ := s.Connector(conID); got != now {
				old++
			}
		}
		if len(seen) < 10 || old == 0 || old == 50 {
			t.Errorf("50 answers took %d times, and %d gave what was no more", len(seen), old)
		}
		asked := time.Now()
		ask(t, s, `{ about { version } }`, nil)
		simtest.Is(t, "another question took", 0, time.Since(asked))
	})
}

func TestUnknownConnector(t *testing.T) {
	s := five(Options{})
	r := ask(t, s, pingQuery, map[string]any{"id": "nobody", "state": "x"})
	if r.code() != "FUNCTIONAL_ERROR" || r.Errors[0].Message != "No connector found with the specified ID" {
		t.Errorf("answer %s", r.Text)
	}
	if _, ok := s.Connector("nobody"); ok || s.ResetConnector("nobody") {
		t.Error("an unknown connector was found")
	}
	simtest.Is(t, "a blank name", "BAD_USER_INPUT", ask(t, s, registerQuery, map[string]any{"input": map[string]any{"id": "1", "name": " ", "type": "STREAM"}}).code())
}

func TestConnectorIsActiveForFiveMinutes(t *testing.T) {
	now := day(0)
	s := registered(t, Options{Now: func() time.Time { return now }})
	ask(t, s, pingQuery, map[string]any{"id": conID, "info": map[string]any{"run_and_terminate": true, "buffering": false, "queue_threshold": 500, "queue_messages_size": 0}})
	for after, active := range map[time.Duration]bool{4 * time.Minute: true, 6 * time.Minute: false} {
		now = day(0).Add(after)
		r := ask(t, s, `query($id: String!) { connector(id: $id) { active connector_type connector_scope connector_info { run_and_terminate queue_threshold next_run_datetime } } }`, map[string]any{"id": conID})
		want := map[string]any{"active": active, "connector_type": "EXTERNAL_IMPORT", "connector_scope": []any{"harfanglab"},
			"connector_info": map[string]any{"run_and_terminate": true, "queue_threshold": 500.0, "next_run_datetime": nil}}
		simtest.Same(t, fmt.Sprintf("after %v", after), want, r.get("connector"))
	}
}

// A step is e2 (expect two), r (report), x (report an error), p (toProcessed).
func TestWorksComplete(t *testing.T) {
	const old, now = "6.9.22", "7.260422.0"
	tests := []struct {
		name, version, steps string
		multi                bool
		status               string
		expected, done       any
	}{
		{"nothing yet", old, "", false, "progress", nil, nil},
		{"all that was expected", old, "e2 r r", false, "complete", 2.0, 2.0},
		{"not yet all", old, "e2 r", false, "progress", 2.0, 1.0},
		{"more than expected, before", old, "r r e1 r", false, "progress", 1.0, 3.0},
		{"more than expected, since", now, "r", false, "complete", nil, 1.0},
		{"reports alone never complete, before", old, "r", false, "progress", nil, 1.0},
		{"processed with nothing expected", old, "p", false, "complete", nil, nil},
		{"processed with nothing expected, since", now, "p", false, "complete", nil, nil},
		{"processed too early", old, "r p", false, "complete", nil, 1.0},
		{"processed before all is done", old, "e2 r p", false, "progress", 2.0, 1.0},
		{"processed before all is done, then done", old, "e2 r p r", false, "complete", 2.0, 2.0},
		{"parts wait for processed", now, "e1 r", true, "progress", 1.0, 1.0},
		{"parts complete after processed", now, "e2 r p r", true, "complete", 2.0, 2.0},
		{"parts processed before anything was expected freeze", now, "p e2 r r", true, "complete", nil, nil},
		{"errors count as reports", old, "e1 x", false, "complete", 1.0, 1.0},
		{"processed with nothing expected, by a server that counts", counting, "p", false, "complete", 1.0, 1.0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: tt.version})
			add := workAddQuery
			if tt.multi {
				add = strings.Replace(add, "friendlyName: $name", "friendlyName: $name, isMultiPartWork: true", 1)
			}
			made := ask(t, s, add, map[string]any{"connectorId": conID, "name": "run"})
			id, _ := made.get("workAdd", "id").(string)
			if id != "work_"+conID+"_2026-03-11T12:00:00.000Z" || made.get("workAdd", "status") != "progress" {
				t.Fatalf("workAdd: %s", made.Text)
			}
			for _, step := range strings.Fields(tt.steps) {
				do := map[byte]string{
					'e': "addExpectations(expectations: " + step[1:] + ")", 'r': "reportExpectation",
					'x': `reportExpectation(error: {error: "bad", source: "s"})`, 'p': `toProcessed(message: "done")`,
				}[step[0]]
				if r := ask(t, s, `mutation { workEdit(id: "`+id+`") { `+do+` } }`, nil); r.code() != "" {
					t.Fatalf("%s: %s", step, r.Text)
				}
			}
			r := ask(t, s, workQuery, map[string]any{"id": id})
			got := []any{r.get("work", "status"), r.get("work", "tracking", "import_expected_number"), r.get("work", "tracking", "import_processed_number")}
			simtest.Same(t, "status, expected, processed", []any{tt.status, tt.expected, tt.done}, got)
			if done := r.get("work", "completed_time") != nil; done != (tt.status == "complete") {
				t.Errorf("completed_time: %s", r.Text)
			}
		})
	}
}

func TestWorkKeepsAHundredErrors(t *testing.T) {
	s := registered(t, Options{})
	id := ask(t, s, workAddQuery, map[string]any{"connectorId": conID}).get("workAdd", "id")
	for i := range 120 {
		ask(t, s, fmt.Sprintf(`mutation { workEdit(id: "%s") { reportExpectation(error: {error: "e%d"}) } }`, id, i), nil)
	}
	r := ask(t, s, workQuery, map[string]any{"id": id})
	simtest.Is(t, "errors", 100, len(r.each([]any{"work", "errors"}, "message")))
}

func TestWorksGo(t *testing.T) {
	now := day(0)
	s := registered(t, Options{Now: func() time.Time { return now }})
	first := ask(t, s, workAddQuery, map[string]any{"connectorId": conID}).get("workAdd", "id")
	second := ask(t, s, workAddQuery, map[string]any{"connectorId": conID}).get("workAdd", "id")
	if first == second || len(s.Works()) != 2 {
		t.Fatalf("works %v and %v", first, second)
	}
	ask(t, s, fmt.Sprintf(`mutation { workEdit(id: "%s") { delete } }`, first), nil)
	r := ask(t, s, workQuery, map[string]any{"id": first})
	simtest.Is(t, "a deleted work", `{"data":{"work":null}}`, r.Text)
	head := map[string]string{"Content-Type": "application/json", "Authorization": "Bearer t", "opencti-work-id": first.(string)}
	if w := send(t, s, "POST", "/graphql", head, `{"query":"{ about { version } }"}`); w.Code != 500 || !strings.Contains(w.Body.String(), "WORK_NOT_ALIVE") {
		t.Errorf("a request tied to it: status %d, %s", w.Code, w.Body)
	}
	ask(t, s, fmt.Sprintf(`mutation { workEdit(id: "%s") { toProcessed } }`, second), nil)
	now = day(8)
	simtest.Is(t, "works that finished eight days ago", 0, len(s.Works()))
}
