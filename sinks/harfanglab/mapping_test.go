package harfanglab_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

// TestOverridesAndStates holds that only what is asked for is sent, and of a state and the flag one alone.
func TestOverridesAndStates(t *testing.T) {
	type object = map[string]any
	word := func(s string) *string { return &s }
	on := true
	for _, tt := range []struct {
		name string
		send func(*harfanglab.Client) error
		want object
	}{
		{"a new rule without any", func(c *harfanglab.Client) error {
			_, err := c.Create(t.Context(), "l", reconcile.Row{Kind: reconcile.YARA, Name: "n", Content: "c", Enabled: true, HLStatus: "stable"})
			return err
		}, object{"source_id": "l", "enabled": true, "hl_status": "stable", "name": "n", "content": "c"}},
		{"a new rule with a state", func(c *harfanglab.Client) error {
			_, err := c.Create(t.Context(), "l", reconcile.Row{Kind: reconcile.IOC, Type: "url", Value: "v", Enabled: true, HLStatus: "stable", Level: "high", State: "block"})
			return err
		}, object{"source_id": "l", "hl_status": "stable", "type": "url", "value": "v", "description": "", "comment": "", "global_state": "block", "rule_level_override": "high"}},
		{"a new rule with overrides alone", func(c *harfanglab.Client) error {
			_, err := c.Create(t.Context(), "l", reconcile.Row{Kind: reconcile.Sigma, Name: "n", Content: "c", Enabled: true, HLStatus: "stable", Confidence: "strong"})
			return err
		}, object{"source_id": "l", "enabled": true, "hl_status": "stable", "name": "n", "content": "c", "rule_confidence_override": "strong"}},
		{"a change", func(c *harfanglab.Client) error {
			return c.Update(t.Context(), reconcile.IOC, "1", reconcile.Patch{Level: word("low"), Confidence: word("weak"), State: word("alert")})
		}, object{"rule_level_override": "low", "rule_confidence_override": "weak", "global_state": "alert"}},
		{"a change of something else", func(c *harfanglab.Client) error {
			return c.Update(t.Context(), reconcile.IOC, "1", reconcile.Patch{Enabled: &on})
		}, object{"enabled": true}},
	} {
		m := serve(t, func(w http.ResponseWriter, r request) {
			if r.method == http.MethodPost {
				w.WriteHeader(http.StatusCreated)
			}
			fmt.Fprint(w, `{"id": "1"}`)
		})
		if err := tt.send(client(t, m.URL)); err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		var got object
		if err := json.Unmarshal([]byte(m.requests()[0].body), &got); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, d)
		}
	}
}
