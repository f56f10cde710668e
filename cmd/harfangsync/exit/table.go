package exit

// Table holds the exit codes in the words of the README's table.
var Table = []struct {
	Codes   string
	First   int
	Meaning string
	Remedy  string // in the words of the guide's table
}{
	{"0", OK, "in sync, or applied completely", "nothing"},
	{"1", Unexpected, "unexpected error, nothing is claimed", "run again; if it stays, with --log-level debug"},
	{"2", Changes, "plan --detailed-exitcode: changes pending", "review and apply them"},
	{"3", Usage, "configuration or usage error", "the message names the setting or the flag, and what to write"},
	{"4", Refused, "a gate refused: the data contradict each other (nothing is written), or a limit (what it guards is not written)",
		"read the gate below the plan: its number, its limit, and the flag that accepts it, if there is one"},
	{"5", Partly, "partly done: something was written and some items failed, conflicted or were not attempted",
		"run again; what stays is named in the report, with the platform's words"},
	{"6", Stale, "the saved plan or snapshot is stale, damaged, not applyable, or not for this target", "plan again, or take a new snapshot"},
	{"7", Locked, "another run holds the lock", "nothing; it does the work"},
	{"8", Side, "a side unreachable, not answering as its API, or refusing the account; nothing written", "harfangsync doctor finds which and why"},
	{"129, 130, 143", Signal + 1, "interrupted; what was in flight finished", "run again"},
}

// Remedy is what to do about a code.
func Remedy(code int) string {
	for _, row := range Table {
		if row.First == code || row.First > Signal && code > Signal {
			return row.Remedy
		}
	}
	return ""
}
