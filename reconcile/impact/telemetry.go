// Package impact asks HarfangLab's telemetry how many endpoints saw the values of rules that would begin to
// detect. It never gives a number that is too small without saying so: silence counts only after controls have
// proven that the streams hold what they should and that the filters find it, and what was not counted to its
// end is at least what was.
package impact

import (
	"context"
	"net/netip"
	"time"
)

// Telemetry is HarfangLab as an estimate needs it. Every call is one request that reads; an adapter repeats none,
// since each costs of the budget. Their errors say by their Fault that the account may not read (Account), that
// the manager does not have it (Missing), or that it refuses the question (Verdict).
type Telemetry interface {
	// Telemetry is a page of one stream.
	Telemetry(ctx context.Context, q Query) (Page, error)
	// Agents is a page of the endpoints.
	Agents(ctx context.Context, limit, offset int) (Agents, error)
	// Policies are all policies, by what they let endpoints send.
	Policies(ctx context.Context) ([]Policy, error)
}

// Stream is one kind of telemetry.
type Stream uint8

// The streams.
const (
	Processes Stream = iota
	Network
	Resolutions
	Drivers
	streams
)

// Streams are all of them.
var Streams = []Stream{Processes, Network, Resolutions, Drivers}

// String is what people call the stream.
func (s Stream) String() string {
	return [streams]string{"process starts", "connections", "DNS resolutions", "driver loads"}[s]
}

// Field is where a value stands in a row.
type Field uint8

// The fields. All is none of them: every row.
const (
	All Field = iota
	MD5
	SHA1
	SHA256
	Name // of a file without its folders, or a name that was resolved
	Path
	Source
	Target
	Fields
)

// Query asks for rows of a stream in which a field is one of some values.
type Query struct {
	Stream
	Field  Field
	Values []string
	Since  time.Time // zero is no bound
	Until  time.Time // likewise
	Except []string  // ids of endpoints whose rows are left out
	Limit  int
	Offset int
}

// Page is a page of rows. Count is the manager's, of all rows that it found.
type Page struct {
	Count int
	Rows  []Row
	More  bool // it says that there are further pages
}

// Row is something that an endpoint saw.
type Row struct {
	At          time.Time
	Agent, Host string
	Signer      string         // of the file, where it is signed
	Values      [Fields]string // by field, "" for what the row does not have
}

// Agents is a page of endpoints. Slim says that no more came than was asked for.
type Agents struct {
	Count  int
	Agents []Agent
	More   bool
	Slim   bool
}

// Agent is one endpoint.
type Agent struct {
	Host      string
	LastSeen  time.Time // zero is unknown
	Addresses []netip.Addr
}

// Policy says which streams the endpoints of a policy send whole: live, and without a limit.
type Policy [streams]bool
