package snapshot_test

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/reconcile/snapshot"
)

// FuzzRead reads any bytes as a file, as the text in a file, and as the text of a file whose digest fits: it
// never panics, says no with an error of one line, and what it takes it writes again as something equal.
func FuzzRead(f *testing.F) {
	packed := writeBytes(f, header(), everything("a"), everything("b"))
	lines := parts(f, packed)
	f.Add(packed)
	f.Add([]byte(strings.Join(lines, "") + "\n"))
	f.Add([]byte(lines[0] + lines[1] + lines[2]))
	f.Add([]byte(strings.Replace(lines[0], `"records":2`, `"records":9007199254740993`, 1)))
	f.Add([]byte(lines[0] + "{\"id\":\"a\",\"valid_from\":\"2026-01-01T00:00:00+23:59\",\"observables\":[{}]}\n{\"ID\":\"b\"}\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		head, body, _ := strings.Cut(string(b), "\n")
		sum := sha256.Sum256([]byte(body + head + "\n"))
		for _, file := range [][]byte{b, pack(t, string(b)), pack(t, string(b)+`{"digest":"`+hex.EncodeToString(sum[:])+"\"}\n")} {
			h, got, err := readBytes(file)
			if err != nil {
				if !snapshot.Unusable(err) || strings.Contains(err.Error(), "\n") {
					t.Errorf("the refusal %q", err)
				}
				continue
			}
			h2, again, err := readBytes(writeBytes(t, h, got...))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(got, again); d != "" || h2.Records != len(got) {
				t.Errorf("written again (-first +second):\n%s", d)
			}
		}
	})
}
