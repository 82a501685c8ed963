package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// A replay is a recovery under way (spec 08 §30). Tables have rows and no indexes;
// what their rows look like follows from the st_column rows seen so far.
type replay struct {
	s       *Store
	tables  map[schema.TableID]*replayTable
	dropped bool  // some of them were, by the record being replayed
	failed  error // sticky: the state is half a record
}

type replayTable struct {
	t       *table
	row     []byte // its latest st_table row
	cols    map[schema.ColID][]byte
	layout  *sats.Layout // nil: to be derived from cols
	isEvent bool
	dropped bool // by the record being replayed
}

// startReplay takes the indexes off the tables.
func (s *Store) startReplay() *replay {
	if s.replay != nil {
		return s.replay
	}
	if s.tx.open {
		panic("store: recovery while a transaction is open")
	}
	r := &replay{s: s, tables: map[schema.TableID]*replayTable{}}
	for id, t := range s.tables {
		t.indexes, t.ident, t.set = nil, nil, nil
		r.tables[id] = &replayTable{t: t, cols: map[schema.ColID][]byte{}, layout: t.def.Layout, isEvent: t.def.IsEvent}
	}
	s.replay = r
	for _, id := range []schema.TableID{schema.StTable, schema.StColumn} {
		s.tables[id].eachVisible(func(_ rowPtr, row []byte) bool {
			r.learn(id, row)
			return true
		})
	}
	for id, t := range r.tables {
		t.layout = s.tables[id].def.Layout
	}
	return r
}

// ReplayRecord applies the transaction record at an offset, which data starts with,
// and returns its length: records follow each other without framing. They come in
// order, after LoadSnapshot if there is a snapshot; FinishReplay ends recovery.
// After an error the store is of no use.
func (s *Store) ReplayRecord(offset uint64, data []byte) (n int, err error) {
	r := s.startReplay()
	if r.failed != nil {
		return 0, r.failed
	}
	if offset != s.next {
		return 0, fmt.Errorf("store: Expected tx offset %d, encountered %d", s.next, offset)
	}
	rest, err := r.apply(data)
	if err != nil {
		r.failed = fmt.Errorf("store: transaction %d: %w", offset, err)
		return 0, r.failed
	}
	s.next++
	return len(data) - len(rest), nil
}

var errRecordShort = errors.New("the record is cut short")

// apply applies the record at the start of b and returns what follows it.
func (r *replay) apply(b []byte) ([]byte, error) {
	if len(b) == 0 {
		return nil, errRecordShort
	}
	flags, b := b[0], b[1:]
	if flags&flagInputs != 0 {
		if len(b) < 4 || uint64(binary.LittleEndian.Uint32(b)) > uint64(len(b)-4) {
			return nil, errRecordShort
		}
		b = b[4+binary.LittleEndian.Uint32(b):]
	}
	if flags&flagOutputs != 0 {
		if len(b) < 1 || int(b[0]) > len(b)-1 {
			return nil, errRecordShort
		}
		b = b[1+b[0]:]
	}
	if flags&flagMutations != 0 {
		return r.mutations(b)
	}
	return b, nil
}

// mutations applies inserts, then deletes, then truncates.
func (r *replay) mutations(b []byte) ([]byte, error) {
	for _, apply := range []func(*replayTable, schema.TableID, []byte) error{r.insert, r.delete} {
		groups, b2, err := uvarint(b)
		if err != nil {
			return nil, err
		}
		for b = b2; groups > 0; groups-- {
			if b, err = r.group(b, apply); err != nil {
				return nil, err
			}
		}
	}
	n, b, err := uvarint(b)
	if err != nil {
		return nil, err
	}
	for ; n > 0; n-- {
		if len(b) < 4 {
			return nil, errRecordShort
		}
		id := schema.TableID(binary.LittleEndian.Uint32(b))
		b = b[4:]
		if err := r.truncate(id); err != nil {
			return nil, err
		}
	}
	if r.dropped {
		maps.DeleteFunc(r.tables, func(_ schema.TableID, t *replayTable) bool { return t.dropped })
		r.dropped = false
	}
	return b, nil
}

func uvarint(b []byte) (uint64, []byte, error) {
	v, n := binary.Uvarint(b)
	if n <= 0 {
		return 0, nil, errRecordShort
	}
	return v, b[n:], nil
}

// group applies the rows of one table.
func (r *replay) group(b []byte, apply func(*replayTable, schema.TableID, []byte) error) ([]byte, error) {
	if len(b) < 4 {
		return nil, errRecordShort
	}
	id := schema.TableID(binary.LittleEndian.Uint32(b))
	n, b, err := uvarint(b[4:])
	if err != nil {
		return nil, err
	}
	t := r.tables[id]
	if t == nil {
		return nil, fmt.Errorf("rows of table %d, which does not exist", id)
	}
	for ; n > 0; n-- {
		// Rows of st_column may change what later rows look like.
		l, err := t.rowLayout(id)
		if err != nil {
			return nil, err
		}
		size, err := l.Validate(b)
		if err != nil {
			return nil, fmt.Errorf("row of table %d: %w", id, err)
		}
		if size == 0 && n > 1 {
			return nil, fmt.Errorf("%d rows of no size in table %d", n, id)
		}
		if err := apply(t, id, b[:size]); err != nil {
			return nil, fmt.Errorf("table %d: %w", id, err)
		}
		b = b[size:]
	}
	return b, nil
}

