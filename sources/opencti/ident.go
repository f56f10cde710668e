package opencti

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Version is a platform version, such as 6.9.22 or 7.260817.0, compared part by part as numbers.
type Version struct {
	text  string
	parts []int
}

// ParseVersion reads a version; what follows a dash or a plus is left out of comparisons.
func ParseVersion(s string) (Version, error) {
	v := Version{text: oneLine(s)}
	core, _, _ := strings.Cut(strings.TrimSpace(s), "-")
	core, _, _ = strings.Cut(core, "+")
	for _, p := range strings.Split(strings.TrimPrefix(core, "v"), ".") {
		n, err := strconv.Atoi(p)
		if err != nil || n < 0 {
			return Version{}, fmt.Errorf("%q is not a version", v.text)
		}
		v.parts = append(v.parts, n)
	}
	for last := len(v.parts) - 1; last > 0 && v.parts[last] == 0; last-- {
		v.parts = v.parts[:last] // missing parts count as 0
	}
	return v, nil
}

func (v Version) String() string { return v.text }

// Compare orders versions.
func (v Version) Compare(o Version) int { return slices.Compare(v.parts, o.parts) }

// AtLeast compares with a version that is a constant of this program.
func (v Version) AtLeast(s string) bool {
	o, err := ParseVersion(s)
	if err != nil {
		panic(err)
	}
	return v.Compare(o) >= 0
}

// since says whether the platform has a version; an unknown one is taken for new.
func (c *Client) since(version string) bool {
	v := c.known()
	return len(v.parts) == 0 || v.AtLeast(version)
}

// The versions that decide (contract opencti-api 12.1).
const (
	oldest       = "5.12.24"    // lists in place of connections
	tellStreams  = "6.1.12"     // TAXIIAPI suffices to read a stream
	tellOrigins  = "7.260507.0" // streamCollection has origin_filters
	firstPush    = "6.2.6"      // stixBundlePush
	pingWithInfo = "6.2.12"     // pingConnector(connectorInfo:)
	pushWithWork = "6.5.7"      // stixBundlePush(work_id:)
	dropsDead    = "6.8.17"     // workers import nothing of a deleted work
	newestMajor  = 7
)

// Ident is who we are to the platform, and which platform it is.
type Ident struct {
	Version       Version
	UserID        string
	UserName      string
	Capabilities  []string
	Markings      []Marking
	MaxConfidence *int
	Warnings      []string
}

// Marking is one marking that the account may see.
type Marking struct{ StandardID, Definition string }

// MarkingNames are the definitions of the markings that the account may see.
func (i Ident) MarkingNames() []string { return definitions(i.Markings) }

func definitions(all []Marking) []string {
	names := []string{}
	for _, m := range all {
		names = append(names, m.Definition)
	}
	return names
}

// Can says whether the account has a capability: one of its own contains the name, or it has BYPASS
// (contract opencti-api 1.3).
func (i Ident) Can(capability string) bool {
	return slices.ContainsFunc(i.Capabilities, func(c string) bool { return c == "BYPASS" || strings.Contains(c, capability) })
}

// Confidence is the most that what the account writes can have.
func (i Ident) Confidence() int {
	const most = 100
	if i.MaxConfidence == nil {
		return most
	}
	return *i.MaxConfidence
}

// Marking is the standard id of a marking that the account may see, such as TLP:AMBER, or "". CLEAR and
// WHITE are one.
func (i Ident) Marking(definition string) string {
	fold := func(s string) string { return strings.Replace(strings.ToUpper(s), "TLP:WHITE", "TLP:CLEAR", 1) }
	id := ""
	for _, m := range i.Markings {
		if fold(m.Definition) == fold(definition) && (id == "" || strings.EqualFold(m.Definition, definition)) {
			id = m.StandardID
		}
	}
	return id
}

type wireIdent struct {
	About *struct{ Version string }
	Me    *struct {
		ID           string
		Name         string
		Capabilities []*struct{ Name string }
		wireAllowed
		Level *struct {
			Max *int `json:"max_confidence"`
		} `json:"effective_confidence_level"`
	}
}

type wireAllowed struct {
	Markings []*struct {
		StandardID string `json:"standard_id"`
		Definition *string
	} `json:"allowed_marking"`
}

func (w *wireAllowed) markings() (all []Marking) {
	for _, m := range w.Markings {
		if m != nil && m.Definition != nil {
			all = append(all, Marking{m.StandardID, *m.Definition})
		}
	}
	return all
}

