package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// A tail imports alerts from its start on, and while OpenCTI's workers keep an import waiting the lists
// follow the stream.
func TestTheListsFollowWhileAnImportWaits(t *testing.T) {
	w := newChaosWorld(t)
	w.stix(1, domainPattern("first.example"))
	w.octi.PutStream(octisim.Stream{ID: demoStream, Name: "for HarfangLab", Live: true, Filters: new(demoFilter)})
	if _, err := w.hl.Generate(hlsim.Spec{Seed: 7, Count: 5, Known: true, From: time.Now().Add(-time.Hour), To: time.Now().Add(-time.Minute), Hosts: 2}); err != nil {
		t.Fatal(err)
	}
	w.octi.SetKnobs(func(k *octisim.Knobs) { k.ImportDelay = time.Hour })
	w.env = append(w.env, "CONNECTOR_LIVE_STREAM_ID="+demoStream, "HARFANGSYNC_TAIL_QUIET=50ms", "HARFANGSYNC_TAIL_PULL_EVERY=1h",
		"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all",
		"HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS=new,investigating,probable_false_positive,false_positive,closed")

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var said bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		code, out, errs := w.command(ctx, "tail")
		said.WriteString(out + errs)
		ended <- code
	}()
	until := func(what string, holds func() bool) {
		t.Helper()
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for end := time.Now().Add(20 * time.Second); !holds(); {
			select {
			case code := <-ended:
				t.Fatalf("%s: the tail ended with %d\n%s", what, code, said.String())
			case now := <-tick.C:
				if now.After(end) {
					stop()
					<-ended
					t.Fatalf("not within 20 s: %s\n%s", what, said.String())
				}
			}
		}
	}
	until("alerts are handed over", func() bool { return w.octi.Held().Queued > 0 })
	w.octi.Put(octisim.Indicator{Name: "second", Pattern: domainPattern("second.example"), PatternType: "stix", Detection: new(true), Score: new(80)})
	until("the new indicator is in force", func() bool { return strings.Contains(strings.Join(w.values(), " "), "second.example") })
	stop()
	<-ended
	if text := said.String(); w.octi.Held().Incidents != 0 || !strings.Contains(text, "handed over to OpenCTI") {
		t.Errorf("what became of the import that still waits is not told:\n%s", text)
	}
}
