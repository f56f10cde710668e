package main

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/simhttp"
)

// transcript is what a command has printed so far.
type transcript struct {
	mu sync.Mutex
	bytes.Buffer
}

func (s *transcript) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.Write(b)
}

func (s *transcript) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Buffer.String()
}

// A run that follows the stream afterwards ends with the code that a run in the situation of the tail's end has.
func TestATailEndsWithTheCodeOfARun(t *testing.T) {
	domains := func(w *chaosWorld, n int) { // of one indicator, so that they are written together
		var each []string
		for i := range n {
			each = append(each, domainPattern(fmt.Sprintf("late-%d.example", i)))
		}
		w.put(50, "late", "stix", strings.Join(each, " OR "), "")
	}
	fault := func(w *chaosWorld, f simhttp.Fault) {
		if err := w.hl.HTTP.Fail(f); err != nil {
			t.Error(err)
		}
	}
	for _, tt := range []struct {
		name string
		env  []string
		then func(*chaosWorld) // once the tail follows
		says string
		code int
	}{
		{"everything is done", nil, func(w *chaosWorld) { domains(w, 3) }, "Apply complete: 3 added", exit.OK},
		{"one of three is refused", nil, func(w *chaosWorld) {
			fault(w, simhttp.Fault{Method: "POST", Body: `late-1\.example`, Do: simhttp.Answer, Status: 400, Payload: `{"value": ["not a domain"]}`})
			domains(w, 3)
		}, "not done: 1 of ", exit.Partly},
		{"HarfangLab fails after the first", []string{"HARFANGSYNC_LIMITS_FAILURES=2", "HARFANGSYNC_PARALLELISM=1"}, func(w *chaosWorld) {
			fault(w, simhttp.Fault{Method: "POST", Path: "IOCRule", Skip: 1, Do: simhttp.Answer, Status: 500})
			domains(w, 5)
		}, "stopped after 2 failures in a row", exit.Partly},
		{"HarfangLab fails from the first on", []string{"HARFANGSYNC_LIMITS_FAILURES=2", "HARFANGSYNC_PARALLELISM=1"}, func(w *chaosWorld) {
			fault(w, simhttp.Fault{Method: "POST", Path: "IOCRule", Do: simhttp.Answer, Status: 403})
			domains(w, 5)
		}, "stopped after 2 failures in a row", exit.Side},
		{"a gate refuses", nil, func(w *chaosWorld) { w.revoke(15, true) }, "the last plan was refused by gate G4", exit.Refused},
		{"a list is switched off", []string{"HARFANGSYNC_TAIL_FULL_EVERY=1s"}, func(w *chaosWorld) {
			id, err := w.hl.AddSource("ioc", "from_OpenCTI")
			if err != nil || !w.hl.DisableSource("ioc", id) {
				t.Error("the list is not there", err)
			}
		}, "Enable them in the console", exit.Partly},
		{"an import is not through", nil, func(w *chaosWorld) {
			w.octi.SetKnobs(func(k *octisim.Knobs) { k.ImportDelay = time.Hour })
			if _, err := w.hl.Generate(hlsim.Spec{Seed: 7, Count: 2, Known: true, From: time.Now().Add(-time.Hour), To: time.Now().Add(-time.Minute), Hosts: 2}); err != nil {
				t.Error(err)
			}
		}, "handed over to OpenCTI", exit.Partly},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := newChaosWorld(t)
			for i := range 20 {
				w.put(i, fmt.Sprint("steady ", i), "stix", domainPattern(fmt.Sprintf("steady-%d.example", i)), "")
			}
			w.octi.PutStream(octisim.Stream{ID: demoStream, Name: "for HarfangLab", Live: true, Filters: new(demoFilter)})
			w.env = append(tt.env, "CONNECTOR_LIVE_STREAM_ID="+demoStream, "HARFANGSYNC_TAIL_QUIET=50ms", "HARFANGSYNC_TAIL_PULL_EVERY=1s",
				"HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "HARFANGLAB_IMPORT_FILTERS_BY_ALERT_TYPE=all",
				"HARFANGLAB_IMPORT_SECURITY_EVENTS_FILTERS_BY_STATUS=new,investigating,probable_false_positive,false_positive,closed")
			var said transcript
			defer func() {
				if t.Failed() {
					t.Log(said.String())
				}
			}()
			ended := make(chan int, 1)
			go func() {
				ended <- w.program(&said, &said).run(t.Context(), []string{"harfangsync", "run", "--tail", "3s", "--log-level", "info"})
			}()
			until(t, "the tail's first full run", func() bool { return strings.Contains(said.String(), `msg="full run"`) })
			time.Sleep(time.Second) // and it follows
			tt.then(w)
			if code := <-ended; code != tt.code || !strings.Contains(said.String(), tt.says) {
				t.Errorf("it ended with %d, want %d, saying %q", code, tt.code, tt.says)
			}
		})
	}
}
