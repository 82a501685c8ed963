package store

import (
	"encoding/binary"
	"sync"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/sats"
)

// The flags of a transaction record (spec 08 §26.1).
const (
	flagInputs    = 0x80
	flagOutputs   = 0x40
	flagMutations = 0x20
)

const maxReducerName = 255

// appendInputs appends the inputs section (spec 08 §26.2).
func appendInputs(b []byte, in *Inputs) []byte {
	name := in.Reducer
	if len(name) > maxReducerName {
		n := maxReducerName
		for n > 0 && !utf8.RuneStart(name[n]) {
			n--
		}
		name = name[:n]
	}
	b = sats.AppendU32(b, uint32(1+len(name)+32+16+8+len(in.Args)))
	b = append(b, byte(len(name)))
	b = append(b, name...)
	b = in.Caller.AppendBSATN(b)
	b = in.ConnectionID.AppendBSATN(b)
	b = sats.AppendI64(b, int64(in.Timestamp))
	return append(b, in.Args...)
}

// A rowsPart is a Rows under construction, whose memory may still move.
type rowsPart struct {
	t          *table
	start, end int // in buf
	n          int
	firstEnd   int // in ends
	deletes    bool
}

// encode writes the record of a transaction with its changed tables, in id order,
// and the rows that the record leaves out behind it. It is the one copy of the rows
// that durability needs anyway; the delta's rows are parts of it.
func (d *Delta) encode(in *Inputs, tables []*table) {
	d.Tables, d.parts = d.tables[:0], d.partsRoom[:0]
	if cap(d.buf) == 0 {
		d.buf = make([]byte, 0, sizeHint(in, tables))
	}
	flags := byte(flagMutations)
	if in != nil {
		flags |= flagInputs
	}
	d.buf = append(d.buf, flags)
	if in != nil {
		d.buf = appendInputs(d.buf, in)
	}
	var inserts, deletes, truncates uint64
	for _, t := range tables {
		switch {
		case t.ephemeral:
		case t.truncated():
			truncates++
		default:
			inserts += min(uint64(t.inserted), 1)
			deletes += min(uint64(t.deleted), 1)
		}
	}
	d.loggedRows = inserts+deletes+truncates > 0
	d.group(tables, inserts, slotInserted)
	d.group(tables, deletes, slotDeleted)
	d.buf = binary.AppendUvarint(d.buf, truncates)
	for _, t := range tables {
		if !t.ephemeral && t.truncated() {
			d.buf = sats.AppendU32(d.buf, uint32(t.def.ID))
		}
	}
	d.logged = len(d.buf)
	for _, t := range tables {
		if t.ephemeral {
			d.rows(t, slotInserted)
		}
		if t.ephemeral || t.truncated() {
			d.rows(t, slotDeleted)
		}
	}
	d.collect(tables)
}

// sizeHint guesses the size of a delta's memory; exactly, for rows of fixed size.
func sizeHint(in *Inputs, tables []*table) int {
	n := 16
	if in != nil {
		n += 64 + len(in.Reducer) + len(in.Args)
	}
	for _, t := range tables {
		size, fixed := t.def.Layout.FixedSize()
		if !fixed {
			size = t.def.Layout.MinSize() + 32
		}
		n += 24 + (t.inserted+t.deleted)*size
	}
	return n
}

// RowBytes is how many bytes of rows the transaction's record would hold if it were
// committed now. A record has little more than these and the inputs.
func (tx *Tx) RowBytes() (n int) {
	for _, t := range tx.tables {
		switch {
		case t.ephemeral:
		case t.truncated():
			n += 4
		default:
			n += t.changed
		}
	}
	return n
}

// truncated reports whether the transaction emptied the table (spec 08 §2.3).
func (t *table) truncated() bool { return t.deleted > 0 && t.inserted == 0 && t.count == 0 }

// group writes the insert groups or the delete groups.
func (d *Delta) group(tables []*table, n uint64, state uint32) {
	d.buf = binary.AppendUvarint(d.buf, n)
	for _, t := range tables {
		rows := t.inserted
		if state == slotDeleted {
			rows = t.deleted
		}
		if rows == 0 || t.ephemeral || state == slotDeleted && t.truncated() {
			continue
		}
		d.buf = sats.AppendU32(d.buf, uint32(t.def.ID))
		d.buf = binary.AppendUvarint(d.buf, uint64(rows))
		d.rows(t, state)
	}
}

// rows appends the table's touched rows of one state, each once.
func (d *Delta) rows(t *table, state uint32) {
	want := t.inserted
	if state == slotDeleted {
		want = t.deleted
	}
	if want == 0 {
		return
	}
	p := rowsPart{t: t, start: len(d.buf), firstEnd: len(d.ends), deletes: state == slotDeleted}
	_, fixed := t.def.Layout.FixedSize()
	twice := t.repeats(want)
	for _, ptr := range t.touched {
		if !t.slotIs(ptr, state) || twice.again(ptr) {
			continue
		}
		d.buf = append(d.buf, t.rows.get(ptr)...)
		if p.n++; !fixed {
			d.ends = append(d.ends, len(d.buf)-p.start)
		}
	}
	p.end = len(d.buf)
	d.parts = append(d.parts, p)
}

// A repeatFilter finds slots that touched names a second time. The zero filter
// lets everything pass.
type repeatFilter map[rowPtr]bool

func (f repeatFilter) again(p rowPtr) bool {
	if f == nil {
		return false
	}
	seen := f[p]
	f[p] = true
	return seen
}

// repeats returns the filter needed to emit want rows: none if every touched slot
// counts, which is the rule.
func (t *table) repeats(want int) repeatFilter {
	if t.inserted+t.deleted == len(t.touched) {
		return nil
	}
	return make(repeatFilter, want)
}

// collect makes Tables from the parts, now that buf does not move any more.
func (d *Delta) collect(tables []*table) {
	for _, t := range tables {
		if t.inserted+t.deleted == 0 {
			continue
		}
		td := TableDelta{Table: t.def, Truncated: t.truncated()}
		for i := range d.parts {
			switch p := &d.parts[i]; {
			case p.t != t:
			case p.deletes:
				td.Deletes = d.rowsOf(p)
			default:
				td.Inserts = d.rowsOf(p)
			}
		}
		d.Tables = append(d.Tables, td)
	}
	clear(d.parts)
	d.parts = d.parts[:0]
}

func (d *Delta) rowsOf(p *rowsPart) Rows {
	r := Rows{data: d.buf[p.start:p.end:p.end], n: p.n}
	if size, fixed := p.t.def.Layout.FixedSize(); fixed {
		r.width = size
	} else {
		r.ends = d.ends[p.firstEnd : p.firstEnd+p.n : p.firstEnd+p.n]
	}
	return r
}

// A commitPool keeps released deltas, whose users may be anywhere.
type commitPool struct {
	mu   sync.Mutex
	free []*Delta
}

const maxPooled = 16

func (p *commitPool) get() *Delta {
	p.mu.Lock()
	defer p.mu.Unlock()
	if k := len(p.free); k > 0 {
		d := p.free[k-1]
		p.free = p.free[:k-1]
		return d
	}
	return &Delta{}
}

func (p *commitPool) put(d *Delta) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.free) < maxPooled {
		p.free = append(p.free, d)
	}
}
