package meter

import "fmt"

// Version changes with every change of what Rewrite gives for the same input.
const Version = 1

// What a rewritten module imports and exports in addition. The import has the type (func (param i64) (result i64)).
const (
	RefillModule = "stdb_meter"
	RefillName   = "refill"
	FuelExport   = "stdb_meter_fuel" // a mutable i64 global, zero at first
)

// RefillType is the type of the import.
var RefillType = FuncType{[]ValueType{I64}, []ValueType{I64}}

// Rewrite returns the metered form of a module. The result imports Refill as its last function import, so indexes of
// functions defined in the module move by one. Custom sections other than function names are left out: they describe the
// original code.
func (m *Module) Rewrite() ([]byte, error) {
	for _, e := range m.Exports {
		if e.Name == FuelExport {
			return nil, &FormatError{m.sections[secExport].start, fmt.Sprintf("the export name %q is reserved", e.Name)}
		}
	}
	fs, err := m.plan()
	if err != nil {
		return nil, err
	}
	w := &writer{m: m, fs: fs, out: append(make([]byte, 0, len(m.bin)+len(m.bin)/4+1024), header...)}
	w.section(secType, w.typeSection)
	w.section(secImport, w.importSection)
	w.copy(secFunc)
	w.section(secTable, w.tableSection)
	w.copy(secMemory)
	w.section(secGlobal, w.globalSection)
	w.section(secExport, w.exportSection)
	w.section(secStart, w.startSection)
	w.section(secElem, w.elemSection)
	w.copy(secDataCount)
	w.section(secCode, w.codeSection)
	w.copy(secData)
	w.section(secCustom, w.nameSection)
	return w.out, w.err
}

// moved is the index of function i in the rewritten module.
func (m *Module) moved(i uint32) uint32 {
	if int(i) >= m.importedFuncs {
		return i + 1
	}
	return i
}

type writer struct {
	m   *Module
	fs  []function
	out []byte
	buf []byte // contents of the section being written
	err error
}

// section writes what fill appends to buf, or nothing if fill returns false.
func (w *writer) section(id byte, fill func() bool) {
	if w.err != nil {
		return
	}
	w.buf = w.buf[:0]
	if !fill() || w.err != nil {
		return
	}
	w.out = appendU32(append(w.out, id), uint32(len(w.buf)))
	w.out = append(w.out, w.buf...)
}

func (w *writer) contents(id int) []byte {
	s := w.m.sections[id]
	return w.m.bin[s.start:s.end]
}

func (w *writer) copy(id int) {
	if w.m.sections[id].end > 0 {
		w.section(byte(id), func() bool {
			w.buf = append(w.buf, w.contents(id)...)
			return true
		})
	}
}

// vector starts the contents of a section with the number of its elements and the old elements.
func (w *writer) vector(id, n int) {
	w.buf = appendU32(w.buf, uint32(n))
	if s := w.contents(id); len(s) > 0 {
		r := &reader{b: s, end: len(s)}
		r.u32()
		w.buf = append(w.buf, s[r.pos:]...)
	}
}

func (w *writer) typeSection() bool {
	w.vector(secType, len(w.m.types)+1)
	w.buf = append(w.buf, 0x60, 1, byte(I64), 1, byte(I64))
	return true
}

func (w *writer) importSection() bool {
	w.vector(secImport, len(w.m.Imports)+1)
	w.buf = appendName(appendName(w.buf, RefillModule), RefillName)
	w.buf = appendU32(append(w.buf, byte(ExternFunc)), uint32(len(w.m.types)))
	return true
}

// tableSection gives every table a maximum, since a table that grows takes memory of the host.
func (w *writer) tableSection() bool {
	if len(w.m.tables) == 0 {
		return false
	}
	w.buf = appendU32(w.buf, uint32(len(w.m.tables)))
	for _, t := range w.m.tables {
		most := uint32(maxTableSize)
		if t.hasMax {
			if t.max < t.min {
				w.err = &FormatError{w.m.sections[secTable].start, "a table is larger than its maximum"}
			}
			most = min(most, t.max)
		}
		w.buf = append(w.buf, byte(t.typ), 1)
		w.buf = appendU32(appendU32(w.buf, t.min), most)
	}
	return true
}

func (w *writer) globalSection() bool {
	m := w.m
	imported := 0
	for _, im := range m.Imports {
		if im.Kind == ExternGlobal {
			imported++
		}
	}
	own := m.globals - imported
	w.buf = appendU32(w.buf, uint32(own+1))
	if s := m.sections[secGlobal]; s.end > 0 {
		r := &reader{b: m.bin, pos: s.start, end: s.end}
		r.u32()
		for range own {
			w.buf = append(w.buf, r.byte(), r.byte())
			m.constExpr(r, &w.buf)
		}
	}
	w.buf = append(w.buf, byte(I64), 1, opI64Const, 0, opEnd)
	return true
}

func (w *writer) exportSection() bool {
	w.buf = appendU32(w.buf, uint32(len(w.m.Exports)+1))
	for _, e := range w.m.Exports {
		index := e.Index
		if e.Kind == ExternFunc {
			index = w.m.moved(index)
		}
		w.buf = appendU32(append(appendName(w.buf, e.Name), byte(e.Kind)), index)
	}
	w.buf = appendU32(append(appendName(w.buf, FuelExport), byte(ExternGlobal)), uint32(w.m.globals))
	return true
}

func (w *writer) startSection() bool {
	if w.m.hasStart {
		w.buf = appendU32(w.buf, w.m.moved(w.m.start))
	}
	return w.m.hasStart
}

