package snapshot

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"runtime"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
)

// Writer makes a snapshot. Nothing stands at its path before Commit. It holds one line in memory; the
// others wait in a file without a name beside the path.
type Writer struct {
	path    string
	body    *os.File
	buf     *bufio.Writer
	zip     *gzip.Writer
	sum     hash.Hash
	line    bytes.Buffer
	enc     *json.Encoder
	records int
}

// Create begins a snapshot. Close must follow.
func Create(path string) (*Writer, error) {
	body, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" {
		_ = os.Remove(body.Name()) // so that nothing is left behind whatever happens
	}
	w := &Writer{path: path, body: body, sum: sha256.New()}
	w.buf = bufio.NewWriterSize(body, 1<<16)
	w.zip = compressor(w.buf)
	w.enc = json.NewEncoder(&w.line)
	w.enc.SetEscapeHTML(false)
	return w, nil
}

// compressor favours speed: a line of JSON shrinks to a fifth at every level.
func compressor(w io.Writer) *gzip.Writer {
	z, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		panic(err) // the level is a constant
	}
	return z
}

// Add writes indicators in the order in which they were visited.
func (w *Writer) Add(page []reconcile.Indicator) error {
	for i := range page {
		w.line.Reset()
		if err := w.enc.Encode(&page[i]); err != nil {
			return fmt.Errorf("indicator %s: %w", page[i].ID, err)
		}
		w.sum.Write(w.line.Bytes())
		if _, err := w.zip.Write(w.line.Bytes()); err != nil {
			return fmt.Errorf("write snapshot: %w", err)
		}
		w.records++
	}
	return nil
}

// Reset drops what was added, for a read that begins anew.
func (w *Writer) Reset() error {
	if _, err := w.body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := w.body.Truncate(0); err != nil {
		return err
	}
	w.buf.Reset(w.body)
	w.zip.Reset(w.buf)
	w.sum.Reset()
	w.records = 0
	return nil
}

// Commit puts the snapshot at its path in one step, with mode 0600. Format, versions and the number of
// records are filled in.
func (w *Writer) Commit(h Header) error {
	return state.Replace(w.path, func(out *os.File) error { return w.assemble(out, h) })
}

// assemble puts the parts together: the header, what was added, and the digest of both.
func (w *Writer) assemble(out io.Writer, h Header) error {
	h.Format, h.FormatVersion, h.Records = format, FormatVersion, w.records
	h.Time = h.Time.UTC()
	if h.Markings == nil {
		h.Markings = []string{}
	}
	if why := h.valid(); why != "" {
		return errors.New(why)
	}
	if err := errors.Join(w.zip.Close(), w.buf.Flush()); err != nil {
		return err
	}
	if _, err := w.body.Seek(0, io.SeekStart); err != nil {
		return err
	}
	head, err := member(out, h)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, w.body); err != nil {
		return err
	}
	w.sum.Write(head)
	_, err = member(out, trailer{hex.EncodeToString(w.sum.Sum(nil))})
	return err
}

// trailer is the last line: the SHA-256 of the indicators' lines followed by the header's.
type trailer struct {
	Digest string `json:"digest"`
}

// member writes one line as a gzip member of its own: the parts of a file are made at different times,
// and a reader takes them for one text.
func member(w io.Writer, v any) (line []byte, err error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	z := compressor(w)
	if _, err := z.Write(b.Bytes()); err != nil {
		return nil, err
	}
	return b.Bytes(), z.Close()
}

// Close gives back what Create took. What was not committed is gone.
func (w *Writer) Close() error {
	err := w.body.Close()
	if runtime.GOOS == "windows" {
		_ = os.Remove(w.body.Name())
	}
	return err
}
