package store

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// The model is the naive form of a database: sets of rows, looked through from end
// to end. A machine runs random histories on it and on a store, and compares.

type modelTable struct {
	def  *schema.Table
	rows map[string]bool
	ids  *modelIDs // of its sequence, if it has one
}

type model map[string]*modelTable

func (m model) clone() model {
	c := model{}
	for name, t := range m {
		c[name] = &modelTable{t.def, maps.Clone(t.rows), t.ids}
	}
	return c
}

// compareCols orders two rows by some columns.
func compareCols(d *schema.Table, cols []schema.ColID, a, b []byte) int {
	for _, c := range cols {
		if n := d.Layout.CompareCol(a, b, int(c)); n != 0 {
			return n
		}
	}
	return 0
}

// clash returns a row that has the same values in a unique column set, other than
// except.
func (t *modelTable) clash(row []byte, except string) (string, bool) {
	for _, c := range t.def.Constraints {
		for r := range t.rows {
			if r != except && compareCols(t.def, c.Cols, []byte(r), row) == 0 {
				return r, true
			}
		}
	}
	return "", false
}

// The tables of the machine, made to meet all kinds of indexes.
func modelTables() []*schema.Table {
	pk := tableDef("pk", col("id", sats.U32), col("name", sats.String), col("age", sats.U8))
	withUnique(pk, schema.BTree, 0)
	withIndex(pk, schema.BTree, 2, 1)
	withIndex(pk, schema.Hash, 1)

	plain := tableDef("plain", col("f", sats.F32), col("s", sats.String), col("n", sats.I16))
	withIndex(plain, schema.BTree, 0)
	withIndex(plain, schema.BTree, 1, 2)
	withIndex(plain, schema.Hash, 2)

	direct := tableDef("direct", col("n", sats.U16), col("id", sats.IdentityType), col("o", sats.Option(sats.U8)))
	withUnique(direct, schema.Direct, 0)
	withUnique(direct, schema.Hash, 1)
	withIndex(direct, schema.BTree, 2)

	pair := tableDef("pair", col("a", sats.U8), col("b", sats.I64), col("x", sats.U8))
	withUnique(pair, schema.BTree, 0, 1)
	withUnique(pair, schema.Hash, 2, 0)
	return []*schema.Table{pk, plain, direct, pair}
}

var shortStrings = []string{"", "a", "aa", "common prefix", "common prefix a", "common prefix b", "zz\x00", "zz\x00\x00"}

// drawValue appends a value out of few, so that keys collide.
func drawValue(t *rapid.T, b []byte, typ *sats.Type) []byte {
	if o, ok := typ.IsOption(); ok {
		if rapid.Bool().Draw(t, "none") {
			return sats.AppendNone(b)
		}
		return drawValue(t, sats.AppendSome(b), o)
	}
	switch typ.Kind {
	case sats.KindString:
		return sats.AppendString(b, rapid.SampledFrom(shortStrings).Draw(t, "s"))
	case sats.KindF32:
		return sats.AppendU32(b, rapid.SampledFrom([]uint32{0, 1 << 31, 0x3f800000, 0xbf800000, 0x7fc00000, 0xffc00001, 0xff800000}).Draw(t, "f"))
	case sats.KindF64:
		return sats.AppendU64(b, rapid.SampledFrom([]uint64{0, 1 << 63, 0x3ff << 52, 0xbff << 52, 0x7ff8 << 48, 0xfff8<<48 + 1, 0xfff << 52}).Draw(t, "f"))
	case sats.KindBool:
		return sats.AppendBool(b, rapid.Bool().Draw(t, "b"))
	case sats.KindArray:
		n := rapid.IntRange(0, 2).Draw(t, "length")
		b = sats.AppendU32(b, uint32(n))
		for range n {
			b = drawValue(t, b, typ.Elem)
		}
		return b
	case sats.KindProduct:
		for _, e := range typ.Elems {
			b = drawValue(t, b, e.Type)
		}
		return b
	case sats.KindSum:
		tag := rapid.IntRange(0, len(typ.Elems)-1).Draw(t, "tag")
		return drawValue(t, append(b, byte(tag)), typ.Elems[tag].Type)
	}
	// An integer near zero: of wide ones, the highest bytes too, and negative numbers,
	// which of unsigned types are large.
	n := rapid.Int64Range(-3, 6).Draw(t, "n")
	size := typ.Kind.Size()
	v := make([]byte, size)
	for i := range v {
		v[i] = byte(n >> min(8*i, 63))
	}
	if size > 8 {
		v[size-1] ^= rapid.SampledFrom([]byte{0, 0, 1, 0x80}).Draw(t, "top")
	}
	return append(b, v...)
}

