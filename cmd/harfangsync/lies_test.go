package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// lie is a platform that answers well-formed and wrong, or that changes between two looks at it.
type lie struct {
	name   string
	before func(*chaosWorld)

	code   int
	says   string // in the output
	writes bool   // the rest of the plan may be carried out
}

var lies = []lie{
	{name: "OpenCTI loses the rows of a page", before: octiKnobs(func(k *octisim.Knobs) { k.SkipPage = 2 }), code: exit.Refused, says: "gate G1"},
	{name: "OpenCTI answers a page twice", before: octiKnobs(func(k *octisim.Knobs) { k.RepeatPage = 2 }), code: exit.Refused, says: "gate G1"},
	{name: "OpenCTI counts more than it shows", before: octiKnobs(func(k *octisim.Knobs) { k.CountOff = 3 }), code: exit.Refused, says: "gate G1"},
	{name: "OpenCTI loses rows once", before: octiKnobs(func(k *octisim.Knobs) { k.SkipPage = 2; k.DriftOnce = true }), code: exit.OK, writes: true},
	{name: "OpenCTI loses relations", before: octiKnobs(func(k *octisim.Knobs) { k.CountOff = 2; k.DriftField = "stixCoreRelationships" }), code: exit.Refused, says: "gate G1"},
	{name: "OpenCTI hides rows while it is read and counts without them", before: hideWhileRead, code: exit.Refused, says: "gate G3"},
	{name: "OpenCTI knows no filter by id", before: octiKnobs(func(k *octisim.Knobs) { k.IDsFilter = "empty" }), code: exit.Refused, says: "the filter by id does not work"},
	{name: "OpenCTI is empty", before: func(w *chaosWorld) {
		for _, i := range w.octi.Indicators() {
			w.octi.Delete(i.ID)
		}
	}, code: exit.Refused, says: "gate G2"},
	{name: "two in five indicators are revoked at once", before: func(w *chaosWorld) {
		for i := 4; i < 24; i++ {
			w.edit(i, func(i *octisim.Indicator) { i.Revoked = true })
		}
	}, code: exit.Refused, says: "gate G4", writes: true}, // what nobody doubts
	{name: "the account sees fewer markings than before", before: func(w *chaosWorld) {
		redden(w)
		w.octi.SetKnobs(func(k *octisim.Knobs) { k.HideMarking = []string{"TLP:RED"} })
	}, code: exit.OK, says: "fewer markings are visible", writes: true},
	{name: "the account loses a marking while it reads", before: func(w *chaosWorld) {
		redden(w)
		var once sync.Once
		w.octi.SetKnobs(func(k *octisim.Knobs) {
			k.BeforePage = func(field string, _ int) {
				if field == "indicators" {
					once.Do(func() { w.octi.SetKnobs(func(k *octisim.Knobs) { k.HideMarking = []string{"TLP:RED"} }) })
				}
			}
		})
	}, code: exit.OK, says: "fewer markings are visible", writes: true},
	{name: "markings change to one that the account never saw", before: func(w *chaosWorld) {
		for i := 4; i < 24; i++ {
			w.edit(i, func(i *octisim.Indicator) { i.Markings = []octisim.Marking{{Definition: "PAP:SECRET"}} })
		}
		w.octi.SetKnobs(func(k *octisim.Knobs) { k.HideMarking = []string{"PAP:SECRET"} })
	}, code: exit.Refused, says: "gate G4", writes: true},
	{name: "OpenCTI is restored from a backup of before half of it", before: func(w *chaosWorld) {
		for i := 4; i < 24; i++ {
			w.octi.Delete(chaosID(i))
		}
	}, code: exit.Refused, says: "gate G4", writes: true},
	{name: "OpenCTI ignores filters", before: func(w *chaosWorld) {
		off := false
		w.put(300, "off", "stix", domainPattern("off.example"), "")
		w.edit(300, func(i *octisim.Indicator) { i.Detection = &off })
		w.put(301, "revoked", "stix", domainPattern("revoked.example"), "")
		w.edit(301, func(i *octisim.Indicator) { i.Revoked = true })
		w.octi.SetKnobs(func(k *octisim.Knobs) { k.IgnoreFilters = true })
	}, code: exit.OK, writes: true},
	{name: "OpenCTI is slow to keep the state", before: octiKnobs(func(k *octisim.Knobs) { k.StateDelay = 150 * time.Millisecond }), code: exit.OK, writes: true},
	{name: "a list is switched off", before: func(w *chaosWorld) {
		for _, l := range w.hl.Sources("yara") {
			w.hl.DisableSource("yara", l.ID)
		}
	}, code: exit.Partly, says: "switched off in HarfangLab", writes: true},
	{name: "HarfangLab loses a row of a page", before: hlKnobs(hlsim.Knobs{LoseRow: 2, DriftKind: "ioc"}), code: exit.Refused, says: "gate G1"},
	{name: "HarfangLab shows a row twice", before: hlKnobs(hlsim.Knobs{RepeatRow: 1, DriftKind: "ioc"}), code: exit.Refused, says: "gate G1"},
	{name: "HarfangLab counts too few", before: hlKnobs(hlsim.Knobs{CountOff: -1}), code: exit.Refused, says: "gate G1"},
	{name: "HarfangLab's list changes while it is read", before: hlKnobs(hlsim.Knobs{DriftPage: 2, DriftAdd: 2, DriftKind: "ioc", DriftOnce: true}), code: exit.OK, writes: true},
}

