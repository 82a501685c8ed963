package schema

import (
	"encoding/hex"
	"slices"
	"testing"

	"github.com/stdbgo/spacetime/sats"
)

// The counts and ids that a fresh database shows (spec 02 §9.5, 08 §9).
func TestSystemTables(t *testing.T) {
	var cols, indexes, constraints, sequences int
	indexIDs, constraintIDs, sequenceIDs := map[IndexID]*Index{}, map[ConstraintID]*Constraint{}, map[SequenceID]string{}
	for i, d := range SystemTables() {
		if d.ID != TableID(i+1) || SystemTable(d.ID) != d || d.Kind != System {
			t.Errorf("table %s has id %d, place %d", d.Name, d.ID, i)
		}
		private := d.ID == 11 || d.ID >= 21
		if (d.Access == Private) != private {
			t.Errorf("%s is %s", d.Name, d.Access)
		}
		cols += len(d.Cols)
		indexes += len(d.Indexes)
		constraints += len(d.Constraints)
		sequences += len(d.Sequences)
		for _, x := range d.Indexes {
			indexIDs[x.ID] = x
			if x.Unique != d.IsUnique(x.Cols) {
				t.Errorf("index %s: unique %t", x.Name, x.Unique)
			}
		}
		for _, c := range d.Constraints {
			constraintIDs[c.ID] = c
			if d.IndexOn(c.Cols...) == nil {
				t.Errorf("constraint %s has no index", c.Name)
			}
		}
		for _, s := range d.Sequences {
			sequenceIDs[s.ID] = s.Name
		}
	}
	if got, want := []int{len(SystemTables()), cols, indexes, constraints, sequences}, []int{26, 102, 37, 33, 8}; !slices.Equal(got, want) {
		t.Errorf("tables, columns, indexes, constraints, sequences: %v, want %v", got, want)
	}
	for id, want := range map[IndexID]string{
		1: "st_table_table_id_idx_btree", 7: "st_client_identity_connection_id_idx_btree", 12: "st_row_level_security_sql_idx_btree",
		20: "st_view_sub_view_id_arg_id_identity_idx_btree", 29: "st_column_accessor_table_name_accessor_name_idx_btree",
		36: "st_outbound_msg_stream_id_msg_id_idx_btree", 37: "st_outbox_table_id_idx_btree",
	} {
		if x := indexIDs[id]; x == nil || x.Name != want {
			t.Errorf("index %d: %v, want %s", id, x, want)
		}
	}
	for id, want := range map[ConstraintID]string{
		11: "st_row_level_security_sql_key", 12: "st_connection_credentials_connection_id_key", 25: "st_column_accessor_table_name_accessor_name_key",
		32: "st_outbound_msg_stream_id_msg_id_key",
	} {
		if c := constraintIDs[id]; c == nil || c.Name != want {
			t.Errorf("constraint %d: %v, want %s", id, c, want)
		}
	}
	want := map[SequenceID]string{
		SeqTableID: "st_table_table_id_seq", SeqIndexID: "st_index_index_id_seq", SeqConstraintID: "st_constraint_constraint_id_seq",
		SeqScheduleID: "st_scheduled_schedule_id_seq", SeqSequenceID: "st_sequence_sequence_id_seq", SeqViewID: "st_view_view_id_seq",
		SeqViewArgID: "st_view_arg_id_seq", SeqOutboundStream: "st_outbound_stream_stream_id_seq",
	}
	for id, name := range want {
		if sequenceIDs[id] != name {
			t.Errorf("sequence %d is %q, want %q", id, sequenceIDs[id], name)
		}
	}
	if SystemTable(0) != nil || SystemTable(27) != nil {
		t.Error("system tables that do not exist")
	}
}

