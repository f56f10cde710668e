package opencti

import (
	"bufio"
	"bytes"
	"io"

	"github.com/tmaxmax/go-sse"
)

// message is one message of a stream of server-sent events.
type message struct {
	ID, Event, Data string // "" where it has none
	Cut             bool   // it was longer than the limit, and its end is missing
}

// messages reads a stream of server-sent events. It cuts the stream into messages itself, and leaves the
// fields to the library, whose scanner looks at all of a message again with every packet that arrives,
// and ends the stream at a message over its limit, for good, since the next connection would meet the
// same one.
type messages struct {
	r     *bufio.Reader
	most  int    // bytes of one message; the rest of it is dropped
	alive func() // told that a piece of a message came; a comment is none
	cr    bool   // a carriage return ended the last line: a line feed that follows belongs to it
}

func newMessages(r io.Reader, most int, alive func()) *messages {
	return &messages{r: bufio.NewReaderSize(r, 64<<10), most: most, alive: alive}
}

// next is the next whole message. At the end of the stream, where half a message is dropped, the error
// is io.EOF.
func (m *messages) next() (message, error) {
	const slack = 4096 // the library's limit is on its buffer
	for {
		block, cut, err := m.block()
		if err != nil {
			return message{}, err
		}
		for e, err := range sse.Read(bytes.NewReader(block), &sse.ReadConfig{MaxEventSize: len(block) + slack}) {
			return message{ID: e.LastEventID, Event: e.Type, Data: e.Data, Cut: cut}, err
		}
		if cut {
			return message{Cut: true}, nil
		}
	}
}

// block is the lines up to the next empty one, each with a line feed, and that one. Comments are left
// out.
func (m *messages) block() (block []byte, cut bool, err error) {
	length, comment := 0, false // of the current line
	for {
		part, end, err := m.part()
		if err != nil {
			return nil, false, err
		}
		if length == 0 && len(part) > 0 {
			comment = part[0] == ':'
		}
		length += len(part)
		if len(part) > 0 && !comment {
			m.alive()
			if room := m.most - len(block); len(part) > room {
				part, cut = part[:max(room, 0)], true
			}
			block = append(block, part...)
		}
		if !end {
			continue
		}
		switch {
		case length == 0 && cut:
			return append(block, "\n\n"...), cut, nil
		case length == 0 && len(block) > 0:
			return append(block, '\n'), false, nil
		case length > 0 && !comment && !cut:
			block = append(block, '\n')
		}
		length, comment = 0, false
	}
}

// part is the next piece of a line without the line's end, and whether the line ends with it. It is
// valid until the next call.
func (m *messages) part() (part []byte, end bool, err error) {
	for {
		if _, err := m.r.Peek(1); err != nil {
			return nil, false, err
		}
		part, _ = m.r.Peek(m.r.Buffered())
		if cr := m.cr; cr {
			m.cr = false
			if part[0] == '\n' {
				_, _ = m.r.Discard(1)
				continue
			}
		}
		i := bytes.IndexAny(part, "\r\n")
		if i < 0 {
			_, _ = m.r.Discard(len(part))
			return part, false, nil
		}
		m.cr = part[i] == '\r'
		_, _ = m.r.Discard(i + 1)
		return part[:i], true, nil
	}
}
