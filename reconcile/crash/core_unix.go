//go:build unix

package crash

import "syscall"

// withoutCore forbids cores, and says whether it could.
func withoutCore() bool { return syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{}) == nil }
