package octisim

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/harfangsync/harfangsync/sources/simhttp/simtest"
)

func TestPushRefusesWhatIsNoBundle(t *testing.T) {
	tests := []struct{ name, connector, bundle, code string }{
		{"no JSON", conID, `{`, "UNSUPPORTED_ERROR"},
		{"no object", conID, `[]`, "UNSUPPORTED_ERROR"},
		{"another type", conID, `{"type": "report", "objects": [` + corp + `]}`, "UNSUPPORTED_ERROR"},
		{"names count with their case", conID, `{"Type": "bundle", "Objects": [` + corp + `]}`, "UNSUPPORTED_ERROR"},
		{"no objects", conID, `{"type": "bundle"}`, "UNSUPPORTED_ERROR"},
		{"an empty list of them", conID, `{"type": "bundle", "objects": []}`, "UNSUPPORTED_ERROR"},
		{"objects that are no list", conID, `{"type": "bundle", "objects": {}}`, "UNSUPPORTED_ERROR"},
		{"an unknown connector", "nobody", bundleOf(corp), "UNSUPPORTED_ERROR"},
		{"a good one", conID, bundleOf(corp), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{})
			r := ask(t, s, pushQuery, map[string]any{"connectorId": tt.connector, "bundle": tt.bundle})
			if r.code() != tt.code || tt.code != "" && (r.Errors[0].Message != "Invalid bundle" || r.Errors[0].Extensions.Data["cause"] == nil) {
				t.Errorf("want code %q: %s", tt.code, r.Text)
			}
			if held := s.Held(); (held.Identities == 1) != (tt.code == "") || (held.Works == 1) != (tt.code == "") {
				t.Errorf("held %+v", held)
			}
		})
	}
}

func TestPushIsAsOldAsItsArguments(t *testing.T) {
	without := `mutation($connectorId: String!, $bundle: String!) { stixBundlePush(connectorId: $connectorId, bundle: $bundle) }`
	for version, want := range map[string][2]string{
		"6.2.5": {"GRAPHQL_VALIDATION_FAILED", "GRAPHQL_VALIDATION_FAILED"}, "6.2.6": {"", "GRAPHQL_VALIDATION_FAILED"},
		"6.5.6": {"", "GRAPHQL_VALIDATION_FAILED"}, "6.5.7": {"", ""},
	} {
		s := registered(t, Options{Version: version})
		vars := map[string]any{"connectorId": conID, "bundle": bundleOf(corp, hostUnit)}
		if got := [2]string{ask(t, s, without, vars).code(), ask(t, s, pushQuery, vars).code()}; got != want {
			t.Errorf("version %s: codes %q, want %q", version, got, want)
		}
	}
	s := registered(t, Options{Users: []User{{Token: "u", Capabilities: []string{"KNOWLEDGE_KNUPDATE"}}}})
	simtest.Is(t, "without CONNECTORAPI", "FORBIDDEN_ACCESS", askAs(t, s, "u", without, map[string]any{"connectorId": conID, "bundle": bundleOf(corp)}).code())
}

func TestPushOntoADeadWork(t *testing.T) {
	tests := []struct {
		version, code string
		imported      int
	}{
		{"6.8.6", "", 1},  // nobody looked
		{"6.8.7", "", 0},  // the worker drops it
		{"6.9.18", "", 0}, // without a word
		{"6.9.19", "WORK_NOT_ALIVE", 0},
	}
	for _, tt := range tests {
		for _, id := range []string{"work_that_never_was", "deleted"} {
			s := registered(t, Options{Version: tt.version})
			if id == "deleted" {
				id, _ = ask(t, s, workAddQuery, map[string]any{"connectorId": conID}).get("workAdd", "id").(string)
				ask(t, s, `mutation { workEdit(id: "`+id+`") { delete } }`, nil)
			}
			r := ask(t, s, pushQuery, map[string]any{"connectorId": conID, "bundle": bundleOf(corp, corp), "workId": id})
			if r.code() != tt.code || s.Held().Identities != tt.imported {
				t.Errorf("version %s, work %s: %s, %d identities", tt.version, id, r.Text, s.Held().Identities)
			}
		}
	}
}

