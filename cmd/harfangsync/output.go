package main

import (
	"os"
	"path/filepath"
)

// canWrite says before the work begins that a file which a flag names could not be written after it.
func canWrite(flag, path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return usagef("%s: %s is a directory", flag, path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".harfangsync-*")
	if err != nil {
		return usagef("%s: cannot write there: %v", flag, err)
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return nil
}