// rowLayout returns what the rows of the table look like now.
func (t *replayTable) rowLayout(id schema.TableID) (*sats.Layout, error) {
	if t.layout != nil {
		return t.layout, nil
	}
	elems := make([]sats.Element, len(t.cols))
	for i := range elems {
		var c schema.StColumnRow
		row, ok := t.cols[schema.ColID(i)]
		if !ok {
			return nil, fmt.Errorf("column %d of table %d is not described", i, id)
		}
		if err := c.Decode(row); err != nil {
			return nil, err
		}
		elems[i] = sats.E(c.Name, c.Type)
	}
	l, err := sats.NewLayout(sats.Product(elems...))
	if err != nil {
		return nil, fmt.Errorf("table %d: %w", id, err)
	}
	size, fixed := l.FixedSize()
	if t.t.rows.epochs == nil {
		t.t.rows.init(&t.t.store.epochs, size, fixed)
	}
	t.t.rows.refit(size, fixed)
	t.layout = l
	return l, nil
}

// insert applies one inserted row. A row of the catalogue that is there already
// comes from a log that repeats what is built in.
func (r *replay) insert(t *replayTable, id schema.TableID, row []byte) error {
	if id < schema.FirstUserID && t.t.replayFind(row) != 0 {
		return nil
	}
	if err := r.learn(id, row); err != nil {
		return err
	}
	if t.isEvent || t.t.ephemeral {
		return nil
	}
	if t.t.rows.full() {
		return noRoom(t.t.def)
	}
	p := t.t.rows.put(row, slotLive)
	t.t.count++
	if t.t.set != nil {
		t.t.set.add(t.t.rowHash(row), p)
	}
	return nil
}

// replayFind finds a row by its bytes. The row set it needs is built when a table
// is first asked.
func (t *table) replayFind(row []byte) rowPtr {
	if t.set == nil {
		t.buildSet()
	}
	return t.findIn(t.set, t.rowHash(row), row)
}

func (r *replay) delete(t *replayTable, id schema.TableID, row []byte) error {
	if t.dropped || t.isEvent || t.t.ephemeral {
		return nil
	}
	p := t.t.replayFind(row)
	if p == 0 {
		return errors.New("a deleted row does not exist")
	}
	r.forget(id, row)
	t.t.set.remove(t.t.rowHash(row), p)
	t.t.rows.release(p)
	t.t.count--
	return nil
}

func (r *replay) truncate(id schema.TableID) error {
	t := r.tables[id]
	if t == nil {
		return fmt.Errorf("table %d is truncated and does not exist", id)
	}
	if t.dropped {
		return nil
	}
	if id < schema.FirstUserID {
		t.t.eachVisible(func(_ rowPtr, row []byte) bool {
			r.forget(id, row)
			return true
		})
	}
	t.t.rows.empty()
	t.t.count, t.t.set = 0, nil
	return nil
}

// learn takes from a new catalogue row what later rows of the log need.
func (r *replay) learn(id schema.TableID, row []byte) error {
	switch id {
	case schema.StTable:
		var d schema.StTableRow
		if err := d.Decode(row); err != nil {
			return err
		}
		t := r.tables[d.ID]
		if t == nil {
			t = &replayTable{t: &table{store: r.s}, cols: map[schema.ColID][]byte{}}
			t.t.def = &schema.Table{ID: d.ID, Name: d.Name}
			r.tables[d.ID] = t
			r.s.tables[d.ID] = t.t
		}
		t.row = bytes.Clone(row)
	case schema.StColumn:
		var c schema.StColumnRow
		if err := c.Decode(row); err != nil {
			return err
		}
		t := r.tables[c.TableID]
		if t == nil {
			return fmt.Errorf("column %s of table %d, which does not exist", c.Name, c.TableID)
		}
		t.cols[c.Pos] = bytes.Clone(row)
		t.layout = nil
	case schema.StEventTable:
		var e schema.StEventTableRow
		if err := e.Decode(row); err != nil {
			return err
		}
		if t := r.tables[e.TableID]; t != nil {
			t.isEvent = true
		}
	case schema.StView:
		var v schema.StViewRow
		if err := v.Decode(row); err != nil {
			return err
		}
		if v.TableID != nil && r.tables[*v.TableID] != nil {
			r.tables[*v.TableID].t.ephemeral = true
		}
	}
	return nil
}

// forget undoes learn for a row that is deleted, unless a later one has taken its
// place.
func (r *replay) forget(id schema.TableID, row []byte) {
	switch id {
	case schema.StTable:
		var d schema.StTableRow
		if d.Decode(row) != nil {
			return
		}
		if t := r.tables[d.ID]; t != nil && bytes.Equal(t.row, row) {
			t.dropped, r.dropped = true, true
			delete(r.s.tables, d.ID)
		}
	case schema.StColumn:
		var c schema.StColumnRow
		if c.Decode(row) != nil {
			return
		}
		if t := r.tables[c.TableID]; t != nil && !t.dropped && bytes.Equal(t.cols[c.Pos], row) {
			delete(t.cols, c.Pos)
			t.layout = nil
		}
	case schema.StEventTable:
		var e schema.StEventTableRow
		if e.Decode(row) == nil && r.tables[e.TableID] != nil {
			r.tables[e.TableID].isEvent = false
		}
	}
}
