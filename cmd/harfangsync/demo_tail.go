package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

const demoStream = "3d9a1a52-0c6e-4f5e-9d4c-0f7f5a0f7c11"

// follow shows the lists following OpenCTI's live stream: an indicator is created, changed, revoked,
// merged into another and deleted.
func (d *demo) follow(ctx context.Context) error {
	octi := d.sims.octi
	octi.PutStream(octisim.Stream{ID: demoStream, Name: "for HarfangLab", Live: true, Filters: new(demoFilter)})
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	fmt.Fprintf(d.p.stdout, "$ harfangsync tail\n")
	ended := make(chan error, 1)
	go func() {
		defer crash.Exit()
		ended <- d.tailing(ctx)
	}()

	var beacon, twin string
	put := func(name, domain string) string {
		return octi.Put(octisim.Indicator{Name: name, Pattern: "[domain-name:value = '" + domain + "']", PatternType: "stix", Detection: new(true), Score: new(80)})
	}
	steps := []struct {
		title string
		act   func()
		in    []string // domains in force afterwards
		out   []string // and not in force
	}{
		{"the first full run is through", func() {}, []string{"c2.loader.example"}, nil},
		{"an indicator is created", func() { beacon = put("Beacon", "beacon.tail.example") }, []string{"beacon.tail.example"}, nil},
		{"its pattern changes", func() {
			octi.Edit(beacon, func(i *octisim.Indicator) { i.Pattern = "[domain-name:value = 'moved.tail.example']" })
		}, []string{"moved.tail.example"}, []string{"beacon.tail.example"}},
		{"it is revoked", func() { octi.Edit(beacon, func(i *octisim.Indicator) { i.Revoked = true }) }, nil, []string{"moved.tail.example"}},
		{"and is valid again; another report brings a twin", func() {
			octi.Edit(beacon, func(i *octisim.Indicator) { i.Revoked = false })
			twin = put("Beacon, second report", "twin.tail.example")
		}, []string{"moved.tail.example", "twin.tail.example"}, nil},
		{"the twin is merged into the first", func() { octi.Merge(beacon, twin) }, []string{"moved.tail.example"}, []string{"twin.tail.example"}},
		{"and the first is deleted", func() { octi.Delete(beacon) }, nil, []string{"moved.tail.example"}},
	}
	for i, s := range steps {
		s.act()
		began := time.Now()
		if _, err := fmt.Fprintf(d.p.stdout, "\n=== %d. In OpenCTI: %s\n\n", i+1, s.title); err != nil {
			return err
		}
		if err := d.until(ctx, ended, s.in, s.out); err != nil {
			return fmt.Errorf("demo step %d: %w", i+1, err)
		}
		fmt.Fprintf(d.p.stdout, "  in HarfangLab %.1f s later; in force: %s\n", time.Since(began).Seconds(), strings.Join(d.inForce("tail.example"), ", "))
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// demoFilter is what an administrator would set: indicators for detection that are not revoked.
const demoFilter = `{"mode":"and","filters":[{"key":["entity_type"],"operator":"eq","values":["Indicator"],"mode":"or"},` +
	`{"key":["revoked"],"operator":"eq","values":["false"],"mode":"or"},{"key":["x_opencti_detection"],"operator":"eq","values":["true"],"mode":"or"}],"filterGroups":[]}`

// tailing runs the command until ctx ends, which is how it is meant to end.
func (d *demo) tailing(ctx context.Context) error {
	err := d.command(ctx, "error", []string{"tail"}, "CONNECTOR_LIVE_STREAM_ID="+demoStream, "HARFANGLAB_REMOVE_INDICATOR=true")
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// until waits for domains to be in force, and others not to be.
func (d *demo) until(ctx context.Context, ended <-chan error, in, out []string) error {
	const step, most = 50 * time.Millisecond, 30 * time.Second
	tick := time.NewTicker(step)
	defer tick.Stop()
	for end := time.Now().Add(most); time.Now().Before(end); {
		held := d.inForce("")
		has := func(v string) bool { return slices.Contains(held, v) }
		if !slices.ContainsFunc(in, func(v string) bool { return !has(v) }) && !slices.ContainsFunc(out, has) {
			return nil
		}
		select {
		case err := <-ended:
			return fmt.Errorf("the tail ended: %w", err)
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
	return errors.New("the lists did not follow within 30 s")
}

// inForce are the enabled IOC values that end in something, sorted.
func (d *demo) inForce(suffix string) []string {
	var values []string
	for _, r := range d.sims.hl.Rules(hlsim.IOC) {
		if r.Enabled && strings.HasSuffix(r.Value, suffix) {
			values = append(values, r.Value)
		}
	}
	slices.Sort(values)
	return values
}