func drawRow(t *rapid.T, d *schema.Table) []byte {
	var row []byte
	for _, c := range d.Cols {
		row = drawValue(t, row, c.Type)
	}
	return row
}

func drawKey(t *rapid.T, d *schema.Table, cols []schema.ColID) []byte {
	var key []byte
	for _, c := range cols {
		key = drawValue(t, key, d.Cols[c].Type)
	}
	return key
}

// A pinned view and what it must show.
type pinned struct {
	v *View
	m model
}

type machine struct {
	s         *Store
	committed model
	m         model // as the open transaction sees it
	tx        *Tx
	views     []pinned
	log       [][]byte
	snapshots []savedSnapshot
	extra     int  // tables created so far
	any       bool // of random schemas
}

type savedSnapshot struct {
	next uint64
	data []byte
}

// newStore returns a store that differs from others in what must not matter.
func newStore(t *rapid.T) *Store {
	s := New(Options{HashSeed: rapid.Uint64().Draw(t, "seed")})
	s.rangeSlice = rapid.SampledFrom([]int{1, 2, 3, defaultRangeSlice}).Draw(t, "slice")
	return s
}

func newMachine(t *rapid.T, tables []*schema.Table) *machine {
	m := &machine{s: newStore(t), committed: model{}}
	tx := m.s.Begin()
	for _, d := range tables {
		def, err := tx.CreateTable(d)
		if err != nil {
			t.Fatal(err)
		}
		m.committed[def.Name] = newModelTable(def)
	}
	m.keep(tx.Commit(nil))
	m.m = m.committed.clone()
	return m
}

func (m *machine) keep(c *Commit) {
	if c.Logged {
		m.log = append(m.log, bytes.Clone(c.Record))
	}
}

// begin opens a transaction if none is.
func (m *machine) begin() *Tx {
	if m.tx == nil {
		m.tx = m.s.Begin()
	}
	return m.tx
}

func (m *machine) drawTable(t *rapid.T) *modelTable {
	names := slices.Sorted(maps.Keys(m.m))
	return m.m[rapid.SampledFrom(names).Draw(t, "table")]
}

// drawStored returns a row that is in the table, or else any.
func (mt *modelTable) drawStored(t *rapid.T) []byte {
	if len(mt.rows) == 0 || rapid.IntRange(0, 3).Draw(t, "any") == 0 {
		return drawRow(t, mt.def)
	}
	return []byte(rapid.SampledFrom(slices.Sorted(maps.Keys(mt.rows))).Draw(t, "stored"))
}

func code(err error) Errno {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}

func (m *machine) insert(t *rapid.T) {
	mt := m.drawTable(t)
	row := drawRow(t, mt.def)
	stored, generated, err := m.begin().Insert(mt.def.ID, row)
	row = mt.generated(t, row, stored, generated)
	var want Errno
	if !mt.rows[string(row)] {
		if _, clash := mt.clash(row, ""); clash {
			want = ErrUniqueAlreadyExists
		} else {
			mt.rows[string(row)] = true
		}
	}
	if code(err) != want {
		t.Fatalf("Insert: %v, want code %d", err, want)
	}
}

