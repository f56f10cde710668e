//go:build unix

package state

import (
	"os"
	"syscall"
)

// giveToOwner gives something to the user and the group that a file belongs to, if there is one.
func giveToOwner(file string, chown func(uid, gid int) error) {
	info, err := os.Lstat(file)
	if err != nil || !info.Mode().IsRegular() {
		return
	}
	if of, ok := info.Sys().(*syscall.Stat_t); ok {
		_ = chown(int(of.Uid), int(of.Gid)) // only root may give away
	}
}
