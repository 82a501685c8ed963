package abi

import (
	"bytes"
	"encoding/binary"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
)

// Environment variables reach a module through EnvGet alone: their table and its index do not exist for it (spec 03 §5.19).
const (
	hiddenTable = schema.StEnv
	hiddenIndex = 30 // its only index
)

// reading returns the transaction, or ErrNotInTransaction.
func (c *Context) reading() (*store.Tx, Errno) {
	c.spend(rowOverhead) // for the refusal, too: a module may ask for ever
	if c.call.Tx == nil {
		return nil, ErrNotInTransaction
	}
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
	if schema.TableID(id) == hiddenTable {
		return nil
	}
	return tx.Table(schema.TableID(id))
}

// writable finds a table to write to. The tables of the system and those behind views belong to the host.
func writable(tx *store.Tx, id uint32) (*schema.Table, Errno) {
	def := table(tx, id)
	if def == nil {
		return nil, ErrNoSuchTable
	}
	guard(def)
	return def, OK
}

func guard(def *schema.Table) {
	if def.Kind == schema.System || def.IsView {
		Fault("the module tried to write to the table %s, which belongs to the host", def.Name)
	}
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
	if t == nil || t.ID == hiddenTable {
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
	if ix == nil || ix.ID == hiddenIndex {
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
	b := c.newRowBuf(def)
	for row := range tx.Scan(def.ID) {
		c.append(b, row)
	}
	tx.CountScan(b.rows(), len(b.data), false)
	return c.register(b), OK
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
	b := c.newRowBuf(def)
	if in.Unique {
		if row, ok := tx.FindUnique(in.ID, key); ok {
			c.append(b, row)
		}
	} else {
		for row := range tx.Point(in.ID, key) {
			c.append(b, row)
		}
	}
	tx.CountScan(b.rows(), len(b.data), true)
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
	b := c.newRowBuf(def)
	for row := range tx.Range(in.ID, r) {
		c.append(b, row)
	}
	tx.CountScan(b.rows(), len(b.data), true)
	return c.register(b), OK
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
	def, e := writable(tx, t)
	if e != OK {
		return nil, e
	}
	c.spend(uint64(len(row)) / unitsPerByte)
	stored, generated, err := tx.Insert(def.ID, row)
	if err != nil {
		return nil, c.errno(err)
	}
	if def.Outbox != nil {
		generated = bytes.Clone(generated) // it is good until the next write
		if err := RecordOutbox(tx, def, bytes.Clone(stored), c.call.Time); err != nil {
			Fault("outbox %s: %v", def.Name, err)
		}
	}
	return generated, c.checkDelay(def, stored)
}

// Update replaces the row that has the same key in the unique index ix; it returns generated columns as Insert does.
func (c *Context) Update(t, ix uint32, row []byte) (generated []byte, e Errno) {
	tx, e := c.writing()
	if e != OK {
		return nil, e
	}
	def, e := writable(tx, t)
	if e != OK {
		return nil, e
	}
	c.spend(uint64(len(row)) / unitsPerByte)
	stored, generated, err := tx.Update(def.ID, schema.IndexID(ix), row)
	if err != nil {
		return nil, c.errno(err)
	}
	return generated, c.checkDelay(def, stored)
}

const (
	scheduleTime = 1                  // tag of ScheduleAt: at a time; the other is an interval
	maxDelay     = (1<<36 - 1) * 1000 // the first delay that is too long, in microseconds
)

// checkDelay refuses a row of a schedule table whose time is too far away (spec 03 §5.7). The row stays in the
// transaction, as SDKs panic then.
func (c *Context) checkDelay(def *schema.Table, row []byte) Errno {
	if def.Schedule == nil {
		return OK
	}
	at := def.Layout.Col(row, int(def.Schedule.AtCol))
	delay := int64(binary.LittleEndian.Uint64(at[1:]))
	if at[0] == scheduleTime {
		now := int64(max(c.call.Time, c.svc.Now()))
		if delay <= now {
			return OK
		}
		delay = max(delay-max(now, 0), 0)
	} else if delay < 0 { // intervals count by magnitude
		delay = -delay
	}
	if uint64(delay) >= maxDelay { // the least number has no opposite
		return ErrScheduleDelayTooLong
	}
	return OK
}

// DeleteByPoint deletes the rows with the given index key and returns how many there were.
func (c *Context) DeleteByPoint(ix uint32, point []byte) (uint32, Errno) {
	tx, e := c.writing()
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
	guard(def)
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
	def, in, r, e := c.parseRange(tx, ix, a)
	if e != OK {
		return 0, e
	}
	guard(def)
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
	def, e := writable(tx, t)
	if e != OK {
		return 0, e
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
	def, e := writable(tx, t)
	if e != OK {
		return 0, e
	}
	n, err := tx.Clear(def.ID)
	c.spend(n * rowOverhead)
	return n, c.errno(err)
}