func (m *machine) update(t *rapid.T) {
	mt := m.drawTable(t)
	if len(mt.def.Indexes) == 0 {
		return
	}
	ix := rapid.SampledFrom(mt.def.Indexes).Draw(t, "index")
	row := drawRow(t, mt.def)
	stored, generated, err := m.begin().Update(mt.def.ID, ix.ID, row)
	row = mt.generated(t, row, stored, generated)
	want := ErrNoSuchRow
	old := ""
	for r := range mt.rows {
		if ix.Unique && compareCols(mt.def, ix.Cols, []byte(r), row) == 0 {
			old, want = r, 0
		}
	}
	if _, clash := mt.clash(row, old); clash {
		want = ErrUniqueAlreadyExists
	}
	if !ix.Unique {
		want = ErrIndexNotUnique
	}
	if want == 0 {
		delete(mt.rows, old)
		mt.rows[string(row)] = true
	}
	if code(err) != want {
		t.Fatalf("Update: %v, want code %d", err, want)
	}
}

func (m *machine) deleteRow(t *rapid.T) {
	mt := m.drawTable(t)
	row := mt.drawStored(t)
	ok, err := m.begin().DeleteRow(mt.def.ID, row)
	if err != nil || ok != mt.rows[string(row)] {
		t.Fatalf("DeleteRow = %v, %v, want %v", ok, err, mt.rows[string(row)])
	}
	delete(mt.rows, string(row))
}

func (m *machine) deletePoint(t *rapid.T) {
	mt := m.drawTable(t)
	if len(mt.def.Indexes) == 0 {
		return
	}
	ix := rapid.SampledFrom(mt.def.Indexes).Draw(t, "index")
	key := drawKey(t, mt.def, ix.Cols)
	n, err := m.begin().DeletePoint(ix.ID, key)
	want := mt.point(ix, key)
	if err != nil || int(n) != len(want) {
		t.Fatalf("DeletePoint = %d, %v, want %d", n, err, len(want))
	}
	for _, r := range want {
		delete(mt.rows, r)
	}
}

func (m *machine) deleteRange(t *rapid.T) {
	mt := m.drawTable(t)
	if len(mt.def.Indexes) == 0 {
		return
	}
	ix := rapid.SampledFrom(mt.def.Indexes).Draw(t, "index")
	r := drawRange(t, mt.def, ix)
	n, err := m.begin().DeleteRange(ix.ID, r)
	want := mt.between(ix, r)
	if err != nil || int(n) != len(want) {
		t.Fatalf("DeleteRange = %d, %v, want %d", n, err, len(want))
	}
	for _, r := range want {
		delete(mt.rows, r)
	}
}

func (m *machine) clear(t *rapid.T) {
	mt := m.drawTable(t)
	want := len(mt.rows)
	for _, before := range m.committed {
		for r := range before.rows {
			if before.def.ID == mt.def.ID && !mt.rows[r] {
				want++
			}
		}
	}
	n, err := m.begin().Clear(mt.def.ID)
	if err != nil || int(n) != want {
		t.Fatalf("Clear = %d, %v, want %d", n, err, want)
	}
	clear(mt.rows)
}

// point returns the rows with a key, sorted.
func (mt *modelTable) point(ix *schema.Index, key []byte) (rows []string) {
	for r := range mt.rows {
		if comparePrefix(mt.def, ix, partTypes(mt.def, ix), []byte(r), key) == 0 {
			rows = append(rows, r)
		}
	}
	slices.Sort(rows)
	return rows
}

// partTypes returns the types that ranges of an index speak of: its columns, or the
// fields of the only one (spec 08 §5.1).
func partTypes(d *schema.Table, ix *schema.Index) (types []*sats.Type) {
	for _, c := range ix.Cols {
		types = append(types, d.Cols[c].Type)
	}
	if len(types) == 1 && types[0].Kind == sats.KindProduct {
		elems := types[0].Elems
		types = nil
		for _, e := range elems {
			types = append(types, e.Type)
		}
	}
	return types
}

