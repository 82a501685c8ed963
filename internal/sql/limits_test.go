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
		"chain without index":  {join("SELECT b0.*", 300, " JOIN t b# ON b#.o=b<.o"), `[1,"x",[0,1]]`},
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

// An index on a column that holds options finds rows, too: in joins, in LEFT JOINs whose
// column may be none, and for what is admitted as a subscription.
func TestJoinsOnOptions(t *testing.T) {
	spec.Covers(t, "07.44", "07.69")
	db := newDatabase(t,
		tableSpec{name: "team", pk: "id", cols: []sats.Element{sats.E("id", sats.U32), sats.E("boss", sats.Option(sats.U32))}, index: []string{"boss"}},
		tableSpec{name: "player", pk: "id", cols: []sats.Element{sats.E("id", sats.U32), sats.E("team", sats.Option(sats.U32))}},
		tableSpec{name: "friend", cols: []sats.Element{sats.E("a", sats.Option(sats.U32))}})
	db.insert("team", "[1,[0,7]]", "[2,[1,[]]]")
	db.insert("player", "[7,[0,1]]", "[8,[1,[]]]", "[9,[0,3]]")
	db.insert("friend", "[[0,7]]", "[[1,[]]]")
	db.read(func(r store.Reader) {
		for text, want := range map[string]string{
			"SELECT team.* FROM player JOIN team ON team.id = player.team":      "",
			"SELECT player.* FROM player JOIN team ON team.boss = player.id":    "",
			"SELECT player.* FROM player JOIN team ON team.boss = player.team":  "",
			"SELECT player.* FROM player JOIN friend ON friend.a = player.team": "Subscriptions require indexes on join columns",
		} {
			got := ""
			if _, err := CompileSubscription(r, text, alice); err != nil {
				got = err.Error()
			}
			if got != want {
				t.Errorf("%s: %s; want %s", text, got, want)
			}
		}
	})
	for text, want := range map[string]string{
		"SELECT player.id FROM player JOIN team ON team.id = player.team":                                                                           "[7]",
		"SELECT player.id, team.id AS t FROM player JOIN team ON team.boss = player.id":                                                             "[7,1]",
		"SELECT p.id, t.id AS t, b.id AS b FROM player p LEFT JOIN team t ON t.id = p.team LEFT JOIN player b ON b.id = t.boss ORDER BY p.id":       "[7,[0,1],[0,7]] [8,[1,[]],[1,[]]] [9,[1,[]],[1,[]]]",
		"SELECT f.a, t.id FROM friend f LEFT JOIN team t ON t.boss = f.a ORDER BY 1":                                                                "[[0,7],[0,1]] [[1,[]],[1,[]]]",
		"EXPLAIN SELECT p.id FROM player p LEFT JOIN team t ON t.id = p.team LEFT JOIN player b ON b.id = t.boss LEFT JOIN team u ON u.boss = b.id": "",
	} {
		got := db.outcome(alice, text)
		if want != "" && got != want {
			t.Errorf("%s\n got %s\nwant %s", text, got, want)
		} else if want == "" && (strings.Count(got, "point ") != 3 || strings.Count(got, "scan ") != 1) {
			t.Errorf("%s\n%s", text, got)
		}
	}
}

