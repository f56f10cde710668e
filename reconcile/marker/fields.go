package marker

import "strings"

// Fields are a rule's level override, confidence override and global state, one letter each, as a marker notes
// them. Unset is a field that is not asked for, or that a row does not have. The zero Fields have no field.
type Fields [3]byte

// Unset is the letter of no value, and other that of a value this program does not know.
const (
	Unset = '0'
	other = 'x'
)

// The places of the fields, and the words of the manager (contract harfanglab-api 4.1) with their letters.
const (
	Level = iota
	Confidence
	State
)

var letters = [3]map[string]byte{
	Level:      {"informational": 'i', "low": 'l', "medium": 'm', "high": 'h', "critical": 'c'},
	Confidence: {"weak": 'w', "moderate": 'm', "strong": 's'},
	State:      {"disabled": 'd', "backend_alert": 'b', "alert": 'a', "block": 'k', "quarantine": 'q'},
}

// FieldsOf is the letters of three values, "" being none.
func FieldsOf(level, confidence, state string) Fields {
	f := Fields{}
	for i, word := range []string{level, confidence, state} {
		f[i] = Unset
		if word != "" {
			f[i] = other
		}
		if letter, known := letters[i][strings.ToLower(word)]; known {
			f[i] = letter
		}
	}
	return f
}

// Word is the value that a letter stands for at a place, "" for none.
func Word(at int, letter byte) string {
	for word, l := range letters[at] {
		if l == letter {
			return word
		}
	}
	return ""
}

// None says whether no field has a value.
func (f Fields) None() bool { return !f.Has(Level) && !f.Has(Confidence) && !f.Has(State) }

// Has says whether the field at a place has a value.
func (f Fields) Has(at int) bool { return f[at] != 0 && f[at] != Unset }

// String is the marker's form: three letters.
func (f Fields) String() string {
	if f == (Fields{}) {
		return string([]byte{Unset, Unset, Unset})
	}
	return string(f[:])
}

// ParseFields reads String's form; ok is false for anything else.
func ParseFields(s string) (f Fields, ok bool) {
	if len(s) != len(f) {
		return f, false
	}
	for i := range s {
		if c := s[i]; c != Unset && (c < 'a' || c > 'z') {
			return Fields{}, false
		}
	}
	return Fields([]byte(s)), true
}
