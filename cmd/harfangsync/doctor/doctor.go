// Package doctor tries what a run needs and names the remedy of each failure. It writes nothing anywhere.
package doctor

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"time"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/cmd/httpclient"
	"harfangsync/reconcile/render"
	"harfangsync/sources/opencti"
)

// status is how a check ended.
type status string

// The statuses. Only a failure changes the exit code.
const (
	isOK    status = "ok"
	isWarn  status = "warn"
	isFail  status = "fail"
	skipped status = "skip" // not tried, or of no interest with these settings
)

var statusSymbols = map[status]string{isOK: "✓", isWarn: "!", isFail: "✗", skipped: "-"}

var statusColours = map[status]string{isOK: "32", isWarn: "33", isFail: "31", skipped: "90"}

// check is one precondition. ID is stable and starts with Side: settings, opencti, harfanglab, state or
// reports.
type check struct {
	ID     string `json:"id"`
	Side   string `json:"side"`
	Status status `json:"status"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"` // "" where nothing is to be done

	code int // of a failure: codeUsage or codeSide
}

// Options are what a doctor works with.
type Options struct {
	Config    *config.Config
	Problems  []*config.Problem // of the settings
	Log       *slog.Logger
	Version   string                          // of this program
	RetryWait func(attempt int) time.Duration // between attempts; nil is the adapters' own
}

// Doctor tries what a run needs, all of it, and changes nothing anywhere (gate G12).
type Doctor struct {
	Options
	checks []check

	octi, hl *reach
	clients  []*httpclient.Client
	ident    *opencti.Ident // nil until the account is known
	lookup   func(ctx context.Context, host string) ([]string, error)
	now      func() time.Time
}

// New makes a doctor that has found nothing yet.
func New(o Options) *Doctor {
	return &Doctor{Options: o, lookup: net.DefaultResolver.LookupHost, now: time.Now}
}

// Examine makes every check. A failure stops none but those that cannot be tried after it. Its error is
// an interrupt.
func (d *Doctor) Examine(ctx context.Context) error {
	d.settings()
	whole := ctx
	if limit := d.Config.Sync.Deadline; limit > 0 {
		var cancel context.CancelFunc
		whole, cancel = context.WithTimeout(ctx, limit)
		defer cancel()
	}
	defer func() {
		for _, c := range d.clients {
			c.CloseIdleConnections()
		}
	}()
	d.octi, d.hl = d.reachOf("opencti"), d.reachOf("harfanglab")
	d.examineOpenCTI(whole)
	d.examineHarfangLab(whole)
	d.examineState(whole)
	d.examineReports()
	return ctx.Err()
}

// settings reads the settings and notes every problem.
func (d *Doctor) settings() {
	for _, p := range d.Problems {
		name := "settings"
		if p.Setting != "" {
			name += "." + p.Setting
		}
		bare := *p
		bare.Remedy, bare.Setting = "", ""
		d.checks = append(d.checks, check{ID: name, Side: "settings", Status: isFail, Detail: bare.Error(), Remedy: cmp.Or(p.Remedy, "correct it"), code: exit.Usage})
	}
	for _, w := range d.Config.Warnings {
		d.note("settings", "warning", isWarn, w, "correct or remove it")
	}
	if len(d.checks) == len(d.Config.Warnings) {
		set := 0
		for _, e := range d.Config.Effective() {
			if e.Origin != "default" && e.Origin != "not set" && e.Origin != "follows sync.state" {
				set++
			}
		}
		d.note("settings", "", isOK, fmt.Sprintf("the settings are valid; %d are set, the rest have their defaults", set), "")
	}
}

// broken says whether a problem leaves a section of the settings unusable.
func (d *Doctor) broken(section string) bool {
	for _, p := range d.Problems {
		if p.About(section) {
			return true
		}
	}
	return false
}

// note adds a check. A failure that is noted here is one of a side.
func (d *Doctor) note(side, name string, s status, detail, remedy string) {
	id := side
	if name != "" {
		id += "." + name
	}
	d.checks = append(d.checks, check{ID: id, Side: side, Status: s, Detail: detail, Remedy: remedy, code: exit.Side})
}

// faulty says whether a check below the API of a side failed.
func (d *Doctor) faulty(side string) bool {
	return slices.ContainsFunc(d.checks, func(c check) bool { return c.Side == side && c.Status == isFail })
}

// forgive turns failures below the API of a side into warnings, once the API has answered all the same: a
// proxy may let nothing else through.
func (d *Doctor) forgive(side string) {
	for i := range d.checks {
		if c := &d.checks[i]; c.Side == side && c.Status == isFail && (c.ID == side+".connect" || c.ID == side+".dns") {
			c.Status, c.Detail = isWarn, c.Detail+"; the API answers all the same"
		}
	}
}

// skip notes checks that cannot be tried.
func (d *Doctor) skip(side, why string, names ...string) {
	for _, name := range names {
		d.note(side, name, skipped, "not tried: "+why, "")
	}
}

// failed notes a failure by its error, which names its own remedy after the last semicolon. A slip of the
// settings that only a platform could find is still one.
func (d *Doctor) failed(side, name string, err error) {
	detail, remedy := cutRemedy(err)
	d.note(side, name, isFail, detail, remedy)
	if exit.Code(err, 0) == exit.Usage {
		d.checks[len(d.checks)-1].code = exit.Usage
	}
}

func cutRemedy(err error) (detail, remedy string) {
	text := err.Error()
	if i := strings.LastIndex(text, "; "); i > 0 {
		return text[:i], text[i+2:]
	}
	return text, "run this command again with --log-level debug"
}

// Code is 0 when nothing failed, codeUsage when settings are wrong, and codeSide when a side fails; of
// both the first, as for every command.
func (d *Doctor) Code() int {
	code := exit.OK
	for _, c := range d.checks {
		switch {
		case c.Status != isFail || code == exit.Usage:
		default:
			code = c.code
		}
	}
	return code
}

// Print writes a line a check and the sum of them, or all as one JSON object.
func (d *Doctor) Print(w io.Writer, color, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(w)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", " ")
		return enc.Encode(struct {
			Checks []check `json:"checks"`
			OK     bool    `json:"ok"`
		}{d.checks, d.Code() == exit.OK})
	}
	count, width := map[status]int{}, 0
	for _, c := range d.checks {
		count[c.Status]++
		width = max(width, len(c.ID))
	}
	out := bufio.NewWriter(w)
	for _, c := range d.checks {
		word := fmt.Sprintf("%s %-4s", statusSymbols[c.Status], c.Status)
		if color {
			word = "\x1b[" + statusColours[c.Status] + "m" + word + "\x1b[0m"
		}
		line := c.Detail
		if c.Remedy != "" {
			line += "; remedy: " + c.Remedy
		}
		fmt.Fprintf(out, "%s  %-*s  %s\n", word, width, render.Escape(c.ID), render.Escape(line))
	}
	fmt.Fprintf(out, "Checked: %d ok, %d warn, %d fail, %d skip.\n", count[isOK], count[isWarn], count[isFail], count[skipped])
	return out.Flush()
}
