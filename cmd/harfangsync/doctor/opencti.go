package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"harfangsync/cmd/config"
	"harfangsync/cmd/harfangsync/exit"
	"harfangsync/reconcile"
	"harfangsync/reconcile/remote"
	"harfangsync/sources/opencti"
)

// right is a capability that a run may need (contract opencti-api 1.3).
type right struct {
	name, use string
	lack      func(*config.Config) status // what lacking it means; skipped is nothing
}

func imports(c *config.Config) bool { return c.HarfangLab.ImportEvents }

func remembersThere(c *config.Config) bool {
	return c.Sync.State == config.InOpenCTI || c.Sync.Lock == config.InOpenCTI
}

// when is what lacking a right means under a condition.
func when(condition func(*config.Config) bool, s status) func(*config.Config) status {
	return func(c *config.Config) status {
		if condition(c) {
			return s
		}
		return skipped
	}
}

var rights = []right{
	{"KNOWLEDGE", "reads indicators and their observables", when(func(*config.Config) bool { return true }, isFail)},
	{"TAXIIAPI", "reads the filters of the stream, and follows it in tail", when(func(c *config.Config) bool { return c.Connector.LiveStreamID != "" }, isFail)},
	{"CONNECTORAPI", "keeps the state and the lock in OpenCTI, and pushes alerts", when(func(c *config.Config) bool { return remembersThere(c) || imports(c) }, isFail)},
	{"MODULES", "lets a plan read the state, and waits for imported alerts", func(c *config.Config) status {
		switch {
		case imports(c):
			return isFail
		case remembersThere(c):
			return isWarn // a plan goes on without
		}
		return skipped
	}},
	{"KNOWLEDGE_KNUPDATE", "creates and updates what is made of alerts", when(imports, isFail)},
	{"SETTINGS_SETLABELS", "creates labels of imported alerts", when(imports, isWarn)},
	{"SETTINGS_SETVOCABULARIES", "creates vocabulary values of imported alerts", when(imports, isWarn)},
	{"SETTINGS_SETMARKINGS", "creates markings of imported alerts", when(imports, isWarn)},
}

// afterAccount are the checks of OpenCTI that need an account.
func afterAccount() []string {
	names := []string{"version"}
	for _, r := range rights {
		names = append(names, "right."+r.name)
	}
	return append(names, "confidence", "markings", "stream", "filter", "indicators", "page_size")
}

func (d *Doctor) examineOpenCTI(ctx context.Context) {
	r := d.octi
	d.checkWay(ctx, r)
	if !r.usable || r.url == nil {
		d.checkClock(r)
		d.skip(r.side, "its settings are wrong", append([]string{"account"}, afterAccount()...)...)
		return
	}
	client, err := d.dialOpenCTI()
	var ident opencti.Ident
	if err == nil {
		ident, err = client.Ident(ctx)
	}
	d.checkClock(r)
	if old, tooOld := errors.AsType[*opencti.VersionError](err); tooOld {
		d.note(r.side, "account", isOK, "the token is accepted", "")
		d.failed(r.side, "version", old)
		d.skip(r.side, "the version is not supported", afterAccount()[1:]...)
		return
	}
	if e, ok := errors.AsType[*opencti.Error](err); ok && e.Transport && d.faulty(r.side) {
		d.skip(r.side, "nothing can be asked, see above", append([]string{"account"}, afterAccount()...)...)
		return
	}
	if err != nil {
		d.failed(r.side, "account", err)
		d.skip(r.side, "there is no account", afterAccount()...)
		return
	}
	d.forgive(r.side)
	d.ident = &ident
	d.note(r.side, "account", isOK, "the token is accepted, as that of "+ident.UserName, "")
	d.checkVersion(ident)
	d.checkRights(ident)
	d.checkConfidence(ident)
	d.checkMarkings(ident)
	d.checkSource(ctx, client, ident)
}

func (d *Doctor) dialOpenCTI() (*opencti.Client, error) {
	hc, err := d.dial(d.octi)
	if err != nil {
		return nil, err
	}
	return opencti.New(opencti.Options{URL: d.Config.OpenCTI.URL, Token: d.Config.OpenCTI.Token, HTTP: hc, PageSize: d.Config.Sync.PageSize, Log: d.Log,
		Retry: remote.Retry{Attempts: doctorAttempts, MaxWait: doctorMaxWait, Backoff: d.RetryWait}}), nil
}

