package opencti_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

const connectorID = "0d5b1a3c-8f53-4c8b-9a55-0f6d2f5c7a10"

func TestStateIsKept(t *testing.T) {
	ctx := context.Background()
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	if state, found, err := p.ConnectorState(ctx, connectorID); state != "" || found || err != nil {
		t.Errorf("before registering: %q, %v, %v", state, found, err)
	}
	if n := strings.Count(operations(s), "Register"); n != 0 {
		t.Error("reading the state registered the connector")
	}
	if state, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab", Scope: []string{"harfanglab"}}); state != "" || err != nil {
		t.Errorf("registering: %q, %v", state, err)
	}
	const text = `{"a":"<é>","n":1}`
	if stored, err := p.Ping(ctx, connectorID, text); stored != text || err != nil {
		t.Errorf("ping: %q, %v", stored, err)
	}
	if state, found, err := p.ConnectorState(ctx, connectorID); state != text || !found || err != nil {
		t.Errorf("read back: %q, %v, %v", state, found, err)
	}
	if state, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab"}); state != text || err != nil {
		t.Errorf("registering again: %q, %v", state, err)
	}
}

// Contract opencti-api 6.2: the ping after a reset stores nothing and answers an empty state.
func TestResetIsTold(t *testing.T) {
	ctx := context.Background()
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	if _, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab"}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, text := range []string{"1", "2", "3"} {
		if i == 1 {
			s.ResetConnector(connectorID)
		}
		stored, err := p.Ping(ctx, connectorID, text)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, stored)
	}
	if strings.Join(got, ",") != "1,,3" {
		t.Errorf("answers %q, want the second one empty", got)
	}
	s.ResetConnector(connectorID)
	if state, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab"}); state != "" || err != nil {
		t.Errorf("registering after a reset between runs: %q, %v", state, err)
	}
}

func TestUnknownConnector(t *testing.T) {
	_, p := simulated(t, octisim.Options{}, opencti.Options{})
	if _, err := p.Ping(context.Background(), connectorID, "{}"); !errors.Is(err, opencti.ErrUnknownConnector) {
		t.Errorf("error %v, want ErrUnknownConnector", err)
	}
	for _, answer := range []string{`{"data":{"connector":null}}`, `{"errors":[{"message":"x","extensions":{"code":"RESOURCE_NOT_FOUND"}}],"data":{"connector":null}}`} {
		p := connect(t, &canned{answers: map[string]string{"": answer}}, opencti.Options{})
		if state, found, err := p.ConnectorState(context.Background(), connectorID); state != "" || found || err != nil {
			t.Errorf("state %q, %v, %v", state, found, err)
		}
	}
}

