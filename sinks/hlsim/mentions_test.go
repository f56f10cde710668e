package hlsim

import (
	"strings"
	"testing"
)

func TestMentions(t *testing.T) {
	tests := []struct {
		s, lower string
		want     bool
	}{
		{"Beacon.Example.ORG", "example", true},
		{"Beacon.Example.ORG", "on.example.o", true},
		{"Beacon.Example.ORG", ".org", true},
		{"Beacon.Example.ORG", "on.example.org.", false},
		{"a.b.c.d", "c.d", true},
		{".d", "c.d", false},
		{"1.2.3.4", "2.3.4", true},
		{"1.2.3", "2.3.4", false},
		{"caf\u00c9.example", "f\u00e9.ex", true},
		{"caf\u00c9.example", "\u00e9.ex", true},
		{"", "a.b", false},
	}
	for _, tt := range tests {
		if got := mentions(tt.s, tt.lower); got != tt.want {
			t.Errorf("%q mentions %q: %v", tt.s, tt.lower, got)
		}
	}
}

func BenchmarkMentions(b *testing.B) {
	comment := strings.Repeat(`{"indicator_id": "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11", "host": "host-1.campaign.example"} `, 4)
	for b.Loop() {
		mentions(comment, "host-41.other.example")
	}
}
