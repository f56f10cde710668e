package reconcile

import (
	"fmt"
	"slices"
)

// Kind is one of the three sorts of HarfangLab rule, each held in a list of its own
// (contract harfanglab-api 3). The zero Kind is invalid.
type Kind uint8

// The kinds, in the order in which plans list them.
const (
	IOC Kind = iota + 1
	Sigma
	YARA
)

// Kinds lists every kind in printed order.
var Kinds = []Kind{IOC, Sigma, YARA}

var kindWords = []string{IOC: "ioc", Sigma: "sigma", YARA: "yara"}

// String is the word used in plans, flags and messages: "ioc", "sigma" or "yara".
func (k Kind) String() string {
	if k == 0 || int(k) >= len(kindWords) {
		return fmt.Sprintf("kind(%d)", uint8(k))
	}
	return kindWords[k]
}

// ParseKind is the inverse of String.
func ParseKind(s string) (Kind, error) {
	if k := slices.Index(kindWords, s); k > 0 {
		return Kind(k), nil
	}
	return 0, fmt.Errorf("unknown kind %q: want ioc, sigma or yara", s)
}

// MarshalText writes the word of String.
func (k Kind) MarshalText() ([]byte, error) { return []byte(k.String()), nil }

// UnmarshalText reads the word of String.
func (k *Kind) UnmarshalText(b []byte) error {
	v, err := ParseKind(string(b))
	if err != nil {
		return err
	}
	*k = v
	return nil
}
