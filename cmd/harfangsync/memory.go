package main

import (
	"bufio"
	"os"
	"path"
	"runtime/debug"
	"strconv"
	"strings"
)

// keepWithinMemory tells the runtime how much memory the container has, unless GOMEMLIMIT says how much to use: by itself
// it lets garbage grow to the size of what is in use, and what is in use is bounded by what there is.
func keepWithinMemory() {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	if n := containerMemory("/"); n > 0 {
		debug.SetMemoryLimit(n / 10 * 9)
	}
}

// containerMemory is how many bytes the control group of this process may use; 0 is no limit, or none that can be read.
func containerMemory(root string) int64 {
	groups := []string{"sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"} // as a container sees its own
	if f, err := os.Open(path.Join(root, "proc/self/cgroup")); err == nil {
		defer f.Close()
		for lines := bufio.NewScanner(f); lines.Scan(); {
			_, line, _ := strings.Cut(lines.Text(), ":")
			switch controllers, group, _ := strings.Cut(line, ":"); controllers {
			case "":
				groups = append(groups, path.Join("sys/fs/cgroup", group, "memory.max"))
			case "memory":
				groups = append(groups, path.Join("sys/fs/cgroup/memory", group, "memory.limit_in_bytes"))
			}
		}
	}
	least := int64(0)
	for _, g := range groups {
		text, err := os.ReadFile(path.Join(root, g))
		if err != nil {
			continue
		}
		const unlimited = 1 << 60 // the first version writes a huge number, the second the word max
		if n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && n > 0 && n < unlimited && (least == 0 || n < least) {
			least = n
		}
	}
	return least
}
