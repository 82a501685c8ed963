package sql

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A tableSpec describes a test table: columns, then keys by column names.
type tableSpec struct {
	name     string
	accessor string
	cols     []sats.Element
	pk       string   // with a unique index
	unique   []string // single columns
	index    []string // "a" or "a,b": B-trees
	autoInc  string
	private  bool
	event    bool
}

func (s tableSpec) table(t testing.TB) *schema.Table {
	t.Helper()
	layout, err := sats.NewLayout(sats.Product(s.cols...))
	if err != nil {
		t.Fatal(err)
	}
	out := &schema.Table{Name: s.name, Accessor: s.accessor, Layout: layout, Kind: schema.User, IsEvent: s.event}
	if s.private {
		out.Access = schema.Private
	}
	for _, c := range s.cols {
		out.Cols = append(out.Cols, schema.Column{Name: c.Name.Text, Type: c.Type})
	}
	colIDs := func(list string) (ids []schema.ColID) {
		for _, name := range strings.Split(list, ",") {
			id, ok := out.Col(name)
			if !ok {
				t.Fatalf("table %s has no column %s", s.name, name)
			}
			ids = append(ids, id)
		}
		return ids
	}
	add := func(list string, unique bool) {
		ids := colIDs(list)
		stem := s.name + "_" + strings.ReplaceAll(list, ",", "_")
		out.Indexes = append(out.Indexes, &schema.Index{Name: stem + "_idx_btree", Cols: ids, Unique: unique})
		if unique {
			out.Constraints = append(out.Constraints, &schema.Constraint{Name: stem + "_key", Cols: ids})
		}
	}
	if s.pk != "" {
		out.PrimaryKey = &colIDs(s.pk)[0]
		add(s.pk, true)
	}
	for _, u := range s.unique {
		add(u, true)
	}
	for _, ix := range s.index {
		add(ix, false)
	}
	if s.autoInc != "" {
		col := colIDs(s.autoInc)[0]
		out.Sequences = []*schema.Sequence{{
			Name: s.name + "_" + s.autoInc + "_seq", Col: col, Start: sats.I128From(1), Min: sats.I128From(1),
			Max: sats.I128From(1 << 30), Increment: sats.I128From(1),
		}}
	}
	return out
}

// A database is a store for tests with one statement per transaction.
type database struct {
	t testing.TB
	*store.Store
}

func newDatabase(t testing.TB, specs ...tableSpec) *database {
	t.Helper()
	db := &database{t, store.New(store.Options{})}
	tx := db.Begin()
	for _, s := range specs {
		if _, err := tx.CreateTable(s.table(t)); err != nil {
			t.Fatal(err)
		}
	}
	tx.Commit(nil)
	return db
}

// insert puts rows given as SATS-JSON into a table.
func (db *database) insert(table string, rows ...string) {
	db.t.Helper()
	tx := db.Begin()
	t := tx.TableByName(table)
	for _, row := range rows {
		b, err := sats.ParseJSON(nil, &sats.Typespace{}, t.RowType(), []byte(row))
		if err != nil {
			db.t.Fatalf("%s %s: %v", table, row, err)
		}
		if _, _, err := tx.Insert(t.ID, b); err != nil {
			db.t.Fatal(err)
		}
	}
	tx.Commit(nil)
}

// read runs f on a transaction that is rolled back.
func (db *database) read(f func(r store.Reader)) {
	tx := db.Begin()
	defer tx.Rollback()
	f(tx)
}

// An answer is what a statement gave.
type answer struct {
	cols  []OutCol
	rows  []string // SATS-JSON
	stats Stats
}

// run executes one statement.
func (db *database) run(c Caller, text string) (a answer, err error) {
	tx := db.Begin()
	st, err := CompileStatement(tx, text, c, Env{})
	if err == nil {
		a.cols = st.Columns
		if st.Writes() {
			a.stats, err = st.Exec(tx)
		} else {
			err = st.Query(tx, func(row []byte) bool {
				a.rows = append(a.rows, jsonRow(db.t, st.RowType(), row))
				return true
			})
		}
	}
	if err != nil {
		tx.Rollback()
		return a, err
	}
	tx.Commit(nil)
	return a, nil
}

func jsonRow(t testing.TB, typ *sats.Type, row []byte) string {
	t.Helper()
	out, rest, err := sats.AppendJSON(nil, &sats.Typespace{}, typ, row, sats.FlavorUntyped)
	if err != nil || len(rest) != 0 {
		t.Fatalf("row %x of %s: %v, %d bytes left", row, typ, err, len(rest))
	}
	return string(out)
}

var (
	owner = Caller{Identity: sats.Identity{1}, IsOwner: true}
	alice = Caller{Identity: sats.Identity{2}}
)

// outcome is the error text, or the rows in one line, or the stats.
func (db *database) outcome(c Caller, text string) string {
	a, err := db.run(c, text)
	switch {
	case err != nil:
		return err.Error()
	case len(a.cols) == 0:
		return fmt.Sprintf("inserted %d, updated %d, deleted %d", a.stats.Inserted, a.stats.Updated, a.stats.Deleted)
	}
	return strings.Join(a.rows, " ")
}
