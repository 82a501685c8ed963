package meter

import (
	"bytes"
	"fmt"
	"strings"
)

// Bounds on what one module may contain. They are those that browsers agree on, and far above what compilers emit; they keep the
// time and memory of compiling and instantiating a module in proportion.
const (
	maxTypes      = 1_000_000
	maxFuncs      = 1_000_000
	maxImports    = 100_000
	maxExports    = 100_000
	maxGlobals    = 1_000_000
	maxSegments   = 100_000
	maxTables     = 100
	maxTableSize  = 10_000_000 // elements; eight bytes each
	maxBody       = 7_654_321  // bytes
	maxLocals     = 50_000
	maxParams     = 1_000
	maxNesting    = 10_000 // of blocks
	maxMemoryPage = 65_536

	// Compiling a function takes time with the square of the number of its blocks
	// and branches, up to 25 ns for each pair of them. A loop counts as three, an if
	// as two.
	maxPoints = 20_000
	maxWork   = 2 * maxPoints * maxPoints // the sum of the squares over all functions
)

// A ValueType is a WebAssembly value type in its binary form.
type ValueType byte

const (
	I32       ValueType = 0x7f
	I64       ValueType = 0x7e
	F32       ValueType = 0x7d
	F64       ValueType = 0x7c
	V128      ValueType = 0x7b
	FuncRef   ValueType = 0x70
	ExternRef ValueType = 0x6f
)

func (v ValueType) String() string {
	switch v {
	case I32:
		return "i32"
	case I64:
		return "i64"
	case F32:
		return "f32"
	case F64:
		return "f64"
	case V128:
		return "v128"
	case FuncRef:
		return "funcref"
	case ExternRef:
		return "externref"
	}
	return fmt.Sprintf("type 0x%x", byte(v))
}

// A FuncType is the type of a function.
type FuncType struct{ Params, Results []ValueType }

// Equal tells whether t and u are the same type.
func (t FuncType) Equal(u FuncType) bool { return t.String() == u.String() }

// String writes the type as in a text module: (func (param i32 i64) (result i32)).
func (t FuncType) String() string {
	var s strings.Builder
	s.WriteString("(func")
	list := func(word string, types []ValueType) {
		if len(types) == 0 {
			return
		}
		s.WriteString(" (" + word)
		for _, v := range types {
			s.WriteString(" " + v.String())
		}
		s.WriteString(")")
	}
	list("param", t.Params)
	list("result", t.Results)
	s.WriteString(")")
	return s.String()
}

// An ExternKind is what an import or export is.
type ExternKind byte

const (
	ExternFunc ExternKind = iota
	ExternTable
	ExternMemory
	ExternGlobal
)

func (k ExternKind) String() string {
	switch k {
	case ExternFunc:
		return "function"
	case ExternTable:
		return "table"
	case ExternMemory:
		return "memory"
	case ExternGlobal:
		return "global"
	}
	return "tag"
}

// An Import is one import of a module.
type Import struct {
	Module, Name string
	Kind         ExternKind
	Type         FuncType // of a function
	typeIndex    uint32
}

// An Export is one export of a module.
type Export struct {
	Name  string
	Kind  ExternKind
	Index uint32
	Type  FuncType // of a function
}

// A Memory is the memory that a module defines.
type Memory struct {
	Min    uint32 // pages of 64 KiB
	Max    uint32 // pages; meaningful if HasMax
	HasMax bool
}

// Section ids of the binary format.
const (
	secCustom = iota
	secType
	secImport
	secFunc
	secTable
	secMemory
	secGlobal
	secExport
	secStart
	secElem
	secCode
	secData
	secDataCount
	numSections
)

var sectionNames = [numSections]string{"custom", "type", "import", "function", "table", "memory", "global", "export",
	"start", "element", "code", "data", "data count"}

// order is where a section stands among the others; each may stand there once.
var order = [numSections]int{secType: 1, secImport: 2, secFunc: 3, secTable: 4, secMemory: 5, secGlobal: 6, secExport: 7,
	secStart: 8, secElem: 9, secDataCount: 10, secCode: 11, secData: 12}

type span struct{ start, end int }

// A Module is a parsed module. Its exported fields must not be changed.
type Module struct {
	Imports []Import
	Exports []Export
	Memory  *Memory // nil if the module defines none

	bin      []byte
	sections [numSections]span // contents, without id and size
	names    span              // contents of the custom section "name"

	types         []FuncType
	importedFuncs int
	funcs         []uint32 // type indexes of the functions defined here
	work          int      // for the compiler; see maxWork
	tables        []table
	globals       int // including imported ones
	start         uint32
	hasStart      bool
	bodies        []span
}

