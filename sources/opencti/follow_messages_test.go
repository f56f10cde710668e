package opencti

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/harfangsync/harfangsync/reconcile/tail"
)

// all are the messages of a stream, one a line, and what ended it.
func all(r io.Reader, most int) (out []string, err error) {
	m := newMessages(r, most, func() {})
	for {
		one, err := m.next()
		if err != nil {
			return out, err
		}
		line := fmt.Sprintf("%s|%s|%s", one.ID, one.Event, one.Data)
		if one.Cut {
			line += "|cut"
		}
		out = append(out, line)
	}
}

// pieces gives a text in pieces that end at the given places.
func pieces(text string, ends []int) io.Reader {
	var rs []io.Reader
	for _, end := range ends {
		end = min(end, len(text))
		rs, text = append(rs, strings.NewReader(text[:end])), text[end:]
	}
	return io.MultiReader(append(rs, strings.NewReader(text))...)
}

func TestMessages(t *testing.T) {
	tests := []struct {
		name, in string
		want     []string
	}{
		{"as the platform sends them", "event: connected\ndata: {}\n\nid: 1-0\nevent: create\ndata: {\"a\":1}\n\n", []string{"|connected|{}", `1-0|create|{"a":1}`}},
		{"with carriage returns and line feeds", "id: 1-0\r\nevent: create\r\ndata: x\r\n\r\nid: 2-0\r\n\r\n", []string{"1-0|create|x", "2-0||"}},
		{"with carriage returns alone", "id: 1-0\revent: create\rdata: x\r\rid: 2-0\r\r", []string{"1-0|create|x", "2-0||"}},
		{"with all of them", "id: 1-0\revent: create\r\ndata: x\n\r\nid: 2-0\r\n\r", []string{"1-0|create|x", "2-0||"}},
		{"comments are no messages and end none", ": hello\n\n:\nid: 1-0\n: id: 2-0\ndata: x\n:\n\n:\n\n", []string{"1-0||x"}},
		{"a mark of the byte order in front", "\xEF\xBB\xBFid: 1-0\ndata: x\n\n", []string{"1-0||x"}},
		{"half a message at the end is none", "id: 1-0\ndata: x\n\nid: 2-0\nevent: delete\ndata: y\n", []string{"1-0||x"}},
		{"nor is one whose last line has no end", "id: 1-0\ndata: x\n\nid: 2-0\ndata: y", []string{"1-0||x"}},
		{"several empty lines", "\n\n\nid: 1-0\n\n\n\n\nid: 2-0\n\n\n", []string{"1-0||", "2-0||"}},
		{"an id belongs to its message alone", "id: 1-0\ndata: x\n\ndata: y\n\n", []string{"1-0||x", "||y"}},
		{"the same message twice is two", "id: 1-0\ndata: x\n\nid: 1-0\ndata: x\n\n", []string{"1-0||x", "1-0||x"}},
		{"data in several lines", "data: {\ndata: }\ndata\ndata:\n\n", []string{"||{\n}\n\n"}},
		{"one space after the colon is dropped, or none", "id:1-0\ndata:  x \n\n", []string{"1-0|| x "}},
		{"unknown fields are no message", "retry: 10\nfoo: bar\nfoo\n\nid: 1-0\n\n", []string{"1-0||"}},
		{"an id with a NUL is none", "id: 1\x00-0\ndata: x\n\n", []string{"||x"}},
		{"nothing", "", nil},
		{"empty lines alone", "\n\r\n\r", nil},
		{"colons in data", "data: :a:b\n\n", []string{"||:a:b"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for how, r := range map[string]io.Reader{
				"at once": strings.NewReader(tt.in), "byte by byte": iotest.OneByteReader(strings.NewReader(tt.in)), "with its end": iotest.DataErrReader(strings.NewReader(tt.in)),
			} {
				got, err := all(r, 1000)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("%s (-want +got):\n%s", how, diff)
				}
				if err != io.EOF {
					t.Errorf("%s: ended by %v", how, err)
				}
			}
		})
	}
}

func TestMessagesOverTheLimit(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	tests := []struct {
		name, in string
		want     []string
	}{
		{"up to the limit a message is whole", "id: 1-0\ndata: " + long[:40] + "\n\n", []string{"1-0||" + long[:40]}},
		{"beyond it the rest is dropped and the next one is read", "id: 1-0\nevent: create\ndata: " + long + "\n\nid: 2-0\ndata: y\n\n",
			[]string{"1-0|create|" + long[:29] + "|cut", "2-0||y"}},
		{"in several lines too", "id: 1-0\n" + strings.Repeat("data: abc\n", 100) + "event: create\n\nid: 2-0\n\n", []string{"1-0||abc\nabc\nabc\nabc\nabc|cut", "2-0||"}},
		{"what nothing is left of is still told", long + "\n\nid: 2-0\n\n", []string{"|||cut", "2-0||"}},
		{"a comment has no limit", ":" + long + "\n\nid: 2-0\n\n", []string{"2-0||"}},
		{"half of one is none", "id: 1-0\ndata: " + long + "\n", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range []io.Reader{strings.NewReader(tt.in), iotest.OneByteReader(strings.NewReader(tt.in))} {
				got, _ := all(r, 57)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("messages (-want +got):\n%s", diff)
				}
			}
		})
	}
}

func TestMessagesAfterAFailedRead(t *testing.T) {
	broken := errors.New("connection reset")
	got, err := all(io.MultiReader(strings.NewReader("id: 1-0\n\nid: 2-0\ndata: y\n"), iotest.ErrReader(broken)), 1000)
	if !errors.Is(err, broken) || len(got) != 1 {
		t.Errorf("%v and %q, want one message and the error", err, got)
	}
}

