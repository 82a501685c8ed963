package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

func paramTables(t *testing.T) *database {
	db := newDatabase(t, tableSpec{name: "thing", pk: "id", cols: []sats.Element{
		sats.E("id", sats.U32), sats.E("name", sats.String), sats.E("big", sats.U64), sats.E("flag", sats.Bool), sats.E("f", sats.F32),
		sats.E("opt", sats.Option(sats.I64)), sats.E("at", sats.TimestampType), sats.E("tags", sats.Array(sats.String)), sats.E("kind", sats.Enum("Low", "High")),
	}})
	db.insert("thing", `[1,"one",18446744073709551615,true,1.5,[0,5],[0],["a","b"],[1,[]]]`, `[2,"two",7,false,-0.5,[1,[]],[1000000],[],[0,[]]]`)
	return db
}

// prepared compiles and runs a statement with parameters; "NULL" is none.
func prepared(r store.Reader, text string, types []*sats.Type, values ...string) (rows string, params *Params, err error) {
	params = &Params{Types: types}
	describe, err := CompileStatement(r, text, Caller{IsOwner: true}, Env{Params: params})
	if err != nil {
		return "", params, err
	}
	bound := &Params{Types: append([]*sats.Type(nil), params.Types...)}
	for _, v := range values {
		bound.Values = append(bound.Values, Value{Text: v, Null: v == "NULL"})
	}
	st, err := CompileStatement(r, text, Caller{IsOwner: true}, Env{Params: bound})
	if err != nil {
		return "", params, err
	}
	if !st.RowType().Equal(describe.RowType()) {
		return "", params, fmt.Errorf("described as %s, is %s", describe.RowType(), st.RowType())
	}
	var out []string
	err = st.Query(r, func(row []byte) bool {
		text, _, err := sats.AppendSATN(nil, nil, st.RowType(), row)
		out = append(out, string(text)+fmt.Sprint(err)[5:])
		return true
	})
	return strings.Join(out, " "), params, err
}

