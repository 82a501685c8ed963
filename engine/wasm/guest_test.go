package wasm

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/store"
	"github.com/stdbgo/spacetime/sats"
)

// A guest calls host functions from inside testdata/imports.wasm, in a call that the test holds open. Its memory has two
// pages.
type guest struct {
	t  testing.TB
	in *instance
	s  *services
	tx *store.Tx
}

const guestMemory = 2 * pageSize

// Places in the guest's memory.
const (
	atIn  = 1000
	atIn2 = 20000
	atIn3 = 30000
	atOut = 60000 // small results
	atBuf = 70000 // large ones
)

// newGuest opens a call of the kind over a store made by setup.
func newGuest(t testing.TB, kind abi.Kind, setup func(tx *store.Tx)) *guest {
	g := &guest{t: t, s: newServices()}
	g.in = instantiate(t, loadFile(t, "testdata/imports.wasm", abi.Limits{}), g.s)
	if setup != nil {
		db := store.New(store.Options{})
		tx := db.Begin()
		setup(tx)
		tx.Commit(nil)
		g.tx = db.Begin()
		t.Cleanup(func() { g.tx.Rollback() })
	}
	g.begin(abi.Call{Kind: kind, ID: 3, Function: "probe", Tx: g.tx, Time: 1_700_000_000_000_000})
	t.Cleanup(func() { g.in.end() })
	return g
}

func (g *guest) begin(call abi.Call) { g.in.begin(g.t.Context(), call, abi.DefaultFuel) }

// call calls a host function and expects no trap.
func (g *guest) call(name string, args ...uint64) uint32 {
	g.t.Helper()
	r, err := g.try(name, args...)
	if err != nil {
		g.t.Fatalf("%s%v: %v", name, args, err)
	}
	return r
}

func (g *guest) try(name string, args ...uint64) (uint32, error) {
	var stack [16]uint64
	copy(stack[:], args)
	err := g.in.mod.ExportedFunction(name).CallWithStack(&g.in.ctx, stack[:])
	return uint32(stack[0]), err
}

// wantTrap expects that the call ends by a trap of the host.
func (g *guest) wantTrap(name string, args ...uint64) {
	g.t.Helper()
	r, err := g.try(name, args...)
	var trap *abi.Trap
	if !errors.As(err, &trap) {
		g.t.Errorf("%s%v: got %d, %v, want a trap", name, args, r, err)
	}
}

// want expects a status.
func (g *guest) want(status uint32, name string, args ...uint64) {
	g.t.Helper()
	if r := g.call(name, args...); r != status {
		g.t.Errorf("%s%v: got %d, want %d", name, args, int32(r), int32(status))
	}
}

func (g *guest) put(at uint32, b ...byte) (ptr, size uint64) {
	if !g.in.mem.Write(at, b) {
		g.t.Fatal("no such memory")
	}
	return uint64(at), uint64(len(b))
}

func (g *guest) putU32(at, v uint32) uint64 {
	g.put(at, binary.LittleEndian.AppendUint32(nil, v)...)
	return uint64(at)
}

func (g *guest) u32(at uint32) uint32 {
	v, _ := g.in.mem.ReadUint32Le(at)
	return v
}

func (g *guest) u64(at uint32) uint64 {
	v, _ := g.in.mem.ReadUint64Le(at)
	return v
}

func (g *guest) bytes(at, n uint32) []byte {
	b, ok := g.in.mem.Read(at, n)
	if !ok {
		g.t.Fatal("no such memory")
	}
	return append([]byte(nil), b...)
}

// tableID looks a table up.
func (g *guest) tableID(name string) uint64 {
	g.t.Helper()
	p, n := g.put(atIn, []byte(name)...)
	g.want(0, "table_id_from_name", p, n, atOut)
	return uint64(g.u32(atOut))
}

func (g *guest) indexID(name string) uint64 {
	g.t.Helper()
	p, n := g.put(atIn, []byte(name)...)
	g.want(0, "index_id_from_name", p, n, atOut)
	return uint64(g.u32(atOut))
}

// insert inserts a row and returns what was written back.
func (g *guest) insert(table uint64, row []byte) (generated []byte, status uint32) {
	g.put(atIn, row...)
	g.putU32(atOut, uint32(len(row)))
	status = g.call("datastore_insert_bsatn", table, atIn, atOut)
	if status != 0 {
		if g.u32(atOut) != uint32(len(row)) {
			g.t.Error("a refused insert changed the length")
		}
		return nil, status
	}
	generated = g.bytes(atIn, g.u32(atOut))
	if rest := g.bytes(atIn+uint32(len(generated)), uint32(len(row)-len(generated))); string(rest) != string(row[len(generated):]) {
		g.t.Error("an insert changed more than the generated columns")
	}
	return generated, status
}

// rows drains the iterator whose handle stands at atOut, with a buffer that holds everything.
func (g *guest) rows() string {
	g.t.Helper()
	it := uint64(g.u32(atOut))
	g.putU32(atOut, guestMemory-atBuf)
	g.want(minusOne, "row_iter_bsatn_advance", it, atBuf, atOut)
	return string(g.bytes(atBuf, g.u32(atOut)))
}

// Tables for tests. Every table gets what its builder methods add.

type tableDef struct{ *schema.Table }

func newTable(name string, cols ...schema.Column) tableDef {
	elems := make([]sats.Element, len(cols))
	for i, c := range cols {
		elems[i] = sats.E(c.Name, c.Type)
	}
	layout, err := sats.NewLayout(sats.Product(elems...))
	if err != nil {
		panic(err)
	}
	return tableDef{&schema.Table{Name: name, Cols: cols, Layout: layout, Kind: schema.User}}
}

func column(name string, t *sats.Type) schema.Column { return schema.Column{Name: name, Type: t} }

func (d tableDef) index(algo schema.Algo, cols ...schema.ColID) tableDef {
	name := d.Name
	for _, c := range cols {
		name += "_" + d.Cols[c].Name
	}
	d.Indexes = append(d.Indexes, &schema.Index{Name: name + "_idx_" + algo.String(), Algo: algo, Cols: cols})
	return d
}

func (d tableDef) unique(algo schema.Algo, cols ...schema.ColID) tableDef {
	d.index(algo, cols...)
	name := d.Name
	for _, c := range cols {
		name += "_" + d.Cols[c].Name
	}
	d.Constraints = append(d.Constraints, &schema.Constraint{Name: name + "_key", Cols: cols})
	return d
}

func (d tableDef) autoInc(c schema.ColID) tableDef {
	one := sats.I128From(1)
	d.Sequences = append(d.Sequences, &schema.Sequence{Name: d.Name + "_" + d.Cols[c].Name + "_seq", Col: c,
		Start: one, Min: one, Max: sats.I128{Lo: 1<<64 - 1, Hi: 1<<63 - 1}, Increment: one})
	return d
}

func (d tableDef) create(tx *store.Tx) {
	if _, err := tx.CreateTable(d.Table); err != nil {
		panic(err)
	}
}

// person is the table of spec 03 §18.
func personTable(tx *store.Tx) {
	newTable("person", column("id", sats.U64), column("name", sats.String), column("age", sats.U8)).
		unique(schema.BTree, 0).index(schema.BTree, 2).autoInc(0).create(tx)
}

func person(id uint64, name string, age byte) []byte {
	return append(sats.AppendString(sats.AppendU64(nil, id), name), age)
}
