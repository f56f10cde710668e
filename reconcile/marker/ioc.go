package marker

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	fast "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
)

// MaxOwners is how many owners an IOC comment lists by id; the digest covers all of them.
const MaxOwners = 8

// IOC is the marker of an IOC rule.
type IOC struct {
	StandardID string   // the winner's
	Score      *int     // the winner's; never compared, because decay moves it daily
	Platforms  []string // the winner's
	Owners     []string // internal ids, winner first, then by id; at most MaxOwners
	Count      int      // of all owners
	Digest     uint64   // of all owners
	Instance   string
	Applied    Applied
	Disabled   string // why we disabled it; empty when we did not
	// Spelling, when it is not 0, is the digest of a value that the server made of another one (SpellingOf).
	Spelling uint64
	// Key is the identity of the rule that was sent, where the server holds its value in another
	// spelling than ours; zero where it does not.
	Key [16]byte
	// Partial says that the comment ends before the owners, or had to be shortened to less: whom else
	// the rule has is not known.
	Partial bool
}

// comment is the JSON form. What a reader of a cut text needs most comes first.
type comment struct {
	IndicatorID  string   `json:"indicator_id"`
	ManagedBy    string   `json:"managed_by,omitempty"`
	Instance     string   `json:"instance,omitempty"`
	Applied      string   `json:"applied,omitempty"`
	Disabled     string   `json:"disabled,omitempty"`
	Key          string   `json:"key,omitempty"`
	OwnersCount  int      `json:"owners_count,omitempty"`
	OwnersDigest string   `json:"owners_digest,omitempty"`
	Indicators   []string `json:"indicators,omitempty"`
	Score        *int     `json:"indicator_score"`
	Platforms    []string `json:"indicator_platforms"`
}

// Comment is the text of the rule's comment, at most MaxText runes.
func (m IOC) Comment() string {
	c := m.comment()
	if s := encode(c); utf8.RuneCountInString(s) <= MaxText {
		return s
	}
	c.Indicators = c.Indicators[:min(1, len(c.Indicators))]
	if s := encode(c); utf8.RuneCountInString(s) <= MaxText {
		return s
	}
	return m.Short()
}

// Short is the comment for a server that refuses the whole one: the winner alone.
func (m IOC) Short() string {
	c := m.comment()
	c.Indicators = c.Indicators[:min(1, len(c.Indicators))]
	c.Score, c.Platforms = nil, []string{}
	return encode(c)
}

// Tiny is the least that keeps a row ours, for a server whose limit is about 255 characters: who else
// owns the rule is left out.
func (m IOC) Tiny() string {
	c := m.comment()
	c.OwnersCount, c.OwnersDigest, c.Indicators = 0, "", c.Indicators[:min(1, len(c.Indicators))]
	return encode(struct {
		comment
		Score     *int     `json:"indicator_score,omitempty"`
		Platforms []string `json:"indicator_platforms,omitempty"`
	}{comment: c})
}

func (m IOC) comment() comment {
	c := comment{
		IndicatorID: m.StandardID, ManagedBy: Product, Instance: m.Instance, Applied: m.Applied.String(),
		Disabled: m.Disabled, OwnersCount: m.Count, OwnersDigest: hex16(m.Digest),
		Indicators: m.Owners, Score: m.Score, Platforms: Platforms(m.Platforms),
	}
	if m.Key != [16]byte{} {
		c.Key = hex.EncodeToString(m.Key[:]) + "-" + hex16(m.Spelling)
	}
	return c
}

func encode(comment any) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(comment); err != nil {
		panic(err) // strings and numbers always encode
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func hex16(n uint64) string { return fmt.Sprintf("%016x", n) }

// Platforms is the compared form of an indicator's platforms: sorted, without repeats, at most
// eight of at most 32 bytes, never nil.
func Platforms(p []string) []string {
	out := make([]string, 0, len(p))
	for _, s := range p {
		if s = strings.TrimSpace(strings.ToValidUTF8(s, "")); s != "" && len(s) <= 32 {
			out = append(out, s)
		}
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), 8)]
}

// OwnersDigest covers a set of internal ids, whatever their order.
func OwnersDigest(ids ...string) uint64 {
	if len(ids) > 1 {
		ids = slices.Clone(ids)
		slices.Sort(ids)
	}
	return Hash(ids...)
}

// IOCText is the digest of what is compared of an IOC rule besides its owners and its state.
func IOCText(description, standardID string, platforms []string) uint64 {
	var stack [10]string
	parts := append(stack[:0], "ioc", Normal(description), standardID)
	return Hash(append(parts, Platforms(platforms)...)...)
}

