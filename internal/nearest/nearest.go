// Package nearest finds the name that somebody meant who misspelt it.
//
// It owns the one measure of how far names are apart, and promises that looking
// among many names, or for a very long one, is cheap. It knows nothing of what the
// names stand for.
package nearest

import (
	"strings"
	"unicode/utf8"
)

// Distance is the restricted Damerau–Levenshtein distance: how many characters must
// be inserted, deleted, replaced or swapped with their neighbour.
func Distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	rows := [3][]int{make([]int, len(t)+1), make([]int, len(t)+1), make([]int, len(t)+1)}
	before, last, row := rows[0], rows[1], rows[2]
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(s); i++ {
		row[0] = i
		for j := 1; j <= len(t); j++ {
			cost := 1
			if s[i-1] == t[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && s[i-1] == t[j-2] && s[i-2] == t[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(t)]
}

// Limit is how far from a name others may be to be what was meant: a third of its
// length, at least one.
func Limit(name string) int { return max(len(name), 3) / 3 }

// Of is the name nearest to the given one, of several the first; "" if none is within
// limit. One that differs in the case of letters only is the nearest of all.
func Of(given string, names []string, limit int) string {
	if i := Index(given, names, limit); i >= 0 {
		return names[i]
	}
	return ""
}

// Index is Of for a place in the list; -1 if there is none.
func Index(given string, names []string, limit int) int {
	best, length := -1, utf8.RuneCountInString(given)
	for i, name := range names {
		if strings.EqualFold(given, name) {
			return i
		}
		if n := utf8.RuneCountInString(name); n-length > limit || length-n > limit {
			continue // no nearer than that
		}
		if d := Distance(given, name); d <= limit {
			best, limit = i, d-1
		}
	}
	return best
}
