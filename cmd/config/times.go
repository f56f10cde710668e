package config

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Start is a moment, or a distance back from now. The zero value is now.
type Start struct {
	At                  time.Time // UTC; zero when the start is relative
	Years, Months, Days int       // back from now
	Rest                time.Duration
}

// Time is the start as seen from now, in UTC.
func (s Start) Time(now time.Time) time.Time {
	if !s.At.IsZero() {
		return s.At
	}
	return now.UTC().AddDate(-s.Years, -s.Months, -s.Days).Add(-s.Rest)
}

// String is the start in ISO 8601: a moment, or a duration such as P7D.
func (s Start) String() string {
	if !s.At.IsZero() {
		return s.At.Format(time.RFC3339Nano)
	}
	var b strings.Builder
	part := func(n int, unit string) {
		if n != 0 {
			fmt.Fprintf(&b, "%d%s", n, unit)
		}
	}
	b.WriteByte('P')
	part(s.Years, "Y")
	part(s.Months, "M")
	part(s.Days, "D")
	if s.Rest != 0 || b.Len() == 1 {
		b.WriteString("T")
		part(int(s.Rest/time.Hour), "H")
		part(int(s.Rest%time.Hour/time.Minute), "M")
		if sec := s.Rest % time.Minute; sec != 0 || s.Rest == 0 {
			b.WriteString(strconv.FormatFloat(sec.Seconds(), 'f', -1, 64) + "S")
		}
	}
	return b.String()
}

// ParseTime reads a moment as parseStart does, seen from now. The result is in UTC.
func ParseTime(s string, now time.Time) (time.Time, error) {
	start, err := parseStart(s)
	if err != nil {
		return time.Time{}, fmt.Errorf("%q %w", s, err)
	}
	return start.Time(now), nil
}

const timeForm = "write it as 2026-01-31, 2026-01-31T08:00:00Z, P7D or 7 days ago"

// parseStart reads ISO 8601: a date, which is its midnight, or a date and a time; without a zone it is
// UTC. A duration such as P7D or PT12H, and words such as "7 days ago", count back from now.
func parseStart(s string) (Start, error) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if s == "NOW" {
		return Start{}, nil
	}
	if at, ok := parseMoment(s); ok {
		return Start{At: at}, nil
	}
	if start, ok := parseBack(s); ok {
		return start, nil
	}
	return Start{}, bad("is no time", timeForm)
}

func parseMoment(s string) (time.Time, bool) {
	// A blank between date and time is as common as the T. RFC 3339 allows both.
	if len(s) > 10 && s[10] == ' ' {
		s = s[:10] + "T" + strings.TrimSpace(s[11:])
	}
	for _, date := range []string{"2006-01-02", "20060102"} {
		if at, err := time.Parse(date, s); err == nil {
			return at, at.Year() > 0
		}
		for _, clock := range []string{"T15:04:05", "T15:04", "T150405", "T1504", "T15"} {
			for _, zone := range []string{"", "Z07:00", "Z0700", "Z07"} { // time.Parse takes a fraction after seconds by itself
				if at, err := time.Parse(date+clock+zone, s); err == nil {
					return at.UTC(), at.UTC().Year() > 0
				}
			}
		}
	}
	return time.Time{}, false
}

var (
	isoBack  = regexp.MustCompile(`^-?P(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?:(\d{1,6})H)?(?:(\d{1,6})M)?(?:(\d{1,8})(?:\.(\d{1,9}))?S)?)?$`)
	wordBack = regexp.MustCompile(`^(\d{1,5}) ?(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE)S?(?: AGO)?$`)
)

func parseBack(s string) (Start, bool) {
	if m := wordBack.FindStringSubmatch(s); m != nil {
		n := number(m[1])
		return map[string]Start{
			"YEAR": {Years: n}, "MONTH": {Months: n}, "WEEK": {Days: 7 * n}, "DAY": {Days: n},
			"HOUR": {Rest: time.Duration(n) * time.Hour}, "MINUTE": {Rest: time.Duration(n) * time.Minute},
		}[m[2]], true
	}
	m := isoBack.FindStringSubmatch(s)
	if m == nil || strings.HasSuffix(s, "P") || strings.HasSuffix(s, "T") {
		return Start{}, false
	}
	fraction, _ := time.ParseDuration("0." + m[8] + "0s")
	return Start{
		Years: number(m[1]), Months: number(m[2]), Days: 7*number(m[3]) + number(m[4]),
		Rest: time.Duration(number(m[5]))*time.Hour + time.Duration(number(m[6]))*time.Minute +
			time.Duration(number(m[7]))*time.Second + fraction,
	}, true
}

// number is the value of at most 8 digits, which the expressions have checked; "" is 0.
func number(digits string) int {
	n, _ := strconv.Atoi(digits)
	return n
}

// start is the kind of a setting that says from when on.
func start(at *Start) kind {
	return scalar(at, parseStart, func(s Start) any { return s.String() }).
		described("ISO 8601 time, or back from now: `P7D`, `7 days ago`", object{"type": "string"})
}