// elemSection copies element segments of all eight forms with function indexes moved.
func (w *writer) elemSection() bool {
	s := w.m.sections[secElem]
	if s.end == 0 {
		return false
	}
	r := &reader{b: w.m.bin, pos: s.start, end: s.end}
	n := r.count("element segments")
	if n > maxSegments {
		r.fail("%d element segments are too many", n)
	}
	w.buf = appendU32(w.buf, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		w.element(r)
	}
	if r.err == nil && r.more() {
		r.fail("element section is longer than its contents")
	}
	w.err = r.err
	return r.err == nil
}

func (w *writer) element(r *reader) {
	form := r.u32()
	if form > 7 {
		r.fail("element segment of form %d is not supported", form)
		return
	}
	w.buf = appendU32(w.buf, form)
	active, explicit, exprs := form&1 == 0, form&2 != 0, form&4 != 0
	if active {
		if explicit {
			w.buf = appendU32(w.buf, r.u32()) // table
		}
		w.m.constExpr(r, &w.buf) // offset
	}
	if form&3 != 0 { // element kind or type
		w.buf = append(w.buf, r.byte())
	}
	n := r.count("elements")
	if n > maxTableSize {
		r.fail("an element segment with %d elements is too large", n)
	}
	w.buf = appendU32(w.buf, uint32(n))
	for i := 0; i < n && r.err == nil; i++ {
		if exprs {
			w.m.constExpr(r, &w.buf)
			continue
		}
		f := r.u32()
		w.m.funcType(r, f)
		w.buf = appendU32(w.buf, w.m.moved(f))
	}
}

func (w *writer) codeSection() bool {
	if w.m.sections[secCode].end == 0 {
		return false
	}
	w.buf = appendU32(w.buf, uint32(len(w.fs)))
	var body []byte
	for i := range w.fs {
		body = w.body(body[:0], i)
		w.buf = appendU32(w.buf, uint32(len(body)))
		w.buf = append(w.buf, body...)
	}
	return true
}

// body appends function i in its rewritten form.
func (w *writer) body(b []byte, i int) []byte {
	f := &w.fs[i]
	bin := w.m.bin
	entry := f.state != boundYes
	first := uint32(len(w.m.types[w.m.funcs[i]].Params) + f.locals)
	c := check{fuel: uint32(w.m.globals), refill: uint32(w.m.importedFuncs), rest: first, n: first + 1}

	groups := f.groups
	if entry || f.loops {
		groups++
	}
	if f.bulk {
		groups++
	}
	b = appendU32(b, groups)
	b = append(b, bin[f.decl.start:f.decl.end]...)
	if entry || f.loops {
		b = append(b, 1, byte(I64))
	}
	if f.bulk {
		b = append(b, 1, byte(I32))
	}

	if entry {
		b = c.constant(b, f.regions[0].charge())
	}
	pos := f.code.start
	for _, e := range f.edits {
		b = append(b, bin[pos:e.at.start]...)
		pos = e.at.end
		switch e.kind {
		case editIndex:
			b = appendU32(b, w.m.moved(e.callee))
		case editLoop:
			b = c.constant(b, f.regions[e.region].charge())
		case editBulk:
			b = c.bulk(b, e.shift)
		}
	}
	return append(b, bin[pos:f.code.end]...)
}

// check writes the code that takes fuel and asks for more.
type check struct {
	fuel   uint32 // global
	refill uint32 // function
	rest   uint32 // local, i64
	n      uint32 // local, i32
}

// constant takes a fixed charge.
func (c check) constant(b []byte, charge int64) []byte {
	b = appendU32(append(b, opGlobalGet), c.fuel)
	b = appendS64(append(b, opI64Const), charge)
	return c.finish(append(b, opI64Sub))
}

// bulk takes a charge for as many elements as the number on top of the stack says, and leaves that there.
func (c check) bulk(b []byte, shift byte) []byte {
	b = appendU32(append(b, opLocalTee), c.n)
	b = appendU32(append(b, opGlobalGet), c.fuel)
	b = appendU32(append(b, opLocalGet), c.n)
	b = appendS64(append(b, opI64ExtendI32, opI64Const), int64(shift))
	return c.finish(append(b, opI64ShrU, opI64Sub))
}

func (c check) finish(b []byte) []byte {
	b = appendU32(append(b, opLocalTee), c.rest)
	b = appendU32(append(b, opGlobalSet), c.fuel)
	b = appendU32(append(b, opLocalGet), c.rest)
	b = append(b, opI64Const, 0, opI64LtS, opIf, 0x40)
	b = appendU32(append(b, opLocalGet), c.rest)
	b = appendU32(append(b, opCall), c.refill)
	b = appendU32(append(b, opGlobalSet), c.fuel)
	return append(b, opEnd)
}

// nameSection keeps the names of functions, for stack traces. A section that cannot be read is left out, as names have no
// meaning for the program.
func (w *writer) nameSection() bool {
	s := w.m.names
	if s.end == 0 {
		return false
	}
	const functionNames = 1
	r := &reader{b: w.m.bin, pos: s.start, end: s.end}
	for r.more() {
		id := r.byte()
		size := int(r.u32())
		start := r.pos
		r.take(size)
		if id != functionNames || r.err != nil {
			continue
		}
		list := &reader{b: w.m.bin, pos: start, end: start + size}
		n := list.count("names")
		sub := appendU32(nil, uint32(n))
		for i := 0; i < n && list.err == nil; i++ {
			sub = appendU32(sub, w.m.moved(list.u32()))
			sub = appendName(sub, list.name())
		}
		if list.err != nil {
			return false
		}
		w.buf = append(appendName(w.buf, "name"), functionNames)
		w.buf = appendU32(w.buf, uint32(len(sub)))
		w.buf = append(w.buf, sub...)
		return true
	}
	return false
}