// Platforms know connectorInfo from 6.2.12 on.
func TestPingTellsWhatItMay(t *testing.T) {
	for version, informed := range map[string]bool{"5.12.24": false, "6.2.11": false, "6.2.12": true, "7.260817.0": true, "": false} {
		c := &canned{answers: map[string]string{
			"Ident": strings.Replace(identAnswer, "6.9.22", version, 1), "Ping": `{"data":{"pingConnector":{"id":"c","connector_state":"{}"}}}`,
		}}
		p := connect(t, c, opencti.Options{})
		if version != "" {
			if _, err := p.Ident(context.Background()); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := p.Ping(context.Background(), connectorID, "{}"); err != nil {
			t.Errorf("%s: %v", version, err)
		}
		q := c.questions("Ping")[0]
		info, has := q.vars["info"].(map[string]any)
		if has != informed || strings.Contains(string(q.raw), "connectorInfo") != informed {
			t.Errorf("version %q: sent %s", version, q.raw)
		}
		if informed {
			at, err := time.Parse(time.RFC3339, info["last_run_datetime"].(string))
			if info["run_and_terminate"] != true || info["buffering"] != false || err != nil || time.Since(at) > time.Minute {
				t.Errorf("version %s: information %v", version, info)
			}
		}
	}
}

// A command that goes on until it is interrupted is none that ends; one that ends ran last when it began.
func TestPingTellsWhatRuns(t *testing.T) {
	began := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	for _, endless := range []bool{false, true} {
		c := &canned{answers: map[string]string{"Ident": identAnswer, "Ping": `{"data":{"pingConnector":{"id":"c","connector_state":"{}"}}}`}}
		p := connect(t, c, opencti.Options{Began: began, Every: 15 * time.Minute, Endless: endless})
		if _, err := p.Ident(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Ping(t.Context(), connectorID, "{}"); err != nil {
			t.Fatal(err)
		}
		info := c.questions("Ping")[0].vars["info"].(map[string]any)
		if info["run_and_terminate"] == endless || (info["last_run_datetime"] == "2026-03-02T08:00:00.000Z") == endless || (info["next_run_datetime"] == "2026-03-02T08:15:00.000Z") == endless {
			t.Errorf("endless %t: %v", endless, info)
		}
	}
}

// And takes it: the documents are valid there, and not before.
func TestPingOnEveryVersion(t *testing.T) {
	for _, v := range []string{"5.12.24", "6.2.11", "6.2.12", "6.9.22", "7.260817.0"} {
		_, p := simulated(t, octisim.Options{Version: v}, opencti.Options{})
		ctx := context.Background()
		if _, err := p.Ident(ctx); err != nil {
			t.Fatalf("%s: %v", v, err)
		}
		if _, err := p.Register(ctx, opencti.Registration{ID: connectorID, Name: " H ", Scope: []string{"x"}}); err != nil {
			t.Errorf("%s: %v", v, err)
		}
		if stored, err := p.Ping(ctx, connectorID, "{}"); stored != "{}" || err != nil {
			t.Errorf("%s: %q, %v", v, stored, err)
		}
	}
}

func TestAnswersWithoutAConnector(t *testing.T) {
	p := connect(t, &canned{answers: map[string]string{"Register": `{"data":{"registerConnector":null}}`, "Ping": `{"data":{"pingConnector":null}}`}}, opencti.Options{})
	_, err := p.Register(context.Background(), opencti.Registration{ID: connectorID, Name: "HarfangLab"})
	says(t, err, "OpenCTI: Register: 200 with no connector")
	if _, err := p.Ping(context.Background(), connectorID, "{}"); !errors.Is(err, opencti.ErrUnknownConnector) {
		t.Errorf("error %v, want ErrUnknownConnector", err)
	}
	p = connect(t, &canned{answers: map[string]string{"": `{"data":{"pingConnector":{"id":"c","connector_state":null},"registerConnector":{"id":"c","connector_state":null}}}`}}, opencti.Options{})
	if state, err := p.Ping(context.Background(), connectorID, "{}"); state != "" || err != nil {
		t.Errorf("a null state: %q, %v", state, err)
	}
	if state, err := p.Register(context.Background(), opencti.Registration{ID: connectorID, Name: "HarfangLab"}); state != "" || err != nil {
		t.Errorf("a null state: %q, %v", state, err)
	}
}

// A ping whose answer was lost is sent again only where an earlier state proves that nobody reset it:
// the first one after a reset takes the reset's flag with it (contract opencti-api 6.2).
func TestALostPingIsRepeatedOverAnEarlierStateAlone(t *testing.T) {
	const earlier, next = `{"n":0}`, `{"n":1}`
	tests := []struct {
		name     string
		fault    simhttp.Fault
		pings    int    // over an earlier state
		overNone string // what is stored where nothing was
	}{
		{"turned away by rate", simhttp.Fault{Do: simhttp.Answer, Status: 429}, 2, next},
		{"turned away by a busy platform", simhttp.Fault{Do: simhttp.Answer, Status: 503}, 2, next},
		{"turned away by a lock", simhttp.Fault{Do: simhttp.Answer, Payload: coded("LOCK_ERROR")}, 2, next},
		{"a server error", simhttp.Fault{Do: simhttp.Answer, Status: 500}, 2, ""},
		{"a bad gateway", simhttp.Fault{Do: simhttp.Answer, Status: 502}, 2, ""},
		{"a database error", simhttp.Fault{Do: simhttp.Answer, Payload: coded("DATABASE_ERROR")}, 2, ""},
		{"null", simhttp.Fault{Do: simhttp.Answer, Payload: "null"}, 2, ""},
		{"a reset before it arrived", simhttp.Fault{Do: simhttp.Reset}, 2, ""},
		{"a lost answer", simhttp.Fault{Do: simhttp.ResetAfter}, 1, next},
		{"a cut answer", simhttp.Fault{Do: simhttp.Cut}, 1, next},
	}
	for _, tt := range tests {
		for _, before := range []string{earlier, ""} {
			t.Run(tt.name+" over "+before, func(t *testing.T) {
				s, p, c := registered(t)
				want, pings := tt.overNone, 1
				if want == next {
					pings = tt.pings
				}
				if before != "" {
					if err := c.Save(t.Context(), before); err != nil {
						t.Fatal(err)
					}
					want, pings = next, tt.pings
				}
				s.HTTP.Forget()
				tt.fault.Body, tt.fault.Times = "pingConnector", 1
				if err := s.HTTP.Fail(tt.fault); err != nil {
					t.Fatal(err)
				}
				err := c.Save(t.Context(), next)
				if stored, _ := s.Connector(c.ID); stored != want || (err == nil) != (want == next) || err != nil && !errors.Is(err, state.ErrReset) {
					t.Errorf("stored %q, %v, want %q", stored, err, want)
				}
				if got := fmt.Sprintf("ConnectorState 1, Ping %d", pings); operations(s) != got {
					t.Errorf("requests %s, want %s", operations(s), got)
				}
				if waits := p.slept(); len(waits) != 1 {
					t.Errorf("waited %v", waits)
				}
			})
		}
	}
}

// registered is a connector that the platform knows, with nothing stored.
func registered(t *testing.T) (*octisim.Sim, *probe, *opencti.Connector) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	c := &opencti.Connector{Client: p.Client, Registration: opencti.Registration{ID: connectorID, Name: "harfang"}}
	if _, err := c.Register(t.Context(), c.Registration); err != nil {
		t.Fatal(err)
	}
	return s, p, c
}

// What another process stored while a ping waited to be sent again stays: the text was made from something else.
func TestAPingThatIsSentLateReplacesNothingNew(t *testing.T) {
	const earlier, theirs, next = `{"n":0}`, `{"n":0,"unblocked":"a.example"}`, `{"n":1}`
	for _, tt := range []struct {
		name      string
		fault     simhttp.Fault
		meanwhile string // stored
		want      string
		err       error
		waits     int
	}{
		{"turned away", simhttp.Fault{Do: simhttp.Answer, Status: 503, Times: 1}, theirs, theirs, state.ErrChanged, 1},
		{"and again", simhttp.Fault{Do: simhttp.Answer, Status: 429, Times: 3}, theirs, theirs, state.ErrChanged, 1},
		{"a lost answer, and replaced since", simhttp.Fault{Do: simhttp.ResetAfter, Times: 1}, theirs, theirs, state.ErrChanged, 1},
		{"an arrival that never was", simhttp.Fault{Do: simhttp.Reset, Times: 1}, theirs, theirs, state.ErrChanged, 1},
		{"by the same text", simhttp.Fault{Do: simhttp.Answer, Status: 503, Times: 1}, next, next, nil, 1},
		{"emptied by an administrator", simhttp.Fault{Do: simhttp.Answer, Status: 503, Times: 1}, "", "", state.ErrReset, 1},
		{"nothing changed, and turned away as long as one may be", simhttp.Fault{Do: simhttp.Answer, Status: 503, Times: 14}, earlier, next, nil, 14},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, p, c := registered(t)
			s.SetConnector(c.ID, earlier)
			if _, err := c.Load(t.Context()); err != nil {
				t.Fatal(err)
			}
			p.meanwhile = func() { s.SetConnector(c.ID, tt.meanwhile) }
			tt.fault.Body = "pingConnector"
			if err := s.HTTP.Fail(tt.fault); err != nil {
				t.Fatal(err)
			}
			err := c.Save(t.Context(), next)
			if stored, _ := s.Connector(c.ID); stored != tt.want || !errors.Is(err, tt.err) {
				t.Errorf("stored %q, %v, want %q, %v", stored, err, tt.want, tt.err)
			}
			if waits := p.slept(); len(waits) != tt.waits {
				t.Errorf("waited %d times, want %d", len(waits), tt.waits)
			}
		})
	}
}

func TestALostPingDoesNotBuryAReset(t *testing.T) {
	s, _, c := registered(t)
	if err := c.Save(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	s.ResetConnector(c.ID)
	if err := s.HTTP.Fail(simhttp.Fault{Body: "pingConnector", Times: 1, Do: simhttp.ResetAfter}); err != nil {
		t.Fatal(err)
	}
	if err := c.Save(t.Context(), "old and more"); !errors.Is(err, state.ErrReset) {
		t.Errorf("%v, want the word that there is no state", err)
	}
	if state, _ := s.Connector(c.ID); state != "" {
		t.Errorf("the platform holds %q, want what the reset left", state)
	}
}

// Registering inserts or updates by id, so twice is once (contract opencti-api 6.1).
func TestRegisterIsRepeated(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	if err := s.HTTP.Fail(simhttp.Fault{Body: "registerConnector", Times: 2, Do: simhttp.ResetAfter}); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Register(context.Background(), opencti.Registration{ID: "c1", Name: "harfang"}); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff("Register 3", operations(s)); diff != "" {
		t.Errorf("requests (-want +got):\n%s", diff)
	}
}
