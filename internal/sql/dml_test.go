package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

func dmlDB(t testing.TB) *database {
	return newDatabase(t,
		tableSpec{name: "item", cols: []sats.Element{sats.E("id", sats.U32), sats.E("name", sats.String), sats.E("n", sats.I32)}, pk: "id", autoInc: "id"},
		tableSpec{name: "only", cols: []sats.Element{sats.E("v", sats.U32)}},
		tableSpec{name: "account", cols: []sats.Element{sats.E("identity", sats.IdentityType)}},
		tableSpec{name: "e", cols: []sats.Element{sats.E("id", sats.U32)}, event: true},
	)
}

func runScript(t *testing.T, db *database, script [][2]string) {
	t.Helper()
	for _, s := range script {
		c := owner
		text, other := strings.CutPrefix(s[0], "alice: ")
		if other {
			c = alice
		}
		if got := db.outcome(c, text); got != s[1] {
			t.Errorf("%s\n got %s\nwant %s", s[0], got, s[1])
		}
	}
}

func TestInsert(t *testing.T) {
	spec.Covers(t, "07.24", "07.33")
	runScript(t, dmlDB(t), [][2]string{
		{"INSERT INTO item (id, name, n) VALUES (7, 'a', -1)", "inserted 1, updated 0, deleted 0"},
		{"INSERT INTO item (id, name, n) VALUES (7, 'a', -1)", "inserted 0, updated 0, deleted 0"},
		{"INSERT INTO item (id, name, n) VALUES (7, 'b', -1)", "IndexError: Unique constraint violation 'item_id_idx_btree' in table 'item': column(s): '[\"id\"]' value: 7"},
		{"INSERT INTO item (id, name, n) VALUES (8, 'x', 1), (7, 'b', 2)", "IndexError: Unique constraint violation 'item_id_idx_btree' in table 'item': column(s): '[\"id\"]' value: 7"},
		{"SELECT * FROM item", `[7,"a",-1]`}, // nothing of the refused statement stayed
		{"INSERT INTO item (id, name, n) VALUES (0, 'auto', 5)", "inserted 1, updated 0, deleted 0"},
		{"SELECT id FROM item WHERE name = 'auto'", "[1]"},
		{"INSERT INTO item (n, id, name) VALUES (3, 9, 'by name')", "inserted 1, updated 0, deleted 0"},
		{"SELECT * FROM item WHERE id = 9", `[9,"by name",3]`},
		{"INSERT INTO item (id, name, x) VALUES (1, 'a', 1)", "`item` does not have a field `x`"},
		{"INSERT INTO item (id, name, name) VALUES (1, 'a', 1)", "Duplicate name `name`"},
		{"INSERT INTO item VALUES (1, 'a')", "Inserting a row with 2 values into `item` which has 3 fields"},
		{"INSERT INTO item (id, name) VALUES (1, 'a')", "Column `n` of table `item` has no default value"},
		{"INSERT INTO item (id, name, n) VALUES (1, 'a')", "Inserting a row with 2 values into `item` which has 3 fields"},
		{"INSERT INTO item (id, name, n) VALUES ('1', 'a', 1)", "Unexpected type: (expected) String != U32 (inferred)"},
		{"INSERT INTO item (id, name, n) VALUES (1, TRUE, 1)", "Unexpected type: (expected) Bool != String (inferred)"},
		{"INSERT INTO item (id, name, n) VALUES (1, 'a', 2147483648)", "The literal expression `2147483648` cannot be parsed as type `I32`"},
		// What stands alone in a SELECT has the type of the column that it goes to.
		{"INSERT INTO item (n, id, name) SELECT -5, 0, '2.5' FROM item WHERE id = 9", "inserted 1, updated 0, deleted 0"},
		{"SELECT name, n FROM item WHERE n = -5", `["2.5",-5]`},
		{"INSERT INTO item (n, id, name) SELECT 2147483648, 0, 'a'", "The literal expression `2147483648` cannot be parsed as type `I32`"},
		{"INSERT INTO item (n, id, name) SELECT '1', 0, 'a'", "Unexpected type: (expected) String != I32 (inferred)"},
		{"INSERT INTO item (n, id, name) SELECT NULL, 0, 'a'", "Unexpected type: (expected) (some: I32 | none: ()) != I32 (inferred)"},
		{"INSERT INTO item (n, id, name) SELECT (SELECT 1), 0, 'a'", "Unexpected type: (expected) (some: I64 | none: ()) != I32 (inferred)"},
		{"INSERT INTO e (id) VALUES (1), (2)", "inserted 2, updated 0, deleted 0"},
		{"SELECT COUNT(*) AS n FROM e", "[0]"},
		{"DELETE FROM e", "inserted 0, updated 0, deleted 0"},
	})
}

