package octisim

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

// moment is a platform time: milliseconds since 1970, UTC.
type moment int64

// never stands for null.
const never = moment(math.MinInt64)

func momentOf(t time.Time) moment {
	if t.IsZero() {
		return never
	}
	return moment(t.UnixMilli())
}

func (m moment) time() time.Time {
	if m == never {
		return time.Time{}
	}
	return time.UnixMilli(int64(m)).UTC()
}

// unknown tells whether m is one of the dates that mean "not known": the start of 1970 and the year
// 5138 (contract opencti-api 3.3).
func (m moment) unknown() bool {
	return m == never || m == 0 || m.time().Year() == 5138
}

func (m moment) String() string { return string(m.append(nil)) }

// MarshalJSON writes m as the platform does.
func (m moment) MarshalJSON() ([]byte, error) { return append(m.append([]byte{'"'}), '"'), nil }

// append writes m as the platform does: UTC, three digits of a fraction, Z.
func (m moment) append(b []byte) []byte { return m.time().AppendFormat(b, "2006-01-02T15:04:05.000Z") }

// parseMoment reads a DateTime input: an RFC 3339 time with a zone; finer fractions are cut.
func parseMoment(s string) (moment, error) {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return never, err
	}
	return momentOf(t), nil
}

var relative = regexp.MustCompile(`^now(?:([+-])(\d{1,6})([smhHdwMy]))?(?:/[smhdwMy])?$`)

// parseFilterDate reads the value of a date filter, which the search database understands: a time, a
// bare date, milliseconds, or a distance from now such as now-7d.
func parseFilterDate(s string, now time.Time) (moment, error) {
	if m, err := parseMoment(s); err == nil {
		return m, nil
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return momentOf(t), nil
		}
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil {
		return moment(n), nil
	}
	g := relative.FindStringSubmatch(s)
	if g == nil {
		return never, fmt.Errorf("failed to parse date field [%s]", s)
	}
	n, _ := strconv.Atoi(g[2])
	if g[1] == "-" {
		n = -n
	}
	switch g[3] {
	case "y":
		now = now.AddDate(n, 0, 0)
	case "M":
		now = now.AddDate(0, n, 0)
	case "w":
		now = now.AddDate(0, 0, 7*n)
	case "d":
		now = now.AddDate(0, 0, n)
	case "h", "H":
		now = now.Add(time.Duration(n) * time.Hour)
	case "m":
		now = now.Add(time.Duration(n) * time.Minute)
	case "s":
		now = now.Add(time.Duration(n) * time.Second)
	}
	return momentOf(now), nil
}
