package opencti_test

import (
	"context"
	"testing"

	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

func TestMissingRightsAreNamed(t *testing.T) {
	ctx := context.Background()
	tests := []struct {
		name, version string
		call          func(p *probe) error
		want          string
	}{
		{"reading", "", func(p *probe) error { _, _, err := read(p, nil, false); return err }, "KNOWLEDGE"},
		{"looking up", "", func(p *probe) error { _, err := p.ByIDs(ctx, []string{"x"}, nil, false); return err }, "KNOWLEDGE"},
		{"registering", "", func(p *probe) error {
			_, err := p.Register(ctx, opencti.Registration{ID: "c", Name: "name"})
			return err
		}, "CONNECTORAPI"},
		{"pinging", "", func(p *probe) error { _, err := p.Ping(ctx, "c", "{}"); return err }, "CONNECTORAPI"},
		{"reading the state", "", func(p *probe) error { _, _, err := p.ConnectorState(ctx, "c"); return err }, "MODULES"},
		{"the stream", "7.260817.0", func(p *probe) error { _, err := p.Stream(ctx, "s"); return err }, "TAXIIAPI,"},
		{"the stream before 6.1.12", "6.1.11", func(p *probe) error { _, err := p.Stream(ctx, "s"); return err }, "TAXIIAPI_SETCOLLECTIONS"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := octisim.New(octisim.Options{Version: tt.version, Users: []octisim.User{{Token: token, Capabilities: []string{"APIACCESS_USETOKEN"}}}})
			p := connect(t, s, opencti.Options{})
			if _, err := p.Ident(ctx); err != nil {
				t.Fatal(err)
			}
			says(t, tt.call(p), "OpenCTI: ", tt.want)
			if len(p.slept()) != 0 {
				t.Error("a missing right was tried again")
			}
		})
	}
}
