package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// Installed versions lie in the directory of binaries, each in one of its own, and
// `current` leads to the one in use (spec 09 §12). One binary is all of a version's
// programs, which it tells apart by the name that it is called by.

// release is the version of this binary as its directory is named.
func (r *run) release() string {
	if r.Release != "" {
		return r.Release
	}
	return CompatVersion
}

// binDir is where versions are installed.
func (r *run) binDir() string {
	if r.rootDir != "" {
		return filepath.Join(r.path(r.rootDir), "bin")
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(r.Getenv("LocalAppData"), "SpacetimeDB", "bin")
	}
	return filepath.Join(r.xdg("XDG_DATA_HOME", filepath.Join(".local", "share")), "spacetime", "bin")
}

// commandPath is where the command spacetime is installed.
func (r *run) commandPath() string {
	if r.rootDir != "" {
		return filepath.Join(r.path(r.rootDir), "spacetime"+exeSuffix)
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(r.Getenv("LocalAppData"), "SpacetimeDB", "spacetime.exe")
	}
	return filepath.Join(r.xdg("XDG_BIN_HOME", filepath.Join(".local", "bin")), "spacetime")
}

var exeSuffix = map[string]string{"windows": ".exe"}[runtime.GOOS]

const currentName = "current"

// copiedName is the file that names the version in use where current is no link but
// a directory, because the file system has no links to directories.
const copiedName = ".version"

var errNoLinks = errors.New("the file system there has no links to directories")

func (r *run) versionCommand() *cobra.Command {
	cmd := &cobra.Command{Use: "version [COMMAND]", Short: "Show, install and choose versions of spacetime", Args: noPositionals,
		Long: "Without a command it shows this version and those that are installed.",
		RunE: func(*cobra.Command, []string) error { return r.showVersions() }}
	cmd.AddCommand(r.versionList(), r.versionUse(), r.versionInstall(), r.versionUpgrade(), r.versionUninstall(), r.versionLink())
	return cmd
}

func (r *run) showVersions() error {
	r.printVersion()
	if err := r.listVersions(); err != nil {
		return err
	}
	if r.Diagnose != nil {
		if text := r.Diagnose(); text != "" {
			fmt.Fprintln(r.Stdout, text)
		}
	}
	return nil
}

func (r *run) versionList() *cobra.Command {
	var all bool
	cmd := &cobra.Command{Use: "list [--all]", Short: "List installed versions", Args: noPositionals,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !all {
				return r.listVersions()
			}
			list, err := r.releases(cmd.Context())
			for _, v := range list {
				fmt.Fprintln(r.Stdout, v)
			}
			return err
		}}
	cmd.Flags().BoolVar(&all, "all", false, "list the versions that can be installed")
	return cmd
}

// listVersions prints what is installed, the newest first.
func (r *run) listVersions() error {
	names, err := r.installed()
	if err != nil {
		return err
	}
	current := r.current()
	if len(names) == 0 {
		names, current = []string{r.release()}, r.release()
	}
	for _, name := range names {
		if name == current {
			name += " (current)"
		}
		fmt.Fprintln(r.Stdout, name)
	}
	return nil
}

// installed returns the names of installed versions in order.
func (r *run) installed() ([]string, error) {
	entries, err := os.ReadDir(r.binDir())
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, because(err, "the installed versions cannot be listed")
	}
	var names []string
	for _, e := range entries {
		if st, err := os.Stat(filepath.Join(r.binDir(), e.Name())); err == nil && st.IsDir() && e.Name() != currentName && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	slices.SortFunc(names, newestFirst)
	return names, nil
}

// current returns the name of the version in use, "" if there is none.
func (r *run) current() string {
	dir := filepath.Join(r.binDir(), currentName)
	if target, err := os.Readlink(dir); err == nil {
		return filepath.Base(filepath.Clean(target))
	}
	name, err := os.ReadFile(filepath.Join(dir, copiedName))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(name))
}

var semantic = regexp.MustCompile(`^v?(\d+)\.(\d+)\.(\d+)(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?$`)