// checkVersion judges the version; Ident refuses the ones that are not supported at all.
func (d *Doctor) checkVersion(ident opencti.Ident) {
	v := ident.Version
	switch {
	case !v.AtLeast("6.2.6"):
		s, remedy := isOK, ""
		if imports(d.Config) {
			s, remedy = isFail, "update OpenCTI to 6.2.6 or later, or switch harfanglab.import_security_events_as_incidents off"
		}
		d.note("opencti", "version", s, "OpenCTI "+v.String()+": plan, apply and tail work with it; bringing alerts back needs 6.2.6", remedy)
	case !v.AtLeast("6.5.11"):
		d.note("opencti", "version", isOK, "OpenCTI "+v.String()+": supported, with fewer details in what is read; 6.5.11 and later are supported fully", "")
	case v.AtLeast("8"):
		d.note("opencti", "version", isWarn, "OpenCTI "+v.String()+" is newer than what this program was written for", "update this program, or try a plan")
	default:
		d.note("opencti", "version", isOK, "OpenCTI "+v.String()+": supported", "")
	}
}

func (d *Doctor) checkRights(ident opencti.Ident) {
	for _, r := range rights {
		id, name := "right."+r.name, r.name
		if name == "TAXIIAPI" && !ident.Version.AtLeast("6.1.12") { // contract opencti-api 4
			name = "TAXIIAPI_SETCOLLECTIONS"
		}
		s := r.lack(d.Config)
		switch {
		case ident.Can(name):
			d.note("opencti", id, isOK, fmt.Sprintf("the account has %s, which %s", name, r.use), "")
		case s == skipped:
			d.note("opencti", id, skipped, fmt.Sprintf("the account lacks %s, which %s: not needed with these settings", name, r.use), "")
		default:
			d.note("opencti", id, s, fmt.Sprintf("the account lacks %s, which %s", name, r.use), "give its role that right, or use the built-in role Connector")
		}
	}
}

func (d *Doctor) checkConfidence(ident opencti.Ident) {
	const remedy = "set a maximum confidence level for the account or its group"
	switch {
	case !ident.Version.AtLeast("6.0.0"):
		d.note("opencti", "confidence", skipped, "OpenCTI "+ident.Version.String()+" knows no maximum confidence level", "")
	case ident.MaxConfidence != nil:
		d.note("opencti", "confidence", isOK, fmt.Sprintf("the account's maximum confidence level is %d", *ident.MaxConfidence), "")
	case imports(d.Config):
		d.note("opencti", "confidence", isFail, "the account has no maximum confidence level, so importing alerts would fail", remedy)
	default:
		d.note("opencti", "confidence", isWarn, "the account has no maximum confidence level; importing alerts would fail, if it were switched on", remedy)
	}
}

func (d *Doctor) checkMarkings(ident opencti.Ident) {
	var names []string
	for _, m := range ident.Markings {
		names = append(names, m.Definition)
	}
	if len(names) == 0 {
		d.note("opencti", "markings", isWarn, "the account may see no marking: marked indicators are invisible to it", "let its group see the markings of the indicators that are to be deployed")
		return
	}
	d.note("opencti", "markings", isOK, "indicators with other markings than these are invisible to the account: "+strings.Join(names, ", "), "")
}

