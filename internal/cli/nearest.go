package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/stdbgo/spacetime/internal/nearest"
)

// nearName is the most similar one of some names, "" if none is similar.
func nearName(given string, names []string) string {
	return nearest.Of(given, names, nearest.Limit(given))
}

// didYouMean asks whether the nearest of some names was meant.
func didYouMean(given string, names []string) string {
	if best := nearName(given, names); best != "" {
		return "Did you mean `" + best + "`?"
	}
	return ""
}

// optionTip says what an option that a command does not have may mean: one with a
// similar name; one of a subcommand in the words that follow, or of the program
// itself; else a value (spec 09 §13.2).
func optionTip(cmd *cobra.Command, arg string, following []string) string {
	if name, long := strings.CutPrefix(arg, "--"); long {
		if near := nearName(name, optionNames(cmd)); near != "" {
			return fmt.Sprintf("a similar argument exists: '--%s'", near)
		}
		if sub := findFollowing(cmd, following); sub != nil {
			if near := nearName(name, optionNames(sub)); near != "" {
				return fmt.Sprintf("'%s --%s' exists", sub.Name(), near)
			}
		}
		if near := nearName(name, optionNames(cmd.Root())); cmd.HasParent() && near != "" {
			return fmt.Sprintf("'--%s' is an option of the program: write it before '%s'", near, firstCommand(cmd).Name())
		}
	}
	if cmd.HasSubCommands() || !takesWords(cmd) {
		return ""
	}
	return fmt.Sprintf("to pass '%s' as a value, use '-- %s'", arg, arg)
}

// optionNames are the options of a command that its help shows.
func optionNames(cmd *cobra.Command) []string {
	names := []string{"help"}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			names = append(names, f.Name)
		}
	})
	return names
}

// findFollowing is the first subcommand that words name.
func findFollowing(cmd *cobra.Command, words []string) *cobra.Command {
	for i := range words {
		if sub := findCommand(cmd, words[i:]); sub != nil {
			return sub
		}
	}
	return nil
}

// firstCommand is the command that stands behind the program's name.
func firstCommand(cmd *cobra.Command) *cobra.Command {
	for cmd.Parent().HasParent() {
		cmd = cmd.Parent()
	}
	return cmd
}

// takesWords reports whether a command has arguments that are no options, as its
// usage line says.
func takesWords(cmd *cobra.Command) bool {
	words := strings.Fields(cmd.Use)[1:]
	return slices.ContainsFunc(words, func(w string) bool { return w != "[OPTIONS]" && !strings.HasPrefix(w, "[-") })
}

// similar finds the function that a misspelt name may mean (spec 09 §7.4).
func similar(name string, list []function) *function {
	names := make([]string, len(list))
	for i := range list {
		names[i] = list[i].name
	}
	if i := nearest.Index(name, names, nearest.Limit(name)); i >= 0 {
		return &list[i]
	}
	var best *function
	words := func(s string) []string {
		w := strings.Split(s, "_")
		slices.Sort(w)
		return w
	}
	for i := range list {
		if slices.Equal(words(name), words(list[i].name)) {
			best = &list[i]
		}
	}
	return best
}
