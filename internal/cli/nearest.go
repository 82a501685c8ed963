package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// distance is the restricted Damerau–Levenshtein distance: how many characters
// must be inserted, deleted, replaced or swapped with their neighbour.
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := make([][]int, len(s)+1)
	for i := range rows {
		rows[i] = make([]int, len(t)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(s); i++ {
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			d := min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				d = min(d, rows[i-2][j-2]+1)
			}
			rows[i][j] = d
		}
	}
	return rows[len(s)][len(t)]
}

// nearest is the most similar one of some names, "" if none is similar.
func nearest(given string, names []string) string {
	best, limit := "", max(len(given), 3)/3
	for _, name := range names {
		if strings.EqualFold(given, name) {
			best, limit = name, 0
		} else if d := distance(given, name); d <= limit {
			best, limit = name, d-1
		}
	}
	return best
}

// didYouMean asks whether the nearest of some names was meant.
func didYouMean(given string, names []string) string {
	if best := nearest(given, names); best != "" {
		return "Did you mean `" + best + "`?"
	}
	return ""
}

// optionTip says what an option that a command does not have may mean: one with a
// similar name; one of a subcommand in the words that follow, or of the program
// itself; else a value (spec 09 §13.2).
func optionTip(cmd *cobra.Command, arg string, following []string) string {
	if name, long := strings.CutPrefix(arg, "--"); long {
		if near := nearest(name, optionNames(cmd)); near != "" {
			return fmt.Sprintf("a similar argument exists: '--%s'", near)
		}
		if sub := findFollowing(cmd, following); sub != nil {
			if near := nearest(name, optionNames(sub)); near != "" {
				return fmt.Sprintf("'%s --%s' exists", sub.Name(), near)
			}
		}
		if near := nearest(name, optionNames(cmd.Root())); cmd.HasParent() && near != "" {
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
	for i := range list {
		if strings.EqualFold(list[i].name, name) {
			return &list[i]
		}
	}
	limit := max(len(name), 3) / 3
	var best *function
	for i := range list {
		if d := distance(name, list[i].name); d <= limit {
			best, limit = &list[i], d-1
			if d == 0 {
				break
			}
		}
	}
	if best != nil {
		return best
	}
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
