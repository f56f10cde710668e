package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMemoryOfTheContainer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		files map[string]string
		want  int64
	}{
		{"no control groups", nil, 0},
		{"as a pod sees its own", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "536870912\n"}, 512 << 20},
		{"without a limit", map[string]string{"proc/self/cgroup": "0::/\n", "sys/fs/cgroup/memory.max": "max\n"}, 0},
		{"a service of a host", map[string]string{"proc/self/cgroup": "0::/system.slice/x\n", "sys/fs/cgroup/system.slice/x/memory.max": "1000000\n"}, 1000000},
		{"of the first version", map[string]string{"proc/self/cgroup": "9:name=systemd:/\n4:memory:/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			"sys/fs/cgroup/memory/x/memory.limit_in_bytes": "1000000\n"}, 1000000},
		{"of the first version, as a container sees its own", map[string]string{"proc/self/cgroup": "4:memory:/docker/x\n", "sys/fs/cgroup/memory/memory.limit_in_bytes": "1000000\n"}, 1000000},
	} {
		root := t.TempDir()
		for name, text := range tt.files {
			at := filepath.Join(root, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(at, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := containerMemory(root); got != tt.want {
			t.Errorf("%s: %d bytes, want %d", tt.name, got, tt.want)
		}
	}
}
