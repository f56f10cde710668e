package opencti_test

import (
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// Whatever text a stream holds: no panic, and what is understood is in a form that reads as itself.
func FuzzParseFilters(f *testing.F) {
	for _, seed := range []string{
		"", "null", "{}", group(""), group(`{"key":"revoked","values":[false],"operator":null,"mode":""}`), group(`{"key":["a"],"operator":"has_changed","values":[]}`),
		`{"mode":"or","filters":[{"key":["a"],"values":[1,"2"],"operator":"within"}],"filterGroups":[{"mode":"and","filters":[],"filterGroups":[]}]}`,
		`{"entity_type":[{"id":"Indicator"}]}`, `{"mode":"and","filters":[`, `{"Mode":"or","FILTERS":[{"KEY":"x","Values":[]}]}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		g, err := opencti.ParseFilters(text)
		if err != nil || g == nil {
			return
		}
		clean, err := json.Marshal(g)
		if err != nil {
			t.Fatal(err)
		}
		again, err := opencti.ParseFilters(string(clean))
		if err != nil {
			t.Fatalf("%q became %s, which is refused: %v", text, clean, err)
		}
		if diff := cmp.Diff(g, again); diff != "" {
			t.Errorf("%q (-first +again):\n%s", text, diff)
		}
		if g.Digest() != again.Digest() {
			t.Errorf("%q has two digests", text)
		}
	})
}

// Whatever a server answers: no panic, and a read that succeeds was told a count that it met.
func FuzzAnswer(f *testing.F) {
	row, err := json.Marshal(node(nil))
	if err != nil {
		f.Fatal(err)
	}
	page := func(info, edges string) string {
		return `{"data":{"list":{"pageInfo":{` + info + `},"edges":[` + edges + `]}}}`
	}
	for _, seed := range []string{
		"", "null", "{}", "[]", "<html>", `{"data":null}`, `{"message":"boom"}`, coded("DATABASE_ERROR"), identAnswer,
		page(`"endCursor":"","hasNextPage":false,"globalCount":0`, ""), page(`"endCursor":"c","hasNextPage":false,"globalCount":1`, `{"node":`+string(row)+`}`),
		page(`"endCursor":"c","hasNextPage":true,"globalCount":2`, `null,{"node":null}`), page("", ""),
		strings.Replace(page(`"endCursor":"c","hasNextPage":false,"globalCount":1`, `{"node":`+string(row)+`}`), `{"data"`, `{"errors":[{}],"data"`, 1),
	} {
		f.Add(200, seed)
		f.Add(502, seed)
	}
	var answer atomic.Value
	var status atomic.Int64
	p := connect(f, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(int(status.Load()))
		_, _ = io.WriteString(w, answer.Load().(string))
	}), opencti.Options{Retry: remote.Retry{Attempts: 1}})
	f.Fuzz(func(t *testing.T, code int, text string) {
		if code < 200 || code > 599 || code == 204 || code == 304 {
			code = 200
		}
		answer.Store(text)
		status.Store(int64(code))
		_, n, err := read(p, nil, false)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("error %q is more than a line", err)
			}
			return
		}
		var told struct {
			Data struct {
				List struct{ PageInfo struct{ GlobalCount int } }
			}
		}
		if json.Unmarshal([]byte(text), &told) == nil && n < told.Data.List.PageInfo.GlobalCount || code != 200 {
			t.Errorf("status %d, %q read as %d indicators", code, text, n)
		}
	})
}
