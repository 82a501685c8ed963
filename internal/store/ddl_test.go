package store

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

var u32Type = sats.U32

// restart gives back the store that a restart would make of the records.
func restart(t testing.TB, records [][]byte) *Store {
	t.Helper()
	s := New(Options{})
	replayAll(t, s, records)
	return s
}

func describe(r Reader, id schema.TableID) string {
	d := r.Table(id)
	if d == nil {
		return "none"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s %v %v", d.Name, d.Accessor, d.Access, d.RowType())
	if d.PrimaryKey != nil {
		fmt.Fprintf(&b, " pk %d", *d.PrimaryKey)
	}
	for _, c := range d.Cols {
		fmt.Fprintf(&b, " %s/%s", c.Name, c.Accessor)
	}
	for _, x := range d.Indexes {
		fmt.Fprintf(&b, " index %d %s/%s %v %v %v", x.ID, x.Name, x.Accessor, x.Algo, x.Cols, x.Unique)
	}
	for _, c := range d.Constraints {
		fmt.Fprintf(&b, " unique %d %s %v", c.ID, c.Name, c.Cols)
	}
	for _, q := range d.Sequences {
		fmt.Fprintf(&b, " sequence %d %s %d", q.ID, q.Name, q.Col)
	}
	if d.Schedule != nil {
		fmt.Fprintf(&b, " schedule %d %s %s %d", d.Schedule.ID, d.Schedule.Name, d.Schedule.Function, d.Schedule.AtCol)
	}
	if d.Outbox != nil {
		fmt.Fprintf(&b, " outbox %s", d.Outbox.RemoteReducer)
	}
	return b.String()
}

// Each schema operation is rolled back without a trace, and committed and recovered
// as it was.
func TestSchemaOperations(t *testing.T) {
	spec.Covers(t, "08.9")
	withVariant := tableDef("t", col("id", sats.U32), col("kind", sats.Enum("a", "b", "c")), col("n", sats.U8))
	pk := schema.ColID(1)
	ops := []struct {
		name string
		do   func(tx *Tx, d *schema.Table) error
		want string // part of the description afterwards
	}{
		{"create index", func(tx *Tx, d *schema.Table) error {
			_, err := tx.CreateIndex(d.ID, &schema.Index{Name: "t_n", Accessor: "byN", Algo: schema.Hash, Cols: []schema.ColID{2}})
			return err
		}, "t_n/byN hash [2] false"},
		{"drop index", func(tx *Tx, d *schema.Table) error { return tx.DropIndex(d.Indexes[1].ID) }, "sequence"},
		{"create constraint", func(tx *Tx, d *schema.Table) error {
			_, err := tx.CreateConstraint(d.ID, &schema.Constraint{Name: "t_kind_key", Cols: []schema.ColID{1}})
			return err
		}, "btree [1] true"},
		{"drop constraint", func(tx *Tx, d *schema.Table) error { return tx.DropConstraint(d.Constraints[0].ID) }, "btree [0] false"},
		{"create sequence", func(tx *Tx, d *schema.Table) error {
			like := withSequence(tableDef("t", d.Cols...), 2)
			_, err := tx.CreateSequence(d.ID, like.Sequences[0])
			return err
		}, "t_n_seq 2"},
		{"drop sequence", func(tx *Tx, d *schema.Table) error { return tx.DropSequence(d.Sequences[0].ID) }, "t/"},
		{"access", func(tx *Tx, d *schema.Table) error { return tx.SetAccess(d.ID, schema.Private) }, "private"},
		{"primary key", func(tx *Tx, d *schema.Table) error { return tx.SetPrimaryKey(d.ID, &pk) }, "pk 1"},
		{"accessors", func(tx *Tx, d *schema.Table) error {
			like := tableDef("t", slices.Clone(d.Cols)...)
			like.Accessor = "T"
			like.Cols[0].Accessor, like.Cols[1].Accessor = like.Cols[1].Accessor, like.Cols[0].Accessor
			like.Indexes = []*schema.Index{{Name: d.Indexes[0].Name, Accessor: "first"}}
			return tx.SetAccessors(d.ID, like)
		}, "t/T public"},
		{"row type", func(tx *Tx, d *schema.Table) error { return tx.AlterRowType(d.ID, withVariant) }, "c"},
		{"schedule", func(tx *Tx, d *schema.Table) error {
			return tx.SetSchedule(d.ID, &schema.Schedule{Name: "tick", Function: "f", AtCol: 2})
		}, "tick f 2"},
		{"outbox", func(tx *Tx, d *schema.Table) error {
			return tx.SetOutbox(d.ID, &schema.Outbox{RemoteReducer: "there", ArgCols: []schema.ColID{1}})
		}, "outbox there"},
		{"drop table", func(tx *Tx, d *schema.Table) error { return tx.DropTable(d.ID) }, "none"},
	}
	for _, op := range ops {
		t.Run(op.name, func(t *testing.T) {
			s := New(Options{})
			var log [][]byte
			keep := func(c *Commit) { log = append(log, bytes.Clone(c.Record)) }
			d := tableDef("t", col("id", sats.U32), col("kind", sats.Enum("a", "b")), col("n", sats.U8))
			d.Cols[0].Accessor, d.Cols[1].Accessor = "Id", "Kind"
			withUnique(d, schema.BTree, 0)
			withIndex(d, schema.BTree, 1)
			withSequence(d, 0)
			tx := s.Begin()
			def, err := tx.CreateTable(d)
			if err != nil {
				t.Fatal(err)
			}
			rows := [][]byte{append(u32(1), 0, 9), append(u32(2), 1, 9)}
			for _, row := range rows {
				mustInsert(t, tx, def.ID, row)
			}
			keep(tx.Commit(nil))

			tx = s.Begin()
			before := describe(tx, def.ID)
			tx.DeletePoint(def.Indexes[0].ID, u32(1)) // rows change around the operation
			if err := op.do(tx, def); err != nil {
				t.Fatal(err)
			}
			check(t, s)
			after := describe(tx, def.ID)
			if after == before || !strings.Contains(after, op.want) {
				t.Errorf("after it: %s, want %s", after, op.want)
			}
			if tx.Table(def.ID) != nil {
				mustInsert(t, tx, def.ID, append(u32(3), 0, 8))
			}
			tx.Rollback()
			check(t, s)
			v := s.View()
			if got := describe(v, def.ID); got != before {
				t.Errorf("after rollback: %s, want %s", got, before)
			}
			wantRows(t, v, def.ID, rows...)
			v.Close()

			tx = s.Begin()
			if err := op.do(tx, def); err != nil {
				t.Fatal(err)
			}
			want := describe(tx, def.ID)
			keep(tx.Commit(nil))
			check(t, s)
			s = restart(t, log)
			v = s.View()
			defer v.Close()
			if got := describe(v, def.ID); got != want {
				t.Errorf("after recovery: %s, want %s", got, want)
			}
			if want != "none" {
				wantRows(t, v, def.ID, rows...)
			}
		})
	}
}

func TestSchemaRefusals(t *testing.T) {
	s := New(Options{})
	d := people()
	withIndex(d, schema.BTree, 2)
	def := create(t, s, d)
	tx := s.Begin()
	for i := range uint32(12) {
		for j := range uint32(2) {
			mustInsert(t, tx, def.ID, person(0, fmt.Sprint(i, j), i))
		}
	}
	tx.Commit(nil)
	tx = s.Begin()
	for _, c := range []struct {
		name string
		do   func() error
		want string
	}{
		{"same name", func() error { _, err := tx.CreateTable(people()); return err }, "exists already"},
		{"system table", func() error { return tx.DropTable(schema.StTable) }, "belongs to the system"},
		{"unknown table", func() error { return tx.DropTable(9999) }, "no table"},
		{"duplicates", func() error {
			_, err := tx.CreateConstraint(def.ID, &schema.Constraint{Name: "x", Cols: []schema.ColID{2}})
			return err
		}, "(committed state):\n12 duplicate group(s) found.\n  - 0 appears 2 times\n  - 1 appears 2 times\n"},
		{"many duplicates", func() error {
			_, err := tx.CreateConstraint(def.ID, &schema.Constraint{Name: "x", Cols: []schema.ColID{2}})
			return err
		}, "\n  - 9 appears 2 times\n  ... and more"},
		{"no index", func() error {
			_, err := tx.CreateConstraint(def.ID, &schema.Constraint{Name: "x", Cols: []schema.ColID{0, 2}})
			return err
		}, "requires at least one backing index"},
		{"unique index", func() error {
			_, err := tx.CreateIndex(def.ID, &schema.Index{Name: "x", Unique: true, Cols: []schema.ColID{2}})
			return err
		}, "Unique constraint violation 'x'"},
		{"no such column", func() error {
			_, err := tx.CreateIndex(def.ID, &schema.Index{Name: "x", Cols: []schema.ColID{7}})
			return err
		}, "there is no column 7"},
		{"other type", func() error {
			return tx.AlterRowType(def.ID, tableDef("Foo", col("id", sats.U32), col("name", sats.String), col("age", sats.U64)))
		}, "cannot change column age"},
		{"fewer columns", func() error { return tx.AlterRowType(def.ID, tableDef("Foo", col("id", sats.U32))) }, "3 columns to 1"},
		{"bad default", func() error {
			n := tableDef("Foo", append(slices.Clone(def.Cols), col("x", sats.Bool))...)
			_, err := tx.AddColumns(def.ID, n, [][]byte{{2}})
			return err
		}, "default of column x"},
		{"second sequence", func() error { _, err := tx.CreateSequence(def.ID, def.Sequences[0]); return err }, "has a sequence already"},
		{"bad sequence", func() error {
			q := *withSequence(tableDef("Foo", def.Cols...), 2).Sequences[0]
			q.Max, q.Increment = sats.I128From(10), sats.I128From(10)
			_, err := tx.CreateSequence(def.ID, &q)
			return err
		}, "Invalid sequence"},
	} {
		err := c.do()
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
		check(t, s)
	}
	if k, err := tx.CreateConstraint(def.ID, def.Constraints[0]); err != nil || k.ID != def.Constraints[0].ID {
		t.Errorf("the same constraint again: %v, %v", k, err)
	}
	tx.DeletePoint(def.IndexOn(2).ID, u32(5))
	for i := range uint32(12) {
		tx.DeletePoint(def.Indexes[0].ID, u32(2*i+1))
	}
	mustInsert(t, tx, def.ID, person(0, "merge", 3))
	_, err := tx.CreateConstraint(def.ID, &schema.Constraint{Name: "x", Cols: []schema.ColID{2}})
	if err == nil || !strings.HasPrefix(err.Error(), "Unique constraint violation during merge: ") {
		t.Errorf("a row of the transaction against a committed one: %v", err)
	}
	tx.Rollback()
	check(t, s)
}

func TestDropTableDelta(t *testing.T) {
	s := New(Options{})
	def := create(t, s, people())
	tx := s.Begin()
	mustInsert(t, tx, def.ID, person(0, "a", 1))
	tx.Commit(nil)
	tx = s.Begin()
	if err := tx.DropTable(def.ID); err != nil {
		t.Fatal(err)
	}
	if _, _, err := tx.Insert(def.ID, person(0, "b", 1)); code(err) != ErrNoSuchTable {
		t.Errorf("Insert into a dropped table: %v", err)
	}
	if got := deltaText(tx.Commit(nil).Delta); !strings.Contains(got, "Foo +0 -1 truncated; ") {
		t.Errorf("delta is %s", got)
	}
	check(t, s)
}

func TestViewTables(t *testing.T) {
	spec.Covers(t, "08.36")
	s := New(Options{})
	var log [][]byte
	pk := schema.ColID(0)
	view := &schema.ViewDef{
		Name: "mine", Accessor: "mine", IsPublic: true, IsAnonymous: true, PrimaryKey: &pk,
		ParamCols: sats.Product(sats.E("limit", sats.U8)),
		Columns:   []schema.ColumnDef{{Name: "id", Type: sats.U32}},
	}
	tx := s.Begin()
	def, id, err := tx.CreateView(view)
	if err != nil {
		t.Fatal(err)
	}
	if id != 4096 || def.ID != 4096 {
		t.Errorf("view %d, table %d, want 4096", id, def.ID)
	}
	log = append(log, bytes.Clone(tx.Commit(nil).Record))
	check(t, s)
	row := append(make([]byte, 32), u32(5)...)
	tx = s.Begin()
	mustInsert(t, tx, def.ID, row)
	c := tx.Commit(nil)
	if c.Logged || c.Record != nil || c.Offset != 0 || deltaText(c.Delta) != "mine +1 -0; " || !bytes.Equal(c.Delta.Tables[0].Inserts.At(0), row) {
		t.Errorf("materialising a view: logged %v, offset %d, delta %s", c.Logged, c.Offset, deltaText(c.Delta))
	}
	v := s.View()
	wantRows(t, v, def.ID, row)
	var snap bytes.Buffer
	if err := s.WriteSnapshot(v, &snap); err != nil {
		t.Fatal(err)
	}
	v.Close()
	if bytes.Contains(snap.Bytes(), row) {
		t.Error("the snapshot has the row of a view")
	}
	for _, r := range []*Store{restart(t, log), New(Options{})} {
		if r.NextOffset() == 0 {
			if err := r.LoadSnapshot(&snap); err != nil {
				t.Fatal(err)
			}
			if err := r.FinishReplay(); err != nil {
				t.Fatal(err)
			}
			check(t, r)
		}
		v := r.View()
		if d := v.Table(def.ID); d == nil || !d.IsView || v.RowCount(def.ID) != 0 || v.RowCount(schema.StViewParam) != 1 {
			t.Errorf("recovered view table %v has %d rows", d, v.RowCount(def.ID))
		}
		v.Close()
	}
	tx = s.Begin()
	if err := tx.DropTable(def.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []schema.TableID{schema.StView, schema.StViewParam, schema.StViewColumn} {
		wantRows(t, tx, id)
	}
	tx.Rollback()
	check(t, s)
}

func TestEventTableRecovery(t *testing.T) {
	spec.Covers(t, "08.16")
	d := withUnique(tableDef("ev", col("id", sats.U32)), schema.BTree, 0)
	d.IsEvent = true
	s := New(Options{})
	var log [][]byte
	tx := s.Begin()
	def, err := tx.CreateTable(d)
	if err != nil {
		t.Fatal(err)
	}
	mustInsert(t, tx, def.ID, u32(1))
	if _, _, err := tx.Insert(def.ID, u32(1)); err != nil {
		t.Error(err)
	}
	log = append(log, bytes.Clone(tx.Commit(nil).Record))
	tx = s.Begin()
	mustInsert(t, tx, def.ID, u32(1))
	c := tx.Commit(nil)
	if !c.Logged || !bytes.HasSuffix(c.Record, append(u32(1), 0, 0)) {
		t.Errorf("the event's record is %x", c.Record)
	}
	log = append(log, bytes.Clone(c.Record))
	s = restart(t, log)
	v := s.View()
	defer v.Close()
	wantRows(t, v, def.ID)
	if !v.Table(def.ID).IsEvent {
		t.Error("the event flag is lost")
	}
}

func TestRowLevelSecurity(t *testing.T) {
	s := New(Options{})
	def := create(t, s, people())
	tx := s.Begin()
	const rule = "SELECT * FROM Foo WHERE id = 1"
	if err := tx.CreateRLS(def.ID, rule); err != nil {
		t.Fatal(err)
	}
	if rules := tx.rulesOn(def.ID); !slices.Equal(rules, []string{rule}) {
		t.Errorf("rules are %q", rules)
	}
	record := bytes.Clone(tx.Commit(nil).Record)
	if !bytes.Contains(record, []byte(rule)) {
		t.Error("the rule is not in the record")
	}
	tx = s.Begin()
	if ok, err := tx.DropRLS(rule); !ok || err != nil {
		t.Errorf("DropRLS = %v, %v", ok, err)
	}
	if ok, _ := tx.DropRLS(rule); ok {
		t.Error("the rule is dropped twice")
	}
	tx.Commit(nil)
	check(t, s)
}

func TestEmptyTransactions(t *testing.T) {
	spec.Covers(t, "08.47")
	s := New(Options{})
	create(t, s, people())
	next := s.NextOffset()
	for _, c := range []struct {
		in     *Inputs
		logged bool
	}{
		{nil, false},
		{&Inputs{Reducer: "add"}, false},
		{&Inputs{Reducer: identityConnected}, true},
		{&Inputs{Reducer: identityDisconnected, Args: []byte{1}}, true},
	} {
		got := s.Begin().Commit(c.in)
		if got.Logged != c.logged || (got.Record != nil) != c.logged {
			t.Errorf("%+v: logged %v, want %v", c.in, got.Logged, c.logged)
		}
		want := next - 1
		if c.logged {
			want, next = next, next+1
		}
		if got.Offset != want {
			t.Errorf("%+v: offset %d, want %d", c.in, got.Offset, want)
		}
	}
}

func TestLongReducerName(t *testing.T) {
	name := strings.Repeat("x", 254) + "é" // the last character crosses the limit
	b := appendInputs(nil, &Inputs{Reducer: name})
	if b[4] != 254 || string(b[5:5+254]) != name[:254] {
		t.Errorf("the name has %d bytes, want 254", b[4])
	}
}
