package pull_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/alert"
	"github.com/harfangsync/harfangsync/reconcile/pull"
)

// OpenCTI drops references that it cannot resolve at that moment, and reports success (contract opencti-api
// 0.9): what arrived without its marking or its author is sent once more, but no count.
func TestWhatLostItsMarkingIsRepaired(t *testing.T) {
	for i, lost := range []string{"incident", "file", "relationship--file", "relationship--indicator", "sighting"} {
		r := newPlatforms()
		r.saw(1, "host", "a").Detected.Path = `C:\x.exe`
		r.strips, r.spares = 1, i
		report := r.pull(t, &memStore{})
		if len(r.bare) != 0 || len(r.pushes) != 2 {
			t.Errorf("%s: %v stay without a marking after %d bundles", lost, r.bare, len(r.pushes))
			continue
		}
		if again := r.pushes[1]; strings.Contains(again, `"sighting--`) != (lost == "sighting") {
			t.Errorf("%s: sent again is %s", lost, again)
		}
		if !report.Clean() || report.Count("alert", pull.Imported) != 1 {
			t.Errorf("%s: %+v", lost, report)
		}
		if s := r.sights[0]; s.Count != 1 {
			t.Errorf("%s: the sighting counts %d", lost, s.Count)
		}
	}
}

// Nor does it stay so when the run ended before it could look.
func TestWhatLostItsMarkingInAnEarlierRunIsRepaired(t *testing.T) {
	for i, lost := range []string{"incident", "file", "relationship--file"} {
		r, store := newPlatforms(), &memStore{}
		r.saw(1, "host", "a").Detected.Path = `C:\x.exe`
		r.strips, r.spares = 1, i
		r.failing["Work"] = errA
		if _, err := r.puller(t, store).Pull(t.Context()); !errors.Is(err, pull.ErrPending) {
			t.Fatalf("%s: %v", lost, err)
		}
		delete(r.failing, "Work")
		r.down = false
		report := r.pull(t, store)
		if len(r.bare) != 0 || !report.Clean() || len(r.sights) != 1 || r.sights[0].Count != 1 {
			t.Errorf("%s: %v stay without a marking; %+v, sightings %+v", lost, r.bare, report, r.sights)
		}
	}
}

// Something that was there before us, of more confidence than ours, takes no author from us.
func TestWhatAnotherMadeKeepsItsAuthor(t *testing.T) {
	for highest, pushes := range map[int]int{74: 1, 75: 2} {
		r := newPlatforms()
		r.saw(1, "host", "a")
		r.firm = map[string]int{"relationship--indicator--aalert-001": 75}
		p := r.puller(t, &memStore{})
		p.Highest = highest
		report, err := p.Pull(t.Context())
		if err != nil || report.Clean() != (pushes == 1) || len(r.pushes) != pushes {
			t.Errorf("up to %d: %d bundles, problems %q, %v", highest, len(r.pushes), report.Problems, err)
		}
	}
}

func TestACaseAndItsNoteThatLostTheirMarkingAreRepaired(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	th := r.threat("1", 0, r.saw(1, "host", ""))
	r.notes[th.ID] = &alert.Note{Title: "n", Content: "text"}
	p := r.withThreats(t, store)
	taken := 0
	r.take = func(r *platforms, bundle, work string) error {
		if taken++; strings.Contains(bundle, "case-incident") && r.strips == 0 && taken == 2 {
			r.strips = 2
		}
		r.importBundle(bundle, work)
		return nil
	}
	report, err := p.Pull(t.Context())
	if err != nil || !report.Clean() {
		t.Fatalf("%+v, %v", report, err)
	}
	if len(r.bare) != 0 || taken != 3 {
		t.Errorf("%v stay without a marking after %d bundles", r.bare, taken)
	}
}

// What OpenCTI takes without a marking again and again is named, and tried again by the next pull.
func TestWhatStaysWithoutAMarkingIsNamed(t *testing.T) {
	r, store := newPlatforms(), &memStore{}
	r.saw(1, "host", "")
	r.strips = 100
	report := r.pull(t, store)
	if report.Clean() || !strings.Contains(strings.Join(report.Problems, "\n"), "the marking or the author of incident--alert-001") {
		t.Errorf("problems: %q", report.Problems)
	}
	r.strips = 0
	report = r.pull(t, store)
	if len(r.bare) != 0 || !report.Clean() || report.Count("alert", pull.Updated) != 1 {
		t.Errorf("the next pull: %+v, bare %v", report, r.bare)
	}
	if report = r.pull(t, store); len(report.Items) != 0 {
		t.Errorf("the third pull: %+v", report.Items)
	}
}
