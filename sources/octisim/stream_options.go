package octisim

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// streamOptions are what a client asks of a stream (contract opencti-api 5.1).
type streamOptions struct {
	start, recover *position // nil is not given
	dependencies   bool
	deletes        bool
}

// errStart says that a start or a recovery is neither an event id nor a date.
var errStart = errors.New("the start of the stream is neither an event id nor a date")

// readStreamOptions reads each option from the query, then from the headers; an empty one counts as
// absent. Switches are compared exactly. Inferences are not asked for: nothing is inferred here.
func readStreamOptions(r *http.Request) (streamOptions, error) {
	query := r.URL.Query()
	option := func(names, headers []string) string {
		for _, n := range names {
			if v := query.Get(n); v != "" {
				return v
			}
		}
		for _, n := range headers {
			if v := r.Header.Get(n); v != "" {
				return v
			}
		}
		return ""
	}
	dependencies := []string{"no-dependencies", "no-relationships"}
	deletes := []string{"listen-delete"}
	o := streamOptions{
		dependencies: option(dependencies, dependencies) != "true",
		deletes:      option(deletes, deletes) != "false",
	}
	var err, err2 error
	o.start, err = parsePosition(option([]string{"from"}, []string{"from", "last-event-id"}))
	o.recover, err2 = parsePosition(option([]string{"recover"}, []string{"recover", "recover-date"}))
	return o, errors.Join(err, err2)
}

// parsePosition reads an event id, 0 for the oldest, or a date; empty is none.
func parsePosition(s string) (*position, error) {
	if s == "" {
		return nil, nil
	}
	ms, seq, parts := strings.Cut(s, "-")
	if n, err := strconv.ParseInt(ms, 10, 64); err == nil && n >= 0 {
		if !parts {
			seq = "0"
		}
		if m, err := strconv.Atoi(seq); err == nil && m >= 0 {
			return &position{moment(n), m}, nil
		}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return &position{ms: max(momentOf(t), 0)}, nil
		}
	}
	return nil, errStart
}
