package hlsim

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Spec says what Generate makes.
type Spec struct {
	Seed   uint64     `json:"seed"`             // the same seed, rules and times give the same documents, and so the same ids
	Count  int        `json:"count"`            // of alerts; 0 is one of each shape
	Shapes []string   `json:"shapes,omitempty"` // those of Shapes that are made by turns; all when empty
	From   time.Time  `json:"from,omitzero"`    // the alert_times are spread from here; a day before To when zero
	To     time.Time  `json:"to,omitzero"`      // up to here; now when zero
	Hosts  int        `json:"hosts,omitempty"`  // on so many endpoints; 0 is 10
	Known  bool       `json:"known,omitempty"`  // IOC alerts are of rules that are held, of the right type, while there are any
	Form   *AlertForm `json:"form,omitempty"`   // how all of them are spelled; nil mixes every way
	Plain  bool       `json:"plain,omitempty"`  // new, in no threat, without what is odd about some
}

// Shapes are the names of what Generate makes: all shapes of contract harfanglab-api 7.4 and 12.24.
func Shapes() []string {
	var out []string
	for _, s := range shapes {
		out = append(out, s.name)
	}
	return out
}

// Generate holds alerts of every shape, without regard to whether their rules are there; they count in
// none. It gives their ids, in the order of their alert_time. Nothing is held after an error: a shape
// that does not exist, times the wrong way round. An alert with an id that is taken, as after the same
// spec before, is an error too, and the others are held.
func (s *Sim) Generate(spec Spec) (ids []string, err error) {
	docs, err := s.Documents(spec)
	if err != nil {
		return nil, err
	}
	return s.LoadAlerts(docs)
}

// Documents are what Generate would hold. Nothing is held.
func (s *Sim) Documents(spec Spec) ([]json.RawMessage, error) {
	g, err := s.newGenerator(spec)
	if err != nil {
		return nil, err
	}
	docs := make([]json.RawMessage, 0, g.Count)
	for i := range g.Count {
		doc, err := encode(g.next(i))
		if err != nil {
			return nil, err
		}
		docs = append(docs, doc)
	}
	return docs, nil
}

// generator makes one alert after the other.
type generator struct {
	Spec
	random
	turns []shape
	known map[string][]Rule // of each type
	list  string            // id of the list that invented rules are in
	step  time.Duration
}

func (s *Sim) newGenerator(spec Spec) (*generator, error) {
	g := &generator{Spec: spec, random: newRandom(spec.Seed), turns: shapes, known: map[string][]Rule{}}
	if len(spec.Shapes) > 0 {
		g.turns = nil
	}
	for _, name := range spec.Shapes {
		i := slices.IndexFunc(shapes, func(s shape) bool { return s.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no shape of an alert is called %q", name)
		}
		g.turns = append(g.turns, shapes[i])
	}
	if g.Count == 0 {
		g.Count = len(g.turns)
	}
	if g.To.IsZero() {
		g.To = s.options.Now()
	}
	if g.From.IsZero() {
		g.From = g.To.Add(-24 * time.Hour)
	}
	if g.Hosts == 0 {
		g.Hosts = 10
	}
	if g.Count < 0 || g.Hosts < 0 || g.From.After(g.To) {
		return nil, errors.New("count and hosts are at least 0, and from is not after to")
	}
	g.step = g.To.Sub(g.From) / time.Duration(g.Count)
	g.list = g.uuid()
	if spec.Known {
		g.known = s.enabledIOCs(g.Count)
	}
	return g, nil
}

// enabledIOCs are the first most rules of each type that could fire.
func (s *Sim) enabledIOCs(most int) map[string][]Rule {
	s.mu.RLock()
	defer s.mu.RUnlock()
	out := map[string][]Rule{}
	for _, src := range s.kinds[IOC].sources {
		src.rows.walk(0, func(r *row) bool {
			if src.Enabled && r.state != stateDisabled && len(out[r.typ]) < most {
				out[r.typ] = append(out[r.typ], r.rule())
			}
			return true
		})
	}
	return out
}

// next is the ith alert.
func (g *generator) next(i int) document {
	at := g.From.Add(time.Duration(i) * g.step)
	if g.step > 0 {
		at = at.Add(time.Duration(g.Int64N(int64(g.step))))
	}
	host := g.IntN(g.Hosts)
	seen := Sighting{At: at, Host: fmt.Sprintf("WKS-%03d", host+1), User: `EXAMPLE\` + g.one("alice", "bob", "mallory", "svc backup")}
	form := g.form()
	x := &generated{alertBuilder: newAlertBuilder(seen, g.random, form, at), g: g}
	d := g.turns[i%len(g.turns)].make(x, g.indexID())
	if !g.Plain {
		g.vary(x, d, host)
	}
	return d
}

func (g *generator) indexID() string {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	b := make([]byte, 20)
	for i := range b {
		b[i] = letters[g.IntN(len(letters))]
	}
	return string(b)
}

// form is how the next alert is spelled.
func (g *generator) form() AlertForm {
	if g.Form != nil {
		return *g.Form
	}
	return AlertForm{
		RuleIDs: g.one(RuleIDSame, RuleIDRandom), Matches: g.one(MatchesGiven, MatchesGiven, MatchesAbsent),
		Message:     g.one(MessageEquals, MessageEquals, MessageEquals, MessageColon, MessageBare),
		RuleContent: g.one(ContentCSV, ContentBare, ContentSingle, ContentAbsent), YARA: g.one(YARA2023, YARA2021), Times: TimesMixed,
	}
}

// vary adds what alerts of any shape may have or lack.
func (g *generator) vary(x *generated, d document, host int) {
	if g.IntN(4) == 0 {
		status, moved := g.one("investigating", "false_positive", "closed", "probable_false_positive"), x.At.Add(time.Duration(1+g.IntN(3600))*time.Second)
		d["status"], d["last_update"] = status, seconds(moved)
		d["status_history"] = []any{
			document{"action": "created", "timestamp": x.time(0)},
			document{"action": "status_changed", "timestamp": seconds(moved), "status": status, "username": analyst.username},
		}
	}
	if g.IntN(6) == 0 {
		d["detection_date"] = nil
	}
	if g.IntN(8) == 0 {
		d["x_added_later"] = document{"of": []any{"no", 1, true, nil}}
	}
	if g.IntN(10) == 0 {
		delete(d, "groups")
	}
	number := 5000 + host
	switch g.IntN(5) {
	case 0: // in no threat
	case 1:
		d["threat_key"] = number
	case 2:
		d["threat_key"] = strconv.Itoa(number)
	default:
		d["threat_key"] = sameAs(fmt.Sprintf("threat %d %d", g.Seed, host))
	}
}