func TestLifeIsAPieceOfAMessage(t *testing.T) {
	for in, want := range map[string]bool{"": false, "\n\r\n": false, ": keep-alive\n\n": false, ":": false, "d": true, ": x\nid": true, "data: a\n\n": true} {
		alive := false
		m := newMessages(iotest.OneByteReader(strings.NewReader(in)), 1000, func() { alive = true })
		for {
			if _, err := m.next(); err != nil {
				break
			}
		}
		if alive != want {
			t.Errorf("%q is life = %v", in, alive)
		}
	}
}

// Messages in any form, in pieces of any size and cut anywhere: what comes is what was sent whole.
func TestMessagesComeWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ends := rapid.SampledFrom([]string{"\n", "\r\n", "\r"})
		value := rapid.StringMatching(`[a-z:{} ]{0,8}[a-z}]`)
		var text string
		var want []string
		var whole []int // where each message ends
		for range rapid.IntRange(0, 5).Draw(t, "messages") {
			lines := []string{"event: " + value.Draw(t, "event"), "id: " + value.Draw(t, "id"), "data: " + value.Draw(t, "data")}
			want = append(want, fmt.Sprintf("%s|%s|%s", lines[1][4:], lines[0][7:], lines[2][6:]))
			for _, l := range rapid.Permutation(append(lines, ": "+value.Draw(t, "comment"))).Draw(t, "order") {
				text += l + ends.Draw(t, "end")
			}
			text += "\n"
			if strings.HasSuffix(text, "\r\n") { // after a lone carriage return the line feed would be its second half
				text += "\n"
			}
			whole = append(whole, len(text))
		}
		n := rapid.IntRange(0, len(text)).Draw(t, "cut")
		for len(whole) > 0 && whole[len(whole)-1] > n {
			whole = whole[:len(whole)-1]
		}
		got, err := all(pieces(text[:n], rapid.SliceOf(rapid.IntRange(0, 40)).Draw(t, "pieces")), 1000)
		if err != io.EOF {
			t.Fatal(err)
		}
		if len(got) == len(whole)+1 && n > 0 { // the first line feed of two that end a message
			whole = append(whole, n)
		}
		if !slices.Equal(want[:len(whole)], got) {
			t.Fatalf("%q (-want +got):\n%s", text[:n], cmp.Diff(want[:len(whole)], got))
		}
	})
}

// A message of megabytes that comes in small packets takes a moment, not minutes.
func BenchmarkLargeMessage(b *testing.B) {
	text := []byte("id: 1-0\nevent: create\ndata: " + strings.Repeat("x", 16<<20) + "\n\n")
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		m := newMessages(small{bytes.NewReader(text)}, 64<<20, func() {})
		if one, err := m.next(); err != nil || len(one.Data) != 16<<20 {
			b.Fatal(len(one.Data), err)
		}
	}
}

// small is a reader that gives a packet at a time.
type small struct{ r io.Reader }

func (s small) Read(p []byte) (int, error) { return s.r.Read(p[:min(len(p), 1460)]) }

// Whatever a server sends: no panic, one line in every reason, and the same messages in any pieces.
func FuzzFollow(f *testing.F) {
	for _, seed := range []string{
		"", "\n\n", "event: connected\ndata: " + connected + "\n\n", "id: 101-0\nevent: create\ndata: " + indicator("a") + "\n\n: x\n\nid: 102-0\nevent: heartbeat\ndata: \"x\"\n\n",
		"id: 101-0\r\nevent: merge\r\ndata: " + merging(object("indicator", "a"), object("indicator", "b")) + "\r\n\r\n", "event: error\rdata: {\"message\":\"\\u001b[31m\\n\"}\r\r",
		"\xEF\xBB\xBFevent: delete\ndata: {\"data\":\ndata: 7}\n\n", "event: update\ndata: {\"data\":{\"type\":\"indicator\",\"id\":\"\\u0000\"}}\n\n", strings.Repeat("data: x\n", 99) + "\n", "id: -\nevent: no-recover\n\n",
	} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, text string, size int) {
		const most = 500
		want, err := all(strings.NewReader(text), most)
		if err != io.EOF {
			t.Fatal(err)
		}
		if got, _ := all(iotest.OneByteReader(strings.NewReader(text)), most); !slices.Equal(want, got) {
			t.Errorf("byte by byte (-at once +byte by byte):\n%s", cmp.Diff(want, got))
		}
		if n := len(text); n > 0 && size >= 0 {
			if got, _ := all(strings.NewReader(text[:size%n]), most); len(got) > len(want) || !slices.Equal(want[:len(got)], got) {
				t.Errorf("cut at %d it has %q, whole %q", size%n, got, want)
			}
		}
		r := reading{known: true}
		r.safe.Ms = 100
		m := newMessages(strings.NewReader(text), most, func() {})
		for {
			one, err := m.next()
			if err != nil {
				return
			}
			before := r.safe
			signals, err := r.message(one)
			if e, ok := errors.AsType[*Error](err); err != nil && (!ok || !e.Temporary()) {
				t.Errorf("%+v ends with %v", one, err)
			}
			for _, s := range signals {
				if line := Tell(s); strings.ContainsAny(line, "\n\r\x1b") || len(line) > 4*most {
					t.Errorf("%+v tells %q", one, line)
				}
				if d, ok := s.(tail.Dirty); ok && len(d.IDs) == 0 {
					t.Errorf("%+v makes nothing dirty", one)
				}
			}
			if r.safe.Compare(before) < 0 {
				t.Errorf("safe went back from %s to %s", before, r.safe)
			}
		}
	})
}
