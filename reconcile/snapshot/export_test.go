package snapshot

import "bytes"

// OpenBytes opens what would be a file's content, so that tests need no disk.
func OpenBytes(path string, b []byte) (*File, error) { return open(path, bytes.NewReader(b)) }

// Bytes is what Commit would write.
func (w *Writer) Bytes(h Header) ([]byte, error) {
	var b bytes.Buffer
	err := w.assemble(&b, h)
	return b.Bytes(), err
}
