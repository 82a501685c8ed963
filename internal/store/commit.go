package store

import (
	"slices"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/sats"
)

// Inputs are what the log keeps about the call that made a transaction (spec 08
// §26.2).
type Inputs struct {
	Reducer      string // longer names than 255 bytes are cut at a character
	Caller       sats.Identity
	ConnectionID sats.ConnectionID // zero: none
	Timestamp    sats.Timestamp
	Args         []byte
}

// The reducer names whose transactions are logged even if they changed nothing
// (spec 08 §2.3).
const (
	identityConnected    = "__identity_connected__"
	identityDisconnected = "__identity_disconnected__"
)

// A Commit is a transaction that has become the committed state.
type Commit struct {
	// Offset is the transaction's, or that of the last logged one before it if it
	// is not Logged.
	Offset uint64
	Logged bool // it consumed Offset, and Record belongs in the log
	// Record is the transaction record (spec 08 §26); nil if not Logged. Delta's
	// rows lie in it, so it must not be changed, and it is as good as Delta.
	Record []byte
	Delta  *Delta
}

// Commit makes the transaction the committed state. It cannot fail.
func (tx *Tx) Commit(in *Inputs) *Commit {
	tx.mustBeOpen()
	s := tx.s
	s.mu.Lock()
	defer s.mu.Unlock()
	tx.sortTables()
	d := s.pool.get()
	d.store = s
	d.encode(in, tx.tables)
	c := &d.commit
	*c = Commit{Offset: s.lastOffset(), Delta: d}
	if d.loggedRows || in != nil && (in.Reducer == identityConnected || in.Reducer == identityDisconnected) {
		c.Offset, c.Logged, c.Record = s.next, true, d.record()
		s.next++
	}
	for _, t := range tx.tables {
		t.commit()
	}
	for t := range tx.reindex {
		t.settle()
	}
	s.committed = s.catalog()
	for _, fn := range tx.onCommit {
		fn()
	}
	tx.end()
	return c
}

// commit gives the transaction's slots their final states. It goes backwards because
// what is freed last is used first.
func (t *table) commit() {
	for _, p := range slices.Backward(t.touched) {
		switch {
		case t.slotIs(p, slotDeleted):
			t.rows.release(p)
		case !t.slotIs(p, slotInserted):
		case t.def.IsEvent:
			t.unlink(p, t.rows.get(p))
			t.rows.release(p)
		default:
			t.rows.setState(p, slotLive)
		}
	}
	t.endTx()
	t.settle()
}

// settle notes that the state of the indexes is committed.
func (t *table) settle() {
	for _, ix := range t.indexes {
		ix.settle()
	}
}

// A Delta is what a transaction changed. It is immutable and lasts as long as it is
// referenced, unless it is released.
type Delta struct {
	Tables []TableDelta // with changes, in id order

	buf        []byte // flags, inputs, mutations; then rows that are not logged
	logged     int    // length of the record in buf
	loggedRows bool
	ends       []int
	parts      []rowsPart
	store      *Store
	commit     Commit

	// Room for what most transactions need, so that a delta that is not released
	// costs two allocations.
	tables    [2]TableDelta
	partsRoom [4]rowsPart
}

// A TableDelta is what a transaction changed in one table.
type TableDelta struct {
	Table            *schema.Table
	Inserts, Deletes Rows
	// Truncated: all rows are gone and none came. Deletes has them all.
	Truncated bool
}

// record returns the transaction record.
func (d *Delta) record() []byte { return d.buf[:d.logged:d.logged] }

// Release gives the delta's memory back for reuse. The caller vouches that nobody
// uses the delta, its commit, its record or its rows any more. Not to call it is
// allowed.
func (d *Delta) Release() {
	const keep = 1 << 20
	s := d.store
	if s == nil || cap(d.buf) > keep || cap(d.ends) > keep/8 {
		return
	}
	clear(d.Tables)
	*d = Delta{buf: d.buf[:0], ends: d.ends[:0]}
	s.pool.put(d)
}
