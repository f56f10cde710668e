//go:build !unix

package crash

func withoutCore() bool { return false }
