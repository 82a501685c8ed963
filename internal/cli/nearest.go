package cli

import (
	"slices"
	"strings"
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

// didYouMean asks whether the most similar one of some names was meant; it is ""
// if none is similar.
func didYouMean(given string, names []string) string {
	best, limit := "", max(len(given), 3)/3
	for _, name := range names {
		if strings.EqualFold(given, name) {
			best, limit = name, 0
		} else if d := distance(given, name); d <= limit {
			best, limit = name, d-1
		}
	}
	if best == "" {
		return ""
	}
	return "Did you mean `" + best + "`?"
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