type table struct {
	typ      ValueType
	min, max uint32
	hasMax   bool
}

var header = []byte{0, 'a', 's', 'm', 1, 0, 0, 0}

// Parse reads a module. The error is a *FormatError.
func Parse(bin []byte) (*Module, error) {
	if len(bin) < 8 || !bytes.Equal(bin[:8], header) {
		return nil, &FormatError{0, "this is not a WebAssembly module of version 1"}
	}
	m := &Module{bin: bin}
	if err := m.splitSections(); err != nil {
		return nil, err
	}
	parsers := []struct {
		section int
		parse   func(*reader)
	}{{secType, m.parseTypes}, {secImport, m.parseImports}, {secFunc, m.parseFuncs}, {secTable, m.parseTables},
		{secMemory, m.parseMemories}, {secGlobal, m.parseGlobals}, {secExport, m.parseExports}, {secStart, m.parseStart},
		{secCode, m.parseBodies}}
	for _, p := range parsers {
		s := m.sections[p.section]
		if s.end == 0 {
			continue
		}
		r := &reader{b: bin, pos: s.start, end: s.end}
		p.parse(r)
		if r.err == nil && r.pos != r.end {
			r.fail("%s section is longer than its contents", sectionNames[p.section])
		}
		if r.err != nil {
			return nil, r.err
		}
	}
	if len(m.funcs) != len(m.bodies) {
		return nil, &FormatError{0, fmt.Sprintf("%d functions but %d bodies", len(m.funcs), len(m.bodies))}
	}
	return m, nil
}

func (m *Module) splitSections() error {
	r := &reader{b: m.bin, pos: 8, end: len(m.bin)}
	last := 0
	for r.more() {
		at := r.pos
		id := int(r.byte())
		size := int(r.u32())
		start := r.pos
		r.take(size)
		if r.err != nil {
			return r.err
		}
		s := span{start, start + size}
		switch {
		case id == secCustom:
			c := &reader{b: m.bin, pos: s.start, end: s.end}
			name := c.name()
			if c.err != nil {
				return c.err
			}
			if name == "name" {
				m.names = span{c.pos, s.end}
			}
		case id >= numSections:
			return &FormatError{at, fmt.Sprintf("section %d is not supported", id)}
		case order[id] <= last:
			return &FormatError{at, sectionNames[id] + " section stands in the wrong place"}
		default:
			last = order[id]
			m.sections[id] = s
		}
	}
	return r.err
}

