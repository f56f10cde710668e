// Package simtest is what the tests of both simulators share.
package simtest

import "github.com/google/go-cmp/cmp"

// T is a test or a check of a property.
type T interface {
	Helper()
	Errorf(format string, args ...any)
}

// Same fails a test in which something is not what it should be.
func Same(t T, what string, want, got any, how ...cmp.Option) {
	t.Helper()
	if diff := cmp.Diff(want, got, how...); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// Is fails a test in which a number, a word or a truth is not what it should be.
func Is[V comparable](t T, what string, want, got V) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %v, want %v", what, got, want)
	}
}

// Fine ends a test that cannot go on after an error.
func Fine(t interface {
	Helper()
	Fatal(args ...any)
}, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
