package httpclient

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

// Tally counts the requests of one method that ended in one way.
type Tally struct {
	Method   string // GET, HEAD, POST, PUT, PATCH, DELETE or OTHER
	Status   string // the class of the answer, 1xx to 5xx, or NoAnswer
	Requests int64
}

// NoAnswer is the Status of requests that failed without an answer.
const NoAnswer = "error"

// Tallies are the requests sent so far, sorted by method and status. Those in flight are not among them.
func (c *Client) Tallies() []Tally { return c.tallies.list() }

// tallies are counts by method and status.
type tallies struct {
	mu sync.Mutex
	of map[Tally]int64 // Requests of a key is 0
}

// add counts one request; status is 0 for one without an answer.
func (t *tallies) add(method string, status int) {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
	default:
		method = "OTHER"
	}
	k := Tally{Method: method, Status: NoAnswer}
	if status > 0 {
		k.Status = strconv.Itoa(status/100) + "xx"
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.of == nil {
		t.of = map[Tally]int64{}
	}
	t.of[k]++
}

func (t *tallies) list() []Tally {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]Tally, 0, len(t.of))
	for k, n := range t.of {
		k.Requests = n
		all = append(all, k)
	}
	slices.SortFunc(all, func(a, b Tally) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.Status, b.Status))
	})
	return all
}
