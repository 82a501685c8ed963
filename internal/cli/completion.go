package cli

import (
	"embed"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// The scripts that make shells complete command lines. They ask the hidden command
// __complete, so that they need no change when commands do.
//
//go:embed completion
var completionScripts embed.FS

var shells = []string{"bash", "fish", "powershell", "zsh"}

// completionCommand prints a script.
func (r *run) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion <SHELL>",
		Short: "Print a script that makes a shell complete command lines",
		Long: "Prints a script that makes a shell complete commands, options and names.\n\n" +
			"  source <(spacetime completion bash)           bash, for this session; the same with zsh\n" +
			"  spacetime completion fish | source            fish\n" +
			"  spacetime completion powershell | Out-String | Invoke-Expression\n\n" +
			"The script's first lines say where to put it for every session.",
		Args: positionals(1, "SHELL"),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := args[0]
			if name == "pwsh" {
				name = "powershell"
			}
			text, err := completionScripts.ReadFile("completion/" + name)
			if !slices.Contains(shells, name) || err != nil {
				return usagef(cmd, "invalid value '%s' for '<SHELL>'\n  [possible values: %s]", args[0], strings.Join(shells, ", "))
			}
			_, err = r.Stdout.Write(text)
			return err
		},
	}
}

// completeCommand is what the scripts ask: its arguments are the words after the
// program's name up to the cursor. It prints one candidate per line, with a tab and
// a description, and :files or :directories where the shell knows best.
func (r *run) completeCommand() *cobra.Command {
	return &cobra.Command{
		Use: "__complete", Short: "Print what a command line may go on with", Hidden: true,
		Annotations: map[string]string{forwards: "everything"},
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				args = []string{""}
			}
			for _, c := range r.completions(cmd.Root(), args[:len(args)-1], args[len(args)-1]) {
				fmt.Fprintln(r.Stdout, strings.TrimSuffix(c.text+"\t"+c.about, "\t"))
			}
			return nil
		},
	}
}

// A candidate is what a word may become.
type candidate struct{ text, about string }

// Candidates that stand for the names of files.
const (
	fileNames      = ":files"
	directoryNames = ":directories"
)

// completions lists what the last word of a command line may become.
func (r *run) completions(cmd *cobra.Command, words []string, last string) []candidate {
	used := map[string]bool{}
	var open *pflag.Flag // the option whose value comes next
	places := 0          // positional arguments so far
	for i := 0; i < len(words); i++ {
		word := words[i]
		switch {
		case open != nil:
			open = nil
		case word == "--":
			return nil // what follows are arguments that only the user knows
		case strings.HasPrefix(word, "-") && len(word) > 1:
			f := lookUpFlag(cmd, word)
			if f == nil {
				continue
			}
			used[f.Name] = true
			if f.NoOptDefVal == "" && !strings.Contains(word, "=") {
				open = f
			}
		default:
			if sub := findCommand(cmd, []string{word}); sub != nil && cmd.HasSubCommands() {
				cmd, used, places = sub, map[string]bool{}, 0
				continue
			}
			if cmd.HasSubCommands() {
				return nil
			}
			places++
		}
	}
	switch name, value, assigned := strings.Cut(last, "="); {
	case open != nil:
		return startingWith(last, r.values(open))
	case strings.HasPrefix(last, "--") && assigned:
		if f := lookUpFlag(cmd, name); f != nil {
			return prefixed(name+"=", startingWith(value, r.values(f)))
		}
		return nil
	case strings.HasPrefix(last, "-"):
		return startingWith(last, options(cmd, used))
	case cmd.HasSubCommands():
		return startingWith(last, subcommands(cmd))
	}
	return startingWith(last, r.arguments(cmd, places))
}

// lookUpFlag finds the option that a word names; of a group of letters it is the
// last one.
func lookUpFlag(cmd *cobra.Command, word string) *pflag.Flag {
	word, _, _ = strings.Cut(word, "=")
	if name, long := strings.CutPrefix(word, "--"); long {
		return cmd.Flags().Lookup(name)
	}
	return cmd.Flags().ShorthandLookup(word[len(word)-1:])
}

func startingWith(prefix string, list []candidate) []candidate {
	return slices.DeleteFunc(list, func(c candidate) bool {
		return c.text != fileNames && c.text != directoryNames && !strings.HasPrefix(c.text, prefix)
	})
}

func prefixed(prefix string, list []candidate) []candidate {
	for i := range list {
		if list[i].text != fileNames && list[i].text != directoryNames {
			list[i].text = prefix + list[i].text
		}
	}
	return list
}

func subcommands(cmd *cobra.Command) (list []candidate) {
	for _, c := range cmd.Commands() {
		if !c.Hidden {
			list = append(list, candidate{c.Name(), c.Short})
		}
	}
	if !cmd.HasParent() {
		list = append(list, candidate{"help", "Show the help of a command"})
	}
	return list
}

// options lists the options of a command that can still be given.
func options(cmd *cobra.Command, used map[string]bool) (list []candidate) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden && (!used[f.Name] || isRepeatable(f)) {
			list = append(list, candidate{"--" + f.Name, f.Usage})
		}
	})
	return append(list, candidate{"--help", "show this help"})
}

// values lists what an option can be given.
func (r *run) values(f *pflag.Flag) (list []candidate) {
	if v, ok := f.Value.(*onceValue); ok && len(v.only) > 0 {
		for _, text := range v.only {
			list = append(list, candidate{text: text})
		}
		return list
	}
	switch f.Value.Type() {
	case "directory":
		return []candidate{{text: directoryNames}}
	case "file":
		return []candidate{{text: fileNames}}
	case "server":
		return r.serverNames()
	case "template":
		for _, t := range projectTemplates {
			list = append(list, candidate{t.id, t.about})
		}
	case "language":
		for _, lang := range moduleLanguages() {
			list = append(list, candidate{lang, languageTitles[lang]})
		}
	case "questions":
		for _, q := range []string{"all", "remote", "migrate", "break-clients", "skip-login", "delete-data"} {
			list = append(list, candidate{text: q})
		}
	}
	return list
}

func (r *run) serverNames() (list []candidate) {
	c, err := r.config()
	if err != nil {
		return nil
	}
	for _, s := range c.servers {
		list = append(list, candidate{s.name(), s.url()})
	}
	return list
}

// arguments lists what a positional argument can be: the databases of the project,
// saved servers, commands.
func (r *run) arguments(cmd *cobra.Command, place int) (list []candidate) {
	if place > 0 {
		return nil
	}
	switch use := cmd.UseLine(); {
	case cmd.Name() == "completion":
		for _, s := range shells {
			list = append(list, candidate{text: s})
		}
	case strings.Contains(use, "<server>"):
		return r.serverNames()
	case strings.Contains(strings.ToLower(use), "database") || cmd.Name() == "publish" || cmd.Name() == "dev":
		p, err := loadProject(r.WorkDir, "")
		if err != nil {
			return nil
		}
		for _, t := range p.named() {
			list = append(list, candidate{t.database(), "of " + filepath.Base(p.dir)})
		}
	}
	return list
}