// st_column.col_type of the columns that are not scalars (spec 02 §9.2), and
// of common types (§2.3).
func TestSystemColumnTypes(t *testing.T) {
	for _, c := range []struct {
		typ  *sats.Type
		want string
	}{
		{SystemTable(StTable).Cols[4].Type, "01020000000004000000736f6d65030900040000006e6f6e650200000000"},
		{SystemTable(StView).Cols[2].Type, "01020000000004000000736f6d650b00040000006e6f6e650200000000"},
		{SystemTable(StIndex).Cols[3].Type, "01040000000006000000556e757365640f0005000000425472656503090006000000446972656374090004000000486173680309"},
		{SystemTable(StConstraint).Cols[3].Type, "01020000000006000000556e757365640f0006000000556e697175650309"},
		{SystemTable(StModule).Cols[4].Type, "0307"},
		{sats.IdentityType, "0201000000000c0000005f5f6964656e746974795f5f11"},
	} {
		if got := hex.EncodeToString(sats.AppendType(nil, c.typ)); got != c.want {
			t.Errorf("%s: %s, want %s", c.typ, got, c.want)
		}
	}
}

// catalogueRow is what all row types offer.
type catalogueRow interface {
	Append([]byte) []byte
	Decode([]byte) error
}

// Rows survive encoding, are valid for their table, and no row that is cut
// short or too long decodes.
func TestCatalogueRows(t *testing.T) {
	id := TableID(4096)
	for _, c := range []struct {
		table    TableID
		row, out catalogueRow
	}{
		{StTable, &StTableRow{4096, "t", "user", "public", []ColID{3}}, new(StTableRow)},
		{StTable, &StTableRow{4096, "t", "user", "private", nil}, new(StTableRow)},
		{StColumn, &StColumnRow{4096, 2, "c", sats.Option(sats.U8)}, new(StColumnRow)},
		{StSequence, &StSequenceRow{1, "s", 4096, 3, sats.I128From(1), sats.I128From(-2), sats.I128From(-5), maxI128, sats.I128From(7)}, new(StSequenceRow)},
		{StIndex, &StIndexRow{1, 4096, "i", BTree, []ColID{1, 2}}, new(StIndexRow)},
		{StIndex, &StIndexRow{1, 4096, "i", Hash, []ColID{1}}, new(StIndexRow)},
		{StIndex, &StIndexRow{1, 4096, "i", Direct, []ColID{1}}, new(StIndexRow)},
		{StConstraint, &StConstraintRow{1, "c", 4096, []ColID{0, 1}}, new(StConstraintRow)},
		{StModule, &StModuleRow{sats.Identity{1}, sats.Identity{2}, 1, sats.Hash{3}, []byte("program"), ModuleVersion}, new(StModuleRow)},
		{StClient, &StClientRow{sats.Identity{1}, sats.ConnectionID{2}}, new(StClientRow)},
		{StVar, NewStVarU64(RowLimitVar, 1000), new(StVarRow)},
		{StScheduled, &StScheduledRow{4096, 4097, "f", "s", 1}, new(StScheduledRow)},
		{StRowLevelSecurity, &StRowLevelSecurityRow{4096, "SELECT * FROM t"}, new(StRowLevelSecurityRow)},
		{StConnectionCredentials, &StConnectionCredentialsRow{sats.ConnectionID{9}, "{}"}, new(StConnectionCredentialsRow)},
		{StView, &StViewRow{4096, "v", &id, true, false}, new(StViewRow)},
		{StView, &StViewRow{4096, "v", nil, false, true}, new(StViewRow)},
		{StViewParam, &StViewParamRow{4096, 0, "p", sats.Ref(3)}, new(StViewParamRow)},
		{StViewColumn, &StViewColumnRow{4096, 1, "c", sats.U64}, new(StViewColumnRow)},
		{StEventTable, &StEventTableRow{4096}, new(StEventTableRow)},
		{StTableAccessor, &StTableAccessorRow{"t", "T"}, new(StTableAccessorRow)},
		{StIndexAccessor, &StIndexAccessorRow{"i", "I"}, new(StIndexAccessorRow)},
		{StColumnAccessor, &StColumnAccessorRow{"t", "c", "C"}, new(StColumnAccessorRow)},
		{StEnv, &StEnvRow{"KEY", "value"}, new(StEnvRow)},
		{StOutboundStream, &StOutboundStreamRow{1, 4096, sats.Identity{5}, 7, 6}, new(StOutboundStreamRow)},
		{StOutbox, &StOutboxRow{4096, Outbox{"r", 1, []ColID{2}, "done", sats.Hash{4}}}, new(StOutboxRow)},
		{StOutbox, &StOutboxRow{4096, Outbox{RemoteReducer: "a.b", ArgCols: []ColID{}}}, new(StOutboxRow)},
	} {
		b := c.row.Append(nil)
		if n, err := SystemTable(c.table).Layout.Validate(b); err != nil || n != len(b) {
			t.Errorf("%T: no row of its table: %d of %d bytes, %v", c.row, n, len(b), err)
		}
		if err := c.out.Decode(b); err != nil {
			t.Errorf("%T: %v", c.row, err)
			continue
		}
		if got := c.out.Append(nil); string(got) != string(b) {
			t.Errorf("%T: encoded again %x, want %x", c.row, got, b)
		}
		for n := range b {
			if err := c.out.Decode(b[:n]); err == nil {
				t.Errorf("%T: %d of %d bytes decode", c.row, n, len(b))
			}
		}
		if err := c.out.Decode(append(b, 0)); err == nil {
			t.Errorf("%T: a byte too many decodes", c.row)
		}
	}
	if v, ok := NewStVarU64(RowLimitVar, 1000).U64(); !ok || v != 1000 {
		t.Errorf("variable: %d, %t", v, ok)
	}
}

