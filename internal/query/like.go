package query

import (
	"unicode"
	"unicode/utf8"
)

// A Pattern is the constant pattern of a LIKE or ILIKE.
type Pattern struct {
	Text   string
	Escape rune // 0: none
	Fold   bool // ILIKE: characters are compared after simple case folding
}

// Valid reports whether no escape character ends the pattern.
func (p *Pattern) Valid() bool {
	for i := 0; i < len(p.Text); {
		r, n := utf8.DecodeRuneInString(p.Text[i:])
		i += n
		if p.Escape != 0 && r == p.Escape {
			if i >= len(p.Text) {
				return false
			}
			_, n = utf8.DecodeRuneInString(p.Text[i:])
			i += n
		}
	}
	return true
}

// match reports whether the pattern is the whole of s. Only the last % is ever
// tried again, so that the time is at most the product of both lengths.
func (p *Pattern) match(s []byte) bool {
	text := p.Text
	i, j := 0, 0
	backI, backJ := -1, 0 // behind the last %, and what it has swallowed so far
	for {
		if i < len(text) {
			r, n := utf8.DecodeRuneInString(text[i:])
			literal := false
			if p.Escape != 0 && r == p.Escape {
				literal = true
				i += n
				r, n = utf8.DecodeRuneInString(text[i:])
			}
			if r == '%' && !literal {
				i += n
				backI, backJ = i, j
				continue
			}
			if j < len(s) {
				c, m := utf8.DecodeRune(s[j:])
				if r == '_' && !literal || p.same(r, c) {
					i += n
					j += m
					continue
				}
			}
		} else if j == len(s) {
			return true
		}
		if backI < 0 || backJ >= len(s) {
			return false
		}
		_, m := utf8.DecodeRune(s[backJ:])
		backJ += m
		i, j = backI, backJ
	}
}

func (p *Pattern) same(a, b rune) bool {
	return a == b || p.Fold && fold(a) == fold(b)
}

// fold is the smallest of the characters that differ from r in case only.
func fold(r rune) rune {
	least := r
	for c := unicode.SimpleFold(r); c != r; c = unicode.SimpleFold(c) {
		least = min(least, c)
	}
	return least
}