// comparePrefix orders a row's key in an index, from part skip on, against values of the
// types.
func comparePrefix(d *schema.Table, ix *schema.Index, types []*sats.Type, row, values []byte, skip ...*sats.Type) int {
	var key []byte
	for _, c := range ix.Cols {
		key = append(key, d.Layout.Col(row, int(c))...)
	}
	for _, s := range skip {
		key = key[sats.NewWalker(s).Len(key):]
	}
	for _, typ := range types {
		w := sats.NewWalker(typ)
		if n := w.Compare(key, values); n != 0 {
			return n
		}
		key, values = key[w.Len(key):], values[w.Len(values):]
	}
	return 0
}

func drawRange(t *rapid.T, d *schema.Table, ix *schema.Index) (r Range) {
	types := partTypes(d, ix)
	r.PrefixCols = rapid.IntRange(0, max(len(types)-1, 0)).Draw(t, "prefix")
	for _, typ := range types[:r.PrefixCols] {
		r.Prefix = drawValue(t, r.Prefix, typ)
	}
	r.Desc = rapid.Bool().Draw(t, "backwards")
	if len(types) == 0 {
		return r // of the unit type: there is nothing to bound
	}
	for _, b := range []*Bound{&r.Lo, &r.Hi} {
		b.Kind = rapid.SampledFrom([]BoundKind{Unbounded, Included, Excluded}).Draw(t, "bound")
		if b.Kind != Unbounded {
			b.Value = drawValue(t, nil, types[r.PrefixCols])
		}
	}
	return r
}

// comparing compares rows in the order of a range.
func (r *Range) comparing(d *schema.Table, ix *schema.Index) func(a, b string) int {
	return func(a, b string) int {
		if r.Desc {
			a, b = b, a
		}
		return compareCols(d, ix.Cols, []byte(a), []byte(b))
	}
}

// between returns the rows of a range, sorted by bytes.
func (mt *modelTable) between(ix *schema.Index, r Range) (rows []string) {
	types := partTypes(mt.def, ix)
	prefix, at := types[:r.PrefixCols], types[r.PrefixCols:min(r.PrefixCols+1, len(types))]
	for row := range mt.rows {
		if comparePrefix(mt.def, ix, prefix, []byte(row), r.Prefix) != 0 {
			continue
		}
		if r.Lo.Kind != Unbounded {
			if c := comparePrefix(mt.def, ix, at, []byte(row), r.Lo.Value, prefix...); c < 0 || c == 0 && r.Lo.Kind == Excluded {
				continue
			}
		}
		if r.Hi.Kind != Unbounded {
			if c := comparePrefix(mt.def, ix, at, []byte(row), r.Hi.Value, prefix...); c > 0 || c == 0 && r.Hi.Kind == Excluded {
				continue
			}
		}
		rows = append(rows, row)
	}
	slices.Sort(rows)
	return rows
}

// sameAs compares everything a reader shows with the model.
func (m model) sameAs(t *rapid.T, what string, r Reader) {
	for _, name := range slices.Sorted(maps.Keys(m)) { // draws must come in a fixed order
		mt := m[name]
		if got, want := contents(r, mt.def.ID), slices.Sorted(maps.Keys(mt.rows)); !slices.Equal(got, want) {
			t.Fatalf("%s: table %s has %q, want %q", what, name, got, want)
		}
		if n := r.RowCount(mt.def.ID); int(n) != len(mt.rows) {
			t.Fatalf("%s: RowCount(%s) = %d, want %d", what, name, n, len(mt.rows))
		}
		if len(mt.def.Indexes) == 0 {
			continue
		}
		_, view := r.(*View)
		mt.sameKeys(t, what, r.(keyCounter), view)
		ix := rapid.SampledFrom(mt.def.Indexes).Draw(t, "index")
		key := drawKey(t, mt.def, ix.Cols)
		if got, want := collect(r.Point(ix.ID, key)), mt.point(ix, key); !slices.Equal(slices.Sorted(slices.Values(got)), want) {
			t.Fatalf("%s: Point(%s, %x) = %q, want %q", what, ix.Name, key, got, want)
		} else if row, ok := r.FindUnique(ix.ID, key); ix.Unique && (ok != (len(want) == 1) || ok && string(row) != want[0]) {
			t.Fatalf("%s: FindUnique(%s, %x) = %q, want %q", what, ix.Name, key, row, want)
		}
		rg := drawRange(t, mt.def, ix)
		got := collect(r.Range(ix.ID, rg))
		if !slices.IsSortedFunc(got, rg.comparing(mt.def, ix)) {
			t.Fatalf("%s: Range(%s, %v) = %q is not in order", what, ix.Name, rg, got)
		}
		slices.Sort(got)
		if want := mt.between(ix, rg); !slices.Equal(got, want) {
			t.Fatalf("%s: Range(%s, %v) = %q, want %q", what, ix.Name, rg, got, want)
		}
	}
}

