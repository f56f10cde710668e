package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"harfangsync/cmd/config"
	"harfangsync/reconcile/planfile"
	"harfangsync/reconcile/run"
	"harfangsync/reconcile/snapshot"
	"harfangsync/reconcile/state"
	"harfangsync/sinks/harfanglab"
	"harfangsync/sources/opencti"
)

// The exit codes, a stable interface. The README lists them for users.
const (
	codeOK         = 0
	codeUnexpected = 1
	codeChanges    = 2 // plan --detailed-exitcode
	codeUsage      = 3
	codeRefused    = 4 // by a gate
	codePartly     = 5
	codeStale      = 6 // saved plan
	codeLocked     = 7
	codeSide       = 8 // a side unreachable, not answering as its API, or refusing the account
	codeSignal     = 128
)

// outcome ends a command with a code after its output has said everything.
type outcome struct{ code int }

func (o *outcome) Error() string { return fmt.Sprintf("exit code %d", o.code) }

func ending(code int) error {
	if code == codeOK {
		return nil
	}
	return &outcome{code}
}

// usageError is a mistake in the command line.
type usageError struct{ text string }

func (e *usageError) Error() string { return e.text }

func usagef(format string, args ...any) error { return &usageError{fmt.Sprintf(format, args...)} }

// exitCode is the one place where codes are made. signal is the signal that interrupted the run, or
// 0.
func exitCode(err error, signal int) int {
	if err == nil {
		return codeOK
	}
	if o, ok := errors.AsType[*outcome](err); ok {
		return o.code
	}
	if signal != 0 && (errors.Is(err, context.Canceled) || errors.Is(err, run.ErrInterrupted)) {
		return codeSignal + signal
	}
	if _, ok := errors.AsType[*usageError](err); ok {
		return codeUsage
	}
	if _, ok := errors.AsType[*config.Problem](err); ok {
		return codeUsage
	}
	if _, ok := errors.AsType[*run.DumpError](err); ok {
		return codeUsage
	}
	if _, ok := errors.AsType[*state.LockedError](err); ok {
		return codeLocked
	}
	if errors.Is(err, run.ErrDeadline) {
		return codeSide
	}
	if planfile.Unusable(err) || snapshot.Unusable(err) || errors.Is(err, run.ErrStale) {
		return codeStale
	}
	if _, ok := errors.AsType[*opencti.FilterError](err); ok || errors.Is(err, opencti.ErrUnknownStream) {
		return codeUsage
	}
	if sideFailed(err) {
		return codeSide
	}
	return codeUnexpected
}

// sideFailed says whether a platform is to blame.
func sideFailed(err error) bool {
	if _, ok := errors.AsType[*opencti.Error](err); ok {
		return true
	}
	if _, ok := errors.AsType[*opencti.RightError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*opencti.VersionError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*opencti.IncompleteError](err); ok {
		return true
	}
	if _, ok := errors.AsType[*harfanglab.Error](err); ok {
		return true
	}
	_, ok := errors.AsType[*harfanglab.IncompleteError](err)
	return ok || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, opencti.ErrUnknownConnector)
}

// graver is the code that counts if both apply.
func graver(a, b int) int {
	order := []int{codeUsage, codeUnexpected, codeSide, codeRefused, codePartly, codeChanges, codeOK}
	rank := func(code int) int { return slices.Index(order, code) } // others come first of all
	if rank(b) < rank(a) {
		return b
	}
	return a
}
