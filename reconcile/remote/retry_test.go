package remote_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// A wait is never longer than it can be told, nor shorter than was asked for because its number is huge.
func TestAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		value string
		want  time.Duration
	}{
		{"", 0},
		{"soon", 0},
		{"-5", 0},
		{" 30 ", 30 * time.Second},
		{now.Add(time.Minute).Format(http.TimeFormat), time.Minute},
		{"Sunday, 01-Mar-26 12:01:00 GMT", time.Minute},
		{"Sun Mar  1 12:01:00 2026", time.Minute},
		{now.Add(-time.Minute).Format(http.TimeFormat), 0},
		{"18446744074", 24 * time.Hour},         // nanoseconds that wrap around to less than a second
		{"9223372036854775807", 24 * time.Hour}, // and to a negative number
	} {
		if got := remote.After(tt.value, now); got != tt.want {
			t.Errorf("Retry-After %q asks for %s, want %s", tt.value, got, tt.want)
		}
	}
}
