package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"reflect"
	"runtime/debug"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// MostBytes bounds an answer where a client is not told otherwise: a page of 5000 indicators with long descriptions stays
// far below, and a sixth of the memory that this process may use is enough for it, and for what is decoded of it.
func MostBytes() int64 { return min(96<<20, debug.SetMemoryLimit(-1)/6) }

// MostListed bounds all pages together of what is kept until the last one came.
func MostListed() int64 { return debug.SetMemoryLimit(-1) / 2 }

// mostElements bounds what one answer can make of memory when it is decoded: elements of lists and members
// of objects, of which a page of 5000 rows has 200,000.
const mostElements = 1 << 19

// small is how large an answer may be that is read and used beside others. Of larger ones there is one at a time.
const small = 8 << 20

var large = make(chan struct{}, 1)

// TooLargeError is an answer that was not read to its end, or not decoded. Asking again gives the same.
type TooLargeError struct {
	Most int64
	Of   string // bytes, or elements
}

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("an answer of more than %d %s", e.Most, e.Of)
}

// buffers are used again: answers of one size come by the thousand.
var buffers = sync.Pool{New: func() any { return new([]byte) }}

// Read hands a whole answer of at most most bytes to use, which must not keep it. Its error is that of
// the connection, or a *TooLargeError.
func Read(r io.Reader, most int64, use func(body []byte)) error {
	kept := buffers.Get().(*[]byte)
	b, err := fill((*kept)[:0], r, min(most+1, small))
	if err == nil && int64(len(b)) == small && most >= small {
		large <- struct{}{}
		defer func() { <-large }()
		b, err = fill(b, r, most+1)
	}
	defer func() {
		if cap(b) <= small {
			*kept = b[:0]
			buffers.Put(kept)
		}
	}()
	switch {
	case err != nil:
		return err
	case int64(len(b)) > most:
		return &TooLargeError{most, "bytes"}
	case Crowded(b):
		return &TooLargeError{mostElements, "elements"}
	}
	use(b)
	return nil
}

// fill appends to b what is read, until it has most bytes or there is no more.
func fill(b []byte, r io.Reader, most int64) ([]byte, error) {
	for int64(len(b)) < most {
		if len(b) == cap(b) {
			grown := make([]byte, len(b), min(max(2*int64(cap(b)), 64<<10), most))
			copy(grown, b)
			b = grown
		}
		n, err := r.Read(b[len(b):min(int64(cap(b)), most)])
		b = b[:len(b)+n]
		if err == io.EOF {
			return b, nil
		}
		if err != nil {
			return b, err
		}
	}
	return b, nil
}

// Crowded says that a JSON text has too many elements.
func Crowded(text []byte) bool {
	n := 0
	for _, c := range []string{",", "[", "{"} {
		n += bytes.Count(text, []byte(c))
	}
	if n <= mostElements {
		return false
	}
	n = 0
	quoted := false // what stands in a text does not count
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == ',' || c == '[' || c == '{'):
			n++
		}
	}
	return n > mostElements
}

// tolerant reads what encoding/json reads: names in any case, of equal ones the last, U+FFFD for what is no
// UTF-8.
var tolerant = json.JoinOptions(json.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// ErrNotJSON says that a text is no JSON, or cut.
var ErrNotJSON = errors.New("no JSON, or cut")

// MisfitError says what of a JSON text does not fit into what it is decoded to, in the API's words and not
// in Go's.
type MisfitError string

func (e MisfitError) Error() string { return string(e) }

// Decode sets the value that into points to from a JSON text, of which nothing is kept. It is one pass,
// several times as fast as encoding/json's two. Its error is ErrNotJSON or a MisfitError.
func Decode(text []byte, into any) error {
	reflect.ValueOf(into).Elem().SetZero() // an earlier attempt may have left something
	err := json.Unmarshal(text, into, tolerant)
	if err == nil {
		return nil
	}
	e, ok := errors.AsType[*json.SemanticError](err)
	if !ok || !Valid(text) {
		return ErrNotJSON
	}
	kind := map[jsontext.Kind]string{'{': "object", '[': "array", '"': "string", '0': "number", 't': "boolean", 'f': "boolean", 'n': "null"}[e.JSONKind]
	member := strings.ReplaceAll(strings.Trim(string(e.JSONPointer), "/"), "/", ".")
	switch {
	case e.Err != nil:
		return MisfitError(e.Err.Error())
	case member == "":
		return MisfitError("a JSON " + kind + " where an object is due")
	}
	return MisfitError(fmt.Sprintf("a JSON %s in member %s", kind, member))
}

// Valid says whether a text is one JSON value.
func Valid(text []byte) bool { return jsontext.Value(text).IsValid(tolerant) }
