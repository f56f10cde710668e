package snapshot

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/harfangsync/harfangsync/reconcile/remote"

	"github.com/harfangsync/harfangsync/reconcile"
)

// UnusableError says in one line why a file cannot stand in for OpenCTI here and now.
type UnusableError struct{ Path, Why string }

func (e *UnusableError) Error() string {
	return remote.OneLine("snapshot "+e.Path+": "+e.Why, 2000)
}

// Unusable says whether an error is about a snapshot that cannot be used.
func Unusable(err error) bool {
	_, ok := errors.AsType[*UnusableError](err)
	return ok
}

// Expect is what a plan asks of a snapshot.
type Expect struct {
	URL       string // "" takes any
	Stream    string // "" takes any
	Now       time.Time
	MaxAge    time.Duration // 0 is no limit
	Selection Selection
}

// ahead is how far a snapshot's clock may be ahead of ours.
const ahead = 5 * time.Minute

// Check says why a plan cannot be made from the file, or nil: it is of another source, too old, or lacks
// indicators that the settings want. What a file holds beyond them is left out when it is read.
func (f *File) Check(want Expect) error {
	h := &f.Header
	age := want.Now.Sub(h.Time)
	switch {
	case want.URL != "" && want.URL != h.Source.URL:
		return f.unusable("it is of %s, not of %s; name the right file, or set opencti.url to its source", h.Source.URL, want.URL)
	case want.Stream != "" && want.Stream != h.Source.Stream:
		return f.unusable("it was read through %s, not through the stream %s; make one with these settings", streamWords(h.Source.Stream), want.Stream)
	case age < -ahead:
		return f.unusable("it was made at %s, which is still to come; set the clocks", h.Time.Format(time.RFC3339))
	case want.MaxAge > 0 && age > want.MaxAge:
		return f.unusable("it is stale: %s old, at most %s is allowed (sync.limits.plan_age); make a new one", age.Round(time.Second), want.MaxAge)
	}
	return f.selection(&want.Selection)
}

// selection refuses a file that was read with narrower settings.
func (f *File) selection(want *Selection) error {
	const remedy = "; make one with these settings"
	has := &f.Header.Selection
	switch {
	case has.Detection && !want.Detection:
		return f.unusable("it holds only indicators that are flagged for detection, and these settings take others as well (sync.detection)" + remedy)
	case want.Observables && !has.Observables:
		return f.unusable("it holds no attached observables, and these settings take their values (sync.values_from)" + remedy)
	}
	for _, k := range reconcile.Kinds {
		least, limited := has.MinScore[k]
		asked, asks := want.MinScore[k]
		if !limited || asks && asked >= least {
			continue
		}
		words, which := "any", k.String()+" "
		if _, all, _ := has.MinScore.Uniform(); all {
			which = ""
		}
		if asks {
			words = strconv.Itoa(asked)
		}
		return f.unusable("it holds only %sindicators with a score of %d or more, and these settings take %s (sync.min_score)"+remedy, which, least, words)
	}
	return nil
}

func streamWords(id string) string {
	if id == "" {
		return "the built-in filter"
	}
	return "the stream " + id
}

// Refuse is an error that says why the file cannot be used, for what a caller finds out.
func (f *File) Refuse(why string) error { return f.unusable("%s", why) }

func (f *File) unusable(format string, args ...any) error {
	return &UnusableError{f.path, fmt.Sprintf(format, args...)}
}
