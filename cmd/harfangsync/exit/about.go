package exit

import (
	"errors"
	"strings"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/sinks/harfanglab"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// The sides of an error, as metrics and logs name them.
const (
	openCTI    = "opencti"
	harfangLab = "harfanglab"
)

// About is what a log record says of an error beside its sentence: the side that failed, what was asked of it, and what
// to do; each "" where the error does not know.
func About(err error) (side, request, remedy string) {
	if e, ok := errors.AsType[*opencti.Error](err); ok {
		return openCTI, e.Op, e.Remedy()
	}
	if e, ok := errors.AsType[*harfanglab.Error](err); ok {
		return harfangLab, e.Request(), e.Remedy()
	}
	if p, ok := errors.AsType[*config.Problem](err); ok {
		return "", "", p.Remedy
	}
	switch {
	case is[*opencti.RightError](err), is[*opencti.VersionError](err), is[*opencti.IncompleteError](err), is[*opencti.FilterError](err):
		side = openCTI
	case is[*harfanglab.IncompleteError](err):
		side = harfangLab
	}
	return side, "", ""
}

// Problems are the errors that one joins, and those that these join, a line each; of any other it is the only one.
func Problems(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var lines []string
	for _, e := range joined.Unwrap() {
		lines = append(lines, e.Error())
	}
	if strings.Join(lines, "\n") != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, Problems(e)...)
	}
	return all
}
