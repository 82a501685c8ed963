package store

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/sats"
)

const vectorDir = "../../testdata/vectors/commitlog/2.8.3"

// originalRecords returns the transaction records of a log of the original server
// (format: spec 08 §25).
func originalRecords(t testing.TB) [][]byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(vectorDir, "00000000000000000000.stdb.log"))
	if err != nil {
		t.Fatal(err)
	}
	var records [][]byte
	for b = b[10:]; len(b) >= 26; {
		n := int(binary.LittleEndian.Uint32(b[18:]))
		if n == 0 {
			break
		}
		sum := binary.LittleEndian.Uint32(b[22+n:])
		if off := binary.LittleEndian.Uint64(b); off != uint64(len(records)) || binary.LittleEndian.Uint16(b[16:]) != 1 ||
			sum != crc32.Checksum(b[:22+n], crc32.MakeTable(crc32.Castagnoli)) {
			t.Fatalf("commit %d at offset %d is broken", len(records), off)
		}
		records = append(records, b[22:22+n])
		b = b[26+n:]
	}
	return records
}

func replayAll(t testing.TB, s *Store, records [][]byte) {
	t.Helper()
	for _, r := range records {
		if n, err := s.ReplayRecord(s.NextOffset(), r); err != nil || n != len(r) {
			t.Fatalf("ReplayRecord = %d, %v, want %d bytes", n, err, len(r))
		}
	}
	if err := s.FinishReplay(); err != nil {
		t.Fatal(err)
	}
	check(t, s)
}

func jsonRows(t testing.TB, r Reader, def *schema.Table) (rows []string) {
	for row := range r.Scan(def.ID) {
		text, _, err := sats.AppendJSON(nil, nil, def.RowType(), row, sats.FlavorUntyped)
		if err != nil {
			t.Fatal(err)
		}
		rows = append(rows, string(text))
	}
	slices.Sort(rows)
	return rows
}

