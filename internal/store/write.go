package store

import (
	"bytes"
	"encoding/binary"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// satn returns a value as SATN text, for error messages.
func satn(t *sats.Type, value []byte) string {
	text, _, err := sats.AppendSATN(nil, nil, t, value)
	if err != nil {
		return "?"
	}
	return string(text)
}

// checkRow validates the row at the start of b (spec 08 §3.1 step 1) and returns it.
func checkRow(def *schema.Table, b []byte) ([]byte, error) {
	if size, ok := def.Layout.FixedSize(); ok && size != len(b) {
		return nil, badRow(def, sats.ErrLength(size, len(b)))
	}
	n, err := def.Layout.Validate(b)
	if err != nil {
		return nil, badRow(def, err)
	}
	return b[:n:n], nil
}

// Insert adds a row (spec 08 §3.1). It returns the row as stored, and the BSATN of
// the columns whose value a sequence gave, in column order; both are valid until
// the next write. A row equal to one that is there is a success without effect.
func (tx *Tx) Insert(id schema.TableID, b []byte) (stored, generated []byte, err error) {
	t := tx.table(id)
	if t == nil {
		return nil, nil, noTable(id)
	}
	row, err := checkRow(t.def, b)
	if err != nil {
		return nil, nil, err
	}
	if len(t.seqs) > 0 {
		row, generated = tx.generate(t, row)
	}
	if t.rows.full() {
		return nil, nil, noRoom(t.def)
	}
	same, clash := tx.insertNew(t, row)
	if clash != nil {
		return nil, nil, uniqueViolation(clash, row)
	}
	return t.rows.get(same), generated, nil
}

// insertNew inserts a row unless it or another row with a unique key of it is there.
// All is done under the lock: no wait for memory then holds up the next one.
func (tx *Tx) insertNew(t *table, row []byte) (same rowPtr, clash *index) {
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	if same, clash = t.lookup(row); same == 0 && clash == nil {
		same = t.insert(row)
	}
	return same, clash
}

// Update replaces the row that has the new row's key in a unique index (spec 08
// §3.2). It returns the same as Insert.
func (tx *Tx) Update(id schema.TableID, ixID schema.IndexID, b []byte) (stored, generated []byte, err error) {
	t := tx.table(id)
	if t == nil {
		return nil, nil, noTable(id)
	}
	row, err := checkRow(t.def, b)
	if err != nil {
		return nil, nil, err
	}
	if len(t.seqs) > 0 {
		row, generated = tx.generate(t, row)
	}
	ix := t.indexByID(ixID)
	if ix == nil {
		return nil, nil, noIndex(ixID)
	}
	if !ix.def.Unique {
		return nil, nil, errorf(ErrIndexNotUnique, "index %s is not unique", ix.def.Name)
	}
	var buf [64]byte
	old := ix.find(ix.keyOf(row, buf[:0]))
	if clash := t.conflict(row, ix, old); clash != nil {
		return nil, nil, uniqueViolation(clash, row)
	}
	if old == 0 {
		return nil, nil, errorf(ErrNoSuchRow, "no row of table %s has the key %s in index %s",
			t.def.Name, ix.keyText(ix.keyOf(row, nil)), ix.def.Name)
	}
	if !bytes.Equal(t.rows.get(old), row) {
		if t.rows.full() {
			return nil, nil, noRoom(t.def)
		}
		tx.s.mu.Lock()
		old = t.update(old, row)
		tx.s.mu.Unlock()
	}
	return t.rows.get(old), generated, nil
}

// DeleteRow removes the row equal to row in all columns and reports whether there
// was one.
func (tx *Tx) DeleteRow(id schema.TableID, b []byte) (bool, error) {
	t := tx.table(id)
	if t == nil {
		return false, noTable(id)
	}
	row, err := checkRow(t.def, b)
	if err != nil {
		return false, err
	}
	p := t.find(row)
	if p == 0 {
		return false, nil
	}
	tx.s.mu.Lock()
	t.delete(p)
	tx.s.mu.Unlock()
	return true, nil
}

// DeleteRows removes the rows that rel, a BSATN array, lists, and returns how many
// there were. Nothing is removed if rel is malformed; bytes behind it are ignored.
func (tx *Tx) DeleteRows(id schema.TableID, rel []byte) (uint32, error) {
	t := tx.table(id)
	if t == nil {
		return 0, noTable(id)
	}
	if len(rel) < 4 {
		return 0, errorf(ErrDecode, "list of rows of table %s: %d bytes, want a length of 4", t.def.Name, len(rel))
	}
	count, rows := binary.LittleEndian.Uint32(rel), rel[4:]
	size := 0
	for range count {
		n, err := t.def.Layout.Validate(rows[size:])
		if err != nil {
			return 0, badRow(t.def, err)
		}
		if size += n; n == 0 {
			count = 1 // rows of no size are all the same row
			break
		}
	}
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	var deleted uint32
	for range count {
		n := t.def.Layout.Len(rows)
		if p := t.find(rows[:n]); p != 0 {
			t.delete(p)
			deleted++
		}
		rows = rows[n:]
	}
	return deleted, nil
}

// DeletePoint removes the rows with the key and returns how many there were.
func (tx *Tx) DeletePoint(id schema.IndexID, key []byte) (uint32, error) {
	ix := tx.index(id)
	if ix == nil {
		return 0, noIndex(id)
	}
	tx.found = tx.found[:0]
	ix.eachPoint(key, tx.collect)
	return tx.deleteFound(ix.t), nil
}

// DeleteRange removes the rows in the range and returns how many there were.
func (tx *Tx) DeleteRange(id schema.IndexID, r Range) (uint32, error) {
	ix := tx.index(id)
	if ix == nil {
		return 0, noIndex(id)
	}
	tx.found = tx.found[:0]
	tx.eachRange(ix, &r, tx.collect)
	return tx.deleteFound(ix.t), nil
}

func (tx *Tx) collect(p rowPtr) bool {
	tx.found = append(tx.found, p)
	return true
}

func (tx *Tx) deleteFound(t *table) uint32 {
	if len(tx.found) == 0 {
		return 0
	}
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	for _, p := range tx.found {
		t.delete(p)
	}
	n := uint32(len(tx.found))
	tx.found = recycle(tx.found)
	return n
}

// Clear removes all rows. It returns how many there were, and those of the committed
// state that the transaction had deleted count as well (spec 08 §3.4).
func (tx *Tx) Clear(id schema.TableID) (uint64, error) {
	t := tx.table(id)
	if t == nil {
		return 0, noTable(id)
	}
	tx.s.mu.Lock()
	defer tx.s.mu.Unlock()
	n := uint64(t.count + t.deleted)
	t.clear()
	return n, nil
}

// clear empties the table. Emptying the indexes at once is much cheaper than taking
// out row by row.
func (t *table) clear() {
	if t.count == 0 {
		return
	}
	for _, ix := range t.indexes {
		ix.reset()
	}
	for _, ix := range t.kept {
		ix.reset()
	}
	if t.set != nil {
		t.set = t.newSet()
	}
	t.count = 0
	t.eachVisible(func(p rowPtr, row []byte) bool {
		t.vacate(p, row)
		return true
	})
}
