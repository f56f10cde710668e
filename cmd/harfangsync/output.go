package main

import (
	"errors"
	"fmt"
	"harfangsync/cmd/harfangsync/exit"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"
)

// canWrite says before the work begins that a file which a flag names could not be written after it.
func canWrite(flag, path string) error {
	if path == "" {
		return nil
	}
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return exit.Usagef("%s: %s is a directory", flag, path)
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".harfangsync-*")
	if err != nil {
		return exit.Usagef("%s: cannot write there: %v", flag, err)
	}
	_ = f.Close()
	_ = os.Remove(f.Name())
	return nil
}

// complain prints an error, unless the output has said everything.
func (p *program) complain(err error) {
	if exit.Unsaid(err) {
		fmt.Fprintln(p.stderr, "harfangsync: "+oneLine(err.Error()))
	}
}

// oneLine keeps what comes from outside from writing to the terminal.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r // several problems stand one a line
		}
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// slip is a file that cannot be opened as a mistake in the command line; other errors stay as they are.
func slip(what string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return exit.Usagef("%s: %v", what, err)
	}
	return err
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *program) color(w io.Writer) bool {
	for _, e := range p.env {
		if v, ok := strings.CutPrefix(e, "NO_COLOR="); ok && v != "" {
			return false
		}
	}
	return !p.noColor && terminal(w)
}

func terminal(v any) bool {
	f, ok := v.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}
