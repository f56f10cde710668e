// Package planfile stores plans and reports, and refuses a plan that is damaged, stale, foreign or
// not meant to be applied.
package planfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"time"

	stream "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	v1 "github.com/go-json-experiment/json/v1"

	"github.com/harfangsync/harfangsync/reconcile"
)

// FormatVersion is the version of the documents that this program writes and reads.
const FormatVersion = "1.0"

// Document is one plan with everything needed to review and to apply it. Equal plans give equal
// bytes but for the time and the digest that covers it.
type Document struct {
	FormatVersion  string               `json:"format_version"`
	ToolVersion    string               `json:"tool_version"`
	Timestamp      time.Time            `json:"timestamp"`
	AsOf           *time.Time           `json:"as_of,omitempty"` // validity dates were judged at this moment, not at Timestamp
	Complete       bool                 `json:"complete"`        // both sides were read to the end
	Applyable      bool                 `json:"applyable"`
	Source         Source               `json:"source"`
	Target         Target               `json:"target"`
	Policy         string               `json:"policy"`
	SettingsDigest string               `json:"settings_digest"`
	Gates          []reconcile.Gate     `json:"gates"`
	Summary        reconcile.Summary    `json:"summary"`
	Origins        *reconcile.Origins   `json:"origins,omitempty"`   // of what begins to detect
	Impact         *reconcile.Estimate  `json:"impact,omitempty"`    // likewise; null where it was not asked for
	Promotion      *reconcile.Promotion `json:"promotion,omitempty"` // of rules in testing; null where none are promoted
	Changes        reconcile.Changes    `json:"changes"`
	Held           reconcile.AllHeld    `json:"held"`
	Skipped        reconcile.AllSkipped `json:"skipped"`
	Unblocked      []reconcile.Unblock  `json:"unblocked,omitempty"` // what persons took out of force, and is so while the plan was made
	Digest         string               `json:"digest"`

	Backup *Backup `json:"-"` // what the lists go back to; nil is what OpenCTI wants
}

// Backup is what a restore goes back to. Since is how many rules were made since and stay.
type Backup struct{ Since int }

// Source is what was read of OpenCTI. Digest covers the wanted rules, free of times and order.
type Source struct {
	URL          string   `json:"url"`
	FilterDigest string   `json:"filter_digest"`
	Count        int      `json:"count"` // indicators read
	Selected     Selected `json:"selected"`
	Digest       string   `json:"digest"`
	// Snapshot is set when OpenCTI was read from a file.
	Snapshot *Snapshot `json:"snapshot,omitempty"`
}

// Snapshot is the file that stood in for OpenCTI: when its read began, and the digest of its content.
type Snapshot struct {
	Time   time.Time `json:"time"`
	Digest string    `json:"digest"`
}

// Selected counts the wanted indicators of each kind.
type Selected struct {
	IOC   int `json:"ioc"`
	Sigma int `json:"sigma"`
	YARA  int `json:"yara"`
}

// Target is the manager that the plan is for.
type Target struct {
	URL     string `json:"url"`
	Version string `json:"version"`
	Lists   []List `json:"lists"`
}

// List is one list the plan is for. ID is null for a list that is to be created.
type List struct {
	Kind reconcile.Kind `json:"kind"`
	ID   *string        `json:"id"`
	Name string         `json:"name"`
	// SwitchedOff says that the list's rules detect nothing, whatever they say of themselves, although some are wanted.
	SwitchedOff bool `json:"switched_off,omitempty"`
}

// SwitchedOff are the kinds whose list is switched off.
func (d *Document) SwitchedOff() []reconcile.Kind {
	var kinds []reconcile.Kind
	for _, l := range d.Target.Lists {
		if l.SwitchedOff {
			kinds = append(kinds, l.Kind)
		}
	}
	return kinds
}

// Err is the first failure to read what it lists: what was read may then be blank.
func (d *Document) Err() error {
	return errors.Join(d.Changes.Err(), d.Held.Err(), d.Skipped.Err())
}

// New completes the document of a plan: d says what the plan itself does not know.
func New(p *reconcile.Plan, d Document) *Document {
	d.FormatVersion, d.Timestamp = FormatVersion, d.Timestamp.UTC().Truncate(time.Second)
	d.Gates, d.Changes, d.Held, d.Skipped = notNil(p.Gates), p.Changes, p.Held, p.Skipped
	d.Summary, d.Origins, d.Unblocked, d.Impact, d.Promotion = p.Summary(), p.Origins, p.Unblocked, p.Estimate, p.Promotion
	d.Target.Lists = notNil(d.Target.Lists)
	d.Source.Selected = Selected{p.Sources[reconcile.IOC], p.Sources[reconcile.Sigma], p.Sources[reconcile.YARA]}
	d.Seal()
	return &d
}

func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

// Counts is Selected by kind.
func (s Selected) Counts() map[reconcile.Kind]int {
	return map[reconcile.Kind]int{reconcile.IOC: s.IOC, reconcile.Sigma: s.Sigma, reconcile.YARA: s.YARA}
}

// Seal sets the digest: the SHA-256 of the document's JSON, on one line and without HTML escapes,
// with an empty digest and tool version. It finds damage and slips of an editor, not an
// attacker.
func (d *Document) Seal() { d.Digest = d.digest() }

func (d *Document) digest() string {
	bare := *d
	bare.Digest, bare.ToolVersion = "", ""
	h := sha256.New()
	if err := stream.MarshalWrite(h, &bare, v1.DefaultOptionsV1(), jsontext.EscapeForHTML(false)); err != nil {
		return "" // a change could not be read: texts, numbers and times always encode
	}
	h.Write([]byte{'\n'})
	return hex.EncodeToString(h.Sum(nil))
}

// encode writes a plan or a report as it stands in a file.
func encode(w io.Writer, v any) error {
	if err := stream.MarshalWrite(w, v, v1.DefaultOptionsV1(), jsontext.EscapeForHTML(false), jsontext.WithIndent(" ")); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}
