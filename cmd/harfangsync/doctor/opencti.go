package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/remote"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

// right is a capability that a run may need (contract opencti-api 1.3). Lacking it is a failure or a warning under
// conditions, nil being none.
type right struct {
	name, use  string
	fail, warn func(*Doctor) bool
}

func (r *right) lacking(d *Doctor) status {
	switch {
	case r.fail != nil && r.fail(d):
		return isFail
	case r.warn != nil && r.warn(d):
		return isWarn
	}
	return skipped
}

func remembersThere(d *Doctor) bool {
	return d.Config.Sync.State == config.InOpenCTI || d.writes() && d.Config.Sync.Lock == config.InOpenCTI
}

var rights = []right{
	{"KNOWLEDGE", "reads indicators and their observables", func(*Doctor) bool { return true }, nil},
	{"TAXIIAPI", "reads the filters of the stream, and follows it in tail", func(d *Doctor) bool { return d.Config.Connector.LiveStreamID != "" }, nil},
	{"CONNECTORAPI", "keeps the state and the lock in OpenCTI, and pushes alerts", func(d *Doctor) bool { return d.writes() && remembersThere(d) || d.imports() }, nil},
	{"MODULES", "lets a plan read the state, and waits for imported alerts", (*Doctor).imports, remembersThere}, // a plan goes on without
	{"KNOWLEDGE_KNUPDATE", "creates and updates what is made of alerts", (*Doctor).imports, nil},
	{"SETTINGS_SETLABELS", "creates labels of imported alerts", nil, (*Doctor).imports},
	{"SETTINGS_SETVOCABULARIES", "creates vocabulary values of imported alerts", nil, (*Doctor).imports},
	{"SETTINGS_SETMARKINGS", "creates markings of imported alerts", nil, (*Doctor).imports},
}

func openCTIChecks() []string {
	names := []string{"account", "version"}
	for _, r := range rights {
		names = append(names, "right."+r.name)
	}
	return append(names, "confidence", "markings", "stream", "filter", "indicators", "page_size")
}

func (s *side) examineOpenCTI(ctx context.Context) (why string) {
	client := s.dialOpenCTI()
	ident, err := client.Ident(ctx)
	s.checkClock()
	if old, tooOld := errors.AsType[*opencti.VersionError](err); tooOld {
		s.ok("account", "the token is accepted")
		s.failed("version", old)
		return "the version is not supported"
	}
	if e, ok := errors.AsType[*opencti.Error](err); ok && e.Transport && s.faulty() {
		return "nothing can be asked, see above"
	}
	if err != nil {
		s.failed("account", err)
		return "there is no account"
	}
	s.forgive()
	s.ident = &ident
	s.ok("account", "the token is accepted, as that of "+ident.UserName)
	s.checkVersion()
	s.checkRights()
	s.checkConfidence()
	s.checkMarkings()
	if filters, known := s.checkStream(ctx, client); known {
		s.checkSource(ctx, client, filters)
	} else {
		s.skip("the stream's filters are not known", "filter", "indicators")
	}
	if s.ident.Can("KNOWLEDGE") {
		s.checkPageSize(ctx, client)
	}
	return "the account may not read indicators"
}

func (s *side) dialOpenCTI() *opencti.Client {
	return opencti.New(opencti.Options{URL: s.Config.OpenCTI.URL, Token: s.Config.OpenCTI.Token, Hidden: s.Config.OpenCTI.Hidden(), HTTP: s.octi.dial(), PageSize: s.Config.Sync.PageSize, Log: s.Log,
		Retry: remote.Retry{Attempts: doctorAttempts, MaxWait: doctorMaxWait, Backoff: s.RetryWait}})
}

// checkVersion judges the version; Ident refuses the ones that are not supported at all.
func (s *side) checkVersion() {
	v := s.ident.Version
	switch {
	case !v.AtLeast("6.2.6"):
		st, remedy := isOK, ""
		if s.imports() {
			st, remedy = isFail, "update OpenCTI to 6.2.6 or later, or switch harfanglab.import_security_events_as_incidents off"
		}
		s.note("version", st, "OpenCTI "+v.String()+": plan, apply and tail work with it; bringing alerts back needs 6.2.6", remedy)
	case !v.AtLeast("6.5.11"):
		s.ok("version", "OpenCTI "+v.String()+": supported, with fewer details in what is read; 6.5.11 and later are supported fully")
	case v.AtLeast("8"):
		s.warn("version", "OpenCTI "+v.String()+" is newer than what this program was written for", "update this program, or try a plan")
	default:
		s.ok("version", "OpenCTI "+v.String()+": supported")
	}
}

func (s *side) checkRights() {
	for _, r := range rights {
		id, name := "right."+r.name, r.name
		if name == "TAXIIAPI" && !s.ident.Version.AtLeast("6.1.12") { // contract opencti-api 4
			name = "TAXIIAPI_SETCOLLECTIONS"
		}
		lack := fmt.Sprintf("the account lacks %s, which %s", name, r.use)
		switch st := r.lacking(s.Doctor); {
		case s.ident.Can(name):
			s.ok(id, fmt.Sprintf("the account has %s, which %s", name, r.use))
		case st == skipped:
			s.pass(id, lack+": not needed with these settings")
		default:
			s.note(id, st, lack, "give its role that right, or use the built-in role Connector")
		}
	}
}

