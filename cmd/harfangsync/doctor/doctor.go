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
	"time"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/httpclient"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/sources/opencti"
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
	For       string                          // the command to come: ForPlan, ForRun, ForTail or ForPull
	Version   string                          // of this program
	RetryWait func(attempt int) time.Duration // between attempts; nil is the adapters' own
}

// The commands to come.
const (
	ForPlan = "plan"
	ForRun  = "run"
	ForTail = "tail"
	ForPull = "pull"
)

// writes says whether the command to come changes anything.
func (d *Doctor) writes() bool { return d.For != ForPlan }

// imports says whether it brings alerts back.
func (d *Doctor) imports() bool { return d.writes() && d.Config.HarfangLab.ImportEvents }

// Doctor tries what a run needs, all of it, and changes nothing anywhere (gate G12).
type Doctor struct {
	Options
	checks []check

	octi    *side
	ident   *opencti.Ident // nil until the account is known
	clients []*httpclient.Client
	lookup  func(ctx context.Context, host string) ([]string, error)
	now     func() time.Time
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
	d.octi = d.platform("opencti", "OpenCTI", d.Config.OpenCTI.URL, &d.Config.OpenCTI.TLS)
	hl := d.platform("harfanglab", "HarfangLab", d.Config.HarfangLab.URL, &d.Config.HarfangLab.TLS)
	d.octi.examine(whole, openCTIChecks(), d.octi.examineOpenCTI)
	hl.examine(whole, harfangLabChecks(), hl.examineHarfangLab)
	(&side{Doctor: d, name: "state"}).examineState(whole)
	(&side{Doctor: d, name: "reports"}).examineReports()
	return ctx.Err()
}

// settings notes every problem of the settings.
func (d *Doctor) settings() {
	s := &side{Doctor: d, name: "settings"}
	for _, p := range d.Problems {
		bare := *p
		bare.Remedy, bare.Setting = "", ""
		s.fail(p.Setting, bare.Error(), cmp.Or(p.Remedy, "correct it")).code = exit.Usage
	}
	for _, w := range d.Config.Warnings {
		s.warn("warning", w, "correct or remove it")
	}
	if len(d.Problems) == 0 {
		set := 0
		for _, e := range d.Config.Effective() {
			if e.Origin.Given() {
				set++
			}
		}
		s.ok("", fmt.Sprintf("the settings are valid; %d are set, the rest have their defaults", set))
	}
}

// broken says whether a problem leaves a section of the settings unusable.
func (d *Doctor) broken(section string) bool {
	return slices.ContainsFunc(d.Problems, func(p *config.Problem) bool { return p.About(section) })
}

// Code is that of the gravest failure, as for every command: of the settings before a side's.
func (d *Doctor) Code() int {
	code := exit.OK
	for _, c := range d.checks {
		if c.Status == isFail {
			code = exit.Graver(code, c.code)
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