func TestParameters(t *testing.T) {
	db := paramTables(t)
	for _, tt := range []struct {
		text   string
		values string // separated by bars
		want   string
		types  string
	}{
		{"SELECT id FROM thing WHERE id = $1", "2", "(id = 2)", "U32"},
		{"SELECT id FROM thing WHERE $1 = id OR $1 < id", "1", "(id = 1) (id = 2)", "U32"},
		{"SELECT id FROM thing WHERE name = $2 AND big = $1", "7|two", "(id = 2)", "U64 String"},
		{"SELECT id FROM thing WHERE flag = $1", "t", "(id = 1)", "Bool"},
		{"SELECT id FROM thing WHERE $1", "off", "", "Bool"},
		{"SELECT id FROM thing WHERE f >= $1", "1.5", "(id = 1)", "F32"},
		{"SELECT id FROM thing WHERE f < $1", "Infinity", "(id = 1) (id = 2)", "F32"},
		{"SELECT id FROM thing WHERE opt = $1", "5", "(id = 1)", "I64"},
		{"SELECT id FROM thing WHERE opt = $1", "NULL", "", "I64"},
		{"SELECT id FROM thing WHERE opt IS DISTINCT FROM $1", "NULL", "(id = 1)", "I64"},
		{"SELECT id FROM thing WHERE at > $1", "1970-01-01T00:00:00.5Z", "(id = 2)", "(__timestamp_micros_since_unix_epoch__: I64)"},
		{"SELECT id FROM thing WHERE tags = $1", `["a","b"]`, "(id = 1)", "Array<String>"},
		{"SELECT id FROM thing WHERE kind = $1", "High", "(id = 1)", "(Low: () | High: ())"},
		{"SELECT id FROM thing WHERE id IN ($1, $2)", "2|9", "(id = 2)", "U32 U32"},
		{"SELECT id FROM thing WHERE id BETWEEN $1 AND $2", "2|9", "(id = 2)", "U32 U32"},
		{"SELECT id FROM thing WHERE name LIKE $1", "t%", "(id = 2)", "String"},
		{"SELECT id FROM thing WHERE name LIKE $1", "NULL", "", "String"},
		{"SELECT id + $1 AS s FROM thing LIMIT $2 OFFSET $3", "40|1|1", "(s = 42)", "U32 I64 I64"},
		{"SELECT $1, $2::int AS i, CAST($3 AS F64) AS f", "x|5|1.5", `(0 = "x", i = 5, f = 1.5)`, "String I32 F64"},
		{"SELECT COALESCE(opt, $1) AS o FROM thing WHERE id = 2", "9", "(o = 9)", "I64"},
		{"SELECT id FROM thing WHERE id = (SELECT MAX(id) AS m FROM thing WHERE big = $1)", "7", "(id = 2)", "U64"},
		{"SELECT name || $1 AS n FROM thing WHERE id = $2", "!|1", `(n = "one!")`, "String U32"},
		{"SELECT COUNT(*) AS n FROM thing GROUP BY flag HAVING COUNT(*) >= $1", "1", "(n = 1) (n = 1)", "U64"},
	} {
		db.read(func(r store.Reader) {
			rows, params, err := prepared(r, tt.text, nil, strings.Split(tt.values, "|")...)
			var types []string
			for _, typ := range params.Types {
				types = append(types, typ.String())
			}
			if err != nil || rows != tt.want {
				t.Errorf("%s: %s, %v; want %s", tt.text, rows, err, tt.want)
			}
			if got, want := strings.Join(types, " "), tt.types; got != want {
				t.Errorf("%s: parameters are %s, want %s", tt.text, got, want)
			}
		})
	}
	for _, tt := range []struct{ text, values, want string }{
		{"SELECT id FROM thing WHERE id = $1", "x", "The literal expression `x` cannot be parsed as type `U32`"},
		{"SELECT id FROM thing WHERE flag = $1", "maybe", "The literal expression `maybe` cannot be parsed as type `Bool`"},
		{"SELECT id FROM thing LIMIT $1", "-1", "The literal expression `-1` cannot be parsed as type `U64`"},
		{"SELECT id FROM thing WHERE $1 = $2", "1|1", "Cannot resolve type for literal expression"},
		{"SELECT id FROM thing WHERE $0 = id", "1", "Unsupported literal expression: $0"},
		{"SELECT id FROM thing WHERE $x = id", "1", "Unsupported literal expression: $x"},
		{"SELECT id FROM thing WHERE id = $70000", "1", "Unsupported literal expression: $70000"},
		{"SELECT id FROM thing WHERE name LIKE $1", `x\`, "LIKE pattern must not end with escape character"},
	} {
		db.read(func(r store.Reader) {
			if _, _, err := prepared(r, tt.text, nil, strings.Split(tt.values, "|")...); fmt.Sprint(err) != tt.want {
				t.Errorf("%s: %v, want %s", tt.text, err, tt.want)
			}
		})
	}
	// A text that was not prepared has none.
	db.read(func(r store.Reader) {
		_, err := CompileStatement(r, "SELECT id FROM thing WHERE id = $1", Caller{}, Env{})
		if fmt.Sprint(err) != "Unsupported literal expression: $1" {
			t.Error(err)
		}
	})
	// What a client says of a type counts where the text says nothing.
	db.read(func(r store.Reader) {
		rows, params, err := prepared(r, "SELECT $1 AS a, $2 AS b FROM thing WHERE id = $2", []*sats.Type{sats.I16, nil}, "3", "1")
		if err != nil || rows != `(a = 3, b = 1)` || params.Types[0] != sats.I16 {
			t.Errorf("%s %v %v", rows, params.Types, err)
		}
	})
}

func TestWrittenParameters(t *testing.T) {
	db := paramTables(t)
	exec := func(text string, values ...string) (Stats, error) {
		tx := db.Begin()
		params := &Params{}
		if _, err := CompileStatement(tx, text, Caller{IsOwner: true}, Env{Params: params}); err != nil {
			tx.Rollback()
			return Stats{}, err
		}
		for _, v := range values {
			params.Values = append(params.Values, Value{Text: v, Null: v == "NULL"})
		}
		st, err := CompileStatement(tx, text, Caller{IsOwner: true}, Env{Params: params})
		var stats Stats
		if err == nil {
			stats, err = st.Exec(tx)
		}
		if err != nil {
			tx.Rollback()
			return stats, err
		}
		tx.Commit(nil)
		return stats, nil
	}
	if s, err := exec("INSERT INTO thing VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)", "3", "it's", "5", "1", "2", "NULL", "2000-01-01T00:00:00Z", "[]", "Low"); err != nil || s.Inserted != 1 {
		t.Fatal(s, err)
	}
	if s, err := exec("UPDATE thing SET opt = $1, name = $2 WHERE id = $3", "8", "new", "3"); err != nil || s.Updated != 1 {
		t.Fatal(s, err)
	}
	db.read(func(r store.Reader) {
		rows, _, err := prepared(r, "SELECT name, opt, flag FROM thing WHERE id = 3", nil)
		if err != nil || rows != `(name = "new", opt = (some = 8), flag = true)` {
			t.Error(rows, err)
		}
	})
	if _, err := exec("UPDATE thing SET name = $1", "NULL"); fmt.Sprint(err) != "Unsupported literal expression: NULL" {
		t.Error(err)
	}
	if s, err := exec("DELETE FROM thing WHERE id = $1", "3"); err != nil || s.Deleted != 1 {
		t.Fatal(s, err)
	}
}

func TestNullForms(t *testing.T) {
	db := paramTables(t)
	db.read(func(r store.Reader) {
		_, err := CompileStatement(r, "SELECT a.opt, b.opt AS o, b.id AS i, a.id, a.opt + 1, MAX(a.id) FROM thing a LEFT JOIN thing b ON a.id = b.id + 1", Caller{}, Env{})
		if err == nil {
			t.Fatal("columns beside an aggregate")
		}
		st, err := CompileStatement(r, "SELECT a.opt, b.opt AS o, b.id AS i, a.id, a.opt + 1 FROM thing a LEFT JOIN thing b ON a.id = b.id + 1", Caller{}, Env{})
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(st.Nulls()); got != "[0 2 1 0 1]" {
			t.Error(got)
		}
		if st.Verb != "SELECT" {
			t.Error(st.Verb)
		}
	})
}
