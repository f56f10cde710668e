package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/urfave/cli/v2"

	"github.com/harfangsync/harfangsync/reconcile/planfile"
)

// version is the module's version from the build, or "devel".
func version() string {
	if b, ok := debug.ReadBuildInfo(); ok && b.Main.Version != "" && b.Main.Version != "(devel)" {
		return b.Main.Version
	}
	return "devel"
}

func versionText() string {
	commit := "unknown"
	if b, ok := debug.ReadBuildInfo(); ok {
		for _, s := range b.Settings {
			if s.Key == "vcs.revision" {
				commit = s.Value
			}
		}
	}
	return fmt.Sprintf("harfangsync %s\ncommit %s\ngo %s %s/%s\nplan format %s\n", version(), commit, runtime.Version(), runtime.GOOS, runtime.GOARCH, planfile.FormatVersion)
}

func (p *program) versionCommand() *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print version, commit, Go and plan format",
		Action: func(*cli.Context) error {
			_, err := fmt.Fprint(p.stdout, versionText())
			return err
		},
	}
}
