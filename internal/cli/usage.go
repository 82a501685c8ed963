package cli

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// A usageError is a command line that cannot be understood; the exit code is 2.
type usageError struct {
	msg    string
	usage  string
	silent bool // the help has said it already
}

func (e *usageError) Error() string { return e.msg }

func (e *usageError) text() string {
	if e.silent {
		return ""
	}
	s := "error: " + e.msg + "\n"
	if e.usage != "" {
		s += "\nUsage: " + e.usage + "\n"
	}
	return s + "\nFor more information, try '--help'.\n"
}

func usagef(cmd *cobra.Command, format string, args ...any) error {
	return &usageError{msg: fmt.Sprintf(format, args...), usage: cmd.UseLine()}
}

var (
	unknownFlag  = regexp.MustCompile(`^unknown flag: (\S+)|^unknown shorthand flag: '(.)'`)
	missingValue = regexp.MustCompile(`^flag needs an argument: (?:'(.)' in -\S+|(\S+))`)
	badValue     = regexp.MustCompile(`(?s)^invalid argument "(.*)" for "([^"]*)" flag: (.*)`)
)

// flagError turns an error of the flag parser into ours.
func flagError(cmd *cobra.Command, err error) error {
	msg := err.Error()
	if m := unknownFlag.FindStringSubmatch(msg); m != nil {
		name := m[1]
		if name == "" {
			name = "-" + m[2]
		}
		return usagef(cmd, "unexpected argument '%s' found", name)
	}
	if m := missingValue.FindStringSubmatch(msg); m != nil {
		name := m[2]
		if name == "" {
			name = "-" + m[1]
		}
		return usagef(cmd, "a value is required for '%s' but none was supplied", name)
	}
	if m := badValue.FindStringSubmatch(msg); m != nil {
		flag := m[2]
		if i := strings.Index(flag, "--"); i >= 0 {
			flag = flag[i:]
		}
		if m[3] == errRepeated.Error() {
			return usagef(cmd, "the argument '%s' cannot be used multiple times", flag)
		}
		return usagef(cmd, "invalid value '%s' for '%s': %s", m[1], flag, m[3])
	}
	return usagef(cmd, "%s", msg)
}

func noPositionals(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.HasSubCommands() {
		msg := fmt.Sprintf("unrecognized subcommand '%s'", args[0])
		if near := cmd.SuggestionsFor(args[0]); len(near) > 0 {
			msg += fmt.Sprintf("\n\n  tip: a similar subcommand exists: '%s'", near[0])
		}
		return usagef(cmd, "%s", msg)
	}
	return usagef(cmd, "unexpected argument '%s' found", args[0])
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

// missingArgument is the refusal of commands that sort their arguments
// themselves; its exit code is 1.
func missingArgument(cmd *cobra.Command, name string) error {
	return fail("the following required arguments were not provided:\n  <%s>\n\nUsage: %s", name, cmd.UseLine())
}

var errRepeated = errors.New("given twice")

// onceValue is a string option that may be given once.
type onceValue struct {
	to   *string
	kind string
	set  bool
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
	if v.set {
		return errRepeated
	}
	if len(v.only) > 0 && !slices.Contains(v.only, s) {
		return fmt.Errorf("\n  [possible values: %s]", strings.Join(v.only, ", "))
	}
	v.set = true
	*v.to = s
	return nil
}

// optional makes an option whose value may be left out, and is then bare.
func optional(f *pflag.FlagSet, v pflag.Value, name, short, bare, help string) {
	f.VarP(v, name, short, help)
	f.Lookup(name).NoOptDefVal = bare
}
