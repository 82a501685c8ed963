package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is a command line that cannot be understood; the exit code is 2.
type usageError struct {
	msg   string
	usage string
	help  string // printed instead of a message
}

func (e *usageError) Error() string { return e.msg }

func (e *usageError) text(color bool) string {
	if e.help != "" {
		return e.help
	}
	s := paint(color, "1;31", "error:") + " " + e.msg + "\n"
	if e.usage != "" {
		s += "\n" + paint(color, "1;4", "Usage:") + " " + e.usage + "\n"
	}
	return s + "\nFor more information, try '--help'.\n"
}

func paint(color bool, code, text string) string {
	if !color {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...), usage: cmd.UseLine()}
}

// helpText is a command's help: -h gives the short description, --help the long.
func helpText(cmd *cobra.Command, long, color bool) string {
	var b strings.Builder
	about := cmd.Short + "."
	if long && cmd.Long != "" {
		about = cmd.Long
	}
	fmt.Fprintf(&b, "%s\n\n%s %s\n", about, paint(color, "1;4", "Usage:"), cmd.UseLine())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s\n", paint(color, "1;4", "Commands:"))
		for _, c := range cmd.Commands() {
			if !c.Hidden {
				fmt.Fprintf(&b, "  %s  %s\n", paint(color, "1", fmt.Sprintf("%-12s", c.Name())), c.Short)
			}
		}
		if !cmd.HasParent() {
			fmt.Fprintf(&b, "  %s  %s\n", paint(color, "1", fmt.Sprintf("%-12s", "help")), "Show the help of a command")
		}
	}
	fmt.Fprintf(&b, "\n%s\n", paint(color, "1;4", "Options:"))
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			b.WriteString(optionHelp(f, color))
		}
	})
	fmt.Fprintf(&b, "  %s  %s\n", paint(color, "1", fmt.Sprintf("%-32s", "-h, --help")), "show this help")
	return b.String()
}

func optionHelp(f *pflag.Flag, color bool) string {
	name := "    --" + f.Name
	if f.Shorthand != "" {
		name = "-" + f.Shorthand + ", --" + f.Name
	}
	switch {
	case f.Value.Type() == "bool":
	case f.NoOptDefVal != "":
		name += "[=<" + f.Value.Type() + ">]"
	default:
		name += " <" + f.Value.Type() + ">"
	}
	return fmt.Sprintf("  %s  %s\n", paint(color, "1", fmt.Sprintf("%-32s", name)), f.Usage)
}

func noPositionals(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		msg := fmt.Sprintf("unrecognized subcommand '%s'", args[0])
		if near := nearestCommand(cmd, args[0]); near != "" {
			msg += fmt.Sprintf("\n\n  tip: a similar subcommand exists: '%s'", near)
		}
		return usagef(cmd, "%s", msg)
	}
	return usagef(cmd, "unexpected argument '%s' found", args[0])
}

func nearestCommand(cmd *cobra.Command, name string) string {
	var names []string
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			names = append(names, c.Name())
		}
	}
	return nearName(name, names)
}

// wantsSubcommand is what a command that only has subcommands does by itself: its
// help on the error stream.
func (r *run) wantsSubcommand(cmd *cobra.Command, _ []string) error {
	return &usageError{help: helpText(cmd, false, r.forcedColor(r.Stderr))}
}

// positionals checks the number of positional arguments, of which the names of
// the required ones are given.
func positionals(most int, required ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) > most {
			return usagef(cmd, "unexpected argument '%s' found", args[most])
		}
		if len(args) < len(required) {
			return usagef(cmd, "the following required arguments were not provided:\n  <%s>", strings.Join(required[len(args):], ">\n  <"))
		}
		return nil
	}
}

// sortsArguments names the annotation that holds the usage line of commands that
// sort their arguments themselves.
const sortsArguments = "usage"

// missingArgument is the refusal of commands that sort their arguments
// themselves; its exit code is 1.
func missingArgument(cmd *cobra.Command, name string) error {
	return fail("the following required arguments were not provided:\n  <%s>\n\nUsage: %s", name, cmd.Annotations[sortsArguments])
}

// boolKind is the kind of options whose value true or false may be left out, or
// stand in the next word.
const boolKind = "true|false"

// repeatable is the annotation of flags that may be given more than once.
const repeatable = "repeatable"

// onceValue is a string option, perhaps one of a few words.
type onceValue struct {
	to   *string
	kind string
	only []string
}

// once makes an option that may be given once; kind names its value in help.
func once(to *string, kind string, only ...string) pflag.Value {
	return &onceValue{to: to, kind: kind, only: only}
}

func (v *onceValue) String() string {
	if v.to == nil {
		return ""
	}
	return *v.to
}
func (v *onceValue) Type() string { return v.kind }
func (v *onceValue) Set(s string) error {
	if len(v.only) > 0 && !slices.Contains(v.only, s) {
		return &wrongWord{given: s, possible: v.only}
	}
	*v.to = s
	return nil
}

// A wrongWord is a value that is none of those an option has.
type wrongWord struct {
	given    string
	possible []string
}

func (e *wrongWord) Error() string {
	text := "\n  [possible values: " + strings.Join(e.possible, ", ") + "]"
	if near := nearName(e.given, e.possible); near != "" {
		text += "\n\n  tip: a similar value exists: '" + near + "'"
	}
	return text
}

// optional makes an option whose value may be left out, and is then bare.
func optional(f *pflag.FlagSet, v pflag.Value, name, short, bare, help string) {
	f.VarP(v, name, short, help)
	f.Lookup(name).NoOptDefVal = bare
}
