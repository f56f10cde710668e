package octisim

import (
	"cmp"
	"io"
	"net/http"
	"slices"
	"strconv"
)

// refusal is why a stream is not served: a status, and words that stand in the status line only
// (contract opencti-api 5.2).
type refusal struct {
	status int
	reason string
}

func unauthorised(reason string) *refusal { return &refusal{http.StatusUnauthorized, reason} }

// holder is the user with a token that counts now; nil is nobody.
func (s *Sim) holder(token string) *User {
	for _, u := range s.users {
		if token != "" && u.Token == token && u.valid(s.version, s.now()) {
			return u
		}
	}
	return nil
}

// admission is what a collection lets a user see: its filter, as it is stored and as it is evaluated,
// and the one on who caused a change; nil is none.
type admission struct {
	stored, origin *filterGroup
	filter         *liveFilter
}

// admitted tells whether a user may follow a stream as things are.
func (s *Sim) admitted(u *User, id string) (admission, *refusal) {
	st, no := s.reach(u, id)
	if no != nil {
		return admission{}, no
	}
	if !st.Live {
		return admission{}, &refusal{http.StatusGone, "This live stream is stopped"}
	}
	var a admission
	var err, err2 error
	a.stored, err = parseStored(st.Filters)
	if s.version.atLeast("7.260507.0") {
		a.origin, err2 = parseStored(st.OriginFilters)
	}
	if err = cmp.Or(err, err2); err == nil && a.stored == nil && s.knobs.NullFilterFails && !st.Public {
		err = errStored
	}
	if err == nil {
		if wanted := a.stored.markings(); len(wanted) > 0 && !s.allowsOne(u, wanted) {
			return a, unauthorised("You need access to one of the markings of this live stream")
		}
		a.filter, err = compileLive(s.version, a.stored)
	}
	if err != nil {
		return admission{}, &refusal{http.StatusInternalServerError, err.Error()}
	}
	return a, nil
}

// reach finds the collection with an id, if the user may know it.
func (s *Sim) reach(u *User, id string) (*Stream, *refusal) {
	if u != nil && u.OTPPending {
		return nil, unauthorised("You must provide a one-time password")
	}
	st := s.streams[id]
	switch {
	case st == nil:
		return nil, unauthorised("This live stream does not exist")
	case st.Public:
	case u == nil:
		return nil, unauthorised("You are not authenticated, please check your credentials")
	case !u.can("TAXIIAPI"), len(st.Members) > 0 && !u.bypass() && !slices.Contains(st.Members, u.ID):
		return nil, unauthorised("You are not authorized to access this stream")
	}
	return st, nil
}

// allowsOne tells whether the user may see one of the markings, which are internal ids.
func (s *Sim) allowsOne(u *User, ids []string) bool {
	allowed := s.allowed(u)
	return allowed == nil || slices.ContainsFunc(ids, func(id string) bool {
		m, ok := s.items[id].(*marking)
		return ok && allowed[m]
	})
}

func (u *User) bypass() bool { return slices.Contains(u.Capabilities, "BYPASS") }

// answer writes the refusal: no body, and the reason in the status line, which takes the connection
// itself. Where there is none, the status stands alone.
func (f *refusal) answer(w http.ResponseWriter) {
	if n, ok := w.(interface{ Answered(status int) }); ok {
		n.Answered(f.status)
	}
	c, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		w.WriteHeader(f.status)
		return
	}
	_, _ = io.WriteString(c, "HTTP/1.1 "+strconv.Itoa(f.status)+" "+f.reason+"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
	_ = c.Close()
}
