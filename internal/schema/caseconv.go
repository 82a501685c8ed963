package schema

import (
	"strings"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"golang.org/x/text/cases"
	"golang.org/x/text/language"
)

// Case conversion of names in V10 modules (spec 02 §5.4). Words are found on
// grapheme clusters; letters change by the full Unicode mappings.

// ToSnake returns s in snake_case.
func ToSnake(s string) string {
	words := splitWords(s)
	for i, w := range words {
		words[i] = lower(w)
	}
	return strings.Join(words, "_")
}

// ToPascal returns s in PascalCase.
func ToPascal(s string) string {
	words := splitWords(s)
	for i, w := range words {
		words[i] = capitalize(w)
	}
	return strings.Join(words, "")
}

// ToCamel returns s in camelCase.
func ToCamel(s string) string {
	words := splitWords(s)
	for i, w := range words {
		if i == 0 {
			words[i] = lower(w)
		} else {
			words[i] = capitalize(w)
		}
	}
	return strings.Join(words, "")
}

// capitalize upper-cases the first code point of w and lower-cases the rest on
// its own.
func capitalize(w string) string {
	_, n := utf8.DecodeRuneInString(w)
	return upper(w[:n]) + lower(w[n:])
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func lower(s string) string {
	if isASCII(s) {
		return strings.ToLower(s)
	}
	return cases.Lower(language.Und).String(s)
}

func upper(s string) string {
	if isASCII(s) {
		return strings.ToUpper(s)
	}
	return cases.Upper(language.Und).String(s)
}

// charClass is what the word boundaries look at.
type charClass uint8

const (
	classOther charClass = iota
	classDelim
	classUpper
	classLower
	classDigit
)

func classify(g string) charClass {
	if len(g) == 1 {
		switch c := g[0]; {
		case c == '_' || c == '-' || c == ' ':
			return classDelim
		case '0' <= c && c <= '9':
			return classDigit
		case 'a' <= c && c <= 'z':
			return classLower
		case 'A' <= c && c <= 'Z':
			return classUpper
		}
		return classOther
	}
	switch up, low := upper(g) == g, lower(g) == g; {
	case up && !low:
		return classUpper
	case low && !up:
		return classLower
	}
	return classOther
}

// splitWords splits s at delimiters, between letters and digits, from lower to
// upper case, and before the last capital of an acronym that a lower-case
// letter follows.
func splitWords(s string) []string {
	clusters, classes := graphemes(s)
	var words []string
	var word strings.Builder
	flush := func() {
		if word.Len() > 0 {
			words = append(words, word.String())
			word.Reset()
		}
	}
	for i, g := range clusters {
		if classes[i] == classDelim {
			flush()
			continue
		}
		if i > 0 && boundary(classes[i-1], classes[i], i+1 < len(classes) && classes[i+1] == classLower) {
			flush()
		}
		word.WriteString(g)
	}
	flush()
	return words
}

// boundary reports whether a word starts at a cluster of class c after one of
// class p.
func boundary(p, c charClass, lowerFollows bool) bool {
	switch p {
	case classLower:
		return c == classUpper || c == classDigit
	case classDigit:
		return c == classUpper || c == classLower
	case classUpper:
		return c == classDigit || c == classUpper && lowerFollows
	}
	return false
}

func graphemes(s string) (clusters []string, classes []charClass) {
	state := -1
	for s != "" {
		var g string
		g, s, _, state = uniseg.FirstGraphemeClusterInString(s, state)
		clusters = append(clusters, g)
		classes = append(classes, classify(g))
	}
	return clusters, classes
}
