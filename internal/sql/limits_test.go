package sql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// Texts that are as long as they may be, of every shape that repeats, are
// compiled in a time that grows with their length.
func TestLongTexts(t *testing.T) {
	spec.Covers(t, "07.65", "07.111")
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("a", sats.I64), sats.E("s", sats.String), sats.E("o", sats.Option(sats.I64))}, index: []string{"a", "s,a"}})
	db.insert("t", `[1,"x",[0,1]]`)
	fill := func(head, unit, tail string) string {
		return head + strings.Repeat(unit, (maxText-len(head)-len(tail))/len(unit)) + tail
	}
	var rels, stars strings.Builder
	rels.WriteString("SELECT COUNT(*) AS n FROM t")
	for i := range 900 {
		fmt.Fprintf(&rels, " JOIN t b%d ON b%d.a = t.a", i, i)
	}
	stars.WriteString("SELECT COUNT(*) FROM t LEFT JOIN t z ON TRUE")
	for i := range 900 {
		fmt.Fprintf(&stars, ", t b%d", i)
	}
	// join is a FROM of n relations; on says how the i-th is joined.
	join := func(head string, n int, on string) string {
		b := strings.Builder{}
		b.WriteString(head + " FROM t b0")
		for i := 1; i < n; i++ {
			b.WriteString(strings.NewReplacer("#", fmt.Sprint(i), "<", fmt.Sprint(i-1)).Replace(on))
		}
		return b.String()
	}
	for name, tt := range map[string]struct{ text, want string }{
		"star of rows":         {join("SELECT b0.*", 1000, " JOIN t b# ON b#.a=b0.a"), `[1,"x",[0,1]]`},
		"chain of rows":        {join("SELECT b0.*", 1000, " JOIN t b# ON b#.a=b<.a"), `[1,"x",[0,1]]`},
		"chain without index":  {join("SELECT b0.*", 1000, " JOIN t b# ON b#.o=b<.o"), `[1,"x",[0,1]]`},
		"product of rows":      {join("SELECT b0.*", 1000, ",t b#"), `[1,"x",[0,1]]`},
		"LEFT JOINs":           {join("SELECT b0.*", 900, " LEFT JOIN t b# ON b#.a=b<.a"), `[1,"x",[0,1]]`},
		"explained joins":      {join("EXPLAIN SELECT b0.*", 1000, " JOIN t b# ON b#.a=b<.a"), ""},
		"explained LEFT JOINs": {join("EXPLAIN SELECT b0.*", 700, " LEFT JOIN t b# ON b#.a=b<.a AND b#.o=b0.o"), ""},
		"sum of a column":      {fill("SELECT a", "+1", " FROM t"), ""},
		"sum of literals":      {fill("SELECT 1", "+1", ""), ""},
		"sum in a condition":   {fill("SELECT a FROM t WHERE a", "+1", " > 0"), ""},
		"concatenation":        {fill("SELECT s", "||s", " FROM t"), ""},
		"grouped chains":       {"SELECT a" + strings.Repeat("+1", 10_000) + "+2 FROM t GROUP BY a" + strings.Repeat("+1", 10_000), ""},
		"IN":                   {fill("SELECT a FROM t WHERE a IN (0", ",1", ")"), "[1]"},
		"NOT IN":               {fill("SELECT a FROM t WHERE o NOT IN (0", ",7", ")"), "[1]"},
		"OR":                   {fill("SELECT a FROM t WHERE a=0", " OR a=1", ""), "[1]"},
		"AND":                  {fill("SELECT a FROM t WHERE a=1", " AND a=1", ""), "[1]"},
		"nullable AND":         {fill("SELECT a FROM t WHERE o=1", " AND o=1", ""), "[1]"},
		"failing AND":          {fill("SELECT a FROM t WHERE 1/a=1", " AND 1/a=1", ""), "[1]"},
		"comparisons":          {fill("SELECT a FROM t WHERE a=1", "=TRUE", ""), "[1]"},
		"COALESCE":             {fill("SELECT COALESCE(o", ",o", ") FROM t"), "[[0,1]]"},
		"CASTs":                {"SELECT a" + strings.Repeat("::I64", 9000) + " FROM t", "[1]"},
		"items":                {"SELECT " + strings.Repeat("a+1,", 4095) + "a FROM t", ""},
		"too many items":       {"SELECT " + strings.Repeat("a+1,", 4096) + "a FROM t", "Too many columns in result: 4097"},
		"stars":                {"SELECT " + strings.Repeat("*,", 1400) + "a FROM t", "Too many columns in result: 4201"},
		"sort keys":            {fill("SELECT a FROM t ORDER BY a", ",a", ""), "[1]"},
		"groups":               {"SELECT COUNT(*) FROM t GROUP BY a" + strings.Repeat(",a", 4000), "[1]"},
		"aggregates":           {"SELECT " + strings.Repeat("SUM(a+1),", 4000) + "a FROM t GROUP BY a", ""},
		"relations":            {rels.String(), "[1]"},
		"comma relations":      {stars.String(), "[1]"},
		"too many relations":   {"SELECT 1 FROM t" + strings.Repeat(",t", 1024), "Too many relations in query: 1025"},
		"sub-selects":          {"SELECT 1 WHERE " + strings.Repeat("EXISTS (SELECT 1 FROM t) AND ", 1000) + "TRUE", "[1]"},
		"too many sub-selects": {"SELECT 1 WHERE " + strings.Repeat("EXISTS (SELECT 1 FROM t) AND ", 1025) + "TRUE", "Too many relations in query: 1025"},
		"nested sub-selects":   {"SELECT " + strings.Repeat("(SELECT ", 990) + "1" + strings.Repeat(")", 990), "[[0,1]]"},
		"as deep as may be":    {"SELECT a FROM t WHERE " + strings.Repeat("(", 1000) + "a=1" + strings.Repeat(")", 1000), "[1]"},
		"one deeper":           {"SELECT a FROM t WHERE " + strings.Repeat("(", 1001) + "a=1" + strings.Repeat(")", 1001), "sql parser error: recursion limit exceeded"},
		"too deep":             {"SELECT " + strings.Repeat("(SELECT ", 1001) + "1" + strings.Repeat(")", 1001), "sql parser error: recursion limit exceeded"},
		"LIKE":                 {"SELECT a FROM t WHERE s LIKE '" + strings.Repeat("%x", 20_000) + "'", ""},
	} {
		start := time.Now()
		got := db.outcome(alice, tt.text)
		took := time.Since(start)
		t.Logf("%s: %v", name, took)
		if took > time.Minute { // machines are busy at times; what grows with the square would take longer
			t.Errorf("%s takes %v", name, took)
		}
		if tt.want != "" && got != tt.want {
			t.Errorf("%s: %.200s; want %s", name, got, tt.want)
		} else if tt.want == "" && strings.Contains(got, "error") || tt.want == "" && strings.Contains(got, "Unsupported") {
			t.Errorf("%s: %.200s", name, got)
		}
	}
}

// A join of many relations is refused as a subscription without being planned: it is
// the writer that compiles it, and everybody waits.
func TestManyRelationsLive(t *testing.T) {
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("a", sats.I64), sats.E("b", sats.I64)}, index: []string{"a"}})
	for on, want := range map[string]string{
		" JOIN t b# ON b#.a=b0.a": "Invalid number of tables in subscription: 900",
		" JOIN t b# ON b#.b=b0.b": "Invalid number of tables in subscription: 900",
	} {
		text := "SELECT b0.* FROM t b0"
		for i := range 899 {
			text += strings.ReplaceAll(on, "#", fmt.Sprint(i+1))
		}
		start := time.Now()
		db.read(func(r store.Reader) {
			if _, err := CompileSubscription(r, text, alice); err == nil || err.Error() != want {
				t.Errorf("%s: %v", on, err)
			}
		})
		t.Log(on, time.Since(start))
	}
}
