package snapshot

import (
	"bufio"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
)

// File is a snapshot that is open for reading. It is not safe for concurrent use.
type File struct {
	Header Header
	Digest string // of the content; known once a Visit came to its end
	path   string
	raw    io.ReadSeeker
	close  func() error
}

const (
	pageSize  = 500
	pageBytes = 8 << 20  // of lines, after which a page is given early
	mostLine  = 32 << 20 // bytes of one indicator
)

var errBehind = errors.New("a line holds more than one value")

// Open opens a file and reads its header, which proves its format; Visit proves the rest. A file that
// cannot be opened is an *fs.PathError, one that is no snapshot an *UnusableError.
func Open(path string) (*File, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f, err := open(path, file)
	if err != nil {
		_ = file.Close()
		return nil, err
	}
	f.close = file.Close
	return f, nil
}

func open(path string, raw io.ReadSeeker) (*File, error) {
	f := &File{path: path, raw: raw, close: func() error { return nil }}
	l, err := f.lines()
	if err != nil {
		return nil, err
	}
	f.Header, err = l.header()
	return f, err
}

// Close closes the file.
func (f *File) Close() error { return f.close() }

// Visit reads the file from its beginning and visits every line, in pages. What was visited may be believed
// only if Visit returns nil: then the file is whole and unaltered, and the same as at an earlier Visit.
func (f *File) Visit(ctx context.Context, visit func([]reconcile.Indicator) error) error {
	l, err := f.lines()
	if err != nil {
		return err
	}
	head, err := l.header()
	if err != nil {
		return err
	}
	page, size := make([]reconcile.Indicator, 0, pageSize), 0
	for n := range head.Records {
		line, err := l.next()
		if err != nil {
			return err
		}
		if remote.Crowded(line) {
			return l.damaged("line %d: more elements than an indicator has", n+2)
		}
		var i reconcile.Indicator
		if err := strictly(line, &i); err != nil {
			return l.damaged("line %d: %v", n+2, err)
		}
		if i.ID == "" {
			return l.damaged("line %d: an indicator without an id", n+2)
		}
		l.sum.Write(line)
		page, size = append(page, i), size+len(line)
		if len(page) < pageSize && size < pageBytes && n+1 < head.Records {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := visit(page); err != nil {
			return err
		}
		page, size = make([]reconcile.Indicator, 0, pageSize), 0
	}
	digest, err := l.end()
	if err != nil {
		return err
	}
	if f.Digest != "" && f.Digest != digest {
		return f.unusable("it changed while it was read; run again")
	}
	f.Digest = digest
	return nil
}

// lines begins at the beginning.
func (f *File) lines() (*lines, error) {
	if _, err := f.raw.Seek(0, io.SeekStart); err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", f.path, err)
	}
	raw := bufio.NewReaderSize(f.raw, 1<<16)
	z, err := gzip.NewReader(raw)
	switch {
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return nil, f.unusable("it is no snapshot; make one with harfangsync snapshot")
	case err != nil:
		return nil, fmt.Errorf("snapshot %s: %w", f.path, err)
	}
	z.Multistream(false)
	m := &members{raw: raw, zip: z}
	return &lines{f: f, m: m, in: bufio.NewReaderSize(m, 1<<16), sum: sha256.New()}, nil
}

// lines are the lines of one pass.
type lines struct {
	f    *File
	m    *members
	in   *bufio.Reader
	long bytes.Buffer
	head []byte
	sum  hash.Hash
}

// next is the next line with its end; it is valid until the next call.
func (l *lines) next() ([]byte, error) {
	l.long.Reset()
	for {
		part, err := l.in.ReadSlice('\n')
		switch {
		case err == nil && l.long.Len() == 0:
			return part, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, l.failed(err)
		case l.long.Len()+len(part) > mostLine:
			return nil, l.damaged("a line is too long")
		}
		l.long.Write(part)
		if err == nil {
			return l.long.Bytes(), nil
		}
	}
}

// header reads the first line.
func (l *lines) header() (Header, error) {
	line, err := l.next()
	if err != nil {
		return Header{}, err
	}
	l.head = bytes.Clone(line)
	var form struct {
		Format        string `json:"format"`
		FormatVersion string `json:"format_version"`
	}
	if err := json.Unmarshal(line, &form); err != nil || form.Format != format {
		return Header{}, l.f.unusable("it is no snapshot; make one with harfangsync snapshot")
	}
	if form.FormatVersion != FormatVersion {
		return Header{}, l.f.unusable("it has format %q and this program reads %q; make one with this version", form.FormatVersion, FormatVersion)
	}
	var h Header
	if err := strictly(line, &h); err != nil {
		return Header{}, l.damaged("%v", err)
	}
	if why := h.valid(); why != "" {
		return Header{}, l.damaged("%s", why)
	}
	if !h.Complete {
		return Header{}, l.f.unusable("it says itself that OpenCTI was not read to the end; make a new one")
	}
	return h, nil
}

// end reads the last line, and proves the digest and that nothing follows.
func (l *lines) end() (digest string, err error) {
	line, err := l.next()
	if err != nil {
		return "", err
	}
	var t trailer
	if err := strictly(line, &t); err != nil {
		return "", l.damaged("it has more lines than its header says, or its last line is none: %v", err)
	}
	l.sum.Write(l.head)
	digest = hex.EncodeToString(l.sum.Sum(nil))
	if t.Digest != digest {
		return "", l.damaged("its digest does not fit its content")
	}
	switch _, err := l.in.ReadByte(); {
	case errors.Is(err, io.EOF):
		return digest, nil
	case err == nil, l.m.between:
		return "", l.f.unusable("something follows its end; make a new one")
	default:
		return "", l.failed(err)
	}
}

// failed tells a file that ends early from one that is damaged, and both from a disk that fails.
func (l *lines) failed(err error) error {
	_, corrupt := errors.AsType[flate.CorruptInputError](err)
	_, internal := errors.AsType[flate.InternalError](err)
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return l.f.unusable("it is cut short; copy it again, or make a new one")
	case corrupt, internal, errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return l.damaged("%v", err)
	}
	return fmt.Errorf("snapshot %s: %w", l.f.path, err)
}

func (l *lines) damaged(format string, args ...any) error {
	return l.f.unusable("it is damaged: %s; make a new one", fmt.Sprintf(format, args...))
}

// strictly decodes one line: no unknown members, nothing behind the value.
func strictly(line []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(into); err != nil {
		return err
	}
	if _, err := dec.Token(); err == nil || dec.More() {
		return errBehind
	}
	return nil
}
