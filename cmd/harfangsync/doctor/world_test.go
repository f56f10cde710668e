package doctor

import (
	"context"
	"fmt"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
	"github.com/harfangsync/harfangsync/sources/opencti"
)

const (
	openCTIToken    = "flgrn_octi_tkn_simulated"
	harfangLabToken = "simulated-harfanglab-token"
	connectorID     = "b7a5a0f2-6a8e-4b77-9f6e-2d9a3c1f5e01"
	hookSecret      = "hook-s3cret-9f8e7d"
)

// world is a pair of platforms.
type world struct {
	octi           *octisim.Sim
	hl             *hlsim.Sim
	octiURL, hlURL string
	close          func()
}

func newWorld(t *testing.T) *world {
	w := &world{octi: octisim.New(octisim.Options{Token: openCTIToken}), hl: hlsim.New(hlsim.Options{Token: harfangLabToken})}
	o, h := httptest.NewServer(w.octi), httptest.NewServer(w.hl)
	w.octiURL, w.hlURL = o.URL, h.URL
	w.close = sync.OnceFunc(func() { o.Close(); h.Close() })
	t.Cleanup(w.close)
	return w
}

// env is the settings that reach the platforms.
func (w *world) env() []string {
	return []string{
		"OPENCTI_URL=" + w.octiURL, "OPENCTI_TOKEN=" + openCTIToken, "HARFANGLAB_URL=" + w.hlURL, "HARFANGLAB_TOKEN=" + harfangLabToken,
		"CONNECTOR_ID=" + connectorID,
	}
}

// healthyWorld is one in which a run with a single indicator ended well.
func healthyWorld(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	w.put(1)
	list, err := w.hl.AddSource(hlsim.IOC, "from_OpenCTI")
	if err != nil {
		t.Fatal(err)
	}
	w.hl.Add(hlsim.IOC, hlsim.Rule{SourceID: list, Type: "domain_name", Value: domain(1), Enabled: true})
	w.store(t, state.Document{Window: reconcile.Window{}.With(time.Now(), time.Hour, nil, reconcile.Tally{"additions_ioc": 7}), LastGood: reconcile.LastGood{At: time.Now(), Sources: map[reconcile.Kind]int{reconcile.IOC: 1},
		Markings: []string{"TLP:AMBER", "TLP:AMBER+STRICT", "TLP:CLEAR", "TLP:GREEN", "TLP:RED"}}}.Text())
	return w
}

func id(n int) string     { return fmt.Sprintf("%08d-1111-4111-8111-111111111111", n) }
func domain(n int) string { return fmt.Sprintf("domain-%d.example", n) }

// put adds an indicator of a domain that is valid now.
func (w *world) put(n int) {
	from := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	w.octi.Put(octisim.Indicator{ID: id(n), Name: "one", PatternType: "stix", Pattern: "[domain-name:value = '" + domain(n) + "']",
		Detection: new(true), Score: new(60), ValidFrom: from, ValidUntil: from.AddDate(20, 0, 0), CreatedAt: from, UpdatedAt: from})
}

// store gives OpenCTI the connector state, as an earlier run did.
func (w *world) store(t *testing.T, text string) {
	t.Helper()
	o := httptest.NewServer(w.octi)
	defer o.Close()
	c := opencti.New(opencti.Options{URL: o.URL, Token: openCTIToken, HTTP: o.Client()})
	ctx := context.Background()
	if _, err := c.Register(ctx, opencti.Registration{ID: connectorID, Name: "HarfangLab", Scope: []string{"harfanglab"}}); err != nil {
		t.Fatal(err)
	}
	w.octi.SetConnector(connectorID, text)
	w.octi.HTTP.Forget()
	w.hl.HTTP.Forget()
}