func TestUpdateAndDelete(t *testing.T) {
	spec.Covers(t, "07.34", "07.35", "07.66")
	db := dmlDB(t)
	db.insert("item", `[1,"a",1]`, `[2,"b",2]`, `[3,"c",3]`)
	db.insert("account", `[["0x1"]]`, `[["0x2"]]`)
	runScript(t, db, [][2]string{
		{"UPDATE item SET n = 9 WHERE item.id > 1", "inserted 0, updated 2, deleted 0"},
		{"UPDATE item SET n = 9 WHERE id = 99", "inserted 0, updated 0, deleted 0"},
		{"UPDATE item SET id = 3 WHERE id = 1", "IndexError: Unique constraint violation 'item_id_idx_btree' in table 'item': column(s): '[\"id\"]' value: 3"},
		{"UPDATE item SET n = 1, n = 2", "Duplicate name `n`"},
		{"SELECT * FROM item WHERE n = 9", `[2,"b",9] [3,"c",9]`},
		{"INSERT INTO only (v) VALUES (1), (2), (3), (4), (5), (5)", "inserted 5, updated 0, deleted 0"},
		{"UPDATE only SET v = 2", "inserted 0, updated 5, deleted 0"},
		{"SELECT * FROM only", "[2]"},
		{"alice: DELETE FROM only", "Caller " + alice.Identity.String() + " is not authorized to run SQL DML statements"},
		{"DELETE FROM only END WHERE v = 99", "sql parser error: Expected end of statement, found: END at Line: 1, Column 18"},
		{"SELECT * FROM only", "[2]"},
		{"DELETE FROM item WHERE n = 9 AND name = 'b';", "inserted 0, updated 0, deleted 1"},
		{"DELETE FROM item", "inserted 0, updated 0, deleted 2"},
		{"UPDATE account SET identity = 0x" + strings.Repeat("0", 63) + "3 WHERE identity = :sender", "inserted 0, updated 1, deleted 0"},
		{"SELECT * FROM account WHERE identity = :sender", ""},
		{"alice: SELECT * FROM account WHERE :sender = identity", `[["0x2"]]`},
	})
}

// Unique values may move between rows within one statement.
func TestUpdateDeletesFirst(t *testing.T) {
	db := newDatabase(t, tableSpec{name: "u", cols: []sats.Element{sats.E("k", sats.U32), sats.E("b", sats.Bool)}, pk: "k"})
	db.insert("u", "[1,true]", "[2,false]")
	runScript(t, db, [][2]string{
		{"UPDATE u SET k = 2 WHERE k = 2", "inserted 0, updated 1, deleted 0"},
		{"UPDATE u SET b = TRUE", "inserted 0, updated 2, deleted 0"},
		{"SELECT * FROM u WHERE b", "[1,true] [2,true]"},
	})
}

