package pull_test

import (
	"strings"
	"testing"

	"harfangsync/reconcile/alert"
	"harfangsync/reconcile/pull"
)

// OpenCTI drops references that it cannot resolve at that moment, and reports success (contract opencti-api
// 0.9): what arrived without its marking or its author is sent once more.
func TestWhatLostItsMarkingIsRepaired(t *testing.T) {
	for _, n := range []int{1, 3} {
		r := newPlatforms()
		r.saw(1, "host", "a")
		r.strips = n // the incident; the relationship and the sighting
		report := r.pull(t, &memStore{})
		if len(r.bare) != 0 && n == 1 || r.bare["incident--alert-001"] || r.bare["sighting--indicator--a-identity--host"] {
			t.Errorf("%d lost: %v stay without a marking", n, r.bare)
		}
		if !report.Clean() || report.Count("alert", pull.Imported) != 1 {
			t.Errorf("%d lost: %+v", n, report)
		}
		if s := r.sights[0]; s.Count != 1 {
			t.Errorf("%d lost: the sighting counts %d", n, s.Count)
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