func octiKnobs(change func(*octisim.Knobs)) func(*chaosWorld) {
	return func(w *chaosWorld) { w.octi.SetKnobs(change) }
}

func hlKnobs(k hlsim.Knobs) func(*chaosWorld) {
	return func(w *chaosWorld) { w.hl.SetKnobs(func(now *hlsim.Knobs) { *now = k }) }
}

// hideWhileRead takes indicators away when the read begins and brings them back, unchanged, when it
// is over: pages and counts agree, and only asking by id tells.
func hideWhileRead(w *chaosWorld) {
	var hidden []octisim.Indicator
	for _, i := range w.octi.Indicators() {
		if strings.HasPrefix(i.Name, "steady 1") {
			hidden = append(hidden, i)
		}
	}
	listings := 0
	w.octi.SetKnobs(func(k *octisim.Knobs) {
		k.BeforePage = func(field string, page int) {
			if field != "indicators" || page != 1 {
				return
			}
			switch listings++; listings {
			case 1:
				for _, i := range hidden {
					w.octi.Delete(i.ID)
				}
			case 3: // the second is that of what changed meanwhile
				for _, i := range hidden {
					w.octi.Put(i)
				}
			}
		}
	})
}

// redden gives three indicators another marking.
func redden(w *chaosWorld) {
	for i := 4; i < 7; i++ {
		w.edit(i, func(i *octisim.Indicator) { i.Markings = []octisim.Marking{{Definition: "TLP:RED"}} })
	}
}

// told runs one lie and says what went wrong.
func (l *lie) told(t *testing.T, ref *reference) (bad []string) {
	w := ref.tpl.copyOf(t)
	defer w.close()
	w.env = []string{"HARFANGSYNC_PAGE_SIZE=20"}
	l.before(w)
	exact := w.exact()
	code, out, errs := w.command(t.Context(), "run")
	if code != l.code {
		bad = append(bad, fmt.Sprintf("code %d, want %d; %s", code, l.code, lastLine(out+errs)))
	}
	if !strings.Contains(out+errs, l.says) {
		bad = append(bad, fmt.Sprintf("does not say %q", l.says))
	}
	if !l.writes && !maps.Equal(exact, w.exact()) {
		bad = append(bad, "wrote")
	}
	var v verdict
	ref.judge(w, exact, false, &v)
	return append(bad, v.bad()...)
}

// edited applies a saved plan after somebody edited ten of its rows, and says what went wrong: exactly
// these ten are conflicts and keep the edit, the rest is done.
func edited(t *testing.T, ref *reference) (bad []string) {
	w := ref.tpl.copyOf(t)
	for i := 4; i < 24; i++ {
		w.edit(i, func(i *octisim.Indicator) { i.Description = "changed by its source" })
	}
	path := filepath.Join(t.TempDir(), "plan.json")
	if code, _, errs := w.command(t.Context(), "plan", "--out", path); code != 0 {
		t.Fatalf("plan: %d %s", code, errs)
	}
	var touched []string
	for _, r := range w.hl.Rules("ioc") {
		if len(touched) < 10 && strings.HasPrefix(r.Value, "steady-1") && r.Value != "steady-1.example" {
			w.hl.Edit("ioc", r.ID, func(r *hlsim.Rule) { r.Description = "edited after the plan" })
			touched = append(touched, r.Value)
		}
	}
	code, out, errs := w.command(t.Context(), "apply", path)
	if code != exit.Partly || !strings.Contains(out, " 10 failed.") {
		bad = append(bad, fmt.Sprintf("code %d, %s", code, lastLine(out)))
	}
	for _, r := range w.hl.Rules("ioc") {
		was := slices.Contains(touched, r.Value)
		named := strings.Contains(errs, "update domain_name "+r.Value+": conflict")
		if was != (r.Description == "edited after the plan") || was != named {
			bad = append(bad, fmt.Sprintf("%s: edited %t, named %t, description %q", r.Value, was, named, r.Description))
		}
	}
	if strings.Count(errs, ": conflict: ") != len(touched) {
		bad = append(bad, fmt.Sprintf("%d conflicts for %d edits", strings.Count(errs, ": conflict: "), len(touched)))
	}
	return bad
}

func TestLies(t *testing.T) {
	ref := newReference(t)
	for i := range lies {
		t.Run(lies[i].name, func(t *testing.T) {
			t.Parallel()
			for _, why := range lies[i].told(t, ref) {
				t.Error(why)
			}
		})
	}
	t.Run("ten rows are edited between plan and apply", func(t *testing.T) {
		t.Parallel()
		for _, why := range edited(t, ref) {
			t.Error(why)
		}
	})
	if os.Getenv("HARFANGSYNC_FAILPOINT") != "" {
		t.Error("a failpoint is set while the rules are tried")
	}
}
