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
	"io/fs"
	"os"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/internal/schema"
	"golang.org/x/term"
)

// CompatVersion is the version of the original whose command line and server
// this is compatible with.
const CompatVersion = "2.8.3"

// Program is what a run of the command line needs of its surroundings.
type Program struct {
	Version        string // of the product, with the commit if known
	Release        string // of the product, a semantic version; empty: of a build that is no release
	Path           string // of the executable
	Arg0           string // the name that it was called by
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Getenv         func(string) string
	// LookupEnv tells an empty variable from one that is not set; nil: by Getenv.
	LookupEnv func(string) (string, bool)
	HomeDir   string
	WorkDir   string

	// Start runs a server until ctx ends.
	Start func(ctx context.Context, o StartOptions) error
	// Describe returns the definition that a program gives of itself; nil: publish
	// does not look at what modules declare.
	Describe func(ctx context.Context, program []byte, js bool) (*schema.ModuleDef, error)
	// SDK is the source of the Go SDK: a Go module with the package module. `init
	// --lang go` writes it to the disk, where new projects find it.
	SDK fs.FS
	// Diagnose returns a warning about the executable itself, shown by `version`.
	Diagnose func() string
	// Menus makes menus take their answers from the lines of Stdin, as on a terminal
	// that cannot move its cursor. Else they need a terminal.
	Menus bool
}

// Main runs one command line and returns its exit code.
func (p *Program) Main(ctx context.Context, args []string) int {
	r := &run{Program: p, done: ctx.Done()}
	err := r.main(ctx, args)
	if errors.Is(err, errInterrupted) || err != nil && ctx.Err() != nil && (errors.Is(err, context.Cause(ctx)) || errors.Is(err, context.Canceled)) {
		fmt.Fprintln(r.Stderr, "Interrupted.")
		return interrupted
	}
	return r.exitCode(err)
}

// interrupted is the exit code of a command that Ctrl-C has ended, as shells have
// it.
const interrupted = 130

func (r *run) exitCode(err error) int {
	var usage *usageError
	var exit *build.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &usage):
		fmt.Fprint(r.Stderr, usage.text(r.forcedColor(r.Stderr)))
		return 2
	case errors.As(err, &exit):
		return exit.Code
	case errors.Is(err, errDamage):
		return damaged
	}
	fmt.Fprint(r.Stderr, formatError(err))
	if terminal(r.Stderr) { // tools compare what they read, people are helped
		fmt.Fprint(r.Stderr, hintOf(err))
	}
	return 1
}

// A run is one invocation.
type run struct {
	*Program
	rootDir    string
	configPath string
	conf       *config
	lines      *lineReader
	done       <-chan struct{} // closed when the program is to end
	feed       *lineFeed       // while a client that reads stdin runs
}

func (r *run) rootCommand() *cobra.Command {
	var version, short bool
	root := &cobra.Command{
		Use:   "spacetime [OPTIONS] <COMMAND>",
		Short: "The database that runs your application",
		Long: "spacetime is the server and its command line: start a server, publish modules, call\n" +
			"their reducers, query and watch their tables.",
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case version:
				r.printVersion()
			case short:
				fmt.Fprintf(r.Stdout, "spacetime %s\n", CompatVersion)
			case len(args) > 0:
				return noPositionals(cmd, args)
			default:
				return r.wantsSubcommand(cmd, nil)
			}
			return nil
		},
	}
	f := root.Flags()
	f.SortFlags = false
	f.Var(once(&r.rootDir, "directory"), "root-dir", "keep all files below this directory")
	f.Var(once(&r.configPath, "file"), "config-path", "the configuration file to read and write")
	f.BoolVar(&version, "version", false, "print version information")
	f.BoolVarP(&short, "V", "V", false, "print the version")
	f.Lookup("V").Hidden = true
	root.AddCommand(
		r.publishCommand(), r.deleteCommand(), r.logsCommand(), r.callCommand(), r.describeCommand(),
		r.sqlCommand(), r.renameCommand(), r.listCommand(), r.loginCommand(), r.logoutCommand(),
		r.initCommand(), r.buildCommand(), r.devCommand(), r.serverCommand(), r.subscribeCommand(), r.startCommand(),
		r.lockCommand(true), r.lockCommand(false), r.envCommand(), r.energyCommand(), r.versionCommand(), r.dbCommand(),
		r.generateCommand(), r.extractCommand(), r.mcpCommand(), r.completionCommand(), r.completeCommand(),
	)
	for _, c := range root.Commands() {
		plain(c)
	}
	plain(root)
	return root
}

// plain makes the usage line of a command and its subcommands what Use says.
func plain(cmd *cobra.Command) {
	cmd.DisableFlagsInUseLine = true
	for _, c := range cmd.Commands() {
		plain(c)
	}
}

// printVersion prints the three lines that tools read the version from.
func (r *run) printVersion() {
	fmt.Fprintf(r.Stdout, "spacetime Path: %s\nCommit: %s\nspacetimedb tool version %s; spacetimedb-lib version %s;\n",
		r.Path, r.Version, CompatVersion, CompatVersion)
}

const unstableWarning = "WARNING: This command is UNSTABLE and subject to breaking changes.\n\n"

// unstable prints the warning that tools expect first on the error stream.
func (r *run) unstable() { fmt.Fprint(r.Stderr, unstableWarning) }

// terminal reports whether a stream is one.
func terminal(stream any) bool {
	if l, ok := stream.(*lockedWriter); ok {
		stream = l.to
	}
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// color reports whether to colour what goes to a stream: only a terminal's.
func (r *run) color(stream any) bool {
	if r.Getenv("NO_COLOR") != "" || r.Getenv("CLICOLOR") == "0" || r.Getenv("TERM") == "dumb" {
		return false
	}
	if r.Getenv("TERM") == "" && runtime.GOOS != "windows" {
		return false
	}
	return terminal(stream)
}

// forcedColor is color for help and usage errors, which CLICOLOR_FORCE colours in
// pipes, too (spec 09 §2.6).
func (r *run) forcedColor(stream any) bool {
	if force := r.Getenv("CLICOLOR_FORCE"); force != "" && force != "0" {
		return r.Getenv("NO_COLOR") == ""
	}
	return r.color(stream)
}

// confirm asks a y/N question on stdout.
func (r *run) confirm(question string, yes bool) (bool, error) {
	if yes {
		fmt.Fprintln(r.Stdout, "Skipping confirmation due to --yes")
		return true, nil
	}
	fmt.Fprint(r.Stdout, question+" [y/N]")
	line, err := r.readLine()
	if errors.Is(err, io.EOF) && terminal(r.Stdout) {
		fmt.Fprintln(r.Stdout) // nobody has pressed Enter
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// readLine reads one line of stdin without its end, unless Ctrl-C comes first.
func (r *run) readLine() (string, error) { return r.await(r.nextLine) }

// nextLine is readLine for those who look after Ctrl-C themselves.
func (r *run) nextLine() (string, error) {
	if r.feed != nil {
		return r.feed.next()
	}
	return r.input().next()
}

func (r *run) input() *lineReader {
	if r.lines == nil {
		r.lines = newLineReader(r.Stdin)
	}
	return r.lines
}
