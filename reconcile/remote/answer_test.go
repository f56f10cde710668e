package remote_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/harfangsync/harfangsync/reconcile/remote"
)

func TestReadBoundsAnAnswer(t *testing.T) {
	const million = 1 << 20
	for _, tt := range []struct {
		name, body, want string
	}{
		{"as long as may be", strings.Repeat("x", 4*million), ""},
		{"longer", strings.Repeat("x", 4*million+1), "an answer of more than 4194304 bytes"},
		{"as many elements as may be", "[" + strings.Repeat("0,", million/2-1) + "0]", ""},
		{"more elements", "[" + strings.Repeat("0,", million/2) + "0]", "an answer of more than 524288 elements"},
		{"more lists in each other", strings.Repeat("[", million/2+1), "an answer of more than 524288 elements"},
		{"more objects", strings.Repeat(`{"":`, million+1), "an answer of more than 4194304 bytes"},
		{"what stands in a text is none", `["` + strings.Repeat(`,[{\"`, million/4) + `"]`, ""},
		{"what stands after it is", `["\\"` + strings.Repeat(",0", million/2) + `]`, "an answer of more than 524288 elements"},
	} {
		used := false
		err := remote.Read(strings.NewReader(tt.body), 4*million, func(body []byte) { used = string(body) == tt.body })
		if tt.want == "" && (err != nil || !used) || tt.want != "" && (err == nil || err.Error() != tt.want || used) {
			t.Errorf("%s: used %t, error %v, want %q", tt.name, used, err, tt.want)
		}
	}
	broken := errors.New("reset")
	err := remote.Read(io.MultiReader(strings.NewReader("{"), iotest.ErrReader(broken)), million, func([]byte) { t.Error("half an answer was used") })
	if !errors.Is(err, broken) {
		t.Errorf("got %v, want the connection's error", err)
	}
}

// Buffers are used again, however many answers come. New ones would be some 760 MiB; under the race detector
// a pool forgets a quarter of what it gets.
func TestReadKeepsItsBuffers(t *testing.T) {
	var before, after runtime.MemStats
	body := strings.Repeat("x", 1<<20)
	runtime.ReadMemStats(&before)
	for range 100 {
		if err := remote.Read(strings.NewReader(body), 1<<21, func([]byte) {}); err != nil {
			t.Fatal(err)
		}
	}
	runtime.ReadMemStats(&after)
	if got := after.TotalAlloc - before.TotalAlloc; got > 400<<20 {
		t.Errorf("%d MiB for 100 answers of 1 MiB", got>>20)
	}
}

func TestDecodeTakesWhatPlatformsSend(t *testing.T) {
	type row struct {
		ID   string   `json:"id"`
		N    *int     `json:"n"`
		List []string `json:"list"`
		Sub  struct {
			Flag bool `json:"flag"`
		} `json:"sub"`
	}
	for _, tt := range []struct{ name, text, id, want string }{
		{"members that nobody knows", `{"x":[1,{"id":"no"}],"id":"a"}`, "a", ""},
		{"names in another case", `{"ID":"a"}`, "a", ""},
		{"a name twice", `{"id":"b","id":"a"}`, "a", ""},
		{"null", `{"id":null,"n":null,"list":null,"sub":null}`, "", ""},
		{"bytes that are no UTF-8", "{\"id\":\"a\xff\"}", "a\uFFFD", ""},
		{"half a surrogate pair", `{"id":"a\ud800"}`, "a\uFFFD", ""},
		{"a list", `[]`, "", "a JSON array where an object is due"},
		{"a text for a number", `{"n":"1"}`, "", "a JSON string in member n"},
		{"a number in a list of texts", `{"list":["a",1]}`, "", "a JSON number in member list.1"},
		{"a text for a flag", `{"sub":{"flag":"yes"}}`, "", "a JSON string in member sub.flag"},
		{"a misfit in what is cut", `{"n":"1"`, "", remote.ErrNotJSON.Error()},
		{"cut", `{"id":"a`, "", remote.ErrNotJSON.Error()},
		{"more than one value", `{"id":"a"}{}`, "", remote.ErrNotJSON.Error()},
		{"nothing", ``, "", remote.ErrNotJSON.Error()},
		{"too deep", strings.Repeat("[", 20_000), "", remote.ErrNotJSON.Error()},
	} {
		left := 7
		r := row{ID: "of an earlier attempt", N: &left, List: []string{"x"}}
		err := remote.Decode([]byte(tt.text), &r)
		if tt.want != "" {
			if err == nil || err.Error() != tt.want {
				t.Errorf("%s: error %v, want %q", tt.name, err, tt.want)
			}
			continue
		}
		if err != nil || r.ID != tt.id || r.N != nil || r.List != nil {
			t.Errorf("%s: %+v, %v, want id %q and nothing else", tt.name, r, err, tt.id)
		}
	}
}