// A keyCounter is what Tx and View are besides a Reader.
type keyCounter interface {
	DistinctKeys(schema.IndexID) uint64
}

// sameKeys compares the numbers of different keys. An old view only promises to be
// near.
func (mt *modelTable) sameKeys(t *rapid.T, what string, r keyCounter, old bool) {
	for _, ix := range mt.def.Indexes {
		var keys []string
		for row := range mt.rows {
			if !slices.ContainsFunc(keys, func(k string) bool { return compareCols(mt.def, ix.Cols, []byte(k), []byte(row)) == 0 }) {
				keys = append(keys, row)
			}
		}
		n := int(r.DistinctKeys(ix.ID))
		if old && n <= len(mt.rows) && (n > 0) == (len(mt.rows) > 0) {
			continue
		}
		if n != len(keys) {
			t.Fatalf("%s: DistinctKeys(%s) = %d, want %d", what, ix.Name, n, len(keys))
		}
	}
}

func collect(seq func(func([]byte) bool)) (rows []string) {
	for row := range seq {
		rows = append(rows, string(row))
	}
	return rows
}

func (m *machine) commit(t *rapid.T) {
	if m.tx == nil {
		return
	}
	c := m.tx.Commit(nil)
	m.tx = nil
	m.keep(c)
	m.checkDelta(t, c)
	for _, mt := range m.m {
		if mt.def.IsEvent {
			clear(mt.rows)
		}
	}
	m.committed = m.m.clone()
}

// checkDelta compares the delta with the difference of two states.
func (m *machine) checkDelta(t *rapid.T, c *Commit) {
	for _, td := range c.Delta.Tables {
		if td.Table.Kind == schema.System {
			continue
		}
		before, after := map[string]bool{}, map[string]bool{}
		for _, mt := range m.committed {
			if mt.def.ID == td.Table.ID {
				before = mt.rows
			}
		}
		for _, mt := range m.m {
			if mt.def.ID == td.Table.ID {
				after = mt.rows
			}
		}
		want := func(a, b map[string]bool) (d []string) {
			for r := range a {
				if !b[r] {
					d = append(d, r)
				}
			}
			slices.Sort(d)
			return d
		}
		ins, del := collect(td.Inserts.All()), collect(td.Deletes.All())
		slices.Sort(ins)
		slices.Sort(del)
		if !slices.Equal(ins, want(after, before)) || !slices.Equal(del, want(before, after)) {
			t.Fatalf("delta of %s is +%q -%q, want +%q -%q", td.Table.Name, ins, del, want(after, before), want(before, after))
		}
		if trunc := len(del) > 0 && len(after) == 0; trunc != td.Truncated {
			t.Fatalf("delta of %s: Truncated = %v, want %v", td.Table.Name, td.Truncated, trunc)
		}
	}
	for name, mt := range m.m {
		var before map[string]bool
		if b := m.committed[name]; b != nil && b.def.ID == mt.def.ID {
			before = b.rows
		}
		if changed := !maps.Equal(before, mt.rows) && len(before)+len(mt.rows) > 0; changed != slices.ContainsFunc(c.Delta.Tables, func(d TableDelta) bool { return d.Table.ID == mt.def.ID }) {
			t.Fatalf("table %s in the delta: %v, want %v", name, !changed, changed)
		}
	}
}

