package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File keeps the document in a file of mode 0600. It is replaced in one step, so that a full disk or
// a crash leaves the earlier one.
type File string

// Load reads the file; a missing one is an empty document.
func (f File) Load(context.Context) (string, error) {
	b, err := os.ReadFile(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// Save replaces the file.
func (f File) Save(_ context.Context, text string) error { return WriteFile(string(f), []byte(text)) }

// WriteFile writes a file of mode 0600 in one step: what is there before stays whole until the new
// content is on the disk.
func WriteFile(path string, content []byte) (err error) {
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = t.Close()
			_ = os.Remove(t.Name())
			err = fmt.Errorf("write %s: %w", path, err)
		}
	}()
	if err := t.Chmod(0o600); err != nil {
		return err
	}
	if _, err := t.Write(content); err != nil {
		return err
	}
	if err := t.Sync(); err != nil {
		return err
	}
	if err := t.Close(); err != nil {
		return err
	}
	return os.Rename(t.Name(), path)
}