func TestWorkCountsWhatWasPushed(t *testing.T) {
	sight := sighting(fresh("sighting"), "", "", 1, "")
	tests := []struct {
		name, version       string
		objects             []string
		expected, processed int
		complete            bool
		errors              int
	}{
		{"several objects", "6.9.22", []string{corp, hostUnit, alert}, 3, 3, true, 0},
		{"one object is counted by nobody, and never completes", "6.9.22", []string{corp}, 0, 1, false, 0},
		{"one object completes since 7.260422.0", "7.260422.0", []string{corp}, 0, 1, true, 0},
		{"one object is counted by the server", counting, []string{corp}, 1, 1, true, 0},
		{"an error is a report", "6.9.22", []string{corp, `{"type": "incident", "id": "` + fresh("incident") + `", "name": "x"}`}, 2, 2, true, 1},
		{"of objects with one id the first counts", "6.9.22", []string{corp, plus(corp, `"description": "later"`), hostUnit}, 2, 2, true, 0},
		{"a relationship without an end is not counted", "6.9.22", []string{corp, hostUnit, `{"type": "relationship", "id": "` + fresh("relationship") + `", "relationship_type": "related-to", "source_ref": "` + corpID + `"}`}, 2, 2, true, 0},
		{"a sighting without an end is not counted", "6.9.22", []string{corp, hostUnit, `{"type": "sighting", "id": "` + fresh("sighting") + `", "sighting_of_ref": "` + corpID + `"}`}, 2, 2, true, 0},
		{"nothing left to count", "7.260422.0", []string{`{"type": "sighting", "id": "` + fresh("sighting") + `"}`, `{"type": "sighting", "id": "` + fresh("sighting") + `"}`}, 0, 0, false, 0},
		{"what is no object is an error", "6.9.22", []string{corp, `5`, `{"type": 5, "id": 6}`}, 3, 3, true, 2},
		{"the order of objects does not matter", "6.9.22", []string{sight, domain, hostUnit}, 3, 3, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{Version: tt.version})
			w := pushed(t, s, tt.objects...)
			got := []any{w.Expected, w.Processed, w.Complete, len(w.Errors)}
			simtest.Same(t, "expected, processed, complete, errors", []any{tt.expected, tt.processed, tt.complete, tt.errors}, got)
		})
	}
}

func TestErrorsNameTheObject(t *testing.T) {
	s := registered(t, Options{})
	missing := fresh("identity")
	bad := `{"type":"relationship","id":"` + fresh("relationship") + `","name":"\u003c1>","relationship_type":"related-to","source_ref":"` + corpID + `","target_ref":"` + missing + `"}`
	id := pushedAs(t, s, "t", corp, bad)
	r := ask(t, s, workQuery, map[string]any{"id": id})
	want := map[string]any{"timestamp": "2026-03-11T12:00:00.000Z", "message": "MISSING_REFERENCE_ERROR: Element(s) not found: " + missing, "source": bad}
	simtest.Same(t, "errors", []any{want}, r.get("work", "errors"))
}

func TestWithoutAWorkTheServerMakesOne(t *testing.T) {
	s := registered(t, Options{})
	ask(t, s, pushQuery, map[string]any{"connectorId": conID, "bundle": bundleOf(corp, hostUnit)})
	want := []Work{{ID: "work_" + conID + "_2026-03-11T12:00:00.000Z", Name: "HarfangLab run @ 2026-03-11T12:00:00.000Z", Connector: conID, Complete: true, Expected: 2, Processed: 2}}
	simtest.Same(t, "works", want, s.Works())
}

func TestImportsComeLater(t *testing.T) {
	s, now := clocked(t, Options{ImportDelay: time.Minute})
	first := pushedAs(t, s, "t", corp, hostUnit)
	s.SetKnobs(func(k *Knobs) { k.ImportDelay = 10 * time.Second })
	second := pushedAs(t, s, "t", alert, domain)
	states := func() string {
		a, b := workOf(s, first), workOf(s, second)
		return fmt.Sprint(a.Expected, a.Complete, " ", b.Expected, b.Complete, " ", s.Held().Queued)
	}
	for _, step := range []struct {
		after time.Duration
		want  string
	}{
		{0, "0 false 0 false 2"}, {9 * time.Second, "0 false 0 false 2"}, {10 * time.Second, "0 false 2 true 1"},
		{59 * time.Second, "0 false 2 true 1"}, {time.Minute, "2 true 2 true 0"},
	} {
		*now = day(10).Add(step.after)
		if got := states(); got != step.want {
			t.Errorf("after %v: %s, want %s", step.after, got, step.want)
		}
	}
}

func TestTheRealClockBringsImportsInByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := New(Options{Token: "t", ImportDelay: time.Minute})
		ask(t, s, registerQuery, map[string]any{"input": map[string]any{"id": conID, "name": "HarfangLab", "type": "EXTERNAL_IMPORT"}})
		ask(t, s, pushQuery, map[string]any{"connectorId": conID, "bundle": bundleOf(corp)})
		for _, want := range []int{0, 1} {
			s.mu.Lock() // looking by a method would bring it in
			simtest.Is(t, "identities", want, s.entities["identity"].live)
			s.mu.Unlock()
			time.Sleep(time.Minute)
			synctest.Wait()
		}
	})
}

// What happens to a bundle that waits for its import: 2 identities come with it.
func TestWhatWaits(t *testing.T) {
	tests := []struct {
		name       string
		do         func(s *Sim, work string)
		complete   bool // at once
		identities int  // at last
	}{
		{"processed too early closes the work alone", func(s *Sim, work string) {
			ask(t, s, `mutation { workEdit(id: "`+work+`") { toProcessed(message: "early") } }`, nil)
		}, true, 2},
		{"a reset loses it", func(s *Sim, _ string) { s.ResetConnector(conID) }, false, 0},
		{"a deleted work drops it", func(s *Sim, work string) { s.DeleteWork(work) }, false, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, now := clocked(t, Options{ImportDelay: time.Minute})
			id := pushedAs(t, s, "t", corp, hostUnit)
			tt.do(s, id)
			if w := workOf(s, id); w.Complete != tt.complete || s.Held().Identities != 0 {
				t.Errorf("work %+v with %d identities", w, s.Held().Identities)
			}
			*now = now.Add(time.Hour)
			if w := workOf(s, id); s.Held().Identities != tt.identities || w.Complete != tt.complete {
				t.Errorf("later: work %+v with %d identities", w, s.Held().Identities)
			}
		})
	}
}

func TestImportsGoWrong(t *testing.T) {
	tests := []struct {
		name       string
		knob       func(*Knobs)
		work       string // expected/processed, whether complete, and how many errors
		identities int
	}{
		{"objects are refused", func(k *Knobs) { k.FailImport = `"srv-db-\d+` }, "2/2 true 1", 1},
		{"a bundle is lost", func(k *Knobs) { k.DropBundles = 1 }, "0/0 false 0", 0},
		{"a work is lost", func(k *Knobs) { k.DropWorks = 1 }, "gone", 0},
		{"a work never completes", func(k *Knobs) { k.StuckWorks = 1 }, "2/1 false 0", 2},
		{"a bundle comes twice", func(k *Knobs) { k.ImportTwice = 1 }, "4/4 true 0", 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := registered(t, Options{})
			s.SetKnobs(tt.knob)
			state := func(id string) string {
				w := workOf(s, id)
				if w.ID == "" {
					return "gone"
				}
				return fmt.Sprintf("%d/%d %v %d", w.Expected, w.Processed, w.Complete, len(w.Errors))
			}
			if got := state(pushedAs(t, s, "t", corp, hostUnit)); got != tt.work || s.Held().Identities != tt.identities {
				t.Errorf("work %s, want %s; %d identities, want %d", got, tt.work, s.Held().Identities, tt.identities)
			}
			if tt.name == "objects are refused" {
				return
			}
			simtest.Is(t, "the next push has the work", "2/2 true 0", state(pushedAs(t, s, "t", corp, hostUnit)))
		})
	}
	s := registered(t, Options{})
	s.SetKnobs(func(k *Knobs) { k.DropBundles = -1 })
	for range 3 {
		simtest.Is(t, "work", 0, pushed(t, s, corp, hostUnit).Expected)
	}
}