func (m *machine) rollback(t *rapid.T) {
	if m.tx == nil {
		return
	}
	m.tx.Rollback()
	m.saved(t)
	m.tx, m.m = nil, m.committed.clone()
	m.sameSchema(t, "rolled back")
}

// sameSchema compares all definitions with the committed ones.
func (m *machine) sameSchema(t *rapid.T, what string) {
	v := m.s.View()
	defer v.Close()
	n := 0
	for _, d := range v.Tables() {
		if d.Kind == schema.System {
			continue
		}
		n++
		mt := m.committed[d.Name]
		if mt == nil || v.TableByName(d.Name) != d {
			t.Fatalf("%s: there is a table %s", what, d.Name)
		}
		sameDefinition(t, d, mt.def)
		for _, x := range d.Indexes {
			if table, ix := v.IndexByName(x.Name); table != d || ix != x {
				t.Fatalf("%s: the name of index %s leads elsewhere", what, x.Name)
			}
		}
	}
	if n != len(m.committed) {
		t.Fatalf("%s: %d tables, want %d", what, n, len(m.committed))
	}
}

// saved writes the rows of sequences that a rollback has left behind.
func (m *machine) saved(t *rapid.T) {
	if !m.s.SequencesBehind() {
		return
	}
	tx := m.s.Begin()
	tx.SaveSequences()
	c := tx.Commit(nil)
	if len(c.Delta.Tables) > 1 || len(c.Delta.Tables) == 1 && c.Delta.Tables[0].Table.ID != schema.StSequence {
		t.Fatalf("SaveSequences changes %v", c.Delta.Tables)
	}
	m.keep(c)
}

func (m *machine) openView(t *rapid.T) {
	if len(m.views) < 4 {
		p := pinned{m.s.View(), m.committed.clone()}
		m.views = append(m.views, p)
		for _, mt := range p.m {
			mt.sameKeys(t, "new view", p.v, false)
		}
	}
}

func (m *machine) closeView(t *rapid.T) {
	if len(m.views) > 0 {
		i := rapid.IntRange(0, len(m.views)-1).Draw(t, "view")
		m.views[i].v.Close()
		m.views = slices.Delete(m.views, i, i+1)
	}
}

func (m *machine) snapshot(t *rapid.T) {
	v := m.s.View()
	defer v.Close()
	var b bytes.Buffer
	if err := m.s.WriteSnapshot(v, &b); err != nil {
		t.Fatal(err)
	}
	m.snapshots = append(m.snapshots, savedSnapshot{v.next, b.Bytes()})
}

func (m *machine) redefined(def *schema.Table, rows map[string]bool) {
	var ids *modelIDs
	if mt := m.m[def.Name]; mt != nil {
		ids = mt.ids
	}
	m.m[def.Name] = &modelTable{def, rows, ids}
}

