package nearest

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		d    int
	}{
		{"", "", 0}, {"abc", "", 3}, {"", "abc", 3}, {"abc", "abd", 1}, {"abcd", "acbd", 1}, {"ä", "a", 1}, {"ca", "abc", 3},
		{"kitten", "sitting", 3}, {"abab", "baba", 2}, {"gzpi", "gzip", 1},
	} {
		if got := Distance(c.a, c.b); got != c.d {
			t.Errorf("%q %q: %d, want %d", c.a, c.b, got, c.d)
		}
	}
}

// The distance by its definition.
func naive(s, t []rune) int {
	if len(s) == 0 || len(t) == 0 {
		return len(s) + len(t)
	}
	d := min(naive(s[1:], t), naive(s, t[1:])) + 1
	cost := 1
	if s[0] == t[0] {
		cost = 0
	}
	d = min(d, naive(s[1:], t[1:])+cost)
	if len(s) > 1 && len(t) > 1 && s[0] == t[1] && s[1] == t[0] {
		d = min(d, naive(s[2:], t[2:])+1)
	}
	return d
}

func TestDistanceIsTheDefinition(t *testing.T) {
	word := rapid.StringOfN(rapid.RuneFrom([]rune("abä")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		a, b := word.Draw(t, "a"), word.Draw(t, "b")
		if got, want := Distance(a, b), naive([]rune(a), []rune(b)); got != want {
			t.Fatalf("%q %q: %d, want %d", a, b, got, want)
		}
	})
}

func TestOf(t *testing.T) {
	names := []string{"person", "Message", "messages", "msg", ""}
	for _, c := range []struct {
		given string
		limit int
		want  string
	}{
		{"persno", 2, "person"}, {"message", 2, "Message"}, {"mesages", 2, "messages"}, {"MSG", 0, "msg"},
		{"elsewhere", 3, ""}, {"perso", 0, ""}, {"person", 0, "person"}, {"persen", Limit("persen"), "person"},
		{strings.Repeat("x", 1<<20), 5, ""}, // and it takes no time
	} {
		if got := Of(c.given, names, c.limit); got != c.want {
			t.Errorf("%.20q: %q, want %q", c.given, got, c.want)
		}
	}
	if Of("a", nil, 10) != "" || Index("a", nil, 10) != -1 {
		t.Error("a name out of nothing")
	}
}
