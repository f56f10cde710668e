//go:build !race

package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// TestHostileAnswersFitAPod: whatever a platform, or what is in front of it, answers, a run stays within the 512 MiB of its
// pod. A huge answer was copied as it grew, and its errors were copied again: that took a gigabyte.
func TestHostileAnswersFitAPod(t *testing.T) {
	t.Parallel()
	const mega = 1 << 20
	again := func(s string, bytes int) func(io.Writer) {
		return func(w io.Writer) {
			chunk := strings.Repeat(s, 1+32<<10/len(s))
			for sent := 0; sent < bytes; sent += len(chunk) {
				if _, err := io.WriteString(w, chunk); err != nil {
					return
				}
			}
		}
	}
	in := func(before string, huge func(io.Writer), after string) func(io.Writer) {
		return func(w io.Writer) {
			_, _ = io.WriteString(w, before)
			huge(w)
			_, _ = io.WriteString(w, after)
		}
	}
	const fits = 70 * mega // of the largest answer that is read
	node, row := `{"data":{"list":{"pageInfo":{"globalCount":1,"hasNextPage":false},"edges":[{"node":{"id":"`, `{"count":1,"next":null,"results":[{"id":"`
	for _, tt := range []struct {
		name, side, request, command string
		answer                       func(io.Writer)
		code                         int
		says                         string
	}{
		{"a gigabyte", "octi", "query Page", "plan", again("A", 1<<30), exit.Side, "an answer of more than 80530636 bytes"},
		{"one huge text", "octi", "query Page", "plan", in(node, again("A", fits), `"}}]}}}`), exit.Side, ""},
		{"one huge text", "hl", "IOCRule", "plan", in(row, again("A", fits), `"}]}`), exit.Side, "a page of another shape: row AAAA"},
		{"one huge error", "octi", "query Page", "plan", in(`{"errors":[{"message":"`, again("E", fits), `"}]}`), exit.Side, "an error of more than a million characters"},
		{"millions of empty rows", "hl", "IOCRule", "plan", in(`{"count":1,"next":null,"results":[{}`, again(",{}", fits), `]}`), exit.Side, "an answer of more than 524288 elements"},
		{"a huge alert", "hl", "alert/alert/Alert", "pull", in(row, again("A", fits), `"}]}`), exit.Partly, "an alert of 73"},
		{"a huge refusal", "hl", "IOCRule", "plan", nil, exit.Side, "500"},
	} {
		t.Run(tt.name+" of "+tt.side, func(t *testing.T) {
			w := newChaosWorld(t)
			w.put(1, "one", "stix", "[domain-name:value = 'one.example']", "")
			w.must(t, exit.OK, "apply", "--auto-approve")
			at := map[string]*string{"octi": &w.octiURL, "hl": &w.hlURL}[tt.side]
			target, err := url.Parse(*at)
			if err != nil {
				t.Fatal(err)
			}
			request, proxy := regexp.MustCompile(tt.request), httputil.NewSingleHostReverseProxy(target)
			hostile := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
				body, _ := io.ReadAll(r.Body)
				r.Body = io.NopCloser(bytes.NewReader(body))
				switch {
				case !request.MatchString(r.URL.Path + string(body)):
					proxy.ServeHTTP(rw, r)
				case tt.answer == nil:
					rw.WriteHeader(http.StatusInternalServerError)
					again("E", 1<<30)(rw)
				default:
					rw.Header().Set("Content-Type", "application/json")
					tt.answer(rw)
				}
			}))
			t.Cleanup(hostile.Close)
			*at = hostile.URL
			w.env = []string{"HARFANGSYNC_REQUEST_TIMEOUT=60s", "HARFANGLAB_IMPORT_SECURITY_EVENTS_AS_INCIDENTS=true", "GOMEMLIMIT=483183820"} // what a pod of 512 MiB sets
			var out bytes.Buffer
			cmd := w.process(t, t.TempDir(), &out, tt.command)
			if code := exitOf(t, cmd.Wait()); code != tt.code || !strings.Contains(out.String(), tt.says) {
				t.Errorf("code %d, want %d and %q\n%s", code, tt.code, tt.says, lastOf(out.String()))
			}
			usage, _ := cmd.ProcessState.SysUsage().(*syscall.Rusage)
			if mib := usage.Maxrss >> 10; mib > 450 {
				t.Errorf("it took %d MiB", mib)
			}
		})
	}
}
