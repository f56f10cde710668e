package hlsim

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/harfangsync/harfangsync/sinks/hlsim/evaluate"
)

// Saw is the trigger "an agent saw this": every enabled rule of an enabled list that fits makes its
// alert, and counts it; rules that are disabled, gone or ignored by agents make none. It gives the ids of
// the alerts, in the order of the rules. Whether any fires or not, telemetry holds what was seen. An error says that the sighting names nothing that could be seen.
func (s *Sim) Saw(seen Sighting) (ids []string, err error) {
	fits, err := seen.fits()
	if err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.knobs.Load()
	s.seenRows++
	s.leaveTelemetry(newAlertBuilder(seen, newRandom(s.seenRows), k.AlertSpelling, s.options.Now()), 0, "")
	for _, kind := range kinds {
		for _, src := range s.kinds[kind].sources {
			if !src.Enabled {
				continue
			}
			s.kinds[kind].suspects(src, seen, func(r *row) bool {
				if r.state != stateDisabled && (!r.ignored || k.LenientAgents) && fits(kind, r) {
					var id string
					if id, err = s.fire(k, kind, r, seen); err == nil {
						ids = append(ids, id)
					}
				}
				return err == nil
			})
		}
	}
	return ids, err
}

// suspects visits the rules of a list that may fit, in the order of their making or, where all that
// fit are equal to the value, by type.
func (c *collection) suspects(src *source, seen Sighting, visit func(*row) bool) {
	_, notAddr := netip.ParseAddr(seen.Value)
	_, notNet := netip.ParsePrefix(seen.Value)
	if c.kind != IOC || hexDigits.MatchString(seen.Value) || notAddr == nil || notNet == nil {
		src.rows.walk(0, visit)
		return
	}
	for _, typ := range iocTypes {
		if r := c.byKey[key{src, typ, seen.Value}]; r != nil && !visit(r) {
			return
		}
	}
}

// fire makes the alert of a rule and counts it.
func (s *Sim) fire(k *Knobs, kind string, r *row, seen Sighting) (string, error) {
	id := s.nextAlertID()
	x := newAlertBuilder(seen, newRandom(uint64(s.alertIDs.Load())), k.AlertSpelling, s.options.Now())
	var d document
	switch kind {
	case IOC:
		d = x.ioc(id, r.rule())
	case Sigma:
		d = x.sigma(id, r.rule())
	case YARA:
		d = x.yara(id, r.rule(), r.ruleIn(seen.Rule), r.src.Name)
	}
	d["threat_key"] = s.alerts.threats.keyFor(k, x)
	raw, err := encode(d)
	if err != nil {
		return "", err
	}
	e, err := s.readAlert(raw)
	if err != nil {
		return "", err
	}
	more := *r.extra
	more.alerts++
	r.extra = &more
	return id, s.alerts.hold(e)
}

// keyFor is the threat_key of an alert: that of the host's open threat, or of a new one.
func (l *threats) keyFor(k *Knobs, x *alertBuilder) any {
	id := x.uuid()
	if t := l.openOf(x.agentID()); t != nil {
		id = t.id
	} else if k.ThreatIDs == IDsInt || k.ThreatIDs == IDsMixed && l.made%2 == 0 {
		id = strconv.Itoa(l.numbers + 1)
	}
	if k.ThreatKeys == KeysText || k.ThreatKeys == KeysMixed && x.IntN(2) == 0 {
		return id
	}
	return ThreatID(id)
}

// ruleIn is the rule of a YARA file that has a name, else the first.
func (r *row) ruleIn(name string) string {
	if slices.Contains(r.names, name) || len(r.names) == 0 {
		return name
	}
	return r.names[0]
}

// fits is the test for the rules that see what is seen.
func (seen Sighting) fits() (func(kind string, r *row) bool, error) {
	switch {
	case seen.Value != "" && seen.Rule != "", seen.Event != nil && seen.Value+seen.Rule != "":
		return nil, errors.New("a sighting has one of a value, a rule and an event")
	case seen.Event != nil:
		return func(kind string, r *row) bool { return kind == Sigma && seesEvent(r, *seen.Event) }, nil
	case seen.Rule != "" && slices.Contains([]string{"", Sigma, YARA}, seen.Type):
		return func(kind string, r *row) bool {
			return kind != IOC && (seen.Type == "" || seen.Type == kind) && r.named(kind, seen.Rule)
		}, nil
	case seen.Rule != "":
		return nil, fmt.Errorf("type %q of a sighting by rule is neither sigma nor yara", seen.Type)
	case seen.Value == "":
		return nil, errors.New("a sighting needs a value, a rule or an event")
	}
	types := typesSeen(seen.Type)
	if types == nil {
		return nil, fmt.Errorf("type %q is no type of an IOC", seen.Type)
	}
	addr, _ := netip.ParseAddr(seen.Value)
	addr = addr.Unmap()
	return func(kind string, r *row) bool {
		return kind == IOC && slices.Contains(types, r.typ) && matches(r.typ, r.value, seen.Value, addr)
	}, nil
}

// seesEvent says whether a Sigma rule fires on an event. One that cannot be evaluated fires on nothing.
func seesEvent(r *row, e evaluate.Event) bool {
	rule, err := evaluate.Read(r.text)
	if err != nil {
		return false
	}
	fires, err := rule.Fires(e)
	return fires && err == nil
}

// typesSeen are the types of rules that a type of sighting concerns, nil for an unknown one.
func typesSeen(typ string) []string {
	switch typ {
	case "":
		return iocTypes
	case "ip_src", "ip_dst":
		return []string{typ, "ip_both"}
	case "ip_both":
		return []string{"ip_src", "ip_dst", "ip_both"}
	}
	if slices.Contains(iocTypes, typ) {
		return []string{typ}
	}
	return nil
}

var iocTypes = []string{"hash", "filename", "filepath", "ip_src", "ip_dst", "ip_both", "domain_name", "url"}

// matches says whether a rule's value is what is seen: a hash without case, an address in any spelling
// or in the rule's network, anything else letter by letter.
func matches(typ, value, seen string, addr netip.Addr) bool {
	switch typ {
	case "hash":
		return strings.EqualFold(value, seen)
	case "ip_src", "ip_dst", "ip_both":
		if value == seen {
			return true
		}
		if !addr.IsValid() {
			return false
		}
		if net, err := netip.ParsePrefix(value); err == nil {
			return net.Contains(addr)
		}
		held, err := netip.ParseAddr(value)
		return err == nil && held.Unmap() == addr
	}
	return value == seen
}

// named says whether a rule has an id or a name.
func (r *row) named(kind, name string) bool {
	if r.id == name || orEmpty(r.name) == name {
		return true
	}
	if kind == Sigma {
		return strings.EqualFold(r.ruleID, name) || r.title == name
	}
	return slices.Contains(r.names, name)
}
