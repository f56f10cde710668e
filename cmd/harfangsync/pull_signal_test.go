package main

import (
	"bytes"
	"syscall"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// An import that is interrupted while OpenCTI works on its bundle ends with the signal's code, and the
// next one finds each alert counted once.
func TestAnInterruptedImportEndsWithTheSignal(t *testing.T) {
	for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 130} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			w := newChaosWorld(t)
			w.resolved(t)
			w.octi.SetKnobs(func(k *octisim.Knobs) { k.ImportDelay = 3 * time.Second })
			dir := t.TempDir()
			var out bytes.Buffer
			cmd := w.process(t, dir, &out, "pull", "--report", "report.json")
			for w.octi.Held().Queued == 0 {
				time.Sleep(5 * time.Millisecond)
			}
			_ = cmd.Process.Signal(sig)
			if got := exitOf(t, cmd.Wait()); got != code {
				t.Errorf("code %d, want %d\n%s", got, code, lastOf(out.String()))
			}
			if !bytes.Contains(out.Bytes(), []byte("pending: handed over to OpenCTI")) {
				t.Errorf("it is not said what is pending\n%s", lastOf(out.String()))
			}
			w.ends(t, exit.OK, dir, "pull")
			w.wantGraph(t, "sighting indicator indicator 1 on system WKS-001: 1, positive")
		})
	}
}

// A pull that finds OpenCTI down while an earlier bundle waits has written nothing: 8, and the bundle
// waits on.
func TestAnImportThatFindsOpenCTIDownIsNotPartlyDone(t *testing.T) {
	w := newChaosWorld(t)
	w.resolved(t)
	fails(t, w.octi.HTTP, simhttp.Fault{Body: "stixBundlePush", Times: 1, Do: simhttp.ResetAfter})
	w.must(t, exit.Partly, "pull")
	fails(t, w.octi.HTTP, simhttp.Fault{Body: "query WorkState|query Work", Do: simhttp.Answer, Status: 500})
	w.must(t, exit.Side, "pull")
	w.octi.HTTP.Heal()
	w.must(t, 0, "pull")
	w.wantGraph(t, "sighting indicator indicator 1 on system WKS-001: 1, positive")
}
