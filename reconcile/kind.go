package reconcile

import "fmt"

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

// String is the word used in plans, flags and messages: "ioc", "sigma" or "yara".
func (k Kind) String() string {
	switch k {
	case IOC:
		return "ioc"
	case Sigma:
		return "sigma"
	case YARA:
		return "yara"
	}
	return fmt.Sprintf("kind(%d)", uint8(k))
}

// ParseKind is the inverse of String.
func ParseKind(s string) (Kind, error) {
	for _, k := range Kinds {
		if k.String() == s {
			return k, nil
		}
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
