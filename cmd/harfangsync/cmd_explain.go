package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/config"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/reconcile"
	"github.com/harfangsync/harfangsync/reconcile/render"
	"github.com/harfangsync/harfangsync/sources/exclude"
	"github.com/harfangsync/harfangsync/sources/pattern"
)

// explaining are the flags of explain.
type explaining struct {
	value, indicator, pattern, patterns, file, patternType string
	json, coverage                                         bool
}

func (p *program) explainCommand() *cli.Command {
	var e explaining
	return &cli.Command{
		Name:  "explain",
		Usage: "why is this blocked, or not: a value, an indicator or a pattern",
		Flags: append([]cli.Flag{
			&cli.StringFlag{Name: "value", Usage: "a domain, address, URL, hash, file name or path", Destination: &e.value},
			&cli.StringFlag{Name: "indicator", Usage: "an indicator's internal or standard `ID`", Destination: &e.indicator},
			&cli.StringFlag{Name: "pattern", Usage: "one pattern; needs no settings and no network", Destination: &e.pattern},
			&cli.StringFlag{Name: "patterns", Usage: "a `FILE` of patterns, one a line, - is stdin; needs no settings and no network", Destination: &e.patterns},
			&cli.StringFlag{Name: "file", Usage: "a whole `FILE` with a Sigma or YARA rule, as its name ends (.yml, .yar) or --pattern-type says", Destination: &e.file},
			&cli.StringFlag{Name: "pattern-type", Value: "stix", Usage: "stix, sigma or yara", Destination: &e.patternType},
			&cli.BoolFlag{Name: "coverage", Usage: "how many indicators are deployed, and what keeps the others from it", Destination: &e.coverage},
			&cli.BoolFlag{Name: "json", Usage: "one JSON object a line", Destination: &e.json},
		}, p.settingFlags()...),
		Action: func(c *cli.Context) error {
			given := 0
			for _, v := range []string{e.value, e.indicator, e.pattern, e.patterns, e.file} {
				if v != "" {
					given++
				}
			}
			if e.coverage {
				given++
			}
			if given != 1 {
				return exit.Usagef("explain needs exactly one of --value, --indicator, --pattern, --patterns, --file and --coverage")
			}
			if e.coverage {
				return p.explainCoverage(c.Context, &e)
			}
			if e.file != "" && !c.IsSet("pattern-type") {
				e.patternType = typeOfFile(e.file)
			}
			if e.value == "" && e.indicator == "" {
				return p.explainPatterns(&e)
			}
			return p.explainStatus(c.Context, &e)
		},
	}
}

// explainPatterns answers for patterns that the user gives, by the settings where there are any.
func (p *program) explainPatterns(e *explaining) error {
	opts := pattern.Options{Observables: true, Excluded: exclude.Builtin().Match}
	sync := &config.Sync{Sigma: config.TranslateSigma, Behaviour: config.NoBehaviour, YARAModules: strings.Split(config.YARAModules, ", ")}
	if cfg, err := config.Load(p.sources()); err == nil {
		opts, sync = patternOptions(&cfg.Sync), &cfg.Sync
	} else if p.configPath != "" {
		return err
	} else {
		p.log.Warn("the settings cannot be used, so the built-in defaults answer", "error", err)
	}
	out := bufio.NewWriter(p.stdout)
	means := func(input, src string) error {
		ind := reconcile.Indicator{PatternType: e.patternType, Pattern: src}
		return e.print(out, &explanation{input, explained(&ind, meaning(opts, sync), nil)})
	}
	each := func(src string) error { return means(src, src) }
	var err error
	switch {
	case !slices.Contains([]string{"stix", "sigma", "yara"}, e.patternType):
		return exit.Usagef("--pattern-type %q: want stix, sigma or yara", e.patternType)
	case e.pattern != "":
		err = each(e.pattern)
	case e.file != "":
		var b []byte
		if b, err = os.ReadFile(e.file); err != nil {
			return exit.Usagef("--file: %v", err)
		}
		err = means(e.file, strings.TrimPrefix(string(b), "\ufeff"))
	default:
		err = p.eachLine(e.patterns, each)
	}
	if err != nil {
		return err
	}
	return out.Flush()
}

// typeOfFile is what the name of a rule's file says of it; a STIX pattern where it says nothing.
func typeOfFile(path string) string {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yml", ".yaml", ".sigma":
		return "sigma"
	case ".yar", ".yara":
		return "yara"
	}
	return "stix"
}

// eachLine visits the lines of a file that are not blank.
func (p *program) eachLine(path string, visit func(string) error) error {
	in := p.stdin
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return exit.Usagef("--patterns: %v", err)
		}
		defer f.Close()
		in = f
	}
	scan := bufio.NewScanner(in)
	scan.Buffer(nil, 64<<20)
	for scan.Scan() {
		if line := strings.TrimRight(scan.Text(), "\r"); strings.TrimSpace(line) != "" {
			if err := visit(line); err != nil {
				return err
			}
		}
	}
	if err := scan.Err(); err != nil {
		return exit.Usagef("--patterns: %v", err)
	}
	return nil
}

func (e *explaining) print(w io.Writer, x *explanation) error {
	if e.json {
		return writeJSON(w, x)
	}
	fmt.Fprintln(w, render.Escape(x.Input))
	x.lines(w, "  ")
	if len(x.Rules)+len(x.Skipped) == 0 {
		fmt.Fprintln(w, "  no rule")
	}
	return nil
}
