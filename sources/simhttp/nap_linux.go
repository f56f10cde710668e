package simhttp

import (
	"syscall"
	"time"
)

// nap sleeps as exactly as the kernel can: timers of the runtime come up to a millisecond late.
func nap(d time.Duration) {
	left := syscall.NsecToTimespec(int64(d))
	for syscall.Nanosleep(&left, &left) == syscall.EINTR {
	}
}
