package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"
	"github.com/stdbgo/spacetime/internal/build"
)

// appletVariable overrides the name that the program is called by.
const appletVariable = "SPACETIMEDB_UPDATE_MULTICALL_APPLET"

// applet is the name by which the program is called, of those that mean something.
func (r *run) applet() string {
	name := r.Getenv(appletVariable)
	if name == "" {
		name = filepath.Base(r.Arg0)
	}
	return strings.TrimSuffix(strings.ToLower(name), ".exe")
}

// command is the command line that the program's name stands for (spec 09 §12.1).
func (r *run) command() *cobra.Command {
	switch r.applet() {
	case "spacetimedb-standalone":
		return r.subset("spacetimedb-standalone", "The server of SpacetimeDB", r.startCommand(), r.extractCommand())
	case "spacetimedb-update":
		return r.subset("spacetimedb-update", "Manage versions of spacetime", r.versionCommand(), r.selfInstallCommand(), r.cliCommand())
	case "spacetime-install":
		cmd := r.selfInstallCommand()
		cmd.Use = "spacetime-install [OPTIONS]"
		r.rootFlags(cmd)
		return cmd
	}
	return r.rootCommand()
}

// subset is a command line of a few commands.
func (r *run) subset(name, about string, commands ...*cobra.Command) *cobra.Command {
	var version bool
	root := &cobra.Command{
		Use: name + " [OPTIONS] <COMMAND>", Short: about,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case version:
				fmt.Fprintf(r.Stdout, "%s %s\n", name, CompatVersion)
				return nil
			case len(args) > 0:
				return noPositionals(cmd, args)
			}
			return r.wantsSubcommand(cmd, nil)
		},
	}
	r.rootFlags(root)
	root.Flags().BoolVarP(&version, "version", "V", false, "print the version")
	root.AddCommand(commands...)
	plain(root)
	return root
}

// rootFlags adds the options of the program itself.
func (r *run) rootFlags(cmd *cobra.Command) {
	cmd.Flags().Var(once(&r.rootDir, "directory"), "root-dir", "keep all files below this directory")
}

// cliCommand runs the command line of the version in use.
func (r *run) cliCommand() *cobra.Command {
	return &cobra.Command{Use: "cli [ARGUMENTS]", Short: "Run the command line", Hidden: true, Annotations: map[string]string{forwards: "everything"},
		RunE: func(cmd *cobra.Command, args []string) error {
			return (&run{Program: r.Program, rootDir: r.rootDir, done: r.done}).execute(cmd.Context(), r.rootCommand(), args)
		}}
}

// handOver replaces the installed command spacetime by the version in use, if that
// is another one. The commands about versions are the command's own.
func (r *run) handOver(args []string) (done bool, err error) {
	if r.applet() != "spacetime" {
		return false, nil
	}
	sub := ""
	for i := 0; i < len(args); i++ {
		value, assigned := strings.CutPrefix(args[i], "--root-dir=")
		switch {
		case assigned:
			r.rootDir = value
		case args[i] == "--root-dir" && i+1 < len(args):
			i++
			r.rootDir = args[i]
		case args[i] == "--config-path":
			i++
		case !strings.HasPrefix(args[i], "-"):
			sub = args[i]
		}
		if sub != "" {
			break
		}
	}
	if sub == "version" || !sameFile(r.Path, r.commandPath()) {
		r.rootDir = ""
		return false, nil
	}
	program := filepath.Join(r.binDir(), currentName, "spacetimedb-cli"+exeSuffix)
	r.rootDir = ""
	if sameFile(program, r.Path) {
		return false, nil
	}
	if _, err := os.Stat(program); err != nil {
		if errors.Is(err, os.ErrNotExist) {
			return false, nil // nothing has been chosen: this version is as good as any
		}
		return false, err
	}
	return true, replaceProcess(program, args)
}

func sameFile(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// selfInstallCommand installs this very program.
func (r *run) selfInstallCommand() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "self-install [OPTIONS]", Short: "Install this program", Args: noPositionals,
		RunE: func(*cobra.Command, []string) error { return r.selfInstall(yes) }}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// selfInstall lays the program down where spacetime is looked for (spec 09 §12.5).
func (r *run) selfInstall(yes bool) error {
	fmt.Fprintf(r.Stderr, "spacetime %s will be installed.\n\n  command        %s\n  versions       %s\n  configuration  %s\n  data           %s\n\n",
		r.release(), r.commandPath(), r.binDir(), r.configDir(), r.dataDir())
	if !yes && r.canAsk() {
		ok, err := r.menuConfirm("Would you like to continue?", true)
		var f *failure
		if err != nil && !errors.As(err, &f) { // without a keyboard it goes on
			return err
		}
		if err == nil && !ok {
			fmt.Fprintln(r.Stderr, "Exiting.")
			return &build.ExitError{Code: 1}
		}
	}
	for _, dir := range []string{r.binDir(), r.configDir(), r.dataDir(), filepath.Dir(r.commandPath())} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return because(err, "the directory %s cannot be made", dir)
		}
	}
	self, err := os.Open(r.Path)
	if err != nil {
		return because(err, "this program cannot be read")
	}
	defer self.Close()
	version := filepath.Join(r.binDir(), r.release())
	// A version of this number that is there already is replaced by this one.
	if err := os.RemoveAll(version); err != nil {
		return because(err, "the installed version cannot be replaced")
	}
	if err := r.layDownVersion(r.release(), self); err != nil {
		return err
	}
	if err := r.useVersion(r.release()); err != nil {
		return err
	}
	if err := placeCommand(filepath.Join(version, "spacetimedb-cli"+exeSuffix), r.commandPath()); err != nil {
		return because(err, "the command %s cannot be written", r.commandPath())
	}
	fmt.Fprintf(r.Stderr, "spacetime is installed as %s\n", r.commandPath())
	dir := filepath.Dir(r.commandPath())
	for _, in := range filepath.SplitList(r.Getenv("PATH")) {
		if filepath.Clean(in) == dir {
			return nil
		}
	}
	if runtime.GOOS == "windows" {
		fmt.Fprintf(r.Stderr, "Add %s to PATH to use it by its name.\n", dir)
	} else {
		fmt.Fprintf(r.Stderr, "Add its directory to PATH to use it by its name:\n\n  export PATH=\"%s:$PATH\"\n\n", dir)
	}
	return nil
}

// main runs a command line as the program that the name is of.
func (r *run) main(ctx context.Context, args []string) error {
	if done, err := r.handOver(args); done || err != nil {
		return err
	}
	return r.execute(ctx, r.command(), args)
}
