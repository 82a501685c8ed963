package store

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

// systemTables is spec 08 §9: id, name, columns with their types, a * for private tables, the
// primary key if one is recorded.
const systemTables = `
1 st_table table_id:U32 table_name:String table_type:String table_access:String table_primary_key:Option<Array<U16>> | table_id
2 st_column table_id:U32 col_pos:U16 col_name:String col_type:Array<U8> |
3 st_sequence sequence_id:U32 sequence_name:String table_id:U32 col_pos:U16 increment:I128 start:I128 min_value:I128 max_value:I128 allocated:I128 | sequence_id
4 st_index index_id:U32 table_id:U32 index_name:String index_algorithm:Sum | index_id
5 st_constraint constraint_id:U32 constraint_name:String table_id:U32 constraint_data:Sum | constraint_id
6 st_module |
7 st_client |
8 st_var | name
9 st_scheduled schedule_id:U32 table_id:U32 reducer_name:String schedule_name:String at_column:U16 | schedule_id
10 st_row_level_security table_id:U32 sql:String | sql
11* st_connection_credentials | connection_id
12 st_view view_id:U32 view_name:String table_id:Option<U32> is_public:Bool is_anonymous:Bool | view_id
13 st_view_param view_id:U32 param_pos:U16 param_name:String param_type:Array<U8> |
14 st_view_column view_id:U32 col_pos:U16 col_name:String col_type:Array<U8> |
15 st_view_sub |
16 st_view_arg id:U64 bytes:Array<U8> | id
17 st_event_table table_id:U32 | table_id
18 st_table_accessor table_name:String accessor_name:String |
19 st_index_accessor index_name:String accessor_name:String |
20 st_column_accessor table_name:String col_name:String accessor_name:String |
21* st_env key:String value:String | key
22* st_outbound_stream | stream_id
23* st_outbound_msg |
24* st_inbound_stream |
25* st_inbound_msg |
26* st_outbox | table_id`

// systemIndexes is id, table and columns of each index; a ! for those that are not unique.
const systemIndexes = `1 1(0) 2 1(1) 3 2(0,1) 4 3(0) 5 4(0) 6 5(0) 7 7(0,1) 8 8(0) 9 9(0) 10 9(1) 11! 10(0) 12 10(1) 13 11(0) 14 12(0) 15 12(1)
16 13(0,1) 17 14(0,1) 18! 15(2) 19! 15(4) 20! 15(0,1,2) 21 16(0) 22 16(1) 23 17(0) 24 18(0) 25 18(1) 26 19(0) 27 19(1) 28 20(0,1) 29 20(0,2)
30 21(0) 31 22(0) 32 22(1,2) 33 23(0,2) 34 24(0,1) 35 25(0,1,2) 36 23(0,1) 37 26(0)`

// The system tables are those of the specification, in their definitions and in the rows
// that describe them, which are read like any others.
func TestSystemTables(t *testing.T) {
	spec.Covers(t, "08.17")
	s := New(Options{})
	tx := s.Begin()
	defer tx.Rollback()
	described := 0
	for _, line := range strings.Split(strings.TrimSpace(systemTables), "\n") {
		described++
		left, key, _ := strings.Cut(line, "|")
		f := strings.Fields(left)
		var id uint32
		fmt.Sscan(strings.TrimSuffix(f[0], "*"), &id)
		checkSystemTable(t, tx, schema.TableID(id), f[1], f[2:], strings.TrimSpace(key), strings.HasSuffix(f[0], "*"))
	}
	if n := len(tx.Tables()); n != described {
		t.Errorf("%d system tables, want %d", n, described)
	}
	f := strings.Fields(systemIndexes)
	for i := 0; i < len(f); i += 2 {
		checkSystemIndex(t, tx, f[i], f[i+1])
	}
	if n := tx.RowCount(schema.StIndex); n != uint64(len(f)/2) {
		t.Errorf("st_index has %d rows, want %d", n, len(f)/2)
	}
	checkSystemSequences(t, tx)
}

