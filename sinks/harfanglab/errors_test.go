package harfanglab_test

import (
	"errors"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
)

// Only what went wrong on the way asks to check the way: what was not sent because the lock is lost says that.
func TestWhatWasNotSentAdvisesNothingAboutTheNetwork(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&state.LostError{Err: errors.New("another run took it")}, "HarfangLab: POST /x: the lock is lost: another run took it"},
		{errors.New("connection refused"), "HarfangLab: POST /x: connection refused; check harfanglab.url, the network and ssl_verify or ca_bundle"},
	} {
		if got := (&harfanglab.Error{Method: "POST", Path: "/x", Err: tt.err}).Error(); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}
