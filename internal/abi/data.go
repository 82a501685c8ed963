package abi

import (
	"math"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// Environment variables reach a module through EnvGet alone: their table and its index do not exist for it (spec 03 §5.19).
const (
	hiddenTable     = 21
	hiddenIndex     = 30
	hiddenTableName = "st_env"
	hiddenIndexName = "st_env_key_idx_btree"
)

// reading returns the transaction, or ErrNotInTransaction.
func (c *Context) reading() (*store.Tx, Errno) {
	if c.call.Tx == nil {
		return nil, ErrNotInTransaction
	}
	c.spend(rowOverhead)
	return c.call.Tx, OK
}

// writing returns the transaction if the call may write. Views may not (spec 03 §9.2).
func (c *Context) writing() (*store.Tx, Errno) {
	tx, e := c.reading()
	if e == OK && c.call.Kind == KindView {
		return nil, ErrTransactionIsReadOnly
	}
	return tx, e
}

func table(tx *store.Tx, id uint32) *schema.Table {
	if id == hiddenTable {
		return nil
	}
	return tx.Table(schema.TableID(id))
}

func index(tx *store.Tx, id uint32) (*schema.Table, *schema.Index) {
	if id == hiddenIndex {
		return nil, nil
	}
	return tx.IndexByID(schema.IndexID(id))
}

// TableIDFromName finds a table by its canonical name, then by its accessor.
func (c *Context) TableIDFromName(name string) (uint32, Errno) {
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	t := tx.TableByName(name)
	if t == nil || name == hiddenTableName || t.ID == hiddenTable {
		return 0, ErrNoSuchTable
	}
	return uint32(t.ID), OK
}

// IndexIDFromName finds an index by its canonical name, then by its accessor.
func (c *Context) IndexIDFromName(name string) (uint32, Errno) {
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	_, ix := tx.IndexByName(name)
	if ix == nil || name == hiddenIndexName || ix.ID == hiddenIndex {
		return 0, ErrNoSuchIndex
	}
	return uint32(ix.ID), OK
}

// RowCount is the number of rows that the transaction sees.
func (c *Context) RowCount(t uint32) (uint64, Errno) {
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	if table(tx, t) == nil {
		return 0, ErrNoSuchTable
	}
	return tx.RowCount(schema.TableID(t)), OK
}

// TableScan opens an iterator over all rows.
func (c *Context) TableScan(t uint32) (it uint32, e Errno) {
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	def := table(tx, t)
	if def == nil {
		return 0, ErrNoSuchTable
	}
	return c.open(def, tx.Scan(def.ID)), OK
}

// ScanPoint opens an iterator over the rows with the given index key, the BSATN of its columns one after another.
func (c *Context) ScanPoint(ix uint32, point []byte) (it uint32, e Errno) {
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	def, in := index(tx, ix)
	if in == nil {
		return 0, ErrNoSuchIndex
	}
	key, err := tx.ParsePoint(in.ID, point)
	if err != nil {
		return 0, c.errno(err)
	}
	return c.openPoint(tx, def, in, key), OK
}

// openPoint copies the rows of one key; the row of a unique index is found without an iterator.
func (c *Context) openPoint(tx *store.Tx, def *schema.Table, in *schema.Index, key []byte) uint32 {
	if !in.Unique {
		return c.open(def, tx.Point(in.ID, key))
	}
	b := c.newRowBuf()
	if size, ok := def.Layout.FixedSize(); ok {
		b.fixed = size
	}
	if row, ok := tx.FindUnique(in.ID, key); ok {
		c.append(b, row)
	}
	return c.register(b)
}

// A RangeArg is the raw form of a range over an index, spec 03 §6.
type RangeArg struct {
	Prefix      []byte // BSATN of the leading columns; not looked at if PrefixElems is 0
	PrefixElems int
	Start, End  []byte // BSATN of bounds of the next column
}

// ScanRange opens an iterator over the rows in a range of an ordered index.
func (c *Context) ScanRange(ix uint32, a RangeArg) (it uint32, e Errno) {
	tx, e := c.reading()
	if e != OK {
		return 0, e
	}
	def, in, r, e := c.parseRange(tx, ix, a)
	if e != OK {
		return 0, e
	}
	return c.open(def, tx.Range(in.ID, r)), OK
}

func (c *Context) parseRange(tx *store.Tx, ix uint32, a RangeArg) (*schema.Table, *schema.Index, store.Range, Errno) {
	def, in := index(tx, ix)
	if in == nil {
		return nil, nil, store.Range{}, ErrNoSuchIndex
	}
	if in.Algo == schema.Hash {
		return nil, nil, store.Range{}, ErrWrongIndexAlgo
	}
	prefix := a.Prefix
	if a.PrefixElems == 0 {
		prefix = nil
	}
	r, err := tx.ParseRange(in.ID, prefix, a.PrefixElems, a.Start, a.End)
	return def, in, r, c.errno(err)
}

// Insert inserts a row and returns the BSATN of the columns that sequences filled in, in column order.
func (c *Context) Insert(t uint32, row []byte) (generated []byte, e Errno) {
	tx, e := c.writing()
	if e != OK {
		return nil, e
	}
	def := table(tx, t)
	if def == nil {
		return nil, ErrNoSuchTable
	}
	c.spend(uint64(len(row)) / unitsPerByte)
	stored, generated, err := tx.Insert(def.ID, row)
	return generated, c.written(def, stored, err)
}

// Update replaces the row that has the same key in the unique index ix; it returns generated columns as Insert does.
func (c *Context) Update(t, ix uint32, row []byte) (generated []byte, e Errno) {
	tx, e := c.writing()
	if e != OK {
		return nil, e
	}
	def := table(tx, t)
	if def == nil {
		return nil, ErrNoSuchTable
	}
	c.spend(uint64(len(row)) / unitsPerByte)
	stored, generated, err := tx.Update(def.ID, schema.IndexID(ix), row)
	return generated, c.written(def, stored, err)
}

// longestDelay bounds how far ahead of its writing a schedule row may be due: 2^36−1
// milliseconds (spec 08 §13.2).
const longestDelay sats.TimeDuration = (1<<36 - 1) * 1000

// written is the result of writing a row. A row of a schedule table that is due too
// late has been written and is refused all the same.
func (c *Context) written(def *schema.Table, stored []byte, err error) Errno {
	if err != nil || def.Schedule == nil {
		return c.errno(err)
	}
	at := sats.NewReader(def.Layout.Col(stored, int(def.Schedule.AtCol))).ScheduleAt()
	delay := at.Interval().Abs()
	if !at.IsInterval() {
		delay = until(at.Time(), max(c.call.Time, c.svc.Now()))
	}
	if delay >= longestDelay {
		return ErrScheduleDelayTooLong
	}
	return OK
}

// until is the time from now to t, or a very long one if it does not fit.
func until(t, now sats.Timestamp) sats.TimeDuration {
	d, ok := t.Sub(now)
	switch {
	case ok:
		return d
	case t > now:
		return math.MaxInt64
	}
	return 0
}

// DeleteByPoint deletes the rows with the given index key and returns how many there were.
func (c *Context) DeleteByPoint(ix uint32, point []byte) (uint32, Errno) {
	tx, e := c.writing()
	if e != OK {
		return 0, e
	}
	_, in := index(tx, ix)
	if in == nil {
		return 0, ErrNoSuchIndex
	}
	key, err := tx.ParsePoint(in.ID, point)
	if err != nil {
		return 0, c.errno(err)
	}
	n, err := tx.DeletePoint(in.ID, key)
	c.spend(uint64(n) * rowOverhead)
	return n, c.errno(err)
}

// DeleteByRange deletes the rows in a range of an ordered index and returns how many there were.
func (c *Context) DeleteByRange(ix uint32, a RangeArg) (uint32, Errno) {
	tx, e := c.writing()
	if e != OK {
		return 0, e
	}
	_, in, r, e := c.parseRange(tx, ix, a)
	if e != OK {
		return 0, e
	}
	n, err := tx.DeleteRange(in.ID, r)
	c.spend(uint64(n) * rowOverhead)
	return n, c.errno(err)
}

// DeleteAllByEq deletes the rows that equal one of rel, a BSATN array of rows, and returns how many there were.
func (c *Context) DeleteAllByEq(t uint32, rel []byte) (uint32, Errno) {
	tx, e := c.writing()
	if e != OK {
		return 0, e
	}
	def := table(tx, t)
	if def == nil {
		return 0, ErrNoSuchTable
	}
	c.spend(uint64(len(rel)) / unitsPerByte)
	n, err := tx.DeleteRows(def.ID, rel)
	c.spend(uint64(n) * rowOverhead)
	return n, c.errno(err)
}

// Clear deletes all rows and returns how many there were.
func (c *Context) Clear(t uint32) (uint64, Errno) {
	tx, e := c.writing()
	if e != OK {
		return 0, e
	}
	def := table(tx, t)
	if def == nil {
		return 0, ErrNoSuchTable
	}
	n, err := tx.Clear(def.ID)
	c.spend(n * rowOverhead)
	return n, c.errno(err)
}
