package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile/crash"
	"github.com/harfangsync/harfangsync/reconcile/state"
	"github.com/harfangsync/harfangsync/sinks/hlsim"
	"github.com/harfangsync/harfangsync/sources/octisim"
)

// What the simulators know their users by. These are no secrets: the simulators serve loopback only.
const (
	simOpenCTIToken    = "flgrn_octi_tkn_simulated"
	simHarfangLabToken = "simulated-harfanglab-token"
	simConnectorID     = "b7a5a0f2-6a8e-4b77-9f6e-2d9a3c1f5e01"
)

// simulators are both platforms in this process.
type simulators struct {
	octi           *octisim.Sim
	hl             *hlsim.Sim
	octiURL, hlURL string
	servers        []*http.Server
}

type simOptions struct {
	indicators, rules string
	alerts            string
	octiAddr, hlAddr  string
	env               string
	latency           time.Duration
	version           string // OpenCTI's
	quietLog          bool
}

func (p *program) simulateCommand() *cli.Command {
	var o simOptions
	return &cli.Command{
		Name:  "simulate",
		Usage: "serve both platform simulators on loopback until interrupted",
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "indicators", Usage: "JSON lines of OpenCTI indicators (default: the built-in samples)", Destination: &o.indicators},
			&cli.StringFlag{Name: "rules", Usage: "JSON lines of HarfangLab rules, each with its kind (default: with the built-in samples, two that were there before)", Destination: &o.rules},
			&cli.StringFlag{Name: "alerts", Usage: "JSON lines of HarfangLab alerts", Destination: &o.alerts},
			&cli.StringFlag{Name: "opencti-addr", Value: "127.0.0.1:0", Usage: "where to listen", Destination: &o.octiAddr},
			&cli.StringFlag{Name: "harfanglab-addr", Value: "127.0.0.1:0", Usage: "where to listen", Destination: &o.hlAddr},
			&cli.GenericFlag{Name: "latency", Usage: "least time a request takes: `DURATION`", Value: (*config.Duration)(&o.latency)},
			&cli.StringFlag{Name: "opencti-version", Usage: "version to report and to behave like", Destination: &o.version},
			&cli.StringFlag{Name: "env", Usage: "write the settings as NAME=value lines to `FILE` once both listen", Destination: &o.env},
		},
		Action: func(c *cli.Context) error {
			if err := canWrite("--env", o.env); err != nil {
				return err
			}
			p.serving.Store(true)
			p.stdout.works()
			o.quietLog = true // a long-lived simulator does not keep every request
			s, err := startSimulators(&o)
			if err != nil {
				return err
			}
			defer s.close()
			if o.indicators == "" && o.rules == "" { // as the demo and the quickstart begin
				if err := s.oldRules(); err != nil {
					return err
				}
			}
			if o.env != "" {
				if err := state.WriteFile(o.env, []byte(strings.Join(s.env(), "\n")+"\n")); err != nil {
					return err
				}
			}
			fmt.Fprintf(p.stdout, "OpenCTI    %s\nHarfangLab %s\n", s.octiURL, s.hlURL)
			<-c.Context.Done()
			return nil
		},
	}
}

// startSimulators loads the data and listens.
func startSimulators(o *simOptions) (*simulators, error) {
	s := &simulators{
		octi: octisim.New(octisim.Options{Token: simOpenCTIToken, Latency: o.latency, Version: o.version}),
		hl:   hlsim.New(hlsim.Options{Token: simHarfangLabToken, Latency: o.latency}),
	}
	s.octi.HTTP.SetLog(!o.quietLog)
	s.hl.HTTP.SetLog(!o.quietLog)
	if err := s.load(o); err != nil {
		return nil, err
	}
	var err error
	if s.octiURL, err = s.serve(o.octiAddr, s.octi); err != nil {
		return nil, err
	}
	if s.hlURL, err = s.serve(o.hlAddr, s.hl); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *simulators) load(o *simOptions) error {
	sample, err := samples.Open("samples/indicators.jsonl")
	if err != nil {
		return err
	}
	defer sample.Close()
	var both errgroup.Group
	both.Go(func() error {
		defer crash.Exit()
		return loadFile("--indicators", o.indicators, sample, s.octi.LoadJSONL)
	})
	both.Go(func() error {
		defer crash.Exit()
		return cmp.Or(loadFile("--alerts", o.alerts, nil, s.hl.LoadAlertsJSONL), loadFile("--rules", o.rules, nil, s.hl.LoadJSONL))
	})
	return both.Wait()
}

// loadFile loads the file that a flag names, or what stands in for it.
func loadFile(flag, path string, from io.Reader, load func(io.Reader) (int, error)) error {
	if path != "" {
		f, err := os.Open(path)
		if err != nil {
			return exit.Usagef("%s: %v", flag, err)
		}
		defer f.Close()
		from = f
	}
	if from == nil {
		return nil
	}
	if _, err := load(from); err != nil {
		return exit.Usagef("%s: %v", flag, err)
	}
	return nil
}

func (s *simulators) serve(addr string, h http.Handler) (url string, err error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return "", exit.Usagef("address %q: %v", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return "", exit.Usagef("address %q: the simulators listen on loopback only", addr)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return "", exit.Usagef("address %q: %v", addr, err)
	}
	srv := &http.Server{Handler: h, ReadHeaderTimeout: 30 * time.Second}
	s.servers = append(s.servers, srv)
	go func() {
		defer crash.Exit()
		_ = srv.Serve(l)
	}() // ends with close
	return "http://" + l.Addr().String(), nil
}

func (s *simulators) close() {
	for _, srv := range s.servers {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		_ = srv.Shutdown(ctx)
		cancel()
	}
}

// oldRules gives HarfangLab what it held before: a rule of an old connector and one made by a person.
func (s *simulators) oldRules() error {
	list, err := s.hl.AddSource("ioc", "from_OpenCTI")
	if err != nil {
		return err
	}
	for _, r := range []hlsim.Rule{
		{SourceID: list, Type: "ip_both", Value: "198.51.100.23", Enabled: true, HLStatus: "stable", Description: "Exfiltration server",
			Comment: `{"indicator_id": "indicator--7a5a4d7e-9b57-5c0c-8a10-2f4f2f1d3c11", "indicator_score": 70, "indicator_platforms": ["windows"]}`},
		{SourceID: list, Type: "domain_name", Value: "watched.by.hand.example", Enabled: true, HLStatus: "stable", Description: "made in the console"},
	} {
		s.hl.Add("ioc", r)
	}
	return nil
}

// env is the settings that reach the simulators.
func (s *simulators) env() []string {
	return []string{
		"OPENCTI_URL=" + s.octiURL, "OPENCTI_TOKEN=" + simOpenCTIToken,
		"HARFANGLAB_URL=" + s.hlURL, "HARFANGLAB_TOKEN=" + simHarfangLabToken,
		"CONNECTOR_ID=" + simConnectorID,
	}
}
