package main

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// printout is stdout. A command that only prints ends with the first error of it; the work of others goes on, whether or
// not what they print reaches anybody.
type printout struct {
	w    io.Writer
	mu   sync.Mutex
	work bool
	err  *printError     // the first
	tell func(err error) // of the first, while there is work
}

// printError says that what was to be printed got lost.
type printError struct{ err error }

func (e *printError) Error() string { return "stdout: " + e.err.Error() }

func (e *printError) Unwrap() error { return e.err }

// unread says whether an error is only that whoever read the output has gone.
func unread(err error) bool {
	e, ok := errors.AsType[*printError](err)
	return ok && errors.Is(e.err, syscall.EPIPE)
}

func (o *printout) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.w.Write(b)
	if err == nil {
		return n, nil
	}
	first := o.err == nil
	if first {
		o.err = &printError{err}
	}
	if !o.work {
		return n, o.err
	}
	if first {
		o.tell(o.err)
	}
	return len(b), nil
}

// works says that from now on the work counts, and not what is printed of it.
func (o *printout) works() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.work = true
}

// lost is a *printError once something that was printed got lost, whether or not there is work.
func (o *printout) lost() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err == nil {
		return nil
	}
	return o.err
}

// unseen is lost of a command that only prints.
func (o *printout) unseen() error {
	if o.work {
		return nil
	}
	return o.lost()
}

// fileOf is the file that a stream is, nil for none.
func fileOf(stream any) *os.File {
	if o, ok := stream.(*printout); ok {
		stream = o.w
	}
	f, _ := stream.(*os.File)
	return f
}

func terminal(stream any) bool {
	f := fileOf(stream)
	return f != nil && term.IsTerminal(int(f.Fd()))
}
