package exit

import (
	"fmt"
	"slices"
	"strings"
)

// Table holds the exit codes in the words of the README's table.
var Table = []struct {
	Codes   string
	First   int
	Meaning string
}{
	{"0", OK, "in sync, or applied completely"},
	{"1", Unexpected, "unexpected error, nothing is claimed"},
	{"2", Changes, "plan --detailed-exitcode: changes pending"},
	{"3", Usage, "configuration or usage error"},
	{"4", Refused, "a gate refused: the data contradict each other (nothing is written), or a limit (what it guards is not written)"},
	{"5", Partly, "partly done: something was written and some items failed, conflicted or were not attempted"},
	{"6", Stale, "the saved plan or snapshot is stale, damaged, not applyable, or not for this target"},
	{"7", Locked, "another run holds the lock"},
	{"8", Side, "a side unreachable, not answering as its API, or refusing the account; nothing written"},
	{"130, 143", Signal + 2, "interrupted; what was in flight finished"},
}

// Text is the table as help shows it, of some codes or, with none, of all. done is what OK means.
func Text(done string, codes ...int) string {
	lines := []string{"Exit codes:"}
	for i, row := range Table {
		if i == 0 {
			row.Meaning = done
		}
		if len(codes) == 0 || slices.Contains(codes, row.First) {
			lines = append(lines, fmt.Sprintf("  %-8s  %s", row.Codes, row.Meaning))
		}
	}
	return strings.Join(lines, "\n")
}
