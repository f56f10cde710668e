package harfanglab

import (
	"fmt"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// SaturatedError says that HarfangLab holds rows which it does not list, because they are too many at
// one moment or because it does not heed what would narrow the question. Everything that could be
// reached was visited.
type SaturatedError struct {
	Path    string
	At      time.Time // the first second of which rows are missing; zero when Why holds for the whole read
	Seconds int       // how many such seconds there are
	Most    int       // rows that are listed at all
	Count   int       // what the first of them counts, where Most stands for any number from there
	Why     string    // "" is too many rows in one second
}

// Fault says that all other rows were read.
func (e *SaturatedError) Fault() reconcile.Fault { return reconcile.Fault{Saturated: true} }

// Error names the rows that were not read, and the way to see them.
func (e *SaturatedError) Error() string {
	where := "HarfangLab: GET " + e.Path
	if e.Why != "" {
		return fmt.Sprintf("%s: more rows than the %d that it lists (it counts %d), and %s; not all of them were read", where, e.Most, e.Count, e.Why)
	}
	more := ""
	if e.Seconds > 1 {
		more = fmt.Sprintf(", and %d such seconds more", e.Seconds-1)
	}
	return fmt.Sprintf("%s: more rows than the %d that it lists in the second from %s (it counts %d)%s; not all of them were read, look at the others in the console",
		where, e.Most, e.At.Format(time.RFC3339), e.Count, more)
}
