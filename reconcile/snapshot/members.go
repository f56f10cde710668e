package snapshot

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
)

// members reads the gzip members of a file as one text. It knows, which gzip.Reader does not tell, whether a
// failure stands inside a member or behind a whole one: there the file has its end, or something follows.
type members struct {
	raw     *bufio.Reader
	zip     *gzip.Reader
	between bool
}

func (m *members) Read(p []byte) (int, error) {
	for {
		if m.between {
			if _, err := m.raw.Peek(1); err != nil {
				return 0, err
			}
			if err := m.zip.Reset(m.raw); err != nil {
				if errors.Is(err, io.EOF) {
					err = io.ErrUnexpectedEOF
				}
				return 0, err
			}
			m.zip.Multistream(false)
			m.between = false
		}
		n, err := m.zip.Read(p)
		if errors.Is(err, io.EOF) {
			m.between = true
			err = nil
		}
		if n > 0 || err != nil {
			return n, err
		}
	}
}
