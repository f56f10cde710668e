package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/term"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/reconcile/render"
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

// canMake says the same of a directory, which may be yet to be made.
func canMake(what, dir string) error {
	if dir == "" {
		return nil
	}
	at := dir
	for at != filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = filepath.Dir(at)
	}
	return canWrite(what, filepath.Join(at, "a file in it"))
}

// store writes a report where a flag asks for one.
func store(path string, report any) error {
	if path == "" {
		return nil
	}
	if err := planfile.Write(path, report); err != nil {
		return fmt.Errorf("--report: %w", err)
	}
	return nil
}

// untoldEnd is the end of a command with a code, and with what of it could not be told: that it did all is then not enough.
func untoldEnd(code int, wrote bool, untold error) error {
	switch {
	case untold == nil:
		return exit.With(code)
	case code == exit.OK && wrote:
		code = exit.Partly
	case code == exit.OK:
		code = exit.Unexpected
	}
	return &exit.Status{Code: code, Err: untold}
}

// graver is that of two ends of a command whose code counts; the other is told.
func (p *program) graver(a, b error) error {
	if code := p.code(a); exit.Graver(code, p.code(b)) == code {
		p.complain(b)
		return a
	}
	p.complain(a)
	return b
}

// asUsage is a file that cannot be opened as a mistake in the command line; other errors stay as they are.
func asUsage(what string, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return exit.Usagef("%s: %v", what, err)
	}
	return err
}

func (p *program) color(w io.Writer) bool {
	for _, e := range p.env {
		if v, ok := strings.CutPrefix(e, "NO_COLOR="); ok && v != "" {
			return false
		}
	}
	return !p.noColor && terminal(w)
}

// look is how a plan is shown on a screen, or where there is none.
func (p *program) look(w io.Writer) render.Options {
	o := render.Options{Color: p.color(w)}
	if f := fileOf(w); f != nil {
		o.Width, _, _ = term.GetSize(int(f.Fd())) // 0 where it is no screen
	}
	return o
}

// screen is stdout for lines that people read: on a terminal they go on below themselves, between words. JSON does not.
func (p *program) screen(asJSON bool) io.Writer {
	if width := p.look(p.stdout).Width; width > 0 && !asJSON {
		return &fitting{w: p.stdout, width: width}
	}
	return p.stdout
}

// fitting is a screen; what is written to it ends with a whole line.
type fitting struct {
	w     io.Writer
	width int
	rest  string // of a line that is not written yet
}

func (f *fitting) Write(b []byte) (int, error) {
	text := f.rest + string(b)
	whole := strings.LastIndexByte(text, '\n') + 1
	f.rest = text[whole:]
	for line := range strings.Lines(text[:whole]) {
		if _, err := io.WriteString(f.w, render.Fit(strings.TrimSuffix(line, "\n"), f.width)+"\n"); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}
