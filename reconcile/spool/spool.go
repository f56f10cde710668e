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
	"sync"
)

const (
	inMemory = 8 << 20 // a small spool never touches the disk
	chunk    = 1 << 20 // written at once
)

// Spool is an append-only store of records. Small ones stay in memory; beyond that they go to a
// temporary file that has no name, so that nothing is left behind whatever happens. Where no such
// file can be made, everything stays in memory. It is safe for concurrent use.
type Spool struct {
	mu   sync.Mutex
	buf  []byte // the end of the spool, from offset base
	base int64
	file *os.File
	noFS bool
	err  error

	guess [4096]byte // what is read at once; most records are smaller
}

// New makes an empty spool.
func New() *Spool { return &Spool{} }

// Put stores a record and returns its offset. A failed write is reported by Get and Close as well,
// so callers that store many records may look once, at the end.
func (s *Spool) Put(record []byte) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return 0, s.err
	}
	at := s.base + int64(len(s.buf))
	s.buf = binary.AppendUvarint(s.buf, uint64(len(record)))
	s.buf = append(s.buf, record...)
	if !s.noFS && (len(s.buf) > inMemory || s.file != nil && len(s.buf) >= chunk) {
		s.flush()
	}
	return at, s.err
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
		s.err = fmt.Errorf("temporary file: %w", err)
		return
	}
	s.base += int64(len(s.buf))
	s.buf = s.buf[:0]
	if cap(s.buf) > 2*chunk {
		s.buf = make([]byte, 0, 2*chunk)
	}
}

// Get is the record at an offset that Put returned.
func (s *Spool) Get(at int64) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return nil, s.err
	}
	if at < 0 || at >= s.base+int64(len(s.buf)) {
		return nil, errTorn
	}
	if at >= s.base {
		return record(s.buf[at-s.base:])
	}
	b := s.guess[:min(int64(len(s.guess)), s.base-at)]
	if _, err := s.file.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(s.base-at-int64(n)) {
		return nil, errTorn
	}
	if int(size)+n <= len(b) {
		return append(make([]byte, 0, size), b[n:n+int(size)]...), nil
	}
	whole := make([]byte, size)
	if _, err := s.file.ReadAt(whole, at+int64(n)); err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	return whole, nil
}

var (
	errTorn   = errors.New("temporary file: a record is torn")
	errClosed = errors.New("temporary file: closed")
)

func record(b []byte) ([]byte, error) {
	size, n := binary.Uvarint(b)
	if n <= 0 || size > uint64(len(b)-n) {
		return nil, errTorn
	}
	return append([]byte(nil), b[n:n+int(size)]...), nil
}

// Close gives the file back. Put and Get are errors afterwards; a second Close does nothing.
func (s *Spool) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == errClosed {
		return nil
	}
	failed := s.err
	s.buf, s.base, s.err = nil, 0, errClosed
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

// Decoder unpacks a record in the order in which it was packed. After a torn record everything
// reads as zero and Err says so.
type Decoder struct {
	b   []byte
	err error
}

// NewDecoder reads b.
func NewDecoder(b []byte) *Decoder { return &Decoder{b: b} }

// Err is the first failure.
func (d *Decoder) Err() error { return d.err }

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

// Strings reads a list.
func (d *Decoder) Strings() []string {
	n := d.Int()
	if n < 0 || n > int64(len(d.b)) {
		d.fail()
		return nil
	}
	l := make([]string, 0, n)
	for range n {
		l = append(l, d.String())
	}
	return l
}

func (d *Decoder) fail() {
	d.b, d.err = nil, errTorn
}