func TestOriginalLog(t *testing.T) {
	spec.Covers(t, "08.49", "08.72")
	records := originalRecords(t)
	s := New(Options{})
	replayAll(t, s, records)
	if n := s.NextOffset(); n != uint64(len(records)) {
		t.Errorf("NextOffset = %d, want %d", n, len(records))
	}

	text, err := os.ReadFile(filepath.Join(vectorDir, "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var expected map[string][]json.RawMessage
	if err := json.Unmarshal(text, &expected); err != nil {
		t.Fatal(err)
	}
	v := s.View()
	defer v.Close()
	for name, rows := range expected {
		if name == "st_client" { // has the connection that asked
			continue
		}
		def := v.TableByName(name)
		if def == nil {
			t.Errorf("no table %s", name)
			continue
		}
		want := map[string]bool{}
		for _, r := range rows {
			var b bytes.Buffer
			if err := json.Compact(&b, r); err != nil {
				t.Fatal(err)
			}
			want[b.String()] = true
		}
		got := jsonRows(t, v, def)
		for _, r := range got {
			if !want[r] && !describesNewSystemTable(name, r) {
				t.Errorf("%s has %s", name, r)
			}
			delete(want, r)
		}
		for r := range want {
			t.Errorf("%s lacks %s", name, r)
		}
	}
	if n := v.RowCount(schema.StClient); n != 0 {
		t.Errorf("st_client has %d rows", n)
	}
	accounts := v.TableByName("accounts")
	if row, ok := v.FindUnique(accounts.UniqueIndexOn(0).ID, u32(2)); !ok || binary.LittleEndian.Uint64(row[4:]) != 7 {
		t.Errorf("account 2 is %x, %v", row, ok)
	}
}

// describesNewSystemTable reports whether a catalogue row belongs to the tables that
// the server that wrote the log did not have yet.
func describesNewSystemTable(table, row string) bool {
	var vals []json.RawMessage
	if json.Unmarshal([]byte(row), &vals) != nil {
		return false
	}
	at := map[string]int{"st_table": 0, "st_column": 0, "st_index": 1, "st_constraint": 2, "st_sequence": 2}
	i, ok := at[table]
	if !ok {
		return false
	}
	var id int
	_, err := fmt.Sscan(string(vals[i]), &id)
	return err == nil && id >= int(schema.StEnv) && id < schema.FirstUserID
}

// redo runs the mutations and inputs of a record as a transaction.
func redo(t testing.TB, s *Store, record []byte) []byte {
	t.Helper()
	b := record[1:]
	var in *Inputs
	if record[0]&flagInputs != 0 {
		n := binary.LittleEndian.Uint32(b)
		r := sats.NewReader(b[4 : 4+n])
		in = &Inputs{}
		in.Reducer = string(r.BytesN(int(r.U8())))
		in.Caller, in.ConnectionID, in.Timestamp = r.Identity(), r.ConnectionID(), r.Timestamp()
		in.Args = r.Rest()
		b = b[4+n:]
	}
	tx := s.Begin()
	type change struct {
		id  schema.TableID
		row []byte
	}
	var lists [2][]change
	for i := range lists {
		groups, n := binary.Uvarint(b)
		for b = b[n:]; groups > 0; groups-- {
			id := schema.TableID(binary.LittleEndian.Uint32(b))
			rows, n := binary.Uvarint(b[4:])
			for b = b[4+n:]; rows > 0; rows-- {
				size := tx.Table(id).Layout.Len(b)
				lists[i] = append(lists[i], change{id, b[:size]})
				b = b[size:]
			}
		}
	}
	truncates, n := binary.Uvarint(b)
	for b = b[n:]; truncates > 0; truncates-- {
		if _, err := tx.Clear(schema.TableID(binary.LittleEndian.Uint32(b))); err != nil {
			t.Fatal(err)
		}
		b = b[4:]
	}
	for _, c := range lists[1] {
		if ok, err := tx.DeleteRow(c.id, c.row); !ok || err != nil {
			t.Fatalf("DeleteRow(%d, %x) = %v, %v", c.id, c.row, ok, err)
		}
	}
	for _, c := range lists[0] {
		mustInsert(t, tx, c.id, c.row)
	}
	return tx.Commit(in).Record
}

// Running the transactions of the original's log again must give its bytes.
func TestRecordsAreTheOriginals(t *testing.T) {
	spec.Covers(t, "08.48")
	records := originalRecords(t)
	s := New(Options{})
	replayAll(t, s, records[:1]) // the first has the module's tables
	for i, want := range records[1:] {
		if got := redo(t, s, want); !bytes.Equal(got, want) {
			t.Errorf("record %d:\n%x, want\n%x", i+1, got, want)
		}
		check(t, s)
	}
}

func TestSequenceSurvivesRestart(t *testing.T) {
	spec.Covers(t, "08.10", "08.13")
	var log [][]byte
	keep := func(c *Commit) { log = append(log, bytes.Clone(c.Record)) }
	s := New(Options{})
	tx := s.Begin()
	def, err := tx.CreateTable(people())
	if err != nil {
		t.Fatal(err)
	}
	keep(tx.Commit(nil))

	tx = s.Begin() // allocates the batch, and is rolled back
	mustInsert(t, tx, def.ID, person(0, "lost", 0))
	if s.SequencesBehind() {
		t.Error("the batch is said to be lost before it is")
	}
	tx.Rollback()
	check(t, s)
	if !s.SequencesBehind() {
		t.Error("nothing says that the batch is not written")
	}
	tx = s.Begin() // a crash now must not give the lost number again
	tx.SaveSequences()
	saved := bytes.Clone(tx.Commit(nil).Record)
	check(t, s)
	if s.SequencesBehind() {
		t.Error("the batch is said not to be written, and is")
	}
	crashed := New(Options{})
	replayAll(t, crashed, append(slices.Clone(log), saved))
	tx = crashed.Begin()
	if g := mustInsert(t, tx, def.ID, person(0, "next", 0)); !bytes.Equal(g, u32(4097)) {
		t.Errorf("after a rollback and a crash the id is %x, want 4097", g)
	}
	tx.Rollback()
	log = append(log, saved)
	tx = s.Begin()
	if g := mustInsert(t, tx, def.ID, person(0, "kept", 0)); !bytes.Equal(g, u32(2)) {
		t.Errorf("id %x, want 2", g)
	}
	keep(tx.Commit(nil))

	s = New(Options{})
	replayAll(t, s, log)
	tx = s.Begin()
	if g := mustInsert(t, tx, def.ID, person(0, "next", 0)); !bytes.Equal(g, u32(4097)) {
		t.Errorf("after a restart the id is %x, want 4097", g)
	}
	keep(tx.Commit(nil))
	s = New(Options{})
	replayAll(t, s, log)
	tx = s.Begin()
	if g := mustInsert(t, tx, def.ID, person(0, "last", 0)); !bytes.Equal(g, u32(8193)) {
		t.Errorf("after another restart the id is %x, want 8193", g)
	}
	tx.Rollback()
}

func TestAddColumns(t *testing.T) {
	spec.Covers(t, "08.15")
	var log [][]byte
	keep := func(c *Commit) *Commit { log = append(log, bytes.Clone(c.Record)); return c }
	s := New(Options{})
	d := withSequence(tableDef("t", col("id", sats.U64)), 0)
	d.Sequences[0].Start = sats.I128From(5)
	tx := s.Begin()
	def, _ := tx.CreateTable(d)
	keep(tx.Commit(nil))
	tx = s.Begin()
	mustInsert(t, tx, def.ID, sats.AppendU64(nil, 0))
	mustInsert(t, tx, def.ID, sats.AppendU64(nil, 0))
	keep(tx.Commit(nil))

	wider := withSequence(tableDef("t", col("id", sats.U64), col("x", sats.U32)), 0)
	wider.Sequences[0].Start = sats.I128From(5)
	row := func(id uint64, x uint32) []byte { return sats.AppendU32(sats.AppendU64(nil, id), x) }
	tx = s.Begin()
	n, err := tx.AddColumns(def.ID, wider, [][]byte{u32(42)})
	if err != nil {
		t.Fatal(err)
	}
	if g := mustInsert(t, tx, n.ID, row(0, 42)); !bytes.Equal(g, sats.AppendU64(nil, 7)) {
		t.Errorf("id %x, want 7", g)
	}
	tx.Rollback()
	check(t, s)
	tx = s.Begin()
	wantRows(t, tx, def.ID, sats.AppendU64(nil, 5), sats.AppendU64(nil, 6))
	if tx.Table(n.ID) != nil {
		t.Error("the new table survives a rollback")
	}
	n, err = tx.AddColumns(def.ID, wider, [][]byte{u32(42)})
	if err != nil {
		t.Fatal(err)
	}
	mustInsert(t, tx, n.ID, row(0, 42))
	c := keep(tx.Commit(nil))
	check(t, s)
	var text strings.Builder
	for _, td := range c.Delta.Tables {
		if td.Table.Name == "t" {
			fmt.Fprintf(&text, "%d +%d -%d %v; ", td.Table.ID-def.ID, td.Inserts.Len(), td.Deletes.Len(), td.Truncated)
		}
	}
	if want := fmt.Sprintf("0 +0 -2 true; %d +3 -0 false; ", n.ID-def.ID); text.String() != want {
		t.Errorf("delta is %s, want %s", text.String(), want)
	}
	s2 := New(Options{})
	replayAll(t, s2, log)
	v := s2.View()
	defer v.Close()
	wantRows(t, v, n.ID, row(5, 42), row(6, 42), row(8, 42))
	if v.Table(def.ID) != nil {
		t.Error("the old table is back after recovery")
	}
}

// A log of a newer server begins with its own bootstrap rows, and may describe
// system tables we do not know.
func TestForeignBootstrapRows(t *testing.T) {
	spec.Covers(t, "08.73", "08.71")
	s := New(Options{})
	var records [][]byte
	group := func(b []byte, id schema.TableID, rows ...[]byte) []byte {
		b = sats.AppendU32(b, uint32(id))
		b = binary.AppendUvarint(b, uint64(len(rows)))
		return append(b, slices.Concat(rows...)...)
	}
	bytesOf := func(r catalogueRow) []byte { return r.Append(nil) }
	v := s.View()
	all := func(id schema.TableID) (rows [][]byte) { return slices.Collect(v.Scan(id)) }
	first := binary.AppendUvarint([]byte{flagMutations}, 5)
	first = group(first, schema.StTable, append(all(schema.StTable), bytesOf(&schema.StTableRow{ID: 90, Name: "st_future", Type: "system", Access: "private"}))...)
	first = group(first, schema.StColumn, append(all(schema.StColumn), bytesOf(&schema.StColumnRow{TableID: 90, Name: "a", Type: sats.U32}))...)
	for _, id := range []schema.TableID{schema.StSequence, schema.StIndex, schema.StConstraint} {
		first = group(first, id, all(id)...)
	}
	records = append(records, append(first, 0, 0))
	v.Close()
	// A row of the unknown table, and a sequence row that moved by one.
	seq := schema.SystemTables()[0].Sequences[0]
	from := sequenceRow(schema.SystemTables()[0], seq, sats.I128From(4096))
	to := sequenceRow(schema.SystemTables()[0], seq, sats.I128From(4097))
	second := binary.AppendUvarint([]byte{flagMutations}, 2)
	second = group(second, schema.StSequence, bytesOf(to))
	second = group(second, 90, u32(7))
	second = append(group(append(second, 1), schema.StSequence, bytesOf(from)), 0)
	records = append(records, second)

	replayAll(t, s, records)
	v = s.View()
	defer v.Close()
	wantRows(t, v, 90, u32(7))
	if def := create(t, s, people()); def.ID != 4097 {
		t.Errorf("next table id is %d, want 4097", def.ID)
	}
}

func TestReplayErrors(t *testing.T) {
	records := originalRecords(t)
	for _, c := range []struct {
		name   string
		offset uint64
		record []byte
		want   string
	}{
		{"gap", 5, records[0], "Expected tx offset 0, encountered 5"},
		{"empty", 0, nil, "cut short"},
		{"inputs cut", 0, []byte{flagInputs, 9, 0, 0, 0}, "cut short"},
		{"outputs cut", 0, []byte{flagOutputs, 9}, "cut short"},
		{"unknown table", 0, []byte{flagMutations, 1, 0, 0x20, 0, 0, 1, 1}, "does not exist"},
		{"missing row", 0, []byte{flagMutations, 0, 1, 17, 0, 0, 0, 1, 1, 2, 3, 4, 0}, "a deleted row does not exist"},
		{"huge count", 0, append([]byte{flagMutations, 1, 17, 0, 0, 0}, 0xff, 0xff, 0xff, 0xff, 0x7f), "row of table 17"},
	} {
		s := New(Options{})
		_, err := s.ReplayRecord(c.offset, c.record)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// A commit may hold several records, back to back.
func TestRecordsBackToBack(t *testing.T) {
	records := originalRecords(t)
	s := New(Options{})
	for b := bytes.Join(records, nil); len(b) > 0; {
		n, err := s.ReplayRecord(s.NextOffset(), b)
		if err != nil {
			t.Fatal(err)
		}
		b = b[n:]
	}
	if err := s.FinishReplay(); err != nil {
		t.Fatal(err)
	}
	if n := s.NextOffset(); n != uint64(len(records)) {
		t.Errorf("NextOffset = %d, want %d", n, len(records))
	}
}

func TestSnapshotErrors(t *testing.T) {
	s := New(Options{DatabaseID: sats.Identity{1}})
	replayAll(t, s, originalRecords(t))
	v := s.View()
	defer v.Close()
	var b bytes.Buffer
	if err := s.WriteSnapshot(v, &b); err != nil {
		t.Fatal(err)
	}
	if err := New(Options{DatabaseID: sats.Identity{2}}).LoadSnapshot(bytes.NewReader(b.Bytes())); err == nil {
		t.Error("a snapshot of another database is accepted")
	}
	whole := b.Bytes()
	for n := 0; n < len(whole); n += 1 + len(whole)/100 {
		if err := New(Options{}).LoadSnapshot(bytes.NewReader(whole[:n])); err == nil {
			t.Errorf("a snapshot cut to %d of %d bytes is accepted", n, len(whole))
		}
	}
	if err := s.WriteSnapshot(v, failingWriter{}); err == nil {
		t.Error("a failed write goes unnoticed")
	}
	loaded := New(Options{DatabaseID: sats.Identity{1}})
	if err := loaded.LoadSnapshot(bytes.NewReader(whole)); err != nil {
		t.Fatal(err)
	}
	if err := loaded.FinishReplay(); err != nil {
		t.Fatal(err)
	}
	check(t, loaded)
	if loaded.NextOffset() != s.NextOffset() {
		t.Errorf("NextOffset = %d, want %d", loaded.NextOffset(), s.NextOffset())
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, io.ErrShortWrite }

func FuzzReplayRecord(f *testing.F) {
	for _, r := range originalRecords(f) {
		if len(r) < 4096 {
			f.Add(r)
		}
	}
	f.Add([]byte{flagMutations, 1, 17, 0, 0, 0, 1, 1, 2, 3, 4, 0, 0})
	f.Fuzz(func(t *testing.T, record []byte) {
		s := New(Options{})
		n, err := s.ReplayRecord(0, record)
		if n > len(record) {
			t.Fatalf("a record of %d bytes in %d", n, len(record))
		}
		if err == nil && s.FinishReplay() == nil {
			s.Begin().Commit(nil)
		}
	})
}

func FuzzLoadSnapshot(f *testing.F) {
	s := New(Options{})
	v := s.View()
	var b bytes.Buffer
	if err := s.WriteSnapshot(v, &b); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:60])
	f.Fuzz(func(t *testing.T, snapshot []byte) {
		s := New(Options{})
		if s.LoadSnapshot(bytes.NewReader(snapshot)) == nil && s.FinishReplay() == nil {
			s.Begin().Commit(nil)
		}
	})
}

// The original's log of version 2.8.3 knows no tables 21 to 26. They are there when
// it has been read: empty, with their fixed ids, and fit for use.
func TestNewSystemTablesInOldDatabase(t *testing.T) {
	spec.Covers(t, "02.74")
	records := originalRecords(t)
	for _, r := range records {
		for _, name := range []string{"st_env", "st_outb", "st_inb"} {
			if bytes.Contains(r, []byte(name)) {
				t.Fatalf("the log knows %s", name)
			}
		}
	}
	s := New(Options{})
	replayAll(t, s, records)
	v := s.View()
	names := []string{"st_env", "st_outbound_stream", "st_outbound_msg", "st_inbound_stream", "st_inbound_msg", "st_outbox"}
	for i, name := range names {
		id := schema.TableID(21 + i)
		def := v.TableByName(name)
		if def == nil || def.ID != id || v.RowCount(id) != 0 {
			t.Errorf("table %s: %+v", name, def)
			continue
		}
		row := fmt.Sprintf(`[%d,"%s","system","private",`, id, name)
		if !slices.ContainsFunc(jsonRows(t, v, v.Table(schema.StTable)), func(r string) bool { return strings.HasPrefix(r, row) }) {
			t.Errorf("st_table has no row %s", row)
		}
		for j, c := range def.Cols {
			want := fmt.Sprintf(`[%d,%d,"%s","%x"]`, id, j, c.Name, sats.AppendType(nil, c.Type))
			if !slices.Contains(jsonRows(t, v, v.Table(schema.StColumn)), want) {
				t.Errorf("st_column has no row %s", want)
			}
		}
	}
	const seq = `[8,"st_outbound_stream_stream_id_seq",22,0,1,4097,1,170141183460469231731687303715884105727,4096]`
	if rows := jsonRows(t, v, v.Table(schema.StSequence)); !slices.Contains(rows, seq) {
		t.Errorf("st_sequence has no row %s, but %s", seq, strings.Join(rows, "\n"))
	}
	v.Close()

	tx := s.Begin()
	mustInsert(t, tx, schema.StEnv, (&schema.StEnvRow{Key: "KEY", Value: "value"}).Append(nil))
	_, generated, err := tx.Insert(schema.StOutboundStream, (&schema.StOutboundStreamRow{OutboxTableID: 4096}).Append(nil))
	if err != nil || binary.LittleEndian.Uint64(generated) != 4096 {
		t.Errorf("first stream: id %x, %v", generated, err)
	}
	records = append(records, bytes.Clone(tx.Commit(nil).Record))
	again := New(Options{})
	replayAll(t, again, records)
	v = again.View()
	defer v.Close()
	if v.RowCount(schema.StEnv) != 1 || v.RowCount(schema.StOutboundStream) != 1 {
		t.Error("rows of the new tables are lost")
	}
}

// A log that has rows for a table after it was dropped was written by no server.
func TestReplayRowsOfDroppedTable(t *testing.T) {
	s := New(Options{})
	var log [][]byte
	tx := s.Begin()
	def, err := tx.CreateTable(tableDef("gone", col("x", sats.U32)))
	if err != nil {
		t.Fatal(err)
	}
	log = append(log, bytes.Clone(tx.Commit(nil).Record))
	tx = s.Begin()
	if err := tx.DropTable(def.ID); err != nil {
		t.Fatal(err)
	}
	log = append(log, bytes.Clone(tx.Commit(nil).Record))
	for name, record := range map[string][]byte{
		"insert":   slices.Concat([]byte{flagMutations, 1}, u32(uint32(def.ID)), []byte{1}, u32(7), []byte{0, 0}),
		"delete":   slices.Concat([]byte{flagMutations, 0, 1}, u32(uint32(def.ID)), []byte{1}, u32(7), []byte{0}),
		"truncate": slices.Concat([]byte{flagMutations, 0, 0, 1}, u32(uint32(def.ID))),
	} {
		r := New(Options{})
		for off, rec := range log {
			if _, err := r.ReplayRecord(uint64(off), rec); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.ReplayRecord(2, record); err == nil {
			t.Errorf("%s: rows of a dropped table are replayed", name)
		}
	}
}
