package reconcile

import "fmt"

// Count is a number with its noun, such as 1 rule or 2 rules.
func Count(n int, noun string) string { return fmt.Sprintf("%d %s", n, Plural(n, noun, noun+"s")) }

// Plural is the word that goes with a number.
func Plural(n int, one, more string) string {
	if n == 1 {
		return one
	}
	return more
}
