package meter

// one is the weight of code that certainly runs whenever its region does. Weights are fixed-point numbers, so that costs
// are the same on every processor.
const one = 1 << 20

// A region is a stretch of code with one charge: the part of a function outside loops, or the part of a loop outside inner
// loops. The charge is an estimate of what one run through it executes.
type region struct {
	parent int    // the region around it, -1 for a function
	entry  uint64 // weight of its start in the parent
	cost   uint64 // sum of weights of its instructions, of known calls also that of the callee
	size   uint64 // number of its instructions, of known calls also that of the callee
}

// charge is what one run of the region costs in fuel: the estimate, but so much at least that a module which always takes
// the unlikely ways cannot run more than a thousandfold unnoticed.
func (g *region) charge() int64 {
	return int64(max(g.cost/one, g.size/1024, 1))
}

// An edit is a place in a body where the rewritten code differs.
type edit struct {
	kind   editKind
	at     span // the bytes replaced; empty for an insertion
	region int  // of a loop
	callee uint32
	weight uint64 // of a call
	shift  byte   // of a bulk instruction: units are elements >> shift
}

type editKind byte

const (
	editIndex editKind = iota // a function index
	editLoop                  // insert the check of a loop
	editBulk                  // insert the check before a bulk instruction
)

// A function is what the analysis knows about one function body.
type function struct {
	locals  int    // without parameters
	groups  uint32 // of local declarations
	decl    span   // local declarations without their count
	code    span   // instructions
	regions []region
	edits   []edit
	loops   bool
	opaque  bool // holds an indirect call, or a bulk instruction of unknown length
	bulk    bool
	state   boundState
}

type boundState byte

const (
	boundUnknown boundState = iota
	boundOpen               // being looked at: a call leads back to it
	boundYes                // runs a bounded number of instructions: its callers pay for it
	boundNo                 // checks fuel at its entry
)

// Small functions without loops are not worth a check of their own.
const (
	maxBounded   = 128 // instructions, with callees
	costIndirect = 8   // charge of an indirect call beyond the instruction
	costImport   = 32  // charge of a call of the host
)

// label is an open block.
type label struct {
	op     byte   // opBlock, opLoop, opIf; opElse once that is reached
	region int    // the region the label's end belongs to
	weight uint64 // of the branches to the end seen so far
	other  uint64 // of the part from else on, of opIf
}

// An analyzer goes over one body, following how likely it is to be at each place.
type analyzer struct {
	m       *Module
	f       *function
	r       *reader
	params  int
	labels  []label
	targets []uint32
	points  int // where the flow of control splits or joins, seen so far
	region  int
	weight  uint64
	prev    instr
}

// analyze reads a body and finds its regions and the places to edit.
func (a *analyzer) analyze(f *function, body span, params int) error {
	r := &reader{b: a.m.bin, pos: body.start, end: body.end}
	*a = analyzer{m: a.m, f: f, r: r, params: params, labels: a.labels[:0], targets: a.targets, weight: one}
	a.declarations()
	f.code = span{r.pos, body.end}
	f.regions = append(f.regions, region{parent: -1, entry: one})
	a.labels = append(a.labels, label{op: opBlock})
	for r.more() && len(a.labels) > 0 {
		at := r.pos
		in := next(r, &a.targets)
		a.check(in)
		if r.err != nil {
			break
		}
		a.step(at, in)
		a.prev = in
	}
	if r.err == nil && (len(a.labels) != 0 || r.pos != body.end) {
		r.fail("function body and its end do not agree")
	}
	if a.m.work += a.points * a.points; r.err == nil && a.m.work > maxWork {
		r.fail("compiling the module would take too long: it has too many functions with thousands of blocks and branches")
	}
	return r.err
}

func (a *analyzer) declarations() {
	r, f := a.r, a.f
	f.groups = uint32(r.count("groups of locals"))
	f.decl.start = r.pos
	total := uint64(a.params)
	for i := uint32(0); i < f.groups && r.err == nil; i++ {
		total += uint64(r.u32())
		valueType(r)
		if total > maxLocals {
			r.fail("more than %d locals", maxLocals)
		}
	}
	f.decl.end = r.pos
	f.locals = int(total) - a.params
}

// point counts what makes compiling longer.
func (a *analyzer) point(n int) {
	if a.points += n; a.points > maxPoints {
		a.r.fail("a function has more than %d blocks and branches", maxPoints)
	}
}

