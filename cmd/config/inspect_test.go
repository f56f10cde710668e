package config_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/harfangsync/harfangsync/cmd/config"
)

func TestInspectGoesOnAfterProblems(t *testing.T) {
	for _, tt := range []struct {
		name, yml, env string
		problems       []string // of which setting
		broken         []string // sections that must not be used, of opencti, harfanglab and sync
		url            string   // HarfangLab's
	}{
		{name: "whole settings have no problem", env: "OPENCTI_URL=https://o\nOPENCTI_TOKEN=t\nHARFANGLAB_URL=https://h\nHARFANGLAB_TOKEN=t", url: "https://h"},
		{name: "one side may be wrong and the other whole", env: "OPENCTI_URL=o\nHARFANGLAB_URL=https://h\nHARFANGLAB_TOKEN=t",
			problems: []string{"opencti.url", "opencti.token"}, broken: []string{"opencti"}, url: "https://h"},
		{name: "our own settings leave the sides usable", yml: "sync:\n  page_size: 0\n", env: "OPENCTI_URL=https://o\nOPENCTI_TOKEN=t\nHARFANGLAB_URL=https://h\nHARFANGLAB_TOKEN=t",
			problems: []string{"sync.page_size"}, broken: []string{"sync"}, url: "https://h"},
		{name: "a successor's name is of the manager", yml: "harfanglab_intel:\n  url: [a, b]\n", env: "OPENCTI_URL=https://o\nOPENCTI_TOKEN=t\nHARFANGLAB_TOKEN=t",
			problems: []string{"harfanglab.url"}, broken: []string{"harfanglab"}},
		{name: "a broken file spoils everything", yml: "sync: [\n", env: "OPENCTI_URL=https://o\nOPENCTI_TOKEN=t\nHARFANGLAB_URL=https://h\nHARFANGLAB_TOKEN=t",
			problems: []string{""}, broken: []string{"opencti", "harfanglab", "sync"}, url: "https://h"},
		{name: "every problem is there", yml: "sync:\n  nonsense: 1\n", env: "OPENCTI_SSL_VERIFY=perhaps",
			problems: []string{"sync.nonsense", "opencti.ssl_verify", "opencti.url", "opencti.token", "harfanglab.url", "harfanglab.token"}, broken: []string{"opencti", "harfanglab", "sync"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := files{}
			if tt.yml != "" {
				f["config.yml"] = tt.yml
			}
			c, problems := config.Inspect(config.Sources{Env: lines(tt.env), Needs: []config.Need{config.NeedOpenCTI, config.NeedHarfangLab}, ReadFile: f.read})
			var got, broken []string
			for _, p := range problems {
				got = append(got, p.Setting)
			}
			for _, section := range []string{"opencti", "harfanglab", "sync"} {
				for _, p := range problems {
					if p.About(section) {
						broken = append(broken, section)
						break
					}
				}
			}
			if d := cmp.Diff(tt.problems, got); d != "" {
				t.Errorf("problems (-want +got):\n%s", d)
			}
			if d := cmp.Diff(tt.broken, broken); d != "" {
				t.Errorf("sections not to be used (-want +got):\n%s", d)
			}
			if c == nil || c.HarfangLab.URL != tt.url {
				t.Errorf("config %+v, want HarfangLab at %q", c, tt.url)
			}
		})
	}
}
