package reconcile

import (
	"bytes"
	"encoding/hex"
	"fmt"

	"github.com/harfangsync/harfangsync/reconcile/marker"
)

// Key is the identity of a rule: a digest of the type and canonical value of an IOC, the YAML id of a
// Sigma rule, the indicator's internal id of a YARA file. It is written in hex.
type Key [16]byte

// KeyOf is the key of a rule. typ is empty for Sigma and YARA.
func KeyOf(k Kind, typ, value string) Key { return marker.Key(k.String(), typ, value) }

// Compare orders keys.
func (k Key) Compare(other Key) int { return bytes.Compare(k[:], other[:]) }

// String is the key in hex.
func (k Key) String() string { return hex.EncodeToString(k[:]) }

// MarshalText writes the form of String.
func (k Key) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the form of String.
func (k *Key) UnmarshalText(b []byte) error {
	if n, err := hex.Decode(k[:], b[:min(len(b), 2*len(k))]); err != nil || n != len(k) || len(b) != 2*n {
		return fmt.Errorf("a key is %d hex digits, not %q", 2*len(k), b)
	}
	return nil
}
