package doctor

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
)

// side is what checks are of: the settings, a platform, the state or the reports.
type side struct {
	*Doctor
	name string // in the ids of its checks; of a platform also the section of its settings

	// Of a platform:
	title  string
	url    *url.URL // nil when the address is wrong or not set
	tls    *config.TLS
	usable bool // its settings are right: only then anything secret is sent
	clock  clock
}

func (d *Doctor) platform(name, title, address string, tls *config.TLS) *side {
	s := &side{Doctor: d, name: name, title: title, tls: tls, usable: !d.broken(name)}
	if address != "" {
		s.url, _ = url.Parse(address) // which the settings have checked
	}
	return s
}

// examine makes the checks of a platform. api makes those of its API, and says why it tried no more. Every check
// is there in the end, in the order of names.
func (s *side) examine(ctx context.Context, names []string, api func(context.Context) (why string)) {
	from := len(s.checks)
	s.checkWay(ctx)
	why := "its settings are wrong"
	if s.usable && s.url != nil {
		why = api(ctx)
	} else {
		s.checkClock()
	}
	names = append([]string{"proxy", "dns", "connect", "tls", "clock"}, names...)
	place := func(c check) int { return slices.Index(names, strings.TrimPrefix(c.ID, s.name+".")) }
	for i, name := range names {
		if !slices.ContainsFunc(s.checks[from:], func(c check) bool { return place(c) == i }) {
			s.skip(why, name)
		}
	}
	slices.SortStableFunc(s.checks[from:], func(a, b check) int { return place(a) - place(b) })
}

// note adds a check. Of a failure that is noted here its platform is to blame, unless its code says otherwise.
func (s *side) note(name string, st status, detail, remedy string) *check {
	id := s.name
	if name != "" {
		id += "." + name
	}
	s.checks = append(s.checks, check{ID: id, Side: s.name, Status: st, Detail: detail, Remedy: remedy, code: exit.Side})
	return &s.checks[len(s.checks)-1]
}

func (s *side) ok(name, detail string)                  { s.note(name, isOK, detail, "") }
func (s *side) warn(name, detail, remedy string)        { s.note(name, isWarn, detail, remedy) }
func (s *side) fail(name, detail, remedy string) *check { return s.note(name, isFail, detail, remedy) }

// pass notes a check that these settings do not need, or that cannot be made.
func (s *side) pass(name, detail string) { s.note(name, skipped, detail, "") }

// skip notes checks that cannot be tried now.
func (s *side) skip(why string, names ...string) {
	for _, name := range names {
		s.pass(name, "not tried: "+why)
	}
}

// failed notes a failure by its error, which names its own remedy after the last semicolon. A mistake in the
// settings that only a platform could find is still one.
func (s *side) failed(name string, err error) {
	detail, remedy := err.Error(), "run this command again with --log-level debug"
	if i := strings.LastIndex(detail, "; "); i > 0 {
		detail, remedy = detail[:i], detail[i+2:]
	}
	c := s.fail(name, detail, remedy)
	if exit.Code(err, 0) == exit.Usage {
		c.code = exit.Usage
	}
}

// faulty says whether a check below the API failed.
func (s *side) faulty() bool {
	return slices.ContainsFunc(s.checks, func(c check) bool { return c.Side == s.name && c.Status == isFail })
}

// forgive turns failures below the API into warnings, once the API has answered all the same: a proxy may let
// nothing else through.
func (s *side) forgive() {
	for i := range s.checks {
		if c := &s.checks[i]; c.Status == isFail && (c.ID == s.name+".connect" || c.ID == s.name+".dns") {
			c.Status, c.Detail = isWarn, c.Detail+"; the API answers all the same"
		}
	}
}