// newestFirst orders semantic versions descending, before all other names.
func newestFirst(a, b string) int {
	x, y := semantic.FindStringSubmatch(a), semantic.FindStringSubmatch(b)
	switch {
	case x == nil && y == nil:
		return strings.Compare(a, b)
	case x == nil:
		return 1
	case y == nil:
		return -1
	}
	for i := 1; i <= 3; i++ {
		if c := compareNumbers(y[i], x[i]); c != 0 {
			return c
		}
	}
	return comparePrerelease(y[4], x[4])
}

func compareNumbers(a, b string) int {
	a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// comparePrerelease compares what follows the hyphen of semantic versions; nothing
// is more than anything.
func comparePrerelease(a, b string) int {
	if a == "" || b == "" {
		return len(b) - len(a)
	}
	x, y := strings.Split(a, "."), strings.Split(b, ".")
	for i := range min(len(x), len(y)) {
		_, errX := strconv.ParseUint(x[i], 10, 64)
		_, errY := strconv.ParseUint(y[i], 10, 64)
		c := strings.Compare(x[i], y[i])
		switch {
		case errX == nil && errY == nil:
			c = compareNumbers(x[i], y[i])
		case errX == nil:
			c = -1
		case errY == nil:
			c = 1
		}
		if c != 0 {
			return c
		}
	}
	return len(x) - len(y)
}

// versionName checks a version given on the command line, and takes a v off it.
func versionName(given string) (string, error) {
	if !semantic.MatchString(given) {
		return "", fail("`%s` is no version: write it like 1.2.3", given)
	}
	return strings.TrimPrefix(given, "v"), nil
}

func (r *run) versionUse() *cobra.Command {
	return &cobra.Command{Use: "use <VERSION>", Short: "Choose the version that is used", Args: positionals(1, "VERSION"),
		RunE: func(_ *cobra.Command, args []string) error { return r.useVersion(args[0]) }}
}

// useVersion makes current lead to an installed version.
func (r *run) useVersion(name string) error {
	names, err := r.installed()
	if err != nil {
		return err
	}
	if bare := strings.TrimPrefix(name, "v"); !slices.Contains(names, name) && slices.Contains(names, bare) {
		name = bare
	}
	if !slices.Contains(names, name) {
		if len(names) == 0 {
			return fail("v%s is not installed. Nothing is installed in %s; `spacetimedb-update self-install` installs this version.", strings.TrimPrefix(name, "v"), r.binDir())
		}
		return fail("v%s is not installed. Installed are %s; `spacetime version install %s` installs it.", strings.TrimPrefix(name, "v"), strings.Join(names, ", "), name)
	}
	err = linkDirectory(filepath.Join(r.binDir(), currentName), name)
	if errors.Is(err, errNoLinks) {
		err = copyVersion(filepath.Join(r.binDir(), name), filepath.Join(r.binDir(), currentName))
	}
	if err != nil {
		return because(err, "the version cannot be chosen")
	}
	return nil
}

// copyVersion makes a directory hold the programs of a version, and say which that
// is once it holds them all.
func copyVersion(version, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(to, copiedName)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	for _, name := range append([]string{"spacetimedb-cli"}, programNames...) {
		from := filepath.Join(version, name+exeSuffix)
		if _, err := os.Stat(from); errors.Is(err, os.ErrNotExist) {
			continue // a local build may be one program
		}
		if err := copyBinary(from, filepath.Join(to, name+exeSuffix)); err != nil {
			return err
		}
	}
	return os.WriteFile(filepath.Join(to, copiedName), []byte(filepath.Base(version)+"\n"), 0o644)
}

func (r *run) versionUninstall() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "uninstall [OPTIONS] <VERSION>", Short: "Remove an installed version", Args: positionals(1, "VERSION"),
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if name == currentName {
				return fail("cannot remove `current` version")
			}
			names, err := r.installed()
			if err != nil {
				return err
			}
			if bare := strings.TrimPrefix(name, "v"); !slices.Contains(names, name) {
				name = bare
			}
			switch {
			case name == r.current():
				return fail("cannot uninstall currently used version")
			case !slices.Contains(names, name):
				return fail("v%s is not installed", name)
			}
			if !yes {
				ok, err := r.menuConfirm("Uninstall v"+name+"?", false)
				if err != nil || !ok {
					return err
				}
			}
			path := filepath.Join(r.binDir(), name)
			if st, err := os.Lstat(path); err == nil && !st.IsDir() {
				return os.Remove(path) // what it leads to is not ours
			}
			if err := os.RemoveAll(path); err != nil {
				return because(err, "v%s cannot be removed from %s. Stop what still runs of it", name, r.binDir())
			}
			return nil
		}}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

