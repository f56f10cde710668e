package main

import (
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/run"
)

// document is the stored form of a plan.
func (t *target) document(pl *run.Planned) *planfile.Document {
	source := planfile.Source{URL: t.cfg.OpenCTI.URL, FilterDigest: t.job.Filter, Count: pl.Plan.Indicators, Digest: pl.Plan.WantedDigest}
	if t.snap != nil {
		source.Snapshot = &planfile.Snapshot{Time: t.snap.Header.Time, Digest: t.snap.Digest}
	}
	h := planfile.Document{
		ToolVersion: version(), Timestamp: pl.Started, Complete: pl.Complete, AsOf: t.asOf,
		Applyable:      pl.Complete && t.asOf == nil && !pl.Plan.Refused(),
		Source:         source,
		Target:         planfile.Target{URL: t.cfg.HarfangLab.URL, Version: t.version},
		Policy:         string(t.job.Policy.Mode),
		SettingsDigest: t.settings,
	}
	if pl.Restore {
		h.Backup = &planfile.Backup{Since: pl.Plan.Since}
	}
	for _, k := range t.job.Policy.Included() {
		l := planfile.List{Kind: k, Name: t.cfg.HarfangLab.ListName}
		if found := pl.Lists[k]; found != nil {
			l.ID = &found.ID
			l.SwitchedOff = found.Enabled != nil && !*found.Enabled && pl.Plan.Wanted[k] > 0
		}
		h.Target.Lists = append(h.Target.Lists, l)
	}
	return planfile.New(pl.Plan, h)
}
