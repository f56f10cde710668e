package reconcile_test

import (
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// TestSelection holds spec 3: what is wanted whatever the stream's filter says.
func TestSelection(t *testing.T) {
	forty, no := 40, false
	tlp := func(names ...string) func(*reconcile.Indicator) {
		return func(i *reconcile.Indicator) {
			for _, n := range names {
				i.Markings = append(i.Markings, reconcile.Marking{Type: "TLP", Definition: n})
			}
		}
	}
	labels := func(l ...string) func(*reconcile.Indicator) {
		return func(i *reconcile.Indicator) { i.Labels = l }
	}
	for _, tt := range []struct {
		name   string
		sel    reconcile.Selection
		change func(*reconcile.Indicator)
		want   reconcile.Reason
	}{
		{name: "nothing against it"},
		{name: "revoked", change: func(i *reconcile.Indicator) { i.Revoked = true }, want: reconcile.Revoked},
		{name: "another pattern type", change: func(i *reconcile.Indicator) { i.PatternType = "snort" }, want: reconcile.OutOfFilter},
		{name: "a pattern type in capitals", change: func(i *reconcile.Indicator) { i.PatternType = "STIX" }},
		{name: "a kind not asked for", sel: reconcile.Selection{Kinds: []reconcile.Kind{reconcile.YARA}}, want: reconcile.OutOfFilter},
		{name: "valid from now", change: func(i *reconcile.Indicator) { i.ValidFrom = noon }},
		{name: "valid from later", change: func(i *reconcile.Indicator) { i.ValidFrom = noon.Add(time.Second) }, want: reconcile.NotYetValid},
		{name: "valid until later", change: func(i *reconcile.Indicator) { i.ValidUntil = noon.Add(time.Second) }},
		{name: "valid until now", change: func(i *reconcile.Indicator) { i.ValidUntil = noon }, want: reconcile.Expired},
		{name: "detection is not ours to ask", change: func(i *reconcile.Indicator) { i.Detection = nil }},
		{name: "detection required and null", sel: reconcile.Selection{NeedDetection: true}, change: func(i *reconcile.Indicator) { i.Detection = nil }, want: reconcile.DetectionOff},
		{name: "detection required and off", sel: reconcile.Selection{NeedDetection: true}, change: func(i *reconcile.Indicator) { i.Detection = &no }, want: reconcile.DetectionOff},
		{name: "a null score without a threshold", change: func(i *reconcile.Indicator) { i.Score = nil }},
		{name: "a null score with one", sel: reconcile.Selection{MinScore: reconcile.LeastScore(forty)}, change: func(i *reconcile.Indicator) { i.Score = nil }, want: reconcile.BelowThreshold},
		{name: "the threshold itself", sel: reconcile.Selection{MinScore: reconcile.LeastScore(forty)}, change: func(i *reconcile.Indicator) { i.Score = &forty }},
		{name: "below the threshold of its kind", sel: reconcile.Selection{MinScore: reconcile.Thresholds{reconcile.IOC: 41}}, change: func(i *reconcile.Indicator) { i.Score = &forty }, want: reconcile.BelowThreshold},
		{name: "another kind's threshold", sel: reconcile.Selection{MinScore: reconcile.Thresholds{reconcile.IOC: 41, reconcile.Sigma: 0}}, change: func(i *reconcile.Indicator) { i.PatternType, i.Score = "yara", nil }},
		{name: "no score, where its kind asks for any", sel: reconcile.Selection{MinScore: reconcile.Thresholds{reconcile.Sigma: 0}}, change: func(i *reconcile.Indicator) { i.PatternType, i.Score = "sigma", nil }, want: reconcile.BelowThreshold},
		{name: "any label asked for, without case", sel: reconcile.Selection{Labels: []string{"other", "APT "}}, change: labels("apt")},
		{name: "none of the labels", sel: reconcile.Selection{Labels: []string{"apt"}}, want: reconcile.LabelFiltered},
		{name: "an excluded label", sel: reconcile.Selection{ExcludeLabels: []string{"Test"}}, change: labels("apt", "test"), want: reconcile.LabelFiltered},
		{name: "a marking at the limit", sel: reconcile.Selection{MaxTLP: "amber"}, change: tlp("TLP:AMBER", "PAP:RED")},
		{name: "a marking above it", sel: reconcile.Selection{MaxTLP: "TLP:AMBER"}, change: tlp("TLP:CLEAR", "TLP:AMBER+STRICT"), want: reconcile.MarkingDenied},
		{name: "white is clear", sel: reconcile.Selection{MaxTLP: "CLEAR"}, change: tlp("TLP:WHITE")},
	} {
		i := ind("a", "")
		if tt.change != nil {
			tt.change(&i)
		}
		if got, detail := tt.sel.Judge(&i, noon); got != tt.want || (got == "") != (detail == "") {
			t.Errorf("%s: %q (%s), want %q", tt.name, got, detail, tt.want)
		}
	}
}
