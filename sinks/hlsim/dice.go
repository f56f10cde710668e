package hlsim

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/google/uuid"
)

// random is the chance in what alerts are made of; the same seed falls the same way.
type random struct{ *rand.Rand }

func newRandom(seed uint64) random { return random{rand.New(rand.NewPCG(seed, 0x5eed))} }

// Read fills b, as uuid wants it.
func (d random) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = byte(d.Uint32())
	}
	return len(b), nil
}

func (d random) uuid() string { return uuid.Must(uuid.NewRandomFromReader(d)).String() }

// hex is a word of n hexadecimal digits.
func (d random) hex(n int) string {
	b := make([]byte, (n+1)/2)
	_, _ = d.Read(b)
	return hex.EncodeToString(b)[:n]
}

// one is one of some words.
func (d random) one(of ...string) string { return of[d.IntN(len(of))] }

// Hashes are those of one file; those that are not known are empty.
type Hashes struct {
	MD5    string `json:"md5,omitempty"`
	SHA1   string `json:"sha1,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
}

// hashes are those of some file.
func (d random) hashes() Hashes { return Hashes{d.hex(32), d.hex(40), d.hex(64)} }

// hashesOf are those of a program, the same for the same path.
func hashesOf(path string) Hashes {
	sum := sha256.Sum256([]byte(path))
	return newRandom(binary.BigEndian.Uint64(sum[:])).hashes()
}

// with sets the hash that has the length of one, in lower case.
func (h Hashes) with(hash string) Hashes {
	switch hash = strings.ToLower(hash); len(hash) {
	case 32:
		h.MD5 = hash
	case 40:
		h.SHA1 = hash
	case 64:
		h.SHA256 = hash
	}
	return h
}

// document shows hashes; those that are not known are null.
func (h Hashes) document() document {
	return document{"md5": orNull(h.MD5), "sha1": orNull(h.SHA1), "sha256": orNull(h.SHA256)}
}

// sameAs gives ids that follow from a name, such as that of a host.
func sameAs(name string) string {
	return uuid.NewSHA1(uuid.NameSpaceURL, []byte("harfanglab:"+name)).String()
}

// spell is a moment as the manager writes it: with six digits of fraction, or with any number of them
// and either zone.
func (d random) spell(form string, t time.Time) string {
	if form == TimesMicro {
		return t.UTC().Format("2006-01-02T15:04:05.000000Z")
	}
	digits := d.IntN(10)
	layout := "2006-01-02T15:04:05"
	if digits > 0 {
		layout += "." + strings.Repeat("0", digits)
	}
	return t.UTC().Format(layout) + d.one("Z", "+00:00")
}
