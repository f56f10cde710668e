package main

import (
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/planfile"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// shaping are the flags of every command that makes a plan.
type shaping struct {
	command     string // its name, where it reports; only commands that write do
	only        string
	asOf        string
	accepted    reconcile.Overrides
	takeOver    string
	asks        bool                // and takes the lock once the answer is there
	repeats     bool                // the command runs every sync.run_every
	endless     bool                // sync.deadline does not hold, and the lock is renewed seldom
	importsOnly bool                // no list is written
	origins     bool                // what begins to detect is grouped by author and label
	alone       bool                // OpenCTI is read, and nothing else
	beside      bool                // it changes the state beside runs, and is none: without their lock, metrics and memory
	needs       []config.Need       // beside what every such command needs
	from        string              // a snapshot to read in place of OpenCTI
	saved       *planfile.Document  // a plan that is applied as it is; OpenCTI need not be there if it was made from a snapshot
	check       func(*target) error // of what the command line says, before anything is asked of a platform
}

func (s *shaping) flags() []cli.Flag {
	return []cli.Flag{
		onlyFlag(s),
		&cli.BoolFlag{Name: "allow-empty", Usage: "believe a source without a single wanted rule (gate G2)", Destination: &s.accepted.AllowEmpty},
		&cli.IntFlag{Name: "accept-shrink", Usage: "believe that `N` indicators went, the number that the refusal names (gate G2)", Destination: &s.accepted.AcceptShrink},
		&cli.IntFlag{Name: "accept-removals", Usage: "accept `N` removals, the number that the refusal names (gate G4)", Destination: &s.accepted.AcceptRemovals},
		&cli.IntFlag{Name: "accept-additions", Usage: "accept that `N` rules begin to detect, the number that the refusal names (gate G13)", Destination: &s.accepted.AcceptAdditions},
		&cli.IntFlag{Name: "accept-changes", Usage: "accept that the content of `N` rules changes, the number that the refusal names (gate G14)", Destination: &s.accepted.AcceptChanges},
		&cli.GenericFlag{Name: "accept-markings", Usage: "accept that the account lost the markings `NAMES`, those that the plan names, separated by commas; what is not seen without them is gone (gate G3)", Value: (*names)(&s.accepted.AcceptMarkings)},
		&cli.GenericFlag{Name: "accept-impact", Usage: "accept that `VALUE` begins to detect although many endpoints see it; may be given again (gate G15)", Value: (*values)(&s.accepted.AcceptImpact)},
		&cli.StringFlag{Name: "take-over", Usage: "take the rules of another `INSTANCE` (its connector.id) for ours, once", Destination: &s.takeOver},
	}
}

// values is a flag that may be given several times, each time with a value in any spelling.
type values [][]string

// Set adds one.
func (v *values) Set(typed string) error {
	spellings := []string{typed}
	for _, s := range pattern.Spellings(typed) {
		spellings = append(spellings, s.Value)
	}
	*v = append(*v, spellings)
	return nil
}

func (v *values) String() string { return "" }

// names is a flag of names separated by commas.
type names []string

// Set takes them over.
func (n *names) Set(typed string) error {
	for name := range strings.SplitSeq(typed, ",") {
		if name = strings.TrimSpace(name); name != "" {
			*n = append(*n, name)
		}
	}
	if len(*n) == 0 {
		return errors.New("it names no marking")
	}
	return nil
}

func (n *names) String() string { return "" }

func fromFlag(s *shaping) cli.Flag {
	return &cli.StringFlag{Name: "from", Usage: "read the snapshot `FILE` in place of OpenCTI, which is then asked for single indicators only, if at all", Destination: &s.from}
}

func onlyFlag(s *shaping) cli.Flag {
	return &cli.StringFlag{Name: "only", Usage: "`KINDS` to work on, of ioc,sigma,yara; the others are neither read nor changed", Destination: &s.only}
}

func (s *shaping) kinds() ([]reconcile.Kind, error) {
	var kinds []reconcile.Kind
	for _, word := range strings.Split(s.only, ",") {
		word = strings.ToLower(strings.TrimSpace(word))
		if word == "" {
			continue
		}
		k, err := reconcile.ParseKind(word)
		if err != nil {
			return nil, exit.Usagef("--only: %v", err)
		}
		if !slices.Contains(kinds, k) {
			kinds = append(kinds, k)
		}
	}
	slices.Sort(kinds)
	return kinds, nil
}

// fromSnapshot says whether a saved plan was made without OpenCTI.
func (s *shaping) fromSnapshot() bool { return s.saved != nil && s.saved.Source.Snapshot != nil }

// period is how often a command that goes on makes a full run; 0 for one that ends.
func (s *shaping) period(cfg *config.Config) time.Duration {
	switch {
	case s.repeats:
		return cfg.Sync.RunEvery
	case s.endless:
		return cfg.Sync.Tail.FullEvery
	}
	return 0
}

// required is what the settings must hold.
func (s *shaping) required() []config.Need {
	if s.alone {
		return []config.Need{config.NeedOpenCTI}
	}
	needs := append([]config.Need{config.NeedHarfangLab, config.NeedInstance}, s.needs...)
	if s.from == "" && !s.fromSnapshot() {
		needs = append(needs, config.NeedOpenCTI)
	}
	return needs
}
