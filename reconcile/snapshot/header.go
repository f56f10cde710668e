// Package snapshot keeps what one read of OpenCTI gave in a file, for plans that are made where
// OpenCTI cannot be reached, or for many tenants from one read.
//
// A file is gzip; inside are lines of JSON: the Header, one line for each indicator visited in the
// order of the read, and the digest of all that. It holds every indicator that the read let through,
// not only the wanted ones: what is wanted is decided when a plan is made. It holds no secrets.
package snapshot

import (
	"net/url"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
)

// FormatVersion is the version of the files that this program writes and reads.
const FormatVersion = "1.0"

// format is the first member of every file.
const format = "harfangsync snapshot"

// Header is what a snapshot says about itself, and how it was read.
type Header struct {
	Format        string    `json:"format"`
	FormatVersion string    `json:"format_version"`
	ToolVersion   string    `json:"tool_version"`
	Time          time.Time `json:"time"` // when the read began, UTC; what changed since may be missing
	Source        Source    `json:"source"`
	Markings      []string  `json:"markings"` // visible to the account that read
	Selection     Selection `json:"selection"`
	Count         int       `json:"count"`    // distinct indicators
	Records       int       `json:"records"`  // lines; an indicator that changed meanwhile has two, the later counts
	Complete      bool      `json:"complete"` // the read was proven complete (gate G1)
}

// Source is what was read, and through which filter.
type Source struct {
	URL          string `json:"url"`           // without credentials
	Stream       string `json:"stream"`        // id of the stream whose filters were adopted; "" is none
	StreamDigest string `json:"stream_digest"` // of these filters alone
	FilterDigest string `json:"filter_digest"` // of these filters and the selection of the settings then
	OwnFilter    bool   `json:"own_filter"`    // no stream's filters were adopted
}

// Selection is those settings that kept indicators out of the file. Validity at Time and revocation
// always do.
type Selection struct {
	Detection   bool                 `json:"detection"` // only what is flagged for detection
	MinScore    reconcile.Thresholds `json:"min_score"`
	Observables bool                 `json:"observables"` // attached observables were read
}

// valid says what is wrong with a header, "" when nothing is.
func (h *Header) valid() string {
	u, err := url.Parse(h.Source.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil:
		return "it names no source"
	case h.Time.IsZero():
		return "it does not say when it was made"
	case h.Records < 0 || h.Count < 0 || h.Count > h.Records:
		return "its counts contradict each other"
	}
	return ""
}
