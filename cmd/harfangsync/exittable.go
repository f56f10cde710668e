package main

import (
	"fmt"
	"slices"
	"strings"
)

// exitMeanings are the exit codes in the words of the README's table.
var exitMeanings = []struct {
	codes   string
	first   int
	meaning string
}{
	{"0", codeOK, "in sync, or applied completely"},
	{"1", codeUnexpected, "unexpected error, nothing is claimed"},
	{"2", codeChanges, "plan --detailed-exitcode: changes pending"},
	{"3", codeUsage, "configuration or usage error"},
	{"4", codeRefused, "a gate refused: the data contradict each other, or a limit; nothing written"},
	{"5", codePartly, "partly done: something was written and some items failed, conflicted or were not attempted"},
	{"6", codeStale, "the saved plan or snapshot is stale, damaged, not applyable, or not for this target"},
	{"7", codeLocked, "another run holds the lock"},
	{"8", codeSide, "a side unreachable, not answering as its API, or refusing the account; nothing written"},
	{"130, 143", codeSignal + 2, "interrupted; what was in flight finished"},
}

func everyCode(yield func(int) bool) {
	for _, m := range exitMeanings {
		if !yield(m.first) {
			return
		}
	}
}

func exitCodesText(codes []int) string {
	lines := []string{"Exit codes:"}
	for _, m := range exitMeanings {
		if slices.Contains(codes, m.first) {
			lines = append(lines, fmt.Sprintf("  %-8s  %s", m.codes, m.meaning))
		}
	}
	return strings.Join(lines, "\n")
}
