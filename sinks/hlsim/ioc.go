package hlsim

import (
	"fmt"
	"net/http"
	"net/netip"
	"regexp"
	"strings"
)

func (s *Sim) createIOC(r *http.Request, by *user) *answer {
	f, bad := readForm(r)
	if bad != nil {
		return bad
	}
	k, c := s.knobs.Load(), s.kinds[IOC]
	w := k.wishOf(IOC, f, true)
	s.mu.Lock()
	defer s.mu.Unlock()
	made := s.newRow(c, w, by)
	w.fill(k, IOC, made)
	k.check(c, f, w, made, made)
	if bad := f.bad(); bad != nil {
		return bad
	}
	if c.twin(made) != nil {
		return taken(IOC)
	}
	c.insert(made)
	return &answer{status: http.StatusCreated, body: k.view(IOC, made, true)}
}

// newRow is a row for a creation. Its last_update comes before its creation_date.
func (s *Sim) newRow(c *collection, w *wish, by *user) *row {
	now := s.now()
	return &row{
		id: newID(), src: c.source(w.source.text), by: by, created: now, moved: now - early,
		state: alert, hlStatus: "stable", null: nullName | nullDescription | nullComment, rest: noRest,
	}
}

var (
	hexDigits = regexp.MustCompile(`^(?:[0-9A-Fa-f]{32}|[0-9A-Fa-f]{40}|[0-9A-Fa-f]{64})$`)
	dotted    = regexp.MustCompile(`^[^\s/]*[^\s/.]\.[^\s/]*[^\s/]$`)
)

// checkValue refuses what a type does not take (contract harfanglab-api 12.13).
func checkValue(f *form, r *row) {
	if f.problems["type"] != nil || f.problems["value"] != nil {
		return
	}
	ok := true
	switch r.typ {
	case "hash":
		ok = hexDigits.MatchString(r.value)
	case "domain_name":
		ok = dotted.MatchString(r.value)
	case "ip_src", "ip_dst", "ip_both":
		addr, err := netip.ParseAddr(r.value)
		_, err2 := netip.ParsePrefix(r.value)
		ok = err == nil && addr.Zone() == "" || err2 == nil
	case "filename", "filepath", "url":
		ok = !strings.ContainsAny(r.value, "\n\r")
	default:
		f.refuse("type", fmt.Sprintf("%q is not a valid choice.", r.typ))
		return
	}
	if !ok {
		f.refuse("value", fmt.Sprintf("%q is not a valid value for the type %s.", r.value, r.typ))
	}
}
