// Package cli is the command line: it parses arguments, calls one other room and
// prints.
//
// It owns the commands' syntax, their texts and exit codes (spec 09), the user's
// configuration file and the SQL shell. It promises that every failure says what
// to do next and ends with a code that is not zero, and that nothing but Program
// connects it to the surroundings: tests run commands in process. It must not
// know engines or the insides of a server: Program hands in what starts one.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/build"
	"golang.org/x/term"
)

// CompatVersion is the version of the original whose command line and server
// this is compatible with.
const CompatVersion = "2.8.3"

// Program is what a run of the command line needs of its surroundings.
type Program struct {
	Version        string // of the product, with the commit if known
	Path           string // of the executable
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	HomeDir        string
	WorkDir        string

	// Start runs a server with the arguments of `spacetime start` until ctx ends.
	Start func(ctx context.Context, o StartOptions) error
	// Diagnose returns a warning about the executable itself, shown by `version`.
	Diagnose func() string
}

// Main runs one command line and returns its exit code.
func (p *Program) Main(ctx context.Context, args []string) int {
	r := &run{Program: p}
	root := r.rootCommand()
	root.SetArgs(args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := root.ExecuteContext(ctx)
	return r.exitCode(err)
}

func (r *run) exitCode(err error) int {
	var usage *usageError
	var exit *build.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprint(r.Stderr, usage.text())
		return 2
	case errors.As(err, &exit):
		return exit.Code
	}
	fmt.Fprint(r.Stderr, formatError(err))
	return 1
}

// A run is one invocation.
type run struct {
	*Program
	rootDir    string
	configPath string
	conf       *config
	lines      *lineReader
}

func (r *run) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:           "spacetime",
		Short:         "The database that runs your application",
		Long:          "spacetime is the server and its command line: start a server, publish modules, call their reducers, query and watch their tables.",
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if v, _ := cmd.Flags().GetBool("version"); v {
				r.printVersion()
				return nil
			}
			if short, _ := cmd.Flags().GetBool("V"); short {
				fmt.Fprintf(r.Stdout, "spacetime %s\n", CompatVersion)
				return nil
			}
			cmd.SetOut(r.Stderr)
			_ = cmd.Help()
			return &usageError{silent: true}
		},
		Args:              noPositionals,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
	}
	root.Flags().Bool("version", false, "print version information")
	root.Flags().BoolP("V", "V", false, "print the version")
	_ = root.Flags().MarkHidden("V")
	root.Flags().Var(once(&r.rootDir, "directory"), "root-dir", "keep all files below this directory")
	root.Flags().Var(once(&r.configPath, "file"), "config-path", "the configuration file to read and write")
	root.TraverseChildren = true
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(cmd *cobra.Command, _ []string) error {
		if v, _ := root.Flags().GetBool("version"); v && cmd != root {
			return usagef(cmd, "unexpected argument '--version' found")
		}
		return nil
	}
	root.AddCommand(
		r.publishCommand(), r.deleteCommand(), r.logsCommand(), r.callCommand(), r.describeCommand(),
		r.sqlCommand(), r.renameCommand(), r.listCommand(), r.loginCommand(), r.logoutCommand(),
		r.initCommand(), r.buildCommand(), r.serverCommand(), r.subscribeCommand(), r.startCommand(),
		r.lockCommand(true), r.lockCommand(false), r.versionCommand(),
	)
	return root
}

// printVersion prints the three lines that tools read the version from.
func (r *run) printVersion() {
	fmt.Fprintf(r.Stdout, "spacetime Path: %s\nCommit: %s\nspacetimedb tool version %s; spacetimedb-lib version %s;\n",
		r.Path, r.Version, CompatVersion, CompatVersion)
}

func (r *run) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print what this executable is",
		Args:  noPositionals,
		RunE: func(*cobra.Command, []string) error {
			r.printVersion()
			if r.Diagnose != nil {
				if text := r.Diagnose(); text != "" {
					fmt.Fprintln(r.Stdout, text)
				}
			}
			return nil
		},
	}
}

const unstableWarning = "WARNING: This command is UNSTABLE and subject to breaking changes.\n\n"

// unstable prints the warning that tools expect first on the error stream.
func (r *run) unstable() { fmt.Fprint(r.Stderr, unstableWarning) }

// terminal reports whether a stream is one.
func terminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// color reports whether to colour what goes to a stream.
func (r *run) color(stream any) bool {
	switch {
	case r.Getenv("NO_COLOR") != "":
		return false
	case r.Getenv("CLICOLOR_FORCE") != "" && r.Getenv("CLICOLOR_FORCE") != "0":
		return true
	case r.Getenv("CLICOLOR") == "0", r.Getenv("TERM") == "dumb":
		return false
	}
	return terminal(stream)
}

// confirm asks a y/N question on stdout.
func (r *run) confirm(question string, yes bool) (bool, error) {
	if yes {
		fmt.Fprintln(r.Stdout, "Skipping confirmation due to --yes")
		return true, nil
	}
	fmt.Fprint(r.Stdout, question+" [y/N]")
	line, err := r.readLine()
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// readLine reads one line of stdin without its end.
func (r *run) readLine() (string, error) {
	if r.lines == nil {
		r.lines = newLineReader(r.Stdin)
	}
	return r.lines.next()
}
