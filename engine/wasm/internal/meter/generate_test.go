package meter

// A generator makes valid modules of arbitrary bytes, for comparing what they compute before and after rewriting. Every program
// ends: each loop and each function takes a step from a global, and without steps left they are left.
type generator struct {
	data  []byte // choices; zeros when used up
	code  []byte
	depth int // of labels without results around; statements may branch to any
	size  int // statements still allowed
}

const (
	genFuncs  = 4 // (i32 i32) -> i32, each may call those before it and itself, indirectly any
	genLocals = 4 // i32, after the two parameters
)

func (g *generator) choose(n int) int {
	if len(g.data) == 0 {
		return 0
	}
	b := g.data[0]
	g.data = g.data[1:]
	return int(b) % n
}

func (g *generator) op(b ...byte) { g.code = append(g.code, b...) }

func (g *generator) i32(v int64) { g.code = appendS64(append(g.code, opI32Const), v) }

// value leaves an i32.
func (g *generator) value(depth int) {
	choice := g.choose(14)
	if depth <= 0 {
		choice %= 3
	}
	switch choice {
	case 0:
		g.i32(int64(g.choose(256)) - 100)
	case 1, 2:
		g.op(opLocalGet, byte(g.choose(2+genLocals)))
	case 3: // arithmetic without traps: add sub mul and or xor shl shr_s shr_u rotl rotr
		g.value(depth - 1)
		g.value(depth - 1)
		g.op([]byte{0x6a, 0x6b, 0x6c, 0x71, 0x72, 0x73, 0x74, 0x75, 0x76, 0x77, 0x78}[g.choose(11)])
	case 4: // comparison
		g.value(depth - 1)
		g.value(depth - 1)
		g.op(0x46 + byte(g.choose(10)))
	case 5: // division, which may trap
		g.value(depth - 1)
		g.value(depth - 1)
		g.op(0x6d + byte(g.choose(4)))
	case 6: // load from the first page
		g.value(depth - 1)
		g.i32(0x3fff)
		g.op(0x71, 0x28, 2)
		g.code = appendU32(g.code, uint32(g.choose(256)))
	case 7:
		g.op(opMemorySize, 0)
	case 8: // call
		g.value(depth - 1)
		g.value(depth - 1)
		g.op(opCall, byte(g.choose(genFuncs)))
	case 9: // indirect call
		g.value(depth - 1)
		g.value(depth - 1)
		g.value(depth - 1)
		g.i32(genFuncs - 1)
		g.op(0x71, opCallIndirect, 0, 0)
	case 10: // if with results
		g.value(depth - 1)
		g.op(opIf, byte(I32))
		g.value(depth - 1)
		g.op(opElse)
		g.value(depth - 1)
		g.op(opEnd)
	case 11: // via i64
		g.value(depth - 1)
		g.op(opI64ExtendI32, opI64Const, byte(g.choose(64)), opI64ShrU, 0xa7)
	case 12: // block with a result, left early by a branch
		g.op(opBlock, byte(I32))
		g.value(depth - 1)
		g.value(depth - 1)
		g.op(opBrIf, 0)
		g.op(opEnd)
	case 13:
		g.value(depth - 1)
		g.value(depth - 1)
		g.value(depth - 1)
		g.op(opSelect)
	}
}

// statement leaves nothing.
func (g *generator) statement() {
	g.size--
	switch g.choose(12) {
	case 0, 1, 2:
		g.value(3)
		g.op(opLocalSet, byte(g.choose(2+genLocals)))
	case 3: // store to the first page
		g.value(2)
		g.i32(0x3fff)
		g.op(0x71)
		g.value(2)
		g.op(0x36, 2)
		g.code = appendU32(g.code, uint32(g.choose(256)))
	case 4: // if
		g.value(2)
		g.op(opIf, 0x40)
		g.depth++
		g.inside()
		if g.choose(2) == 1 {
			g.op(opElse)
			g.inside()
		}
		g.op(opEnd)
		g.depth--
	case 5, 6: // loop, left when no steps remain
		g.op(opBlock, 0x40, opLoop, 0x40)
		g.depth += 2
		g.step(1)
		g.inside()
		g.value(1)
		g.op(opBrIf, 0, opEnd, opEnd)
		g.depth -= 2
	case 7: // branch
		g.value(1)
		g.op(opBrIf, byte(g.choose(g.depth)))
	case 8: // table of branches
		g.op(opBlock, 0x40)
		g.depth++
		g.value(1)
		n := g.choose(4)
		g.op(opBrTable, byte(n))
		for range n + 1 {
			g.op(byte(g.choose(g.depth)))
		}
		g.op(opEnd)
		g.depth--
	case 9: // bulk: fill or copy up to 4 KiB within the first page
		for range 3 {
			g.value(1)
			g.i32(0xfff)
			g.op(0x71)
		}
		if g.choose(2) == 0 {
			g.op(opMisc, miscMemoryFill, 0)
		} else {
			g.op(opMisc, miscMemoryCopy, 0, 0)
		}
	case 10: // bulk of constant length
		g.i32(int64(g.choose(200)))
		g.i32(int64(g.choose(200)))
		g.i32(int64(g.choose(200)))
		g.op(opMisc, miscMemoryFill, 0)
	case 11: // unreachable code behind a branch
		g.op(opBlock, 0x40, opBr, 0)
		g.depth++
		g.inside()
		g.op(opEnd)
		g.depth--
	}
}

func (g *generator) inside() {
	for n := g.choose(3); n >= 0 && g.size > 0; n-- {
		g.statement()
	}
}

// step leaves the label at depth if no steps remain.
func (g *generator) step(depth byte) {
	g.op(opGlobalGet, 0, 0x45, opBrIf, depth) // i32.eqz
	g.op(opGlobalGet, 0, opI32Const, 1, 0x6b, opGlobalSet, 0)
}

func (g *generator) function() []byte {
	g.code, g.depth, g.size = nil, 0, 12
	g.op(opBlock, 0x40)
	g.depth = 1
	if g.choose(3) > 0 { // some functions are leaves without a step, if they call nothing
		g.step(0)
	}
	for n := g.choose(6); n >= 0; n-- {
		g.statement()
	}
	g.op(opEnd)
	g.op(opLocalGet, byte(g.choose(2+genLocals)), opEnd)
	return append([]byte{1, genLocals, byte(I32)}, g.code...)
}

// generate makes a module with the exports f (a function of two i32), steps (a global) and memory.
func generate(data []byte) []byte {
	g := &generator{data: data}
	out := append([]byte(nil), header...)
	section := func(id byte, contents []byte) {
		out = append(out, id)
		out = append(appendU32(out, uint32(len(contents))), contents...)
	}
	section(secType, []byte{1, 0x60, 2, byte(I32), byte(I32), 1, byte(I32)})
	section(secFunc, []byte{genFuncs, 0, 0, 0, 0})
	section(secTable, []byte{1, byte(FuncRef), 0, genFuncs})
	section(secMemory, []byte{1, 0, 1})
	section(secGlobal, append([]byte{1, byte(I32), 1}, append(appendS64([]byte{opI32Const}, 300), opEnd)...))
	section(secExport, []byte("\x03\x01f\x00\x03\x05steps\x03\x00\x06memory\x02\x00"))
	section(secElem, []byte{1, 0, opI32Const, 0, opEnd, genFuncs, 3, 2, 1, 0})
	code := []byte{genFuncs}
	for range genFuncs {
		body := g.function()
		code = append(appendU32(code, uint32(len(body))), body...)
	}
	section(secCode, code)
	return out
}
