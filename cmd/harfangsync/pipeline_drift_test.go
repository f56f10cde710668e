package main

import (
	"strings"
	"testing"

	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

func TestDriftWorkflow(t *testing.T) {
	drifted := func(p *pipeline) {
		p.sync()
		p.world.edit(0, func(i *octisim.Indicator) { i.Description = "second" })
	}
	for _, tt := range []struct {
		name    string
		prepare func(p *pipeline)
		open    bool // an issue of ours was open
		code    int
		state   string // of our issue afterwards, empty if there is none
		words   []string
	}{
		{"drift opens an issue", drifted, false, 0, "open", []string{"1 to change", `d0\[.\]example`}},
		{"more drift updates it", drifted, true, 0, "open", []string{"1 to change"}},
		{"in sync closes it", (*pipeline).sync, true, 0, "closed", nil},
		{"in sync opens none", (*pipeline).sync, false, 0, "", nil},
		{"a refused plan opens one and fails", (*pipeline).refusable, false, 4, "open", []string{"Refused by gate G2"}},
		{"a side that is down says nothing about drift", func(p *pipeline) { p.down(p.world.octi.HTTP) }, true, 8, "open", []string{"yesterday"}},
		{"a side that is down opens none", func(p *pipeline) { p.down(p.world.hl.HTTP) }, false, 8, "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := newPipeline(t)
			p.event = "schedule"
			tt.prepare(p)
			p.world.hl.HTTP.Forget()
			for _, i := range []*post{said("User", render.Marker), said("Bot", "bump"), said("User", "")} {
				p.forge.add(&p.forge.issues, i)
			}
			others := len(p.forge.issues)
			if tt.open {
				p.forge.add(&p.forge.issues, said("Bot", render.Marker+"\nyesterday"))
			}
			p.want(p.run("drift.yml", nil), tt.code, p.last.log.String())
			p.readOnly()
			ours := p.forge.issues[others:]
			if tt.state == "" {
				if len(ours) > 0 {
					t.Errorf("an issue was opened: %s", ours[0].Body)
				}
				return
			}
			if len(ours) != 1 || ours[0].State != tt.state {
				t.Fatalf("issues of ours: %d, want one that is %s", len(ours), tt.state)
			}
			p.want(0, 0, ours[0].Body, tt.words...)
			if dir, kept := p.forge.artefacts[p.last.run+"/harfangsync-drift"]; kept != strings.Contains(ours[0].Body, "/actions/runs/"+p.last.run+"#artifacts") || kept != (tt.state == "open" && tt.code != 8) {
				t.Errorf("the page is kept in %q, and the issue says %.400s", dir, ours[0].Body)
			}
		})
	}
}