func TestClosedTables(t *testing.T) {
	spec.Covers(t, "07.77", "07.78")
	db := newDatabase(t, tableSpec{name: "t", cols: []sats.Element{sats.E("a", sats.U32)}})
	timer := tableSpec{name: "timer", cols: []sats.Element{sats.E("id", sats.U64), sats.E("at", sats.ScheduleAtType)}, pk: "id"}.table(t)
	timer.Schedule = &schema.Schedule{Name: "timer_sched", AtCol: 1, IDCol: 0, Function: "tick"}
	box := tableSpec{name: "box", cols: []sats.Element{sats.E("id", sats.U64), sats.E("to", sats.IdentityType)}, pk: "id"}.table(t)
	box.Outbox = &schema.Outbox{RemoteReducer: "r", TargetCol: 1}
	tx := db.Begin()
	for _, table := range []*schema.Table{timer, box} {
		if _, err := tx.CreateTable(table); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	const env, sched, outbox = "Database environment variables can only be changed by publishing", "SQL writes to scheduled tables are not supported", "SQL writes to outbox tables are not supported"
	refused := "Caller " + alice.Identity.String() + " is not authorized to run SQL DML statements"
	gone := "no such table: `st_env`. If the table exists, it may be marked private."
	runScript(t, db, [][2]string{
		{"DELETE FROM st_env WHERE key = 'nope'", env}, {"UPDATE st_env SET value = 'x' WHERE FALSE", env}, {"INSERT INTO st_env (key, value) VALUES ('a', 'b')", env},
		{"DELETE FROM timer WHERE id = 9", sched}, {"UPDATE timer SET id = 1 WHERE FALSE", sched},
		{"DELETE FROM box WHERE id = 9", outbox}, {"UPDATE box SET id = 1 WHERE FALSE", outbox},
		{"alice: DELETE FROM timer", refused}, {"alice: DELETE FROM box", refused},
		{"alice: DELETE FROM st_env", gone}, {"alice: SELECT * FROM st_env", gone},
		{"SELECT key, value FROM st_env", ""}, {"SELECT value FROM st_env WHERE key = 'K'", ""},
		{"DELETE FROM st_table WHERE table_id = 1", "SQL writes to the system table `st_table` are not supported"},
	})
	for _, name := range []string{"st_outbound_stream", "st_outbound_msg", "st_inbound_stream", "st_inbound_msg", "st_outbox"} {
		if got, want := db.outcome(alice, "SELECT * FROM "+name), strings.Replace(gone, "st_env", name, 1); got != want {
			t.Errorf("%s: %s", name, got)
		}
		if got := db.outcome(owner, "SELECT * FROM "+name); strings.Contains(got, "no such table") {
			t.Errorf("the owner: %s", got)
		}
	}
}

func TestVariables(t *testing.T) {
	spec.Covers(t, "07.37", "07.48")
	db := newDatabase(t, tableSpec{name: "T", cols: []sats.Element{sats.E("v", sats.U8), sats.E("k", sats.U8)}, pk: "k"})
	db.insert("T", "[1,1]", "[1,2]", "[1,3]", "[1,4]", "[1,5]")
	over := func(e, n int) string {
		return fmt.Sprintf("Estimated cardinality (%d rows) exceeds limit (%d rows)", e, n)
	}
	all := "[1,1] [1,2] [1,3] [1,4] [1,5]"
	runScript(t, db, [][2]string{
		{"SHOW row_limit", ""},
		{"alice: SET row_limit = 4", "Caller " + alice.Identity.String() + " is not authorized to run SQL DML statements"},
		{"SET row_limit = 4", "inserted 1, updated 0, deleted 0"},
		{"SET row_limit = 4", "inserted 0, updated 0, deleted 0"},
		{"alice: SHOW row_limit", "[[8,4]]"},
		{"alice: SELECT * FROM T", over(5, 4)},
		{"alice: SELECT COUNT(*) AS n FROM T", over(5, 4)},
		{"alice: SELECT * FROM T WHERE k = 3", "[1,3]"},
		{"alice: SELECT v FROM T LIMIT 1", "[1]"},
		{"SELECT * FROM T", all},
		{"SET row_limit TO 5", "inserted 1, updated 0, deleted 0"},
		{"SHOW row_limit", "[[8,5]]"},
		{"alice: SELECT * FROM T", all},
		{"alice: SELECT * FROM T WHERE v = 1", over(10, 5)},
		{"alice: SELECT a.* FROM T a JOIN T b", over(35, 5)},
		{"alice: SELECT a.* FROM T a JOIN T b ON a.k = b.k", over(10, 5)},
		{"DELETE FROM st_var WHERE name = 'row_limit'", "inserted 0, updated 0, deleted 1"},
		{"alice: SELECT * FROM T", all},
		{"SET row_limit = 'x'", "Unexpected type: (expected) U64 != String (inferred)"},
		{"SET row_limit = TRUE", "Unexpected type: (expected) U64 != Bool (inferred)"},
		{"SET row_limit = 0xff", "Unexpected type: (expected) U64 != Array<U8> (inferred)"},
		{"SET row_limit = 1.5", "The literal expression `1.5` cannot be parsed as type `U64`"},
		{"SET env.X = 1", "env.X is not a valid system variable"},
		{"SHOW nope", "nope is not a valid system variable"},
	})
}