// Backing tables of views (spec 02 §8.2).
func TestViewTable(t *testing.T) {
	m := newModule()
	m.rows("plain").IsPublic = false
	m.rows("keyed")
	m.ViewPrimaryKeys = []RawViewPrimaryKey{{"keyed", []string{"b"}}}
	def := m.must(t)
	plain, _ := def.View("plain")
	d := plain.Instantiate()
	if !d.IsView || d.Access != Private || d.Kind != User || len(d.Cols) != 3 || d.Cols[0].Name != "arg_hash" || d.Cols[0].Accessor != "" || d.Cols[1].Accessor != "a" {
		t.Errorf("table of plain: %+v", d)
	}
	if len(d.Constraints) != 0 || len(d.Indexes) != 1 || d.Indexes[0].Name != "plain_arg_hash_idx_btree" || d.Indexes[0].Unique {
		t.Errorf("indexes of plain: %+v", d.Indexes)
	}
	keyed, _ := def.View("keyed")
	d = keyed.Instantiate()
	if d.Access != Public || d.Constraints[0].Name != "keyed_arg_hash_b_key" || d.Indexes[0].Name != "keyed_arg_hash_b_idx_btree" || !d.Indexes[0].Unique || !slices.Equal(d.Indexes[0].Cols, []ColID{0, 2}) {
		t.Errorf("table of keyed: %+v", d)
	}
}

func TestTableLookups(t *testing.T) {
	m := newModule()
	d := m.table("t", sats.E("aCol", sats.U64), sats.E("b", sats.U64), sats.E("c", sats.U64)).key(0).index(BTree, 1, 2).index(Hash, 1)
	d.Constraints = append(d.Constraints, RawConstraint{Cols: []ColID{2, 1}})
	def, _ := m.must(t).Table("t")
	tab := def.Instantiate()
	for name, want := range map[string]ColID{"aCol": 0, "a_col": 0, "b": 1} {
		if c, ok := tab.Col(name); !ok || c != want {
			t.Errorf("column %s: %d, %t", name, c, ok)
		}
	}
	if _, ok := tab.Col("d"); ok {
		t.Error("a column that does not exist is found")
	}
	if tab.UniqueIndexOn(0) == nil || tab.UniqueIndexOn(1) != nil || tab.IndexOn(1).Algo != Hash || tab.IndexOn(2) != nil {
		t.Error("index lookups")
	}
	if x := tab.IndexOn(1, 2); x == nil || !x.Unique {
		t.Errorf("an index is unique if a constraint has its columns in any order: %+v", x)
	}
	if !slices.IsSortedFunc(tab.Indexes, func(a, b *Index) int { return compareStrings(a.Name, b.Name) }) {
		t.Error("indexes are not in name order")
	}
}

func compareStrings(a, b string) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}