// A result can tell a stored none from a missing partner, in whatever order it comes.
func TestPartnersAreTold(t *testing.T) {
	db := newDatabase(t,
		tableSpec{name: "l", pk: "id", cols: []sats.Element{sats.E("id", sats.U32)}},
		tableSpec{name: "r", pk: "id", cols: []sats.Element{sats.E("id", sats.U32), sats.E("o", sats.Option(sats.U32))}},
		tableSpec{name: "q", cols: []sats.Element{sats.E("o", sats.Option(sats.U32))}})
	db.insert("l", "[1]", "[2]", "[3]")
	db.insert("r", "[1,[0,5]]", "[2,[1,[]]]")
	for text, want := range map[string]string{
		"SELECT r.o, l.id FROM l LEFT JOIN r ON r.id = l.id ORDER BY l.id DESC":          "[[1,[]],3,true] [[1,[]],2,false] [[0,5],1,false]",
		"SELECT l.id, r.* FROM l LEFT JOIN r ON r.id = l.id WHERE l.id > 1 ORDER BY 1":   "[2,[0,2],[1,[]],false] [3,[1,[]],[1,[]],true]",
		"SELECT DISTINCT r.o FROM l LEFT JOIN r ON r.id = l.id ORDER BY 1":               "[[0,5]] [[1,[]]]",
		"SELECT r.o, COUNT(*) FROM l LEFT JOIN r ON r.id = l.id GROUP BY r.o ORDER BY 1": "[[0,5],1] [[1,[]],2]",
		"SELECT r.o FROM r WHERE id = 2":                                                 "[[1,[]]]",
		"SELECT q.o FROM l LEFT JOIN q ON TRUE WHERE l.id = 1":                           "[[1,[]]]", // nothing in q can tell
	} {
		db.read(func(r store.Reader) {
			st, err := CompileStatement(r, text, alice, Env{Partners: true})
			if err != nil {
				t.Fatal(text, err)
			}
			var got []string
			if err := st.Query(r, func(row []byte) bool { got = append(got, jsonRow(t, st.RowType(), row)); return true }); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(got, " "); got != want {
				t.Errorf("%s\n got %s\nwant %s", text, got, want)
			}
		})
	}
}

// A rule may join many tables without indexes: statements and subscriptions that it
// restricts are planned all the same, in time that does not double with each.
func TestLongRules(t *testing.T) {
	cols := []sats.Element{sats.E("a", sats.I64), sats.E("b", sats.I64)}
	restricted := func(n int) (*database, *Query) {
		db := newDatabase(t, tableSpec{name: "t", cols: cols}, tableSpec{name: "u", cols: cols})
		db.insert("t", "[1,5]", "[2,6]")
		db.insert("u", "[1,5]")
		rule := "SELECT t0.* FROM t t0"
		for i := range n {
			rule += fmt.Sprintf(" JOIN u t%d ON t%d.b = t%d.b", i+1, i+1, i)
		}
		if err := db.rule(rule); err != nil {
			t.Fatal(err)
		}
		if got := db.outcome(alice, "SELECT * FROM t"); got != "[1,5]" {
			t.Error(got)
		}
		var q *Query
		db.read(func(r store.Reader) {
			var err error
			if q, err = CompileSubscription(r, "SELECT * FROM t", alice); err != nil {
				t.Fatal(err)
			}
		})
		return db, q
	}
	restricted(40)
	db, q := restricted(6)
	for _, kept := range []bool{false, true} {
		for _, k := range q.Plan.KeptColumns() {
			if kept {
				db.KeepIndex(k.Table, k.Col)
			}
		}
		for _, step := range []struct{ text, want string }{
			{"INSERT INTO u (a, b) VALUES (2, 6)", "+[2,6]"},
			{"DELETE FROM u WHERE a = 2", "-[2,6]"},
		} {
			tx := db.Begin()
			st, err := CompileStatement(tx, step.text, owner, Env{})
			if err == nil {
				_, err = st.Exec(tx)
			}
			if err != nil {
				t.Fatal(err)
			}
			d := tx.Commit(nil).Delta
			db.read(func(r store.Reader) {
				got := ""
				change := func(sign string) func([]byte) {
					return func(row []byte) { got += sign + jsonRow(t, q.ReturnTable.RowType(), row) }
				}
				if err := q.Plan.Delta(r, d, change("+"), change("-")); err != nil || got != step.want {
					t.Errorf("%s: %s, %v; want %s", step.text, got, err, step.want)
				}
			})
		}
	}
}
