package main

import (
	"context"
	"fmt"
	"time"
)

// imports are the settings with which alerts of every form become incidents.
var imports = []string{"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all",
	"HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS=new,investigating,probable_false_positive,false_positive,closed"}

const importBudget = "at most 0.5 requests an alert to OpenCTI and 1 to HarfangLab, under 200 MiB"

// importable says whether an import of n alerts kept its budget.
func (b *bench) importable(c cost, n int) bool {
	return (2*c.octi <= n+2*overhead || b.small) && c.hl <= n+overhead && c.peakMiB < 200
}

// imported measures an import of n new alerts of every form, half of them of rules that are in force.
func (b *bench) imported(ctx context.Context, p *platform, n int, args ...string) (cost, error) {
	now := time.Now().UTC()
	spec := map[string]any{"generate": map[string]any{"seed": n, "count": n, "known": true, "hosts": 200, "from": now.Add(-24 * time.Hour), "to": now.Add(-time.Minute)}}
	if err := p.call("POST", harfanglab, "/_sim/alerts", spec, nil); err != nil {
		return cost{}, err
	}
	return b.counted(ctx, p, append([]string{"pull"}, args...)...)
}

// pull measures an import of many alerts beside a few that are there, and one with nothing to do.
func (b *bench) pull(ctx context.Context, p *platform, _ int) error {
	p.env = append(p.env, imports...)
	few, many := b.size(500), b.size(5000)
	if _, err := b.imported(ctx, p, few); err != nil {
		return err
	}
	since := time.Now().UTC().Add(-48 * time.Hour).Format(time.RFC3339) // behind what the first import remembers
	c, err := b.imported(ctx, p, many-few, "--since", since)
	if err != nil {
		return err
	}
	b.add(fmt.Sprintf("pull, %d alerts imported, %d there already", many-few, few), importBudget,
		fmt.Sprintf("%s, %d requests to OpenCTI, %d to HarfangLab, %d MiB", seconds(c.wall), c.octi, c.hl, c.peakMiB), b.importable(c, many-few))
	again, err := b.counted(ctx, p, "pull")
	if err != nil {
		return err
	}
	var held struct{ Incidents int }
	if err := p.get(opencti, "/_sim/held", &held); err != nil {
		return err
	}
	b.add("pull, nothing new", fmt.Sprintf("at most 10 requests, the lock's included; every one of %d alerts is one incident; no more memory than before", many),
		fmt.Sprintf("%s, %d requests, %d MiB, %d incidents", seconds(again.wall), again.requests(), again.peakMiB, held.Incidents),
		again.requests() <= 10 && held.Incidents == many && again.peakMiB <= c.peakMiB+20)
	return nil
}
