package meter

// Opcodes that need to be told apart.
const (
	opUnreachable  = 0x00
	opNop          = 0x01
	opBlock        = 0x02
	opLoop         = 0x03
	opIf           = 0x04
	opElse         = 0x05
	opEnd          = 0x0b
	opBr           = 0x0c
	opBrIf         = 0x0d
	opBrTable      = 0x0e
	opReturn       = 0x0f
	opCall         = 0x10
	opCallIndirect = 0x11
	opDrop         = 0x1a
	opSelect       = 0x1b
	opSelectTyped  = 0x1c
	opLocalGet     = 0x20
	opLocalSet     = 0x21
	opLocalTee     = 0x22
	opGlobalGet    = 0x23
	opGlobalSet    = 0x24
	opTableGet     = 0x25
	opTableSet     = 0x26
	opFirstMemory  = 0x28
	opLastMemory   = 0x3e
	opMemorySize   = 0x3f
	opMemoryGrow   = 0x40
	opI32Const     = 0x41
	opI64Const     = 0x42
	opF32Const     = 0x43
	opF64Const     = 0x44
	opFirstPlain   = 0x45
	opLastPlain    = 0xc4
	opRefNull      = 0xd0
	opRefIsNull    = 0xd1
	opRefFunc      = 0xd2
	opMisc         = 0xfc
	opSIMD         = 0xfd

	opI64LtS       = 0x53
	opI64Sub       = 0x7d
	opI64ShrU      = 0x88
	opI64ExtendI32 = 0xad // i64.extend_i32_u

	miscLastTruncSat = 7
	miscMemoryInit   = 8
	miscDataDrop     = 9
	miscMemoryCopy   = 10
	miscMemoryFill   = 11
	miscTableInit    = 12
	miscElemDrop     = 13
	miscTableCopy    = 14
	miscTableGrow    = 15
	miscTableSize    = 16
	miscTableFill    = 17

	simdV128Const = 12
)

// An instr is one decoded instruction: its opcode and the immediates that matter here.
type instr struct {
	op    byte
	sub   uint32 // after opMisc and opSIMD
	index uint32 // of function, type, local, global, or branch depth
	value int64  // of i32.const
	imm   span   // where the index stands, of opCall and opRefFunc
}

// next decodes one instruction. Branch targets of br_table are appended to targets, the default last.
func next(r *reader, targets *[]uint32) (in instr) {
	in.op = r.byte()
	switch op := in.op; {
	case op == opBlock || op == opLoop || op == opIf:
		in.index = blockType(r)
	case op == opUnreachable || op == opNop || op == opElse || op == opEnd || op == opReturn || op == opDrop ||
		op == opSelect || op == opRefIsNull || op >= opFirstPlain && op <= opLastPlain:
	case op == opCall || op == opRefFunc:
		in.imm.start = r.pos
		in.index = r.u32()
		in.imm.end = r.pos
	case op == opBr || op == opBrIf || op >= opLocalGet && op <= opTableSet:
		in.index = r.u32()
	case op == opBrTable:
		n := r.count("branch targets")
		*targets = (*targets)[:0]
		for i := 0; i <= n && r.err == nil; i++ {
			*targets = append(*targets, r.u32())
		}
	case op == opCallIndirect:
		in.index = r.u32()
		r.u32() // table
	case op == opSelectTyped:
		for n := r.count("types"); n > 0 && r.err == nil; n-- {
			valueType(r)
		}
	case op >= opFirstMemory && op <= opLastMemory:
		memArg(r)
	case op == opMemorySize || op == opMemoryGrow:
		zero(r)
	case op == opI32Const:
		in.value = r.s64(32)
	case op == opI64Const:
		r.s64(64)
	case op == opF32Const:
		r.take(4)
	case op == opF64Const:
		r.take(8)
	case op == opRefNull:
		r.byte()
	case op == opMisc:
		in.sub = r.u32()
		misc(r, in.sub)
	case op == opSIMD:
		in.sub = r.u32()
		simd(r, in.sub)
	default:
		r.fail("instruction 0x%x is not supported", op)
	}
	return in
}

// noType is the index of a block type that is not a type index.
const noType = 1<<32 - 1

func blockType(r *reader) uint32 {
	t := r.s64(33)
	if t >= 0 {
		return uint32(t)
	}
	switch ValueType(t & 0x7f) {
	case 0x40, I32, I64, F32, F64, V128, FuncRef, ExternRef:
		return noType
	}
	r.fail("block type is not supported")
	return noType
}

func memArg(r *reader) {
	if align := r.u32(); align >= 32 {
		r.fail("alignment 2^%d is not supported", align)
	}
	r.u32() // offset
}

func zero(r *reader) {
	if b := r.byte(); b != 0 {
		r.fail("a second memory is not supported")
	}
}

func misc(r *reader, sub uint32) {
	switch sub {
	case miscMemoryInit:
		r.u32()
		zero(r)
	case miscDataDrop, miscElemDrop, miscTableGrow, miscTableSize, miscTableFill:
		r.u32()
	case miscMemoryCopy:
		zero(r)
		zero(r)
	case miscMemoryFill:
		zero(r)
	case miscTableInit, miscTableCopy:
		r.u32()
		r.u32()
	default:
		if sub > miscLastTruncSat {
			r.fail("instruction 0xfc %d is not supported", sub)
		}
	}
}

func simd(r *reader, sub uint32) {
	switch {
	case sub <= 11, sub == 92, sub == 93: // loads and stores
		memArg(r)
	case sub == simdV128Const, sub == 13: // constant, shuffle
		r.take(16)
	case sub >= 21 && sub <= 34: // lanes
		r.byte()
	case sub >= 84 && sub <= 91: // lanes in memory
		memArg(r)
		r.byte()
	case sub > 255:
		r.fail("SIMD instruction %d is not supported", sub)
	}
}
