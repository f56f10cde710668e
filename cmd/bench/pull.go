package main

import (
	"context"
	"fmt"
	"time"
)

// pull measures an import of alerts of every form, half of them of rules that are in force, and one with
// nothing to do.
func (b *bench) pull(ctx context.Context, p *platform, _ int) error {
	p.env = append(p.env, "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all",
		"HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS=new,investigating,probable_false_positive,false_positive,closed")
	few, many := b.size(500), b.size(5000)
	var peaks []int64
	for _, n := range []int{few, many - few} {
		now := time.Now().UTC()
		spec := map[string]any{"generate": map[string]any{"seed": n, "count": n, "known": true, "hosts": 200, "from": now.Add(-24 * time.Hour), "to": now.Add(-time.Minute)}}
		if err := p.call("POST", harfanglab, "/_sim/alerts", spec, nil); err != nil {
			return err
		}
		args := []string{"pull"}
		if len(peaks) > 0 { // behind what the first import remembers
			args = append(args, "--since", now.Add(-48*time.Hour).Format(time.RFC3339))
		}
		u, octi, hl, err := b.counted(ctx, p, args...)
		if err != nil {
			return err
		}
		peaks = append(peaks, u.peakMiB)
		what := fmt.Sprintf("pull, %d alerts imported", n)
		if len(peaks) > 1 {
			what += fmt.Sprintf(", %d there already", few)
		}
		b.add(what, "at most 0.5 requests an alert to OpenCTI and 1 to HarfangLab, under 200 MiB", fmt.Sprintf("%s, %d requests to OpenCTI, %d to HarfangLab, %d MiB", seconds(u.wall), octi, hl, u.peakMiB),
			2*octi <= n+2*overhead && hl <= n+overhead && u.peakMiB < 200)
	}
	u, octi, hl, err := b.counted(ctx, p, "pull")
	if err != nil {
		return err
	}
	var held struct{ Incidents int }
	if err := p.get(opencti, "/_sim/held", &held); err != nil {
		return err
	}
	b.add("pull, nothing new", fmt.Sprintf("at most 10 requests, the lock's included; every one of %d alerts is one incident; no more memory than before", many),
		fmt.Sprintf("%s, %d requests, %d MiB, %d incidents", seconds(u.wall), octi+hl, u.peakMiB, held.Incidents), octi+hl <= 10 && held.Incidents == many && u.peakMiB <= peaks[1]+20)
	return nil
}
