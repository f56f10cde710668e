package opencti_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"

	"github.com/harfangsync/harfangsync/sources/octisim"
)

// operations counts the requests a simulator got, by operation, in one line.
func operations(s *octisim.Sim) string {
	n := map[string]int{}
	for _, r := range s.HTTP.Requests() {
		n[r.Op]++
	}
	var out []string
	for op, k := range n {
		out = append(out, fmt.Sprintf("%s %d", op, k))
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

// spoiled is a simulator whose answers are changed on their way: edit gets the data of each.
func spoiled(s *octisim.Sim, edit func(q question, data map[string]any)) http.Handler {
	var a asked
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := a.question(r)
		rec := httptest.NewRecorder()
		s.ServeHTTP(rec, r)
		var answer map[string]any
		if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil {
			panic(err)
		}
		if data, ok := answer["data"].(map[string]any); ok {
			edit(q, data)
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(answer)
	})
}

// within follows names through objects.
func within(data map[string]any, path ...string) map[string]any {
	for _, p := range path {
		data, _ = data[p].(map[string]any)
	}
	return data
}

// replaced is a simulator whose answers to one operation are given by a test.
func replaced(s *octisim.Sim, op string, answer func(question) string) http.Handler {
	var a asked
	var mu sync.Mutex
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		q := a.question(r)
		if q.op != op {
			s.ServeHTTP(w, r)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		_, _ = io.WriteString(w, answer(q))
	})
}
