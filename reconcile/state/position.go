package state

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Position is a place in OpenCTI's live stream: the id of an event, which is its time and its number
// within that millisecond (contract opencti-api 5.6). Reading from a position gives what comes after
// it. The zero value is the place before the oldest event, 0-0.
type Position struct {
	Ms  int64 // since 1970, on the platform's clock
	Seq int64
}

// ParsePosition reads the form "ms-seq", or "ms" alone, which is short for "ms-0".
func ParsePosition(text string) (Position, error) {
	ms, seq, both := strings.Cut(text, "-")
	if !both {
		seq = "0"
	}
	m, err := strconv.ParseUint(ms, 10, 63)
	if err != nil {
		return Position{}, fmt.Errorf("%.60q is not a position in a stream", text)
	}
	s, err := strconv.ParseUint(seq, 10, 63)
	if err != nil {
		return Position{}, fmt.Errorf("%.60q is not a position in a stream", text)
	}
	return Position{int64(m), int64(s)}, nil
}

// String is the form that ParsePosition reads, always with both numbers.
func (p Position) String() string {
	return strconv.FormatInt(p.Ms, 10) + "-" + strconv.FormatInt(p.Seq, 10)
}

// Compare orders positions as the stream does: by number, the time first.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.Ms, q.Ms), cmp.Compare(p.Seq, q.Seq))
}

// IsZero says that p is the place before the oldest event.
func (p Position) IsZero() bool { return p == Position{} }

// Back is the place a while earlier, in whole milliseconds, and never before 0-0. A negative while is
// none.
func (p Position) Back(d time.Duration) Position {
	ms := p.Ms - max(d, 0).Milliseconds()
	if ms < 0 {
		return Position{}
	}
	return Position{ms, p.Seq}
}
