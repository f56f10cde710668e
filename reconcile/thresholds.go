package reconcile

import (
	"encoding/json"
	"fmt"
)

// Thresholds are the least scores that are wanted, by kind. A kind without one takes any score, and none at all.
type Thresholds map[Kind]int

// LeastScore is one threshold for every kind.
func LeastScore(n int) Thresholds {
	t := Thresholds{}
	for _, k := range Kinds {
		t[k] = n
	}
	return t
}

// Uniform is the one threshold of every kind; none says that no kind has one. Without either, kinds differ.
func (t Thresholds) Uniform() (n int, all, none bool) {
	n, all = t[Kinds[0]], len(t) == len(Kinds)
	for _, k := range Kinds {
		all = all && t[k] == n
	}
	return n, all, len(t) == 0
}

// MarshalJSON is null without a threshold, one number for every kind, or numbers by kind.
func (t Thresholds) MarshalJSON() ([]byte, error) {
	switch n, all, none := t.Uniform(); {
	case none:
		return []byte("null"), nil
	case all:
		return json.Marshal(n)
	}
	return json.Marshal(map[Kind]int(t))
}

// UnmarshalJSON reads what MarshalJSON writes.
func (t *Thresholds) UnmarshalJSON(b []byte) error {
	var n int
	if json.Unmarshal(b, &n) == nil && string(b) != "null" {
		*t = LeastScore(n)
		return nil
	}
	return json.Unmarshal(b, (*map[Kind]int)(t))
}

// lacks says what an indicator of a kind lacks to reach its threshold, "" for nothing.
func (t Thresholds) lacks(k Kind, score *int) string {
	least, limited := t[k]
	if !limited || score != nil && *score >= least {
		return ""
	}
	has := "no score"
	if score != nil {
		has = fmt.Sprintf("score %d", *score)
	}
	if _, all, _ := t.Uniform(); all {
		return fmt.Sprintf("%s, %d asked for", has, least)
	}
	return fmt.Sprintf("%s, %d asked for (%s)", has, least, k)
}
