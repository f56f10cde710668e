// Package spooltest breaks spools.
package spooltest

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// Spoil empties the temporary files of this process's spools, as a disk that fails does. A test that has none on the disk
// is skipped where that cannot be done.
func Spoil(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the files of spools have no names, and are found in /proc alone")
	}
	spoilt := 0
	open, _ := filepath.Glob("/proc/self/fd/*")
	for _, fd := range open {
		if name, err := os.Readlink(fd); err == nil && strings.Contains(name, "/harfangsync-") && strings.HasSuffix(name, " (deleted)") {
			if err := os.Truncate(fd, 0); err != nil {
				t.Fatal(err)
			}
			spoilt++
		}
	}
	if spoilt == 0 {
		t.Fatal("no spool is on the disk")
	}
}