func (r *run) versionLink() *cobra.Command {
	var use bool
	cmd := &cobra.Command{Use: "link [OPTIONS] <NAME> <PATH>", Short: "Make a local build a version", Hidden: true, Args: positionals(2, "NAME", "PATH"),
		RunE: func(_ *cobra.Command, args []string) error {
			name := args[0]
			if name == currentName || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
				return fail("`%s` cannot be the name of a version", name)
			}
			target := r.path(args[1])
			if _, err := os.Stat(filepath.Join(target, "spacetimedb-cli"+exeSuffix)); err != nil {
				return fail("there is no spacetimedb-cli in %s: name a directory with one", args[1])
			}
			if _, err := os.Lstat(filepath.Join(r.binDir(), name)); err == nil {
				return fail("a version `%s` is there already: `spacetime version uninstall %s` removes it", name, name)
			}
			if err := os.MkdirAll(r.binDir(), 0o755); err != nil {
				return err
			}
			if err := linkDirectory(filepath.Join(r.binDir(), name), target); err != nil {
				return err
			}
			if use {
				return r.useVersion(name)
			}
			return nil
		}}
	cmd.Flags().BoolVar(&use, "use", false, "use it from now on")
	return cmd
}

func (r *run) versionInstall() *cobra.Command {
	var edition, artifact string
	var use, yes bool
	cmd := &cobra.Command{Use: "install [OPTIONS] <VERSION>", Short: "Install a version", Args: positionals(1, "VERSION"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if edition != "" && edition != "standalone" {
				return fail("can only install spacetimedb-standalone at the moment")
			}
			name, err := versionName(args[0])
			if err != nil {
				return err
			}
			if err := r.installVersion(cmd.Context(), name, artifact); err != nil {
				return err
			}
			if use {
				return r.useVersion(name)
			}
			return nil
		}}
	f := cmd.Flags()
	f.Var(once(&edition, "edition"), "edition", "standalone is the only one")
	f.Var(once(&artifact, "file"), "artifact-name", "name of the archive")
	f.BoolVar(&use, "use", false, "use it from now on")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	_ = f.MarkHidden("artifact-name")
	return cmd
}

func (r *run) versionUpgrade() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{Use: "upgrade", Short: "Install the newest version and use it", Args: noPositionals,
		RunE: func(cmd *cobra.Command, _ []string) error { return r.upgrade(cmd.Context()) }}
	cmd.Flags().BoolVarP(&yes, "yes", "y", false, "do not ask")
	return cmd
}

// upgrade installs the newest version, and makes the command spacetime one of it.
func (r *run) upgrade(ctx context.Context) error {
	newest, err := r.latestRelease(ctx)
	if err != nil {
		return err
	}
	names, err := r.installed()
	if err != nil {
		return err
	}
	if !slices.Contains(names, newest) {
		if err := r.installVersion(ctx, newest, ""); err != nil {
			return err
		}
	}
	if err := r.useVersion(newest); err != nil {
		return err
	}
	if _, err := os.Stat(r.commandPath()); err == nil {
		if err := placeCommand(filepath.Join(r.binDir(), newest, "spacetimedb-cli"+exeSuffix), r.commandPath()); err != nil {
			return because(err, "the command %s cannot be replaced", r.commandPath())
		}
	}
	fmt.Fprintf(r.Stdout, "Using v%s.\n", newest)
	return nil
}
