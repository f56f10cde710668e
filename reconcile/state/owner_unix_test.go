//go:build unix

package state_test

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/state"
)

// What root changes beside jobs of another user stays that user's, and so do the locks that it takes for that.
func TestWhatRootReplacesKeepsItsOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root may give files away")
	}
	const user, group = 12345, 23456
	f := state.File(filepath.Join(t.TempDir(), "state.json"))
	if err := f.Save(t.Context(), "{}"); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(string(f), user, group); err != nil {
		t.Fatal(err)
	}
	release, err := f.Alone(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	if err := f.Save(t.Context(), `{"n": 1}`); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{string(f), string(f) + ".change"} {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if of := info.Sys().(*syscall.Stat_t); of.Uid != user || of.Gid != group || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %d:%d, %v", filepath.Base(path), of.Uid, of.Gid, info.Mode())
		}
	}
}
