package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"sync"
	"testing"
	"unicode/utf8"
)

// asTool makes this test binary be one of the tools that a pipeline calls: curl, gh or jq. They reach
// nothing but the forge below.
const asTool = "STAND_IN_FOR"

// Where the stand-ins find what they serve.
const (
	forgeURL   = "FORGE_URL"     // of the forge
	forgeFiles = "FORGE_RELEASE" // a directory with what curl downloads
	forgeToken = "ghs_of_this_job"
)

// forge is as much of GitHub as the workflows need: comments of one pull request, issues, artefacts of
// runs. It lets a job do what its permissions say.
type forge struct {
	*httptest.Server
	mu        sync.Mutex
	can       map[string]string // permissions of the job
	used      map[string]bool   // permissions that were needed, as in "issues: write"
	comments  []*post
	issues    []*post
	artefacts map[string]string // directories by run and name
	next      int
}

// post is an issue or a comment.
type post struct {
	ID     int               `json:"id"`
	Number int               `json:"number"`
	Title  string            `json:"title"`
	Body   string            `json:"body"`
	State  string            `json:"state"`
	User   map[string]string `json:"user"`
}

func newForge(t testing.TB) *forge {
	f := &forge{used: map[string]bool{}, artefacts: map[string]string{}, next: 100}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /repos/o/r/issues/7/comments", f.list("pull-requests", &f.comments))
	mux.HandleFunc("POST /repos/o/r/issues/7/comments", f.create("pull-requests", &f.comments))
	mux.HandleFunc("PATCH /repos/o/r/issues/comments/{id}", f.change("pull-requests", &f.comments))
	mux.HandleFunc("GET /repos/o/r/issues", f.list("issues", &f.issues))
	mux.HandleFunc("POST /repos/o/r/issues", f.create("issues", &f.issues))
	mux.HandleFunc("PATCH /repos/o/r/issues/{id}", f.change("issues", &f.issues))
	mux.HandleFunc("GET /artefacts/{run}/{name}", func(w http.ResponseWriter, r *http.Request) {
		dir, ok := f.artefacts[r.PathValue("run")+"/"+r.PathValue("name")]
		if !f.allowed(w, r, "actions", "read") {
			return
		}
		if !ok {
			http.Error(w, "no valid artifacts found to download", http.StatusNotFound)
			return
		}
		fmt.Fprint(w, dir)
	})
	f.Server = httptest.NewServer(mux)
	t.Cleanup(f.Close)
	return f
}

// said is a post that was there before, by a person or by a bot.
func said(who, body string) *post {
	return &post{Body: body, State: "open", User: map[string]string{"type": who}}
}

func (f *forge) add(to *[]*post, p *post) {
	f.next++
	p.ID, p.Number = f.next, f.next
	*to = append(*to, p)
}

func (f *forge) allowed(w http.ResponseWriter, r *http.Request, what, how string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.used[what+": "+how] = true
	if r.Header.Get("Authorization") != "Bearer "+forgeToken {
		http.Error(w, "Bad credentials", http.StatusUnauthorized)
		return false
	}
	if got := f.can[what]; got != how && got != "write" {
		http.Error(w, "Resource not accessible by integration", http.StatusForbidden)
		return false
	}
	return true
}

// list serves posts two a page: who reads one page only misses the third.
func (f *forge) list(what string, posts *[]*post) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !f.allowed(w, r, what, "read") {
			return
		}
		open := slices.DeleteFunc(append([]*post{}, *posts...), func(p *post) bool { return r.FormValue("state") == "open" && p.State != "open" })
		page, _ := strconv.Atoi(r.FormValue("page"))
		from := min(max(page-1, 0)*2, len(open))
		to := min(from+2, len(open))
		if to < len(open) {
			w.Header().Set("Link", `<next>; rel="next"`)
		}
		_ = json.NewEncoder(w).Encode(open[from:to])
	}
}

func (f *forge) create(what string, posts *[]*post) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		p := said("Bot", "")
		if f.allowed(w, r, what, "write") && read(w, r, p) {
			f.add(posts, p)
		}
	}
}

func (f *forge) change(what string, posts *[]*post) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if !f.allowed(w, r, what, "write") {
			return
		}
		for _, p := range *posts {
			if strconv.Itoa(p.ID) == r.PathValue("id") {
				read(w, r, p)
				return
			}
		}
		http.NotFound(w, r)
	}
}

// read takes what a request says of a post. GitHub takes no body over 65,536 characters.
func read(w http.ResponseWriter, r *http.Request, p *post) bool {
	var in struct{ Title, Body, State *string }
	if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return false
	}
	if in.Body != nil && (*in.Body == "" || utf8.RuneCountInString(*in.Body) > 65_536) {
		http.Error(w, "body is too long or empty", http.StatusUnprocessableEntity)
		return false
	}
	for from, to := range map[**string]*string{&in.Title: &p.Title, &in.Body: &p.Body, &in.State: &p.State} {
		if *from != nil {
			*to = **from
		}
	}
	return true
}
