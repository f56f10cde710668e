package main

import (
	"context"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/cmd/harfangsync/exit"
	"github.com/harfangsync/harfangsync/cmd/harfangsync/help"
)

// program is what every command works with: the streams, the environment and the global flags.
type program struct {
	stdin   io.Reader
	stdout  *printout
	stderr  io.Writer // what goes wrong with it is nobody's concern
	env     []string
	log     *slog.Logger
	records *slog.Logger // takes what is said on stderr beside the log; nil where that is plain text

	configPath        string
	logLevel, logForm string
	helpAll           bool
	quiet, noColor    bool
	noConfig          bool                            // take no settings file, not even config.yml (demo)
	flags             map[string]string               // settings from the command line
	signalled         atomic.Int32                    // the signal that ended the run, 0 for none
	serving           atomic.Bool                     // a signal is the way to end (simulate)
	retryWait         func(attempt int) time.Duration // between attempts; nil is the adapters' own
	silence           time.Duration                   // of a live stream, after which its connection is given up; 0 is the adapter's own
	tailWait          func(failed int) time.Duration  // of a tail after a failure; nil is its own
	patience          time.Duration                   // of an import on which nothing moves; 0 is its own
	reporter          *reporter                       // of a command that reaches the platforms
	listener          *listener                       // serves the metrics of a command that goes on; nil for none
}

// start runs one command line of this process and returns its exit code.
func start(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	tuneMemory()
	p := newProgram(stdin, stdout, stderr, os.Environ())
	p.tellOthersToo()
	ctx, stop := p.untilSignal(context.Background())
	defer stop()
	return p.run(ctx, args)
}

// code is the exit code of an error.
func (p *program) code(err error) int { return exit.Code(err, int(p.signalled.Load())) }

func newProgram(stdin io.Reader, stdout, stderr io.Writer, env []string) *program {
	p := &program{stdin: stdin, stdout: &printout{w: stdout}, stderr: stderr, env: env, flags: map[string]string{}, log: slog.New(slog.DiscardHandler)}
	p.stdout.tell = func(err error) { p.log.Warn("what is printed gets lost; the work goes on", "error", err) }
	return p
}

// run runs one command line and returns its exit code.
func (p *program) run(ctx context.Context, args []string) int {
	app := p.app()
	if len(args) > 1 && args[1] == help.AskComplete {
		return help.Complete(p.stdout, app, args[2:])
	}
	defer func() { p.listener.close() }()
	args = help.FlagsFirst(app, help.Plain(args))
	p.logForm = help.Given(args, "log-format") // a mistake in the command line is told in the form that it asks for
	err := p.setLog("")
	if err == nil {
		err = app.RunContext(ctx, args)
	}
	if err == nil {
		err = p.stdout.unseen()
	}
	p.complain(err)
	if p.reporter != nil && p.reporter.ends {
		p.reporter.complete(p.reporter.command, p.code(err), p.reporter.began)
	}
	return p.code(err)
}

func (p *program) app() *cli.App {
	app := &cli.App{
		Name:            "harfangsync",
		Usage:           "keep HarfangLab's lists equal to OpenCTI's indicators, plan first",
		HideVersion:     true,
		HideHelp:        true, // globalFlags have it
		HideHelpCommand: true,
		Writer:          p.stdout, ErrWriter: p.stderr, Reader: p.stdin,
		ExitErrHandler:            func(*cli.Context, error) {},
		OnUsageError:              help.OnUsageError,
		DisableSliceFlagSeparator: true,
		Flags:                     p.globalFlags(),
		Commands: []*cli.Command{
			p.planCommand(), p.applyCommand(), p.runCommand(), p.pullCommand(), p.tailCommand(), p.unblockCommand(), p.blockCommand(), p.showCommand(), p.explainCommand(),
			p.snapshotCommand(), p.dumpCommand(), p.restoreCommand(),
			p.doctorCommand(), p.configCommand(), p.migrateCommand(), p.simulateCommand(), p.demoCommand(), p.completionCommand(), p.manCommand(), p.versionCommand(),
		},
	}
	show := help.Listing("", app.Commands, cli.ShowAppHelp)
	app.Action = func(c *cli.Context) error {
		if p.helpAll && c.NArg() == 0 {
			return p.printHelp(help.All(app, nil, ""))
		}
		return show(c)
	}
	for _, c := range app.Commands {
		p.prepare(app, c, c.Name)
	}
	help.Teach(app)
	return app
}

// prepare gives a command what all of them share.
func (p *program) prepare(app *cli.App, c *cli.Command, name string) {
	c.OnUsageError = help.OnUsageError
	c.HideHelp, c.HideHelpCommand = true, true
	for _, sub := range c.Subcommands {
		p.prepare(app, sub, name+" "+sub.Name)
	}
	if len(c.Subcommands) > 0 {
		c.Flags = append(c.Flags, helpFlag())
		c.Action = help.Listing(c.Name, c.Subcommands, cli.ShowSubcommandHelp)
		return
	}
	c.Flags = append(c.Flags, p.globalFlags()...)
	most, action := c.ArgsUsage, c.Action
	c.Action = func(ctx *cli.Context) error {
		if p.helpAll {
			return p.printHelp(help.All(app, c, name))
		}
		if err := p.setLog(""); err != nil {
			return err
		}
		if most == "" && ctx.NArg() > 0 {
			return exit.Usagef("%s takes no arguments, got %q; see its --help", c.Name, ctx.Args().First())
		}
		if most != "" && ctx.NArg() > 1 && !strings.HasSuffix(most, "...") {
			return exit.Usagef("%s takes one argument, got %d; see its --help", c.Name, ctx.NArg())
		}
		return action(ctx)
	}
}