// change runs a random schema operation.
func (m *machine) change(t *rapid.T) {
	mt := m.drawTable(t)
	tx, d := m.begin(), mt.def
	switch rapid.IntRange(0, 7).Draw(t, "operation") {
	case 0:
		m.extra++
		n := tableDef(fmt.Sprintf("extra%d", m.extra), col("x", sats.U8), col("y", sats.String))
		withIndex(n, schema.BTree, 1)
		if m.any {
			n = drawTable(t, n.Name)
		}
		def, err := tx.CreateTable(n)
		if err != nil {
			t.Fatal(err)
		}
		m.m[def.Name] = newModelTable(def)
		return
	case 1:
		if err := tx.DropTable(d.ID); err != nil {
			t.Fatal(err)
		}
		delete(m.m, d.Name)
		if len(m.m) == 0 {
			m.rollback(t)
		}
		return
	case 2:
		c := schema.ColID(rapid.IntRange(0, len(d.Cols)-1).Draw(t, "column"))
		m.extra++
		algo := rapid.SampledFrom([]schema.Algo{schema.BTree, schema.Hash}).Draw(t, "algo")
		if _, err := tx.CreateIndex(d.ID, &schema.Index{Name: fmt.Sprintf("more%d", m.extra), Algo: algo, Cols: []schema.ColID{c}}); err != nil {
			t.Fatal(err)
		}
	case 3:
		if len(d.Indexes) < 2 {
			return
		}
		ix := rapid.SampledFrom(d.Indexes).Draw(t, "index")
		if d.IsUnique(ix.Cols) {
			return // without it the constraint would do nothing
		}
		if err := tx.DropIndex(ix.ID); err != nil {
			t.Fatal(err)
		}
	case 4:
		m.constrain(t, tx, mt)
	case 5:
		if len(d.Constraints) > 0 {
			if err := tx.DropConstraint(rapid.SampledFrom(d.Constraints).Draw(t, "constraint").ID); err != nil {
				t.Fatal(err)
			}
		}
	case 6:
		m.addColumn(t, tx, mt)
		return
	case 7:
		if err := tx.SetAccess(d.ID, schema.Private-d.Access); err != nil {
			t.Fatal(err)
		}
	}
	m.redefined(tx.Table(d.ID), mt.rows)
}

func (m *machine) constrain(t *rapid.T, tx *Tx, mt *modelTable) {
	if len(mt.def.Indexes) == 0 {
		return
	}
	cols := slices.Clone(rapid.SampledFrom(mt.def.Indexes).Draw(t, "index").Cols)
	slices.Sort(cols)
	m.extra++
	_, err := tx.CreateConstraint(mt.def.ID, &schema.Constraint{Name: fmt.Sprintf("only%d", m.extra), Cols: cols})
	repeated := false
	for a := range mt.rows {
		for b := range mt.rows {
			repeated = repeated || a != b && compareCols(mt.def, cols, []byte(a), []byte(b)) == 0
		}
	}
	if repeated != (err != nil) {
		t.Fatalf("CreateConstraint: %v, rows repeat: %v", err, repeated)
	}
}

func (m *machine) addColumn(t *rapid.T, tx *Tx, mt *modelTable) {
	d := mt.def
	if len(d.Cols) > 6 || d.IsEvent {
		return
	}
	typ := sats.U16
	if m.any {
		typ = drawType(t)
	}
	n := tableDef(d.Name, append(slices.Clone(d.Cols), col(fmt.Sprintf("c%d", len(d.Cols)), typ))...)
	n.Indexes, n.Constraints, n.Access, n.Sequences = d.Indexes, d.Constraints, d.Access, d.Sequences
	suffix := drawValue(t, nil, typ)
	def, err := tx.AddColumns(d.ID, n, [][]byte{suffix})
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]bool{}
	for r := range mt.rows {
		rows[r+string(suffix)] = true
	}
	m.redefined(def, rows)
}

// interleave reads a range of a view in steps, writing in between.
func (m *machine) interleave(t *rapid.T) {
	if len(m.views) == 0 {
		return
	}
	p := rapid.SampledFrom(m.views).Draw(t, "view")
	names := slices.Sorted(maps.Keys(p.m))
	mt := p.m[rapid.SampledFrom(names).Draw(t, "table")]
	if len(mt.def.Indexes) == 0 {
		return
	}
	ix := rapid.SampledFrom(mt.def.Indexes).Draw(t, "index")
	seq, want := p.v.Scan(mt.def.ID), slices.Sorted(maps.Keys(mt.rows))
	var ranged *Range
	switch rapid.IntRange(0, 2).Draw(t, "how") {
	case 0:
		r := drawRange(t, mt.def, ix)
		ranged = &r
		seq, want = p.v.Range(ix.ID, r), mt.between(ix, r)
	case 1:
		key := drawKey(t, mt.def, ix.Cols)
		seq, want = p.v.Point(ix.ID, key), mt.point(ix, key)
	}
	var got []string
	for row := range seq {
		got = append(got, string(row))
		for range rapid.IntRange(0, 3).Draw(t, "writes") {
			rapid.SampledFrom([]func(*rapid.T){m.insert, m.update, m.deleteRow, m.deletePoint, m.deleteRange, m.commit, m.rollback}).Draw(t, "write")(t)
		}
	}
	if ranged != nil && !slices.IsSortedFunc(got, ranged.comparing(mt.def, ix)) {
		t.Fatalf("view of %s beside writes gives %q, which is not in order", mt.def.Name, got)
	}
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Fatalf("view of %s beside writes gives %q, want %q", mt.def.Name, got, want)
	}
}