// checkSource looks at the stream, what its filters let through, and how much that is.
func (d *Doctor) checkSource(ctx context.Context, client *opencti.Client, ident opencti.Ident) {
	id := d.Config.Connector.LiveStreamID
	var filters *opencti.FilterGroup
	if id == "" {
		d.note("opencti", "stream", skipped, "no live stream is set (connector.live_stream_id)", "")
	} else {
		stream, err := client.Stream(ctx, id)
		switch {
		case errors.Is(err, opencti.ErrUnknownStream):
			d.note("opencti", "stream", isFail, "OpenCTI knows no stream "+id, "create it under Data sharing, or leave connector.live_stream_id empty for the built-in filter")
			d.checks[len(d.checks)-1].code = exit.Usage
		case err != nil:
			d.failed("opencti", "stream", err)
		case !stream.Live:
			d.note("opencti", "stream", isWarn, fmt.Sprintf("the stream %q is stopped: tail cannot follow it; its filters are used all the same", stream.Name), "start it under Data sharing")
		default:
			d.note("opencti", "stream", isOK, fmt.Sprintf("the stream %q is started", stream.Name), "")
		}
		if err != nil {
			d.skip("opencti", "the stream's filters are not known", "filter", "indicators")
			d.checkPageSize(ctx, client, ident)
			return
		}
		filters = stream.Filters
	}
	selection := d.Config.Sync.Selection(filters == nil)
	d.note("opencti", "filter", isOK, filterWords(id, filters, &selection), "")
	if !ident.Can("KNOWLEDGE") {
		d.skip("opencti", "the account may not read indicators", "indicators", "page_size")
		return
	}
	n, err := client.Count(ctx, opencti.And(filters, opencti.Selecting(&selection, d.now().UTC())))
	switch {
	case err != nil:
		d.failed("opencti", "indicators", err)
	case n == 0:
		d.note("opencti", "indicators", isWarn, "no indicator passes: nothing would be deployed, and what is deployed would be refused to go (gate G2)", "check the filters of the stream, sync.detection, sync.min_score and the account's markings")
	default:
		detail := fmt.Sprintf("%d indicators pass", n)
		if len(selection.Labels)+len(selection.ExcludeLabels) > 0 || selection.MaxTLP != "" {
			detail += "; sync.labels, sync.exclude_labels and sync.max_tlp leave out some of them when they are read"
		}
		d.note("opencti", "indicators", isOK, detail, "")
	}
	d.checkPageSize(ctx, client, ident)
}

// filterWords say what is wanted: what the stream lets through, and what is asked for whatever it says.
func filterWords(id string, filters *opencti.FilterGroup, own *reconcile.Selection) string {
	asked := []string{"a pattern of type stix, sigma or yara", "not revoked", "valid now"}
	if own.NeedDetection {
		asked = append(asked, "flagged for detection")
	}
	if own.MinScore != nil {
		asked = append(asked, fmt.Sprintf("score at least %d", *own.MinScore))
	}
	if len(own.Labels) > 0 {
		asked = append(asked, "one of the labels "+strings.Join(own.Labels, " or "))
	}
	if len(own.ExcludeLabels) > 0 {
		asked = append(asked, "none of the labels "+strings.Join(own.ExcludeLabels, " or "))
	}
	if own.MaxTLP != "" {
		asked = append(asked, "at most "+own.MaxTLP)
	}
	words := strings.Join(asked, ", ")
	switch {
	case id == "":
		return "the built-in filter lets through: " + words
	case filters == nil:
		return "the stream has no filters, so the built-in filter is used: " + words
	}
	return "the stream lets through: " + filters.Words() + "; and of that: " + words
}

// checkPageSize tries whether the platform gives pages as long as the settings ask for.
func (d *Doctor) checkPageSize(ctx context.Context, client *opencti.Client, ident opencti.Ident) {
	size := cmp.Or(d.Config.Sync.PageSize, 500) // 0 is a setting that is wrong
	if !ident.Can("KNOWLEDGE") {
		d.skip("opencti", "the account may not read indicators", "page_size")
		return
	}
	came, cut, whole, err := client.PageCap(ctx)
	switch {
	case err != nil:
		d.failed("opencti", "page_size", err)
	case cut:
		d.note("opencti", "page_size", isWarn, fmt.Sprintf("OpenCTI cuts pages of %d at %d, so reads take more requests", size, came),
			fmt.Sprintf("set sync.page_size to %d, or raise elasticsearch:max_pagination_result in OpenCTI", came))
	case whole:
		d.note("opencti", "page_size", isOK, fmt.Sprintf("pages of %d come whole", size), "")
	default:
		d.note("opencti", "page_size", skipped, fmt.Sprintf("OpenCTI holds %d indicators, fewer than a page of %d, so its page limit is not known", came, size), "")
	}
}