func (s *side) checkConfidence() {
	const remedy = "set a maximum confidence level for the account or its group"
	switch {
	case !s.ident.Version.AtLeast("6.0.0"):
		s.pass("confidence", "OpenCTI "+s.ident.Version.String()+" knows no maximum confidence level")
	case !s.writes():
		s.pass("confidence", "a plan imports nothing")
	case s.ident.MaxConfidence != nil:
		s.ok("confidence", fmt.Sprintf("the account's maximum confidence level is %d", *s.ident.MaxConfidence))
	case s.imports():
		s.fail("confidence", "the account has no maximum confidence level, so importing alerts would fail", remedy)
	default:
		s.warn("confidence", "the account has no maximum confidence level; importing alerts would fail, if it were switched on", remedy)
	}
}

func (s *side) checkMarkings() {
	names := s.ident.MarkingNames()
	if len(names) == 0 {
		s.warn("markings", "the account may see no marking: marked indicators are invisible to it", "let its group see the markings of the indicators that are to be deployed")
		return
	}
	s.ok("markings", "indicators with other markings than these are invisible to the account: "+strings.Join(names, ", "))
}

// checkStream looks at the stream. known is whether its filters, nil being none, can be told.
func (s *side) checkStream(ctx context.Context, client *opencti.Client) (filters *opencti.FilterGroup, known bool) {
	id := s.Config.Connector.LiveStreamID
	if id == "" && s.For == ForTail {
		s.fail("stream", "tail follows a live stream, and none is set", "create one in OpenCTI under Data sharing and set connector.live_stream_id").code = exit.Usage
		return nil, true
	}
	if id == "" {
		s.pass("stream", "no live stream is set (connector.live_stream_id)")
		return nil, true
	}
	stream, err := client.Stream(ctx, id)
	switch {
	case errors.Is(err, opencti.ErrUnknownStream):
		s.fail("stream", "OpenCTI knows no stream "+id, "create it under Data sharing, or leave connector.live_stream_id empty for the built-in filter").code = exit.Usage
		return nil, false
	case err != nil:
		s.failed("stream", err)
		return nil, false
	case !stream.Live && s.For == ForTail:
		s.fail("stream", fmt.Sprintf("the stream %q is stopped, so tail cannot follow it", stream.Name), "start it under Data sharing")
	case stream.Unfiltered && s.For == ForTail:
		s.warn("stream", fmt.Sprintf("the stream %q has no filters: not every OpenCTI can follow such a one", stream.Name), "give it one under Data sharing, such as entity type is Indicator")
	case !stream.Live:
		s.warn("stream", fmt.Sprintf("the stream %q is stopped: tail cannot follow it; its filters are used all the same", stream.Name), "start it under Data sharing")
	default:
		s.ok("stream", fmt.Sprintf("the stream %q is started", stream.Name))
	}
	return stream.Filters, true
}

// checkSource says what the filters let through, and how much that is.
func (s *side) checkSource(ctx context.Context, client *opencti.Client, filters *opencti.FilterGroup) {
	selection := s.Config.Sync.Selection(filters == nil)
	s.ok("filter", filterWords(s.Config.Connector.LiveStreamID, filters, &selection))
	if !s.ident.Can("KNOWLEDGE") {
		return
	}
	n, err := client.Count(ctx, opencti.And(filters, opencti.Selecting(&selection, s.now().UTC())))
	switch {
	case err != nil:
		s.failed("indicators", err)
	case n == 0:
		s.warn("indicators", "no indicator passes: nothing would be deployed, and what is deployed would be refused to go (gate G2)", "check the filters of the stream, sync.detection, sync.min_score and the account's markings")
	default:
		detail := reconcile.Count(n, "indicator") + reconcile.Plural(n, " passes", " pass")
		if len(selection.Labels)+len(selection.ExcludeLabels) > 0 || selection.MaxTLP != "" {
			detail += "; sync.labels, sync.exclude_labels and sync.max_tlp leave out some of them when they are read"
		}
		s.ok("indicators", detail)
	}
}

// filterWords say what is wanted: what the stream lets through, and what is asked for whatever it says.
func filterWords(id string, filters *opencti.FilterGroup, own *reconcile.Selection) string {
	asked := []string{"a pattern of type stix, sigma or yara", "not revoked", "valid now"}
	if own.NeedDetection {
		asked = append(asked, "flagged for detection")
	}
	if n, all, none := own.MinScore.Uniform(); all {
		asked = append(asked, fmt.Sprintf("score at least %d", n))
	} else if !none {
		for _, k := range reconcile.Kinds {
			if n, limited := own.MinScore[k]; limited {
				asked = append(asked, fmt.Sprintf("score of %s at least %d", k, n))
			}
		}
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
func (s *side) checkPageSize(ctx context.Context, client *opencti.Client) {
	size := cmp.Or(s.Config.Sync.PageSize, 500) // 0 is a setting that is wrong
	came, cut, whole, err := client.PageCap(ctx)
	switch {
	case err != nil:
		s.failed("page_size", err)
	case cut:
		s.warn("page_size", fmt.Sprintf("OpenCTI cuts pages of %d at %d, so reads take more requests", size, came),
			fmt.Sprintf("set sync.page_size to %d, or raise elasticsearch:max_pagination_result in OpenCTI", came))
	case whole:
		s.ok("page_size", fmt.Sprintf("pages of %d come whole", size))
	default:
		s.pass("page_size", fmt.Sprintf("OpenCTI holds %s, fewer than a page of %d, so its page limit is not known", reconcile.Count(came, "indicator"), size))
	}
}
