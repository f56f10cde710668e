package reconcile

import (
	"context"
	"errors"
	"time"
)

// Source is OpenCTI as a run needs it, one call at a time. Every answer is whole or an error, since what
// is absent from one is removed. An adapter repeats what fails for a while; an error that it returns is
// for the caller to judge, who asks once more if the answer was partial, for which Fault.Incomplete holds.
type Source interface {
	// Read visits every indicator that the run's filter lets through, observables included, page by page
	// and in no order. start is when the run began; what changed since is visited again, and the later
	// version counts. What was visited before an error is to be dropped. total is how many are likely to
	// come in all. A few that the platform cannot give, while it gives others, are Unread.
	Read(ctx context.Context, start time.Time, visit func(page []Indicator, total int) error) (count int, err error)
	// Ask asks for indicators by id of any kind, alone and together with the run's filter. Those that are
	// absent or not visible are not among the answers; those whose look-up fails by itself are Unread.
	Ask(ctx context.Context, ids []string) (Answer, error)
}

// Answer is what a Source says of single indicators and, where it follows a stream, of that and of the account.
type Answer struct {
	Found      []Found
	Refiltered bool     // the stream has another filter by now than they were asked with
	Markings   []string // that the account may see; nil where that was not asked
	Stored     *string  // the state that the platform keeps for us; likewise
}

// Found is one indicator with the id under which it was asked for.
type Found struct {
	Asked  string
	Passes bool // the run's filter
	Indicator
}

// Sink is HarfangLab as a run needs it. It is safe for concurrent use. Each call writes one row or list,
// whole or not at all, and may be made twice unless it says otherwise. An adapter repeats what fails for a
// while where that is safe; an error that it returns is for the caller to judge by its Fault, and means
// that nothing was written unless Fault.Unsure holds.
type Sink interface {
	// FindList finds a list by its exact name; nil is one that is proven to be absent.
	FindList(ctx context.Context, k Kind, name string) (*List, error)
	// CreateList makes a list, or finds the one that is there.
	CreateList(ctx context.Context, k Kind, name string) (*List, error)
	// Rows visits every row of a list once, page by page and in no order, and proves that these are all:
	// otherwise Fault.Incomplete holds, and what was visited is to be dropped. total is how many are
	// likely to come in all.
	Rows(ctx context.Context, k Kind, list string, visit func(page []Row, total int) error) (count int, err error)
	// Lookup finds the rows of a list, or of every list when list is empty, that are the rule of q.
	// Fault.FilterIgnored means that only Rows can tell.
	Lookup(ctx context.Context, k Kind, list string, q Query) ([]Located, error)
	// Written finds IOC rows of a list that were written through this Sink lately, together. Those of which it cannot tell
	// are not among them, though they may be there.
	Written(ctx context.Context, list string, ids []string) ([]Located, error)
	// Create makes a row; id is "" where the server does not name it. Fault.Exists leaves open whose row
	// is there, and may come of an earlier attempt. After Fault.Once a second call could make a duplicate.
	Create(ctx context.Context, list string, r Row) (id string, err error)
	// Update changes a row; Fault.Missing is one that is not there.
	Update(ctx context.Context, k Kind, id string, p Patch) error
	// Delete removes a row, which may be gone already. Fault.Linked is one that cannot be removed.
	Delete(ctx context.Context, k Kind, id string) error
}

// List is one rule container.
type List struct {
	ID, Name string
	Enabled  *bool // nil where the server does not say
	Found    bool  // CreateList did not make it: it was there, or an attempt whose answer was lost made it
}

// Query names one rule: type and value of an IOC, the YAML id of a Sigma rule or its title, a display name, an id.
type Query struct{ Type, Value, RuleID, Title, Name, ID string }

// Located is a row and the list that holds it.
type Located struct {
	Row
	List string
}

// Patch is what to change of a row; nil members stay as they are.
type Patch struct {
	Enabled                                       *bool
	Description, Comment, HLStatus, Name, Content *string
	Level, Confidence, State                      *string // what a mapping asks for; State carries Enabled
}

// Faulty is an error that knows what it means to a run. The errors of an adapter implement it.
type Faulty interface {
	error
	Fault() Fault
}

// FaultOf is what an error means to a run: what the first error in its tree says that knows. Nothing holds
// of an error that none of them knows, such as an interruption.
func FaultOf(err error) Fault {
	if f, ok := errors.AsType[Faulty](err); ok {
		return f.Fault()
	}
	return Fault{}
}

// Fault is what a run needs to know of an adapter's error.
type Fault struct {
	Incomplete    bool     // the answer was partial: read once more, then refuse
	Saturated     bool     // rows are there that cannot be listed; all others were read
	Verdict       bool     // final word of the server on one item
	Exists        bool     // the server says that the rule is there already
	Linked        bool     // cannot be deleted while a correlation uses it
	Unsure        bool     // a write that may or may not have been stored, by its last attempt or one before
	Once          bool     // and that is to be looked for before it is made again
	Missing       bool     // the row is not there
	FilterIgnored bool     // a narrow look-up came back wide
	Side          bool     // the platform failed, not the item: counts for the breaker
	Foreign       bool     // and what refused the request does not know its API: something in front of it
	Account       bool     // and it does not let the account in, or lets it do too little
	Words         string   // the server's
	Fields        []string // named by a refusal
}