// tolerant reads what encoding/json reads, in one pass.
var tolerant = fast.JoinOptions(fast.MatchCaseInsensitiveNames(true), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// ParseIOC reads a comment. A comment that the server cut short is still read as far as it goes, so
// that a row of ours stays ours. Another tool may write an indicator_id too, so a comment is an old connector's only
// if it has exactly the members that these wrote.
func ParseIOC(s string) (IOC, Class) {
	t := strings.TrimSpace(s)
	if len(t) == 0 || t[0] != '{' && t[0] != '"' {
		return IOC{}, None
	}
	var c comment
	err := fast.Unmarshal([]byte(t), &c, tolerant)
	_, odd := errors.AsType[*fast.SemanticError](err)
	if odd { // then the other members are read all the same
		c = comment{}
		_ = json.Unmarshal([]byte(t), &c)
	}
	if (err == nil || odd) && c.ManagedBy == Product && c.Instance != "" {
		m := fromComment(c)
		m.Partial = c.OwnersCount == 0 && c.OwnersDigest == ""
		return m, Ours
	}
	if id := oldID(t); id != "" {
		return IOC{StandardID: id}, Old
	}
	if c, ok := salvage(t); ok {
		m := fromComment(c)
		m.Partial = m.Digest == 0 || m.Count == 0
		return m, Ours
	}
	return IOC{}, None
}

func fromComment(c comment) IOC {
	m := IOC{
		StandardID: c.IndicatorID, Score: c.Score, Platforms: c.Platforms, Owners: c.Indicators,
		Count: c.OwnersCount, Instance: c.Instance, Applied: ParseApplied(c.Applied), Disabled: c.Disabled,
	}
	m.Digest, _ = strconv.ParseUint(c.OwnersDigest, 16, 64) // 0 compares as different
	digits, as, _ := strings.Cut(c.Key, "-")
	spelling, err := strconv.ParseUint(as, 16, 64)
	if key, err2 := hex.DecodeString(digits); err == nil && err2 == nil && len(key) == len(m.Key) {
		m.Key, m.Spelling = [16]byte(key), spelling
	}
	return m
}

// SpellingOf is the digest of a value as the server holds it. A marker's Key counts only while the row
// still has that very value: somebody who edits it makes another rule of it.
func SpellingOf(typ, value string) uint64 { return Hash("held", typ, value) }

var (
	cutBegin     = regexp.MustCompile(`^\{\s*"indicator_id"\s*:`)
	cutManaged   = regexp.MustCompile(`"managed_by": ?"` + Product + `"`)
	cutMember    = regexp.MustCompile(`"(indicator_id|instance|applied|disabled|key|owners_digest)": ?"([^"\\]*)"`)
	cutCount     = regexp.MustCompile(`"owners_count": ?(\d+)`)
	cutOwners    = regexp.MustCompile(`"indicators": ?\[([^\]]*)`)
	cutOwnerItem = regexp.MustCompile(`"([^"\\]*)"`)
)

// salvage reads a comment of ours whose end is missing, or that somebody has written something behind. What only quotes one is
// not ours.
func salvage(s string) (comment, bool) {
	if !cutBegin.MatchString(s) || !cutManaged.MatchString(s) || json.Valid([]byte(s)) {
		return comment{}, false
	}
	var c comment
	if json.NewDecoder(strings.NewReader(s)).Decode(&c) == nil {
		return c, c.ManagedBy == Product && c.Instance != ""
	}
	c = comment{ManagedBy: Product}
	members := map[string]*string{"indicator_id": &c.IndicatorID, "instance": &c.Instance, "applied": &c.Applied,
		"disabled": &c.Disabled, "key": &c.Key, "owners_digest": &c.OwnersDigest}
	for _, m := range cutMember.FindAllStringSubmatch(s, -1) {
		if at := members[m[1]]; *at == "" { // ours stand first
			*at = m[2]
		}
	}
	if m := cutCount.FindStringSubmatch(s); m != nil {
		c.OwnersCount, _ = strconv.Atoi(m[1])
	}
	if m := cutOwners.FindStringSubmatch(s); m != nil {
		for _, item := range cutOwnerItem.FindAllStringSubmatch(m[1], -1) {
			c.Indicators = append(c.Indicators, item[1])
		}
	}
	return c, c.Instance != ""
}

// oldID is the standard id in the exact comment of an old connector, "" in any other text.
func oldID(s string) string {
	var members map[string]json.RawMessage
	if json.Unmarshal([]byte(s), &members) != nil || len(members) != 3 {
		return ""
	}
	var old struct {
		ID        *string   `json:"indicator_id"`
		Score     *float64  `json:"indicator_score"`
		Platforms *[]string `json:"indicator_platforms"`
	}
	_, scored := members["indicator_score"]
	_, placed := members["indicator_platforms"]
	if json.Unmarshal([]byte(s), &old) != nil || old.ID == nil || !scored || !placed {
		return ""
	}
	if id, ok := strings.CutPrefix(*old.ID, "indicator--"); !ok || len(id) != 36 || uuid.Validate(id) != nil {
		return ""
	}
	return *old.ID
}
