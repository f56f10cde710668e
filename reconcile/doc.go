// Package reconcile decides what must change so that the HarfangLab lists equal the wanted indicator
// set of OpenCTI. It is pure: it knows neither adapters nor net/http, reads no clock and writes
// nothing. Everything that acts lives in reconcile/run.
//
// A source's indicators go into Wanted, a sink's rows into Rows. Compute merges the two by key and makes
// the Plan; Explain gives each removal the reason that OpenCTI confirms, or holds it; Judge sets the
// gates. This is the merge, a line for what both sides know of one key:
//
//	wanted by   rows of ours           other rows   what the plan does
//	nobody      none                   any          held: foreign_owner, unmanaged (*)
//	nobody      some                   any          disable or delete ours; held: pinned (disabled by a person)
//	a group     none                   none         create
//	a group     none                   foreign      held: foreign_owner
//	a group     none                   unmanaged    held: unmanaged, or adopt the best one (*)
//	a group     as it is wanted        any          unchanged
//	a group     other text or owners   any          update
//	a group     an old connector's     any          adopt
//	a group     disabled by us         any          enable
//	a group     disabled by a person   any          held: pinned, or enable (revert)
//	a group     a second one           any          disable or delete it, once the first is in force
//
//	(*) what the setting for unmanaged rows says: report, adopt or remove
//
// The words:
//
//	rule        what a list holds one of: an IOC, a Sigma rule, a YARA file (Kind)
//	row         a rule as HarfangLab has it; an entry is what is compared of a row
//	key         the identity of a rule, the same for every spelling (Key)
//	want        an indicator's wish for a rule; a group is all wants of one key
//	owner       an indicator that wants a rule
//	winner      the owner whose texts a rule carries: the one that its row names, or else the best
//	marker      what we write into a row: its owners, our instance, what was applied (package marker)
//	ours        with a marker of this instance, of the one taken over, or of an old connector; or unmarked, and
//	            provably the wanted rule
//	foreign     with the marker of another instance
//	unmanaged   without a marker: made by a person
//	duplicate   a further row of ours with the key of another
//	adopt       to make a row ours that was not
//	pinned      disabled by a person, and so left disabled
//	removal     a disable or a delete
//	evidence    what OpenCTI says, asked by id, of the owners of a rule to be removed
//	held        considered and left alone, with a reason (Held)
//	skip        what could not become a rule, with a reason (Skip)
//	gate        a limit that can refuse a plan, or hold the part that it is about (Gate)
//	drift       a row was changed, and not by us
//	refusal     the server's verdict on a text, which is not sent again (Refusal)
package reconcile
