package reconcile_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile"
)

// One threshold for all is written as it was before there were others, so that digests and snapshots stay what they are.
func TestThresholdsAsJSON(t *testing.T) {
	for _, tt := range []struct {
		in   reconcile.Thresholds
		want string
	}{
		{nil, "null"},
		{reconcile.LeastScore(0), "0"},
		{reconcile.LeastScore(60), "60"},
		{reconcile.Thresholds{reconcile.IOC: 60, reconcile.Sigma: 0}, `{"ioc":60,"sigma":0}`},
	} {
		b, err := json.Marshal(tt.in)
		if err != nil || string(b) != tt.want {
			t.Errorf("%v is %s, want %s (%v)", tt.in, b, tt.want, err)
		}
		var back reconcile.Thresholds
		if err := json.Unmarshal(b, &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(tt.in, back); d != "" {
			t.Errorf("read again (-want +got):\n%s", d)
		}
	}
}
