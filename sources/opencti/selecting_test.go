package opencti_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// What the platform leaves out by thresholds is what we would leave out.
func TestThresholdsOnThePlatform(t *testing.T) {
	s, p := simulated(t, octisim.Options{}, opencti.Options{})
	var all []reconcile.Indicator
	for _, typ := range []string{"stix", "sigma", "yara"} {
		for _, score := range []int{-1, 0, 40, 60} {
			ind := octisim.Indicator{Name: typ + strconv.Itoa(score), PatternType: typ, Pattern: "[domain-name:value = '" + typ + strconv.Itoa(score) + ".example']"}
			judged := reconcile.Indicator{PatternType: typ}
			if score >= 0 {
				ind.Score, judged.Score = &score, &score
			}
			s.Put(ind)
			all = append(all, judged)
		}
	}
	for _, sel := range []reconcile.Selection{
		{}, {MinScore: reconcile.LeastScore(40)}, {MinScore: reconcile.Thresholds{reconcile.IOC: 60, reconcile.Sigma: 0}},
		{MinScore: reconcile.Thresholds{reconcile.YARA: 60}}, {MinScore: reconcile.Thresholds{reconcile.IOC: 60, reconcile.YARA: 40}, Kinds: []reconcile.Kind{reconcile.Sigma, reconcile.YARA}},
	} {
		now := time.Now()
		want := len(slices.DeleteFunc(slices.Clone(all), func(i reconcile.Indicator) bool { why, _ := sel.Judge(&i, now); return why != "" }))
		if got, err := p.Count(t.Context(), opencti.Selecting(&sel, now)); err != nil || got != want {
			t.Errorf("%+v: %d pass on the platform, want %d (%v)", sel, got, want, err)
		}
	}
}
