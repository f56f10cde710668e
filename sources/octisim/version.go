package octisim

import (
	"strconv"
	"strings"
)

// version is a platform version such as 6.9.22 or 7.260817.0, compared part by part as numbers.
type version [3]int

// parseVersion reads at most three numbers; what is no number counts as 0.
func parseVersion(s string) version {
	var v version
	for i, part := range strings.SplitN(s, ".", len(v)) {
		v[i], _ = strconv.Atoi(part)
	}
	return v
}

// atLeast tells whether v is the named version or a later one.
func (v version) atLeast(s string) bool {
	w := parseVersion(s)
	for i := range v {
		if v[i] != w[i] {
			return v[i] > w[i]
		}
	}
	return true
}
