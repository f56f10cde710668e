// Package spool keeps records out of memory until they are needed again.
//
// A plan compares two sides of up to a million rules, of which it shows only those that change. The
// comparison needs some dozens of bytes of each; the texts wait here.
package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"runtime"
)

const (
	inMemory = 8 << 20 // a small spool never touches the disk
	chunk    = 1 << 20 // written at once
)

// Spool is an append-only store of records. Small ones stay in memory; beyond that they go to a
// temporary file that has no name, so that nothing is left behind whatever happens. Where no such
// file can be made, everything stays in memory. The first failure stays: whoever puts and gets many
// records looks at Err once, at the end. It is not safe for concurrent use.
type Spool struct {
	buf  []byte // the end of the spool, from offset base
	base int64
	file *os.File
	noFS bool
	err  error

	guess [4096]byte // what is read at once; most records are smaller
}

// New makes an empty spool.
func New() *Spool { return &Spool{} }

// Err is the first failure of a Put, of a Get or of what reads a record.
func (s *Spool) Err() error { return s.err }

func (s *Spool) fail(err error) {
	if s.err == nil {
		s.err = fmt.Errorf("temporary file: %w", err)
	}
}

// Put stores a record and returns its offset.
func (s *Spool) Put(record []byte) int64 {
	at := s.base + int64(len(s.buf))
	if s.err != nil {
		return at
	}
	s.buf = binary.AppendUvarint(s.buf, uint64(len(record)))
	s.buf = append(s.buf, record...)
	if !s.noFS && (len(s.buf) > inMemory || s.file != nil && len(s.buf) >= chunk) {
		s.flush()
	}
	return at
}

func (s *Spool) flush() {
	if s.file == nil {
		f, err := os.CreateTemp("", "harfangsync-*")
		if err != nil {
			s.noFS = true // a read-only root without a temporary directory
			return
		}
		if runtime.GOOS != "windows" {
			_ = os.Remove(f.Name())
		}
		s.file = f
	}
	if _, err := s.file.WriteAt(s.buf, s.base); err != nil {
		s.fail(err)
		return
	}
	s.base += int64(len(s.buf))
	s.buf = s.buf[:0]
	if cap(s.buf) > 2*chunk {
		s.buf = make([]byte, 0, 2*chunk)
	}
}

// Get reads the record at an offset that Put returned. The record is valid until the next call.
func (s *Spool) Get(at int64) *Decoder { return &Decoder{b: s.record(at), spool: s} }

func (s *Spool) record(at int64) []byte {
	end := s.base + int64(len(s.buf))
	if s.err != nil || at < 0 || at >= end {
		return nil
	}
	b := s.buf
	if at < s.base {
		b, end = s.guess[:min(int64(len(s.guess)), s.base-at)], s.base
		if _, err := s.file.ReadAt(b, at); err != nil {
			s.fail(err)
			return nil
		}
	} else {
		b = b[at-s.base:]
	}
	size, n := binary.Uvarint(b)
	switch {
	case n <= 0 || size > uint64(end-at-int64(n)):
		return nil
	case int(size)+n <= len(b):
		return b[n : n+int(size)]
	}
	whole := make([]byte, size)
	if _, err := s.file.ReadAt(whole, at+int64(n)); err != nil {
		s.fail(err)
		return nil
	}
	return whole
}

var (
	errTorn   = errors.New("a record is torn")
	errClosed = errors.New("closed")
)

// Close gives the file back, and says whether anything failed before. Put and Get fail afterwards; a
// second Close does nothing.
func (s *Spool) Close() error {
	if errors.Is(s.err, errClosed) {
		return nil
	}
	failed := s.err
	s.buf, s.base, s.err = nil, 0, nil
	s.fail(errClosed)
	if s.file == nil {
		return failed
	}
	name := s.file.Name()
	err := s.file.Close()
	if runtime.GOOS == "windows" {
		_ = os.Remove(name)
	}
	s.file = nil
	return errors.Join(failed, err)
}

// Encoder packs strings and numbers into a record.
type Encoder struct{ b []byte }

// Reset empties the record.
func (e *Encoder) Reset() { e.b = e.b[:0] }

// Bytes is the record so far; it is valid until Reset.
func (e *Encoder) Bytes() []byte { return e.b }

// String appends a text.
func (e *Encoder) String(s string) {
	e.b = binary.AppendUvarint(e.b, uint64(len(s)))
	e.b = append(e.b, s...)
}

// Int appends a number.
func (e *Encoder) Int(n int64) { e.b = binary.AppendVarint(e.b, n) }

// Bool appends a flag.
func (e *Encoder) Bool(v bool) {
	if v {
		e.Int(1)
		return
	}
	e.Int(0)
}

// Strings appends a list.
func (e *Encoder) Strings(l []string) {
	e.Int(int64(len(l)))
	for _, s := range l {
		e.String(s)
	}
}

// Decoder unpacks a record in the order in which it was packed. What is torn or could not be read is
// zero, and an error of the spool.
type Decoder struct {
	b     []byte
	spool *Spool
}

// String reads a text.
func (d *Decoder) String() string {
	size, n := binary.Uvarint(d.b)
	if n <= 0 || size > uint64(len(d.b)-n) {
		d.fail()
		return ""
	}
	s := string(d.b[n : n+int(size)])
	d.b = d.b[n+int(size):]
	return s
}

// Int reads a number.
func (d *Decoder) Int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// Bool reads a flag.
func (d *Decoder) Bool() bool { return d.Int() != 0 }

// Len reads the length of a list; no list is longer than what is left of the record.
func (d *Decoder) Len() int {
	n := d.Int()
	if n < 0 || n > int64(len(d.b)) {
		d.fail()
		return 0
	}
	return int(n)
}

// Strings reads a list.
func (d *Decoder) Strings() []string {
	n := d.Len()
	l := make([]string, 0, n)
	for range n {
		l = append(l, d.String())
	}
	return l
}

func (d *Decoder) fail() {
	d.b = nil
	d.spool.fail(errTorn)
}
