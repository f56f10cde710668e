package stix

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/reconcile/alert"
)

// The fixed lines of a description, by which Read knows it again. They are part of what the platform
// remembers: changing them would make it forget.
const (
	statusLine   = "Status: "
	endpointLine = "- Endpoint: "
	importedFact = "Imported alerts"
	noStatus     = "not given"
)

// describeAlert is the description of an incident, in Markdown.
func describeAlert(a *alert.Alert, unknownLevel bool) string {
	d := newDescription(a.Status)
	d.line("Endpoint", endpointName(&a.Agent), maxName)
	d.line("Rule", a.RuleName, maxName)
	d.line("Rule id", a.RuleID, maxName)
	d.line("Type", strings.Trim(a.Type+" "+a.Subtype, " "), maxName)
	d.level(a.Level, unknownLevel)
	d.line("Message", a.Message, maxMessage)
	var matched, rules, files, far []string
	for _, v := range firedValues(a) {
		matched = append(matched, strings.TrimPrefix(v.Type+"="+v.Value, "="))
	}
	for _, r := range a.YARA {
		rules = append(rules, r.Rule)
	}
	for _, r := range a.Correlated {
		rules = append(rules, cmp.Or(oneLine(r.Name, maxName), r.ID))
	}
	for _, f := range a.Files {
		files = append(files, f.Path)
	}
	for _, v := range a.Network {
		far = append(far, v.Value)
	}
	d.list("Matched", matched)
	d.list("Matched rules", rules)
	d.line("Matched file", a.Detected.Path, maxMessage)
	d.line("Written file", a.Written.Path, maxMessage)
	d.list("Files", files)
	d.list("Network", far)
	d.list("Registry keys", a.Registry)
	if p := a.Process; p != nil {
		d.line("Process", cmp.Or(p.Image, p.File.Path, p.Name), maxMessage)
		d.line("Command line", p.CommandLine, maxCommand)
		d.line("Parent process", cmp.Or(p.ParentCommand, p.ParentImage), maxCommand)
		d.line("User", p.User, maxName)
	}
	d.line("Threat", a.ThreatKey, maxName)
	return d.String()
}

// describeThreat is the description of a case, in Markdown.
func describeThreat(t *alert.Threat, unknownLevel bool) string {
	d := newDescription(t.Status)
	d.line("Threat", t.ID, maxName)
	d.level(t.Level, unknownLevel)
	if t.Count > 0 {
		d.fact("Alerts", strconv.Itoa(t.Count))
	}
	if t.Imported > 0 { // a run that finds more of them sends the case again
		d.fact(importedFact, strconv.Itoa(t.Imported))
	}
	if dated(t.FirstSeen) {
		d.fact("First seen", stamp(t.FirstSeen))
	}
	if dated(t.LastSeen) {
		d.fact("Last seen", stamp(t.LastSeen))
	}
	var hosts, users []string
	for i := range t.Agents {
		hosts = append(hosts, endpointName(&t.Agents[i]))
	}
	for _, u := range t.Users {
		users = append(users, cmp.Or(value(u.Name), u.SID))
	}
	d.list("Endpoints", hosts)
	d.list("Users", users)
	d.list("Rules", t.Rules)
	return d.String()
}

// description is Markdown under a status line.
type description struct{ b strings.Builder }

func newDescription(s alert.Status) *description {
	d := &description{}
	d.b.WriteString(statusLine + cmp.Or(code(oneLine(string(s), maxName)), noStatus) + "\n\n")
	return d
}

// fact writes a line of our own words.
func (d *description) fact(name, text string) { d.b.WriteString("- " + name + ": " + text + "\n") }

// line writes a line with a text from outside, if there is one.
func (d *description) line(name, text string, most int) {
	if text = code(oneLine(text, most)); text != "" {
		d.fact(name, text)
	}
}

func (d *description) level(level string, unknown bool) {
	text := code(oneLine(level, maxName))
	if unknown {
		text = cmp.Or(text, noStatus) + ", which is not a known level: taken for medium"
	}
	d.fact("Level", text)
}

// list writes texts from outside, each once, and how many there are beyond the first twenty.
func (d *description) list(name string, texts []string) {
	const most = 20
	var shown []string
	for _, s := range texts {
		if s = code(oneLine(s, maxName)); s != "" && !slices.Contains(shown, s) {
			shown = append(shown, s)
		}
	}
	if len(shown) == 0 {
		return
	}
	text := strings.Join(shown[:min(len(shown), most)], ", ")
	if n := len(shown) - most; n > 0 {
		text += " and " + strconv.Itoa(n) + " more"
	}
	d.fact(name, text)
}

func (d *description) String() string { return strings.TrimSuffix(d.b.String(), "\n") }

// code makes a code span of one line: Markdown finds no markup, no HTML and no link in it, not even
// those that viewers make of bare addresses, and a person can copy it. The fence is longer than any row
// of backticks inside.
func code(s string) string {
	if s == "" {
		return ""
	}
	longest, row := 0, 0
	for i := range len(s) {
		if s[i] != '`' {
			row = 0
			continue
		}
		row++
		longest = max(longest, row)
	}
	fence := strings.Repeat("`", longest+1)
	if s[0] == '`' || s[len(s)-1] == '`' {
		s = " " + s + " " // which viewers take off again
	}
	return fence + s + fence
}

// decode reads what code wrote.
func decode(s string) (string, bool) {
	n := len(s) - len(strings.TrimLeft(s, "`"))
	fence := s[:n]
	inner, ok := strings.CutSuffix(s[n:], fence)
	if n == 0 || !ok || inner == "" {
		return "", false
	}
	if strings.HasPrefix(inner, " ") && strings.HasSuffix(inner, " ") && len(inner) > 2 {
		inner = inner[1 : len(inner)-1]
	}
	return inner, true
}

// Read reads the fixed lines of a description that Alert or Threat wrote, whatever stands around them.
// It is false for a description that does not begin with the status.
func (*Maker) Read(description string) (alert.Facts, bool) {
	first, rest, _ := strings.Cut(strings.TrimLeft(description, "\ufeff \t\r\n"), "\n")
	status, ok := strings.CutPrefix(strings.TrimRight(first, " \t\r"), statusLine)
	if !ok {
		return alert.Facts{}, false
	}
	var f alert.Facts
	if status != noStatus {
		word, ok := decode(status)
		if !ok {
			return alert.Facts{}, false
		}
		f.Status = alert.Status(word)
	}
	for line := range strings.Lines(rest) {
		line = strings.TrimRight(line, " \t\r\n")
		if n, ok := strings.CutPrefix(line, "- "+importedFact+": "); ok && f.Imported == 0 {
			f.Imported, _ = strconv.Atoi(n)
		}
		if name, ok := strings.CutPrefix(line, endpointLine); ok && f.Endpoint == "" {
			if name, ok := decode(name); ok {
				f.Endpoint = endpointID(name)
			}
		}
	}
	return f, true
}
