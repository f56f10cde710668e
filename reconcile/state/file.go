package state

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
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

// Alone keeps other processes from changing the document until release.
func (f File) Alone(ctx context.Context) (release func(), err error) {
	const patience = 10 * time.Second // a change takes milliseconds
	return LockFile(ctx, string(f), ".change", patience)
}

// WriteFile is Replace with content that is there.
func WriteFile(path string, content []byte) error {
	return Replace(path, func(f *os.File) error {
		if _, err := f.Write(content); err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		return nil
	})
}

// Replace writes a file of mode 0600 in one step: what is there before stays whole until all that fill
// wrote is on the disk. The owner of what is there keeps it, where this process may say so: what root replaces stays
// readable for the user that jobs run as. An error of fill is returned as it is.
func Replace(path string, fill func(*os.File) error) error {
	t, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(t.Name()) // which is not there any more if all went well
	defer t.Close()
	if err := fill(t); err != nil {
		return err
	}
	giveToOwner(path, t.Chown)
	err = t.Sync()
	if err == nil {
		err = t.Close()
	}
	if err == nil {
		err = os.Rename(t.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
