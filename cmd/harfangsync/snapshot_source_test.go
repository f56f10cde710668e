package main

import (
	"context"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/snapshot"
)

// stored is a snapshot of some indicators.
func stored(t *testing.T, inds ...reconcile.Indicator) *snapshot.File {
	t.Helper()
	path := filepath.Join(t.TempDir(), "s.gz")
	w, err := snapshot.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	h := snapshot.Header{Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), Source: snapshot.Source{URL: "https://cti.example"}, Count: ids(inds), Complete: true}
	if err := errors.Join(w.Add(inds), w.Commit(h)); err != nil {
		t.Fatal(err)
	}
	f, err := snapshot.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func ids(inds []reconcile.Indicator) int {
	distinct := map[string]bool{}
	for i := range inds {
		distinct[inds[i].ID] = true
	}
	return len(distinct)
}

// TestASnapshotStandsInForOpenCTI holds what a run reads of a file some hours after it was made.
func TestASnapshotStandsInForOpenCTI(t *testing.T) {
	now := time.Date(2026, 3, 1, 14, 0, 0, 0, time.UTC)
	stix := func(id string, change func(*reconcile.Indicator)) reconcile.Indicator {
		i := reconcile.Indicator{ID: id, StandardID: "indicator--" + id, Name: "first", PatternType: "stix", Score: new(60), Detection: new(true)}
		if change != nil {
			change(&i)
		}
		return i
	}
	file := stored(t,
		stix("plain", nil),
		stix("expired", func(i *reconcile.Indicator) { i.ValidUntil = now.Add(-time.Minute) }),
		stix("valid", func(i *reconcile.Indicator) { i.ValidUntil = now.Add(time.Minute) }),
		stix("low", func(i *reconcile.Indicator) { i.Score = new(40) }),
		stix("labelled", func(i *reconcile.Indicator) { i.Labels = []string{"test"} }),
		stix("red", func(i *reconcile.Indicator) { i.Markings = []reconcile.Marking{{Definition: "TLP:RED"}} }),
		stix("sigma", func(i *reconcile.Indicator) { i.PatternType = "sigma" }),
		stix("moved", nil),
		stix("moved", func(i *reconcile.Indicator) { i.Name = "second" }),
		stix("revoked", nil),
		stix("revoked", func(i *reconcile.Indicator) { i.Revoked = true }),
	)
	source := &snapshotSource{file: file, now: now, selection: &reconcile.Selection{Kinds: []reconcile.Kind{reconcile.IOC, reconcile.YARA}, NeedDetection: true,
		MinScore: reconcile.LeastScore(50), ExcludeLabels: []string{"test"}, MaxTLP: "TLP:AMBER"}}

	var read []string
	n, err := source.Read(t.Context(), now, func(page []reconcile.Indicator, _ int) error {
		for i := range page {
			read = append(read, page[i].ID+" "+page[i].Name)
		}
		return nil
	})
	// Labels and markings are for the run to judge, as it judges what OpenCTI lets through.
	want := []string{"plain first", "valid first", "labelled first", "red first", "moved first", "moved second", "revoked first", "revoked first"}
	if err != nil || n != len(want) || !slices.Equal(read, want) {
		t.Errorf("read %q (%d), %v, want %q", read, n, err, want)
	}

	for _, tt := range []struct {
		name     string
		filtered bool
		ids      []string
		want     string
	}{
		{"what is in it is found", false, []string{"plain", "nowhere"}, "plain=first"},
		{"by standard id too", false, []string{"indicator--plain"}, "indicator--plain=first"},
		{"the later version counts", false, []string{"moved"}, "moved=second"},
		{"what expired since is found and says so itself", false, []string{"expired", "low"}, "expired=first low=first"},
		{"and does not match any more", true, []string{"expired", "low", "sigma"}, ""},
		{"a later version that does not match counts as well", true, []string{"revoked"}, ""},
		{"what the run judges itself matches", true, []string{"labelled", "red", "valid"}, "labelled=first red=first valid=first"},
		{"asked for twice it is found once", false, []string{"plain", "plain"}, "plain=first"},
	} {
		answer, err := source.Ask(t.Context(), tt.ids)
		var words []string
		for _, f := range answer.Found {
			if f.Passes || !tt.filtered {
				words = append(words, f.Asked+"="+f.Name)
			}
		}
		if got := strings.Join(words, " "); err != nil || got != tt.want {
			t.Errorf("%s: %q, %v, want %q", tt.name, got, err, tt.want)
		}
	}
}

// asking is an OpenCTI that finds everything.
type asking struct{ reconcile.Source }

func (asking) Ask(_ context.Context, ids []string) (reconcile.Answer, error) {
	return reconcile.Answer{Found: []reconcile.Found{{Asked: ids[0], Indicator: reconcile.Indicator{ID: "of the platform"}}}}, nil
}

func TestOpenCTIIsAskedWhereItCanBe(t *testing.T) {
	source := &snapshotSource{file: stored(t), selection: &reconcile.Selection{}, asks: asking{}}
	answer, err := source.Ask(t.Context(), []string{"a"})
	if err != nil || len(answer.Found) != 1 || answer.Found[0].ID != "of the platform" {
		t.Errorf("%v, %v", answer.Found, err)
	}
}
