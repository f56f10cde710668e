package main

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"
)

// OpenCTI makes observables of a pattern as it is written, with its escapes or without its quotes; they add
// neither a rule nor a skip.
func TestObservablesThatOpenCTIMadeOfAPatternAddNothing(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	var objects []any
	for i, p := range []string{
		`[file:name = 'C:\\Windows\\Temp\\evil.exe']`, `[url:value = '\\\\files.example.org\\share\\evil.dll']`, `[file:name = 'it\'s.exe']`, `[directory:path = 'C:\\Temp']`,
	} {
		objects = append(objects, map[string]any{
			"type": "indicator", "spec_version": "2.1", "id": "indicator--" + chaosID(i), "name": fmt.Sprintf("made %d", i), "pattern_type": "stix", "pattern": p,
			"valid_from": time.Now().Add(-time.Hour).UTC().Format(time.RFC3339), "x_opencti_detection": true, "x_opencti_score": 60, "x_opencti_create_observables": true,
		})
	}
	bundle, err := json.Marshal(map[string]any{"type": "bundle", "id": "bundle--" + chaosID(9), "objects": objects})
	if err != nil {
		t.Fatal(err)
	}
	if problems, err := w.octi.Import(bundle); err != nil || len(problems) > 0 {
		t.Fatal(problems, err)
	}
	var made []string
	for _, o := range w.octi.Observables() {
		made = append(made, o.Value+o.Name)
	}
	if all := strings.Join(made, "\n"); !strings.Contains(all, `C:\\Windows\\Temp\\evil.exe`) || !strings.Contains(all, `it\s.exe`) {
		t.Fatalf("the platform unescaped what it made observables of:\n%s", all)
	}
	if out := w.must(t, 0, "run"); !strings.Contains(out, "1 skipped") {
		t.Error(out)
	}
	w.wantValues(t, `filepath C:\Windows\Temp\evil.exe`, `url \\files.example.org\share\evil.dll`, "filename it's.exe")
	w.inSync(t)
}

// What explain says of an address is what a run does with it.
func TestAnAddressIsNeverAPublicSuffix(t *testing.T) {
	t.Parallel()
	w := newChaosWorld(t)
	w.stix(1, "[ipv4-addr:value = '124.168.91.178']")
	w.stix(2, "[domain-name:value = '203.0.113.99']")
	w.must(t, 0, "run")
	w.wantValues(t, "ip_both 124.168.91.178", "ip_both 203.0.113.99")
	for _, value := range []string{"124.168.91.178", "203.0.113.99"} {
		if out := w.must(t, 0, "explain", "--value", value); strings.Contains(out, "never deployed") || !strings.Contains(out, "ip_both "+value) {
			t.Error(out)
		}
	}
}