func checkSystemTable(t *testing.T, r Reader, id schema.TableID, name string, cols []string, key string, private bool) {
	t.Helper()
	def := r.TableByName(name)
	if def == nil || def.ID != id || def != r.Table(id) {
		t.Fatalf("table %s is %v, want id %d", name, def, id)
	}
	if (def.Access == schema.Private) != private {
		t.Errorf("%s: private is %v, want %v", name, !private, private)
	}
	for i, c := range cols {
		col, typ, _ := strings.Cut(c, ":")
		if i >= len(def.Cols) || def.Cols[i].Name != col || !isType(def.Cols[i].Type, typ) || def.Layout.ColName(i) != col {
			t.Errorf("%s: column %d is %+v, want %s", name, i, def.Cols[min(i, len(def.Cols)-1)], c)
		}
	}
	if len(cols) > 0 && len(cols) != len(def.Cols) {
		t.Errorf("%s has %d columns, want %d", name, len(def.Cols), len(cols))
	}
	b, ok := r.FindUnique(schema.IxTableID, u32(uint32(id)))
	var row schema.StTableRow
	if !ok || row.Decode(b) != nil || row.Name != name || row.Type != "system" || (row.Access == "private") != private {
		t.Errorf("the row of %s is %+v", name, row)
	}
	var pk string
	if len(row.PrimaryKey) == 1 {
		pk = def.Cols[row.PrimaryKey[0]].Name
	}
	if pk != key {
		t.Errorf("%s: the primary key is %q, want %q", name, pk, key)
	}
	n := 0
	for b := range r.Range(schema.IxColumnTableIDPos, Range{Prefix: u32(uint32(id)), PrefixCols: 1}) {
		var c schema.StColumnRow
		if c.Decode(b) != nil || int(c.Pos) != n || c.Name != def.Cols[n].Name || !c.Type.Equal(def.Cols[n].Type) {
			t.Errorf("%s: row of column %d is %+v", name, n, c)
		}
		n++
	}
	if n != len(def.Cols) {
		t.Errorf("%s: %d columns are described, want %d", name, n, len(def.Cols))
	}
}

func isType(got *sats.Type, want string) bool {
	if inner, ok := strings.CutPrefix(want, "Option<"); ok {
		elem, isOption := got.IsOption()
		return isOption && isType(elem, strings.TrimSuffix(inner, ">"))
	}
	if inner, ok := strings.CutPrefix(want, "Array<"); ok {
		return got.Kind == sats.KindArray && isType(got.Elem, strings.TrimSuffix(inner, ">"))
	}
	if want == "Sum" {
		return got.Kind == sats.KindSum
	}
	return got.Kind.String() == want
}

func checkSystemIndex(t *testing.T, r Reader, number, place string) {
	t.Helper()
	var id, table uint32
	fmt.Sscan(strings.TrimSuffix(number, "!"), &id)
	fmt.Sscan(place[:strings.Index(place, "(")], &table)
	def, ix := r.IndexByID(schema.IndexID(id))
	if ix == nil {
		t.Fatalf("there is no index %d", id)
	}
	var cols []string
	name := def.Name
	for _, c := range ix.Cols {
		cols = append(cols, fmt.Sprint(c))
		name += "_" + def.Cols[c].Name
	}
	if got := fmt.Sprintf("%d(%s)", def.ID, strings.Join(cols, ",")); got != place || ix.Algo != schema.BTree || ix.Unique == strings.HasSuffix(number, "!") {
		t.Errorf("index %d is %s, %v, unique %v", id, got, ix.Algo, ix.Unique)
	}
	if ix.Name != name+"_idx_btree" {
		t.Errorf("index %d is called %s, want %s_idx_btree", id, ix.Name, name)
	}
	var row schema.StIndexRow
	if b, ok := r.FindUnique(schema.IxIndexID, u32(id)); !ok || row.Decode(b) != nil || uint32(row.TableID) != table || row.Name != ix.Name {
		t.Errorf("the row of index %d is %+v", id, row)
	}
}

func checkSystemSequences(t *testing.T, r Reader) {
	t.Helper()
	for i, name := range []string{
		"st_table_table_id_seq", "st_index_index_id_seq", "st_constraint_constraint_id_seq", "st_scheduled_schedule_id_seq",
		"st_sequence_sequence_id_seq", "st_view_view_id_seq", "st_view_arg_id_seq", "st_outbound_stream_stream_id_seq",
	} {
		var q schema.StSequenceRow
		b, ok := r.FindUnique(schema.IxSequenceID, u32(uint32(i+1)))
		if !ok || q.Decode(b) != nil || q.Name != name || q.Start != sats.I128From(4097) || q.Min != sats.I128From(1) ||
			q.Increment != sats.I128From(1) || q.Max != (sats.I128{Lo: 1<<64 - 1, Hi: 1<<63 - 1}) || q.Allocated != sats.I128From(4096) {
			t.Errorf("sequence %d is %+v, want %s", i+1, q, name)
		}
	}
}