func (m *Module) parseTypes(r *reader) {
	n := r.count("types")
	if n > maxTypes {
		r.fail("%d types are too many", n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		if b := r.byte(); b != 0x60 {
			r.fail("type form 0x%x is not supported", b)
		}
		m.types = append(m.types, FuncType{m.valueTypes(r), m.valueTypes(r)})
	}
}

func (m *Module) valueTypes(r *reader) []ValueType {
	n := r.count("types")
	if n > maxParams {
		r.fail("%d parameters or results are too many", n)
	}
	var list []ValueType
	for i := 0; i < n && r.err == nil; i++ {
		list = append(list, valueType(r))
	}
	return list
}

func valueType(r *reader) ValueType {
	v := ValueType(r.byte())
	switch v {
	case I32, I64, F32, F64, V128, FuncRef, ExternRef:
		return v
	}
	r.fail("%v is not supported", v)
	return v
}

func (m *Module) typeAt(r *reader, i uint32) FuncType {
	if int(i) >= len(m.types) {
		r.fail("there is no type %d", i)
		return FuncType{}
	}
	return m.types[i]
}

func (m *Module) parseImports(r *reader) {
	n := r.count("imports")
	if n > maxImports {
		r.fail("%d imports are too many", n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		im := Import{Module: r.name(), Name: r.name(), Kind: ExternKind(r.byte())}
		switch im.Kind {
		case ExternFunc:
			im.typeIndex = r.u32()
			im.Type = m.typeAt(r, im.typeIndex)
			m.importedFuncs++
		case ExternTable:
			valueType(r)
			m.limits(r)
		case ExternMemory:
			m.limits(r)
		case ExternGlobal:
			valueType(r)
			r.byte()
			m.globals++
		default:
			r.fail("import of kind %d is not supported", im.Kind)
		}
		m.Imports = append(m.Imports, im)
	}
}

func (m *Module) limits(r *reader) (min, max uint32, hasMax bool) {
	switch flag := r.byte(); flag {
	case 0:
		min = r.u32()
	case 1:
		min, max, hasMax = r.u32(), r.u32(), true
	default:
		r.fail("limits of form 0x%x (shared or 64-bit) are not supported", flag)
	}
	return
}

func (m *Module) parseFuncs(r *reader) {
	n := r.count("functions")
	if n > maxFuncs {
		r.fail("%d functions are too many", n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		t := r.u32()
		m.typeAt(r, t)
		m.funcs = append(m.funcs, t)
	}
}

func (m *Module) parseTables(r *reader) {
	n := r.count("tables")
	if n > maxTables {
		r.fail("%d tables are too many", n)
	}
	total := uint64(0)
	for i := 0; i < n && r.err == nil; i++ {
		t := table{typ: valueType(r)}
		t.min, t.max, t.hasMax = m.limits(r)
		if total += uint64(t.min); total > maxTableSize {
			r.fail("tables with %d elements are too large, at most %d are allowed", total, maxTableSize)
		}
		m.tables = append(m.tables, t)
	}
}

func (m *Module) parseMemories(r *reader) {
	n := r.count("memories")
	if n > 1 {
		r.fail("more than one memory is not supported")
	}
	if n == 1 {
		mem := new(Memory)
		mem.Min, mem.Max, mem.HasMax = m.limits(r)
		if mem.Min > maxMemoryPage || mem.HasMax && mem.Max > maxMemoryPage {
			r.fail("a memory of more than %d pages is not possible", maxMemoryPage)
		}
		m.Memory = mem
	}
}

func (m *Module) parseGlobals(r *reader) {
	n := r.count("globals")
	if n > maxGlobals {
		r.fail("%d globals are too many", n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		valueType(r)
		r.byte()
		m.constExpr(r, nil)
	}
	m.globals += n
}

func (m *Module) parseExports(r *reader) {
	n := r.count("exports")
	if n > maxExports {
		r.fail("%d exports are too many", n)
	}
	for i := 0; i < n && r.err == nil; i++ {
		e := Export{Name: r.name(), Kind: ExternKind(r.byte()), Index: r.u32()}
		switch {
		case e.Kind == ExternFunc:
			e.Type = m.funcType(r, e.Index)
		case e.Kind == ExternGlobal && int(e.Index) >= m.globals:
			r.fail("there is no global %d", e.Index)
		case e.Kind > ExternGlobal:
			r.fail("export of kind %d is not supported", e.Kind)
		}
		m.Exports = append(m.Exports, e)
	}
}

func (m *Module) funcType(r *reader, i uint32) FuncType {
	if int(i) >= m.importedFuncs+len(m.funcs) {
		r.fail("there is no function %d", i)
		return FuncType{}
	}
	if int(i) >= m.importedFuncs {
		return m.types[m.funcs[int(i)-m.importedFuncs]]
	}
	for _, im := range m.Imports {
		if im.Kind != ExternFunc {
			continue
		}
		if i == 0 {
			return im.Type
		}
		i--
	}
	return FuncType{}
}

func (m *Module) parseStart(r *reader) {
	m.start, m.hasStart = r.u32(), true
	m.funcType(r, m.start)
}

func (m *Module) parseBodies(r *reader) {
	n := r.count("function bodies")
	for i := 0; i < n && r.err == nil; i++ {
		size := int(r.u32())
		if size > maxBody {
			r.fail("the body of function %d has %d bytes, at most %d are allowed", m.importedFuncs+i, size, maxBody)
		}
		start := r.pos
		r.take(size)
		m.bodies = append(m.bodies, span{start, start + size})
	}
}

// constExpr reads a constant expression. With an out buffer it appends the expression with function indexes moved.
func (m *Module) constExpr(r *reader, out *[]byte) {
	for r.err == nil {
		start := r.pos
		switch op := r.byte(); op {
		case opEnd:
			if out != nil {
				*out = append(*out, opEnd)
			}
			return
		case opI32Const:
			r.s64(32)
		case opI64Const:
			r.s64(64)
		case opF32Const:
			r.take(4)
		case opF64Const:
			r.take(8)
		case opSIMD:
			if sub := r.u32(); sub != simdV128Const {
				r.fail("SIMD instruction %d is not constant", sub)
			}
			r.take(16)
		case opGlobalGet:
			if g := r.u32(); int(g) >= m.globals {
				r.fail("there is no global %d", g)
			}
		case opRefNull:
			r.byte()
		case opRefFunc:
			f := r.u32()
			m.funcType(r, f)
			if out != nil {
				*out = appendU32(append(*out, opRefFunc), m.moved(f))
			}
			continue
		default:
			r.fail("instruction 0x%x is not supported in a constant expression", op)
		}
		if out != nil && r.err == nil {
			*out = append(*out, r.b[start:r.pos]...)
		}
	}
}