func (m *machine) check(t *rapid.T) {
	if err := m.s.Check(); err != nil {
		t.Fatal(err)
	}
	if m.tx != nil {
		m.m.sameAs(t, "transaction", m.tx)
	}
	for i, p := range m.views {
		p.m.sameAs(t, fmt.Sprintf("view %d", i), p.v)
	}
}

// recovered replays what was logged, from a snapshot on, into a new store.
func (m *machine) recovered(t *rapid.T, from *savedSnapshot) *Store {
	s := newStore(t)
	next := uint64(0)
	if from != nil {
		if err := s.LoadSnapshot(bytes.NewReader(from.data)); err != nil {
			t.Fatal(err)
		}
		next = from.next
	}
	for off := next; off < uint64(len(m.log)); off++ {
		if n, err := s.ReplayRecord(off, m.log[off]); err != nil || n != len(m.log[off]) {
			t.Fatalf("ReplayRecord(%d) = %d, %v, want %d bytes", off, n, err, len(m.log[off]))
		}
	}
	if err := s.FinishReplay(); err != nil {
		t.Fatal(err)
	}
	if err := s.Check(); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		newMachine(t, modelTables()).run(t)
	})
}

// run does a random history and recovers from what it left.
func (m *machine) run(t *rapid.T) {
	t.Repeat(map[string]func(*rapid.T){
		"insert": m.insert, "insert2": m.insert, "insert3": m.insert, "insert4": m.insert,
		"update": m.update, "update2": m.update,
		"deleteRow": m.deleteRow, "deletePoint": m.deletePoint, "deleteRange": m.deleteRange, "clear": m.clear,
		"commit": m.commit, "commit2": m.commit, "rollback": m.rollback,
		"openView": m.openView, "closeView": m.closeView, "snapshot": m.snapshot, "change": m.change, "interleave": m.interleave, "interleave2": m.interleave,
		"restart": m.restart,
		"":        m.check,
	})
	m.stop(t)
	for _, from := range m.sources() {
		s := m.recovered(t, from)
		v := s.View()
		m.committed.sameAs(t, "recovered", v)
		for _, mt := range m.committed {
			mt.sameKeys(t, "recovered", v, false)
		}
		v.Close()
	}
}

// stop rolls back what is open and closes the views.
func (m *machine) stop(t *rapid.T) {
	m.rollback(t)
	for len(m.views) > 0 {
		m.closeView(t)
	}
	if err := m.s.Check(); err != nil {
		t.Fatal(err)
	}
}

// sources are what one can recover from: the log alone, or a snapshot and its rest.
func (m *machine) sources() []*savedSnapshot {
	all := []*savedSnapshot{nil}
	for i := range m.snapshots {
		all = append(all, &m.snapshots[i])
	}
	return all
}

// restart goes on with a store recovered from any of the sources.
func (m *machine) restart(t *rapid.T) {
	m.stop(t)
	m.s = m.recovered(t, rapid.SampledFrom(m.sources()).Draw(t, "from"))
	v := m.s.View()
	defer v.Close()
	for name, mt := range m.committed {
		def := v.Table(mt.def.ID)
		if def == nil {
			t.Fatalf("table %s is lost", name)
		}
		sameDefinition(t, def, mt.def)
		mt.def = def
		if mt.ids != nil && mt.ids.next > 1 {
			mt.ids.next = 0 // the next batch
		}
	}
	m.m = m.committed.clone()
	m.m.sameAs(t, "restarted", v)
	m.sameSchema(t, "restarted")
}
