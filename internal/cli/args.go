package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Arguments are parsed here and not by cobra: tools rely on rules that it cannot
// express (spec 09 §2.1). A value that is optional needs "=", a word that begins
// with a dash is never a value of its own, and nothing may be given twice.

// keepsNumbers marks commands that take words like -5 as arguments once a first
// argument has been given.
const keepsNumbers = "keeps-numbers"

// forwards marks commands that parse their own arguments, --help included.
const forwards = "forwards"

// execute finds the command that args name and runs it.
func (r *run) execute(ctx context.Context, root *cobra.Command, args []string) error {
	cmd := root
	for {
		if cmd.Annotations[forwards] != "" {
			break
		}
		words, rest, err := parseOptions(cmd, args)
		if err != nil {
			return r.helpOr(cmd, err)
		}
		if !cmd.HasSubCommands() {
			args = words
			break
		}
		sub := findCommand(cmd, words)
		switch {
		case sub != nil:
			cmd, args = sub, rest
			continue
		case cmd == root && len(words) > 0 && words[0] == "help":
			return r.help(root, rest)
		}
		args = words
		break
	}
	if cmd.Args != nil {
		if err := cmd.Args(cmd, args); err != nil {
			return err
		}
	}
	cmd.SetContext(ctx)
	return cmd.RunE(cmd, args)
}

func findCommand(cmd *cobra.Command, words []string) *cobra.Command {
	if len(words) == 0 {
		return nil
	}
	for _, c := range cmd.Commands() {
		if c.Name() == words[0] {
			return c
		}
	}
	return nil
}

// help prints the help of the command that words name.
func (r *run) help(root *cobra.Command, words []string) error {
	cmd := root
	for ; len(words) > 0; words = words[1:] {
		sub := findCommand(cmd, words)
		if sub == nil {
			return noPositionals(cmd, words)
		}
		cmd = sub
	}
	return r.helpOr(cmd, &helpWanted{long: true})
}

// helpWanted is what parsing ends with at -h and --help.
type helpWanted struct{ long bool }

func (*helpWanted) Error() string { return "help" }

// helpOr prints the help if that is what err wants, else returns err.
func (r *run) helpOr(cmd *cobra.Command, err error) error {
	if want, ok := err.(*helpWanted); ok {
		fmt.Fprint(r.Stdout, helpText(cmd, want.long, r.forcedColor(r.Stdout)))
		return nil
	}
	return err
}

// parseOptions sets the options in args and returns the other words. With
// subcommands it stops behind the first word; rest is what follows it.
func parseOptions(cmd *cobra.Command, args []string) (words, rest []string, err error) {
	p := optionParser{cmd: cmd, args: args}
	for len(p.args) > 0 {
		arg := p.args[0]
		p.args = p.args[1:]
		switch {
		case arg == "--":
			return append(words, p.args...), nil, nil
		case strings.HasPrefix(arg, "--"):
			err = p.long(arg[2:])
		case len(arg) > 1 && arg[0] == '-' && !(len(words) > 0 && cmd.Annotations[keepsNumbers] != "" && isNumber(arg)):
			err = p.short(arg[1:])
		default:
			words = append(words, arg)
			if cmd.HasSubCommands() {
				return words, p.args, nil
			}
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return words, nil, nil
}

// isNumber reports whether a word is a minus sign and a digit at least.
func isNumber(arg string) bool { return arg[1] >= '0' && arg[1] <= '9' }

type optionParser struct {
	cmd  *cobra.Command
	args []string // not yet looked at
}

// unexpected refuses a word that begins with a dash, and says what it may mean.
func (p *optionParser) unexpected(arg string) error {
	msg := fmt.Sprintf("unexpected argument '%s' found", arg)
	if tip := optionTip(p.cmd, arg, p.args); tip != "" {
		msg += "\n\n  tip: " + tip
	}
	return usagef(p.cmd, "%s", msg)
}

func (p *optionParser) long(arg string) error {
	name, value, has := strings.Cut(arg, "=")
	if name == "help" {
		return &helpWanted{long: true}
	}
	f := p.cmd.Flags().Lookup(name)
	if f == nil {
		return p.unexpected("--" + name)
	}
	if !has {
		return p.bare(f, "--"+name)
	}
	return p.set(f, value)
}

// short handles a group of one-letter options: -cy, -n5, -n=5.
func (p *optionParser) short(group string) error {
	for len(group) > 0 {
		letter := group[:1]
		group = group[1:]
		if letter == "h" {
			return &helpWanted{}
		}
		f := p.cmd.Flags().ShorthandLookup(letter)
		switch {
		case f == nil:
			return p.unexpected("-" + letter)
		case strings.HasPrefix(group, "="):
			return p.set(f, group[1:])
		case f.NoOptDefVal != "":
			if err := p.bare(f, "-"+letter); err != nil {
				return err
			}
		case group != "":
			return p.set(f, group)
		default:
			return p.bare(f, "-"+letter)
		}
	}
	return nil
}

// bare sets an option without "=": its value is the next word, unless it may be
// left out.
func (p *optionParser) bare(f *pflag.Flag, as string) error {
	if f.NoOptDefVal != "" && !p.takesNext(f) {
		return p.set(f, f.NoOptDefVal)
	}
	switch {
	case f.NoOptDefVal != "":
		// the next word is a value, as takesNext has seen
	case len(p.args) == 0:
		return usagef(p.cmd, "a value is required for '%s' but none was supplied", valueName(f, as))
	case len(p.args[0]) > 1 && p.args[0][0] == '-':
		return usagef(p.cmd, "unexpected argument '%s' found\n\n  tip: to pass '%[1]s' as the value of '%[2]s', use '%[2]s=%[1]s'", p.args[0], as)
	}
	value := p.args[0]
	p.args = p.args[1:]
	return p.set(f, value)
}

// mayFollow is the annotation of options whose optional value may be the next
// word.
const mayFollow = "may-follow"

// takesNext reports whether the next word is the value of an option that may do
// without: --confirmed true, --template basic-rs.
func (p *optionParser) takesNext(f *pflag.Flag) bool {
	if len(p.args) == 0 {
		return false
	}
	if _, ok := f.Annotations[mayFollow]; ok {
		return !strings.HasPrefix(p.args[0], "-")
	}
	v, ok := f.Value.(*onceValue)
	return ok && v.kind == boolKind && (p.args[0] == "true" || p.args[0] == "false")
}

func (p *optionParser) set(f *pflag.Flag, value string) error {
	if f.Changed && !isRepeatable(f) {
		return usagef(p.cmd, "the argument '%s' cannot be used multiple times", valueName(f, "--"+f.Name))
	}
	if f.Value.Type() == "bool" && value != f.NoOptDefVal {
		return usagef(p.cmd, "unexpected value '%s' for '--%s' found; no more were expected", value, f.Name)
	}
	if err := f.Value.Set(value); err != nil {
		if wrong := (*wrongWord)(nil); errors.As(err, &wrong) {
			return usagef(p.cmd, "invalid value '%s' for '%s'%v", value, valueName(f, "--"+f.Name), wrong)
		}
		return usagef(p.cmd, "invalid value '%s' for '%s': %v", value, valueName(f, "--"+f.Name), err)
	}
	f.Changed = true
	return nil
}

func isRepeatable(f *pflag.Flag) bool {
	_, ok := f.Annotations[repeatable]
	return ok
}

// valueName is how messages name an option: with its value, if it has one.
func valueName(f *pflag.Flag, as string) string {
	if f.NoOptDefVal != "" {
		return as
	}
	return as + " <" + f.Value.Type() + ">"
}