// check refuses indexes that would mean something else in the rewritten module.
func (a *analyzer) check(in instr) {
	bad := func(what string, n int) {
		if int64(in.index) >= int64(n) {
			a.r.fail("there is no %s %d", what, in.index)
		}
	}
	switch in.op {
	case opCall, opRefFunc:
		bad("function", a.m.importedFuncs+len(a.m.funcs))
	case opCallIndirect:
		bad("type", len(a.m.types))
	case opBlock, opLoop, opIf:
		if in.index != noType {
			bad("type", len(a.m.types))
		}
		if len(a.labels) >= maxNesting {
			a.r.fail("blocks are nested more than %d deep", maxNesting)
		}
		switch in.op {
		case opBlock:
			a.point(1)
		case opIf:
			a.point(2)
		case opLoop:
			a.point(3)
		}
	case opLocalGet, opLocalSet, opLocalTee:
		bad("local", a.params+a.f.locals)
	case opGlobalGet, opGlobalSet:
		bad("global", a.m.globals)
	case opBr, opBrIf:
		a.point(1)
		bad("label", len(a.labels))
	case opBrTable:
		a.point(1)
		for _, t := range a.targets {
			if int(t) >= len(a.labels) {
				a.r.fail("there is no label %d", t)
			}
		}
	}
}

// step accounts for one instruction.
func (a *analyzer) step(at int, in instr) {
	g := &a.f.regions[a.region]
	switch in.op {
	case opNop, opDrop, opBlock, opLoop, opElse, opEnd: // cost nothing
	default:
		g.cost += a.weight
		g.size++
	}
	switch in.op {
	case opBlock:
		a.labels = append(a.labels, label{op: opBlock, region: a.region})
	case opLoop:
		a.loop()
	case opIf:
		a.weight /= 2
		a.labels = append(a.labels, label{op: opIf, region: a.region, other: a.weight})
	case opElse:
		l := &a.labels[len(a.labels)-1]
		if l.op != opIf {
			a.r.fail("else without if")
			return
		}
		l.weight += a.weight
		l.op, a.weight, l.other = opElse, l.other, 0
	case opEnd:
		a.end()
	case opBr:
		a.branch(in.index, a.weight)
		a.weight = 0
	case opBrIf:
		a.branch(in.index, a.weight/8) // most conditional branches are exits and checks that are not taken
		a.weight -= a.weight / 8
	case opBrTable:
		for _, t := range a.targets {
			a.branch(t, a.weight/uint64(len(a.targets)))
		}
		a.weight = 0
	case opReturn, opUnreachable:
		a.weight = 0
	case opCall:
		a.f.edits = append(a.f.edits, edit{kind: editIndex, at: in.imm, region: a.region, callee: in.index, weight: a.weight})
	case opRefFunc:
		a.f.edits = append(a.f.edits, edit{kind: editIndex, at: in.imm, callee: in.index, region: -1})
	case opCallIndirect:
		g.cost += a.weight * costIndirect
		a.f.opaque = true
	case opMisc:
		a.bulk(at, in)
	}
}

func (a *analyzer) loop() {
	a.f.loops = true
	a.f.regions = append(a.f.regions, region{parent: a.region, entry: a.weight})
	a.labels = append(a.labels, label{op: opLoop, region: a.region})
	a.region = len(a.f.regions) - 1
	a.weight = one
	a.f.edits = append(a.f.edits, edit{kind: editLoop, at: span{a.r.pos, a.r.pos}, region: a.region})
}

func (a *analyzer) end() {
	l := a.labels[len(a.labels)-1]
	a.labels = a.labels[:len(a.labels)-1]
	if l.op == opLoop {
		if a.weight > 0 { // the loop can be left at its end: then it will be
			a.weight = a.f.regions[a.region].entry
		}
		a.region = l.region
		return
	}
	a.weight = min(a.weight+l.weight+l.other, one)
}

// branch adds the weight of a branch to its target. A branch that leaves loops is how these end, so it is as likely as
// their start was. Repeating a loop adds nothing: the charge is for one round.
func (a *analyzer) branch(depth uint32, weight uint64) {
	l := &a.labels[len(a.labels)-1-int(depth)]
	if l.op == opLoop {
		return
	}
	if l.region == a.region {
		l.weight += weight
		return
	}
	g := a.region
	for a.f.regions[g].parent != l.region {
		g = a.f.regions[g].parent
	}
	l.weight = max(l.weight, a.f.regions[g].entry)
}

// Bulk instructions of at most this many elements are charged like others.
const maxPlainBulk = 4096

// bulk prepares the check before an instruction that works on a number of elements known at run time.
func (a *analyzer) bulk(at int, in instr) {
	var shift byte
	switch in.sub {
	case miscMemoryInit, miscMemoryCopy, miscMemoryFill:
		shift = 4 // sixteen bytes in the time of an instruction
	case miscTableInit, miscTableCopy, miscTableFill:
		shift = 1
	default:
		return
	}
	if a.prev.op == opI32Const && a.prev.value >= 0 && a.prev.value <= maxPlainBulk {
		g := &a.f.regions[a.region]
		g.cost += a.weight * uint64(a.prev.value>>shift)
		g.size += uint64(a.prev.value >> shift)
		return
	}
	a.f.bulk, a.f.opaque = true, true
	a.f.edits = append(a.f.edits, edit{kind: editBulk, at: span{at, at}, shift: shift})
}