// Ident proves address, token, version and rights in one request (contract opencti-api 12.3); a
// platform below 6.0.0 needs a second one. Versions below 5.12.24 are a *VersionError.
func (c *Client) Ident(ctx context.Context) (Ident, error) {
	var w wireIdent
	err := c.query(ctx, request{op: "Ident", document: "ident"}, &w)
	reduced := false // the platform knows no confidence levels, so a missing one says nothing
	if e, ok := errors.AsType[*Error](err); ok && e.Code == "GRAPHQL_VALIDATION_FAILED" {
		reduced = true
		err = c.query(ctx, request{op: "Ident", document: "ident_reduced"}, &w)
	}
	if err != nil {
		return Ident{}, err
	}
	if w.About == nil || w.Me == nil {
		return Ident{}, misshapen("Ident", "no version or no user in the answer")
	}
	v, err := ParseVersion(w.About.Version)
	if err != nil {
		return Ident{}, misshapen("Ident", err.Error())
	}
	if !v.AtLeast(oldest) {
		return Ident{}, &VersionError{Version: v}
	}
	c.mu.Lock()
	c.version = v
	c.mu.Unlock()
	id := Ident{Version: v, UserID: w.Me.ID, UserName: oneLine(w.Me.Name)}
	for _, x := range w.Me.Capabilities {
		if x != nil {
			id.Capabilities = append(id.Capabilities, x.Name)
		}
	}
	id.Markings = w.Me.markings()
	if w.Me.Level != nil {
		id.MaxConfidence = w.Me.Level.Max
	}
	if v.parts[0] > newestMajor {
		id.Warnings = append(id.Warnings, "OpenCTI "+v.String()+" is newer than what this program was written for; going on")
	}
	if !v.AtLeast(firstPush) {
		id.Warnings = append(id.Warnings, "OpenCTI "+v.String()+" is older than "+firstPush+": plan, apply and tail work with it, pull does not; update the platform to bring alerts back")
	}
	if id.MaxConfidence == nil && !reduced {
		id.Warnings = append(id.Warnings, "the OpenCTI account has no maximum confidence level, so writing to the platform would fail; set one for its group")
	}
	return id, nil
}

// Collection is a stream as far as its filters go.
type Collection struct {
	ID, Name     string
	Live, Public bool
	Filters      *FilterGroup // nil when it has none
	Unfiltered   bool         // it has not even an empty one: some platforms cannot follow it
}

// Stream reads a stream collection. An unknown id is ErrUnknownStream, a missing right a *RightError,
// filters that cannot be understood an error: never an unfiltered read by mistake (contract
// opencti-api 4.2).
func (c *Client) Stream(ctx context.Context, id string) (*Collection, error) {
	var w struct{ StreamCollection *wireStream }
	ask := func(document string) (*Error, error) {
		err := c.query(ctx, request{op: "Stream", document: document, variables: map[string]any{"id": id}}, &w)
		e, _ := errors.AsType[*Error](err)
		return e, err
	}
	var e *Error
	err := error(nil)
	if c.since(tellOrigins) {
		e, err = ask("stream_origin")
	}
	if !c.since(tellOrigins) || e != nil && e.Code == "GRAPHQL_VALIDATION_FAILED" { // of an older platform than was thought
		e, err = ask("stream")
	}
	failed := e != nil
	switch {
	case failed && e.Absent():
		return nil, ErrUnknownStream
	case failed && e.Code == "FORBIDDEN_ACCESS":
		right := "TAXIIAPI"
		if !c.since(tellStreams) {
			right = "TAXIIAPI_SETCOLLECTIONS"
		}
		return nil, &RightError{Capability: right, For: ", needed to read the filters of the stream"}
	case err != nil:
		return nil, err
	}
	return w.StreamCollection.collection()
}

type wireStream struct {
	ID      string
	Name    *string
	Filters *string
	Origin  *string `json:"origin_filters"`
	Live    *bool   `json:"stream_live"`
	Public  *bool   `json:"stream_public"`
}

// collection is the stream, nil being one that is not there.
func (s *wireStream) collection() (_ *Collection, err error) {
	if s == nil {
		return nil, ErrUnknownStream
	}
	out := &Collection{ID: s.ID, Name: oneLine(value(s.Name)), Live: value(s.Live), Public: value(s.Public), Unfiltered: strings.TrimSpace(value(s.Filters)) == ""}
	if s.Filters != nil {
		if out.Filters, err = ParseFilters(*s.Filters); err != nil {
			return nil, &FilterError{Stream: out.Name, Err: fmt.Errorf("cannot be understood: %w; save the stream once more in OpenCTI", err)}
		}
	}
	if err = out.Filters.Check(); err != nil {
		return nil, &FilterError{Stream: out.Name, Err: fmt.Errorf("cannot be held here: %w; take that out of the stream", err)}
	}
	origin, err := ParseFilters(value(s.Origin))
	if err != nil || origin != nil {
		return nil, &FilterError{Stream: out.Name, Err: fmt.Errorf("cannot be held here: it also filters by who caused a change, which no indicator says: %s; take that out of the stream", cmp.Or(origin.Words(), oneLine(value(s.Origin))))}
	}
	return out, nil
}

// FilterError says that a stream's filters cannot be adopted.
type FilterError struct {
	Stream string
	Err    error
}

func (e *FilterError) Error() string {
	return fmt.Sprintf("OpenCTI: the filters of stream %q %v, or leave connector.live_stream_id empty for the built-in filter", e.Stream, e.Err)
}

// Unwrap is what is wrong with them.
func (e *FilterError) Unwrap() error { return e.Err }
