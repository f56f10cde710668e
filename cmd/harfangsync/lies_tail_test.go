package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// tailLie is a platform that answers a tail well-formed and wrong, or that changes between two looks at
// it. The tail says so and leaves the lists alone; once the lie is over it goes on.
type tailLie struct {
	name    string
	before  func(*chaosWorld) // the first full run
	during  func(*chaosWorld) // once the tail listens
	over    func(*chaosWorld)
	says    string
	nothing bool // nothing at all is written meanwhile
	most    int  // likewise, but for so many rules, which the limit lets go in the batches before
}

var tailLies = []tailLie{
	{name: "OpenCTI loses the rows of a page", says: "gate G1", nothing: true,
		before: octiKnobs(func(k *octisim.Knobs) { k.SkipPage = 2 }), over: octiKnobs(func(k *octisim.Knobs) { k.SkipPage = 0 })},
	{name: "HarfangLab loses a row of a page", says: "gate G1", nothing: true,
		before: hlKnobs(hlsim.Knobs{LoseRow: 2, DriftKind: "ioc"}), over: hlKnobs(hlsim.Knobs{})},
	{name: "OpenCTI hides rows while it is read", says: "gate G3", nothing: true, before: hideWhileRead},
	{name: "half of the indicators are revoked at once", says: "gate G4", most: 12,
		during: func(w *chaosWorld) { w.revoke(20, true) }, over: func(w *chaosWorld) { w.revoke(20, false) }},
	{name: "an analyst disables a rule whose indicator changes", says: "update domain_name moving-100.example: conflict",
		during: func(w *chaosWorld) {
			for _, r := range w.hl.Rules("ioc") {
				if r.Value == "moving-100.example" {
					w.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Enabled = false })
				}
			}
			w.edit(100, func(i *octisim.Indicator) { i.Description = "changed" })
		},
		over: func(w *chaosWorld) {
			for _, r := range w.hl.Rules("ioc") {
				if r.Value == "moving-100.example" {
					w.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Enabled = true })
				}
			}
			w.edit(100, func(i *octisim.Indicator) { i.Description = "changed again" })
		}},
}

// revoke revokes the first n steady indicators, or takes it back.
func (w *chaosWorld) revoke(n int, is bool) {
	for i := range n {
		w.edit(i, func(i *octisim.Indicator) { i.Revoked = is })
	}
}

// told runs one lie and says what went wrong.
func (l *tailLie) told(t *testing.T, tpl *tailTemplate) (bad []string) {
	w := tpl.world(t)
	defer w.close()
	w.env = append(w.env, "HARFANGSYNC_PAGE_SIZE=20")
	if l.before != nil {
		l.before(w.chaosWorld)
	}
	exact := w.exact()
	w.follow(t)
	w.front.may.Store(int32(l.most))
	if l.during != nil {
		l.during(w.chaosWorld)
	}
	const most, step = 3 * time.Second, 2 * time.Millisecond
	said := func() bool { return strings.Contains(w.out.String()+w.err.String(), l.says) }
	for end := time.Now().Add(most); !said() && time.Now().Before(end); {
		time.Sleep(step)
	}
	if !said() {
		bad = append(bad, fmt.Sprintf("does not say %q", l.says))
	}
	if n := differ(exact, w.exact()); l.nothing && n > 0 || l.most > 0 && n > l.most {
		bad = append(bad, fmt.Sprintf("wrote %d rules", n))
	}
	if l.over != nil {
		l.over(w.chaosWorld)
	}
	if len(bad) > 0 { // it will not come right
		w.leave()
		return bad
	}
	if l.most == 0 { // else the limit may be used up, and holds what is removed now
		w.live()
	}
	var v verdict
	w.verdict(t, &v)
	return v.bad()
}

// differ counts the rules that are not as they were.
func differ(before, after map[string]string) int {
	n := len(after)
	for rule, was := range before {
		if is, there := after[rule]; !there {
			n++
		} else if is == was {
			n--
		}
	}
	return n
}

func TestLiesToATail(t *testing.T) {
	tpl := newTailTemplate(t)
	for i := range tailLies {
		t.Run(tailLies[i].name, func(t *testing.T) {
			t.Parallel()
			for _, why := range tailLies[i].told(t, tpl) {
				t.Error(why)
			}
		})
	}
}
