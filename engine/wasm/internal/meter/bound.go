package meter

// plan analyses all bodies and decides which functions check fuel at their entry.
func (m *Module) plan() ([]function, error) {
	fs := make([]function, len(m.bodies))
	a := &analyzer{m: m}
	for i := range fs {
		if err := a.analyze(&fs[i], m.bodies[i], len(m.types[m.funcs[i]].Params)); err != nil {
			return nil, err
		}
	}
	p := pricer{m: m, fs: fs, sizes: make([]uint64, len(fs)), priced: make([]bool, len(fs))}
	for i := range fs {
		p.settle(i, 0)
	}
	for i := range fs {
		p.price(i)
	}
	return fs, nil
}

// A pricer puts the price of small callees on their callers.
type pricer struct {
	m      *Module
	fs     []function
	sizes  []uint64 // of functions that are boundYes
	priced []bool
}

// settle decides whether function i is bounded. Every level of calls is an instruction at least, so that more than
// maxBounded levels cannot be.
func (p *pricer) settle(i, depth int) {
	f := &p.fs[i]
	if f.state != boundUnknown {
		return
	}
	if f.loops || f.opaque || f.regions[0].size > maxBounded || depth > maxBounded {
		f.state = boundNo
		return
	}
	f.state = boundOpen
	size := f.regions[0].size
	for _, e := range f.edits {
		if e.kind != editIndex || e.region < 0 {
			continue
		}
		callee := int(e.callee) - p.m.importedFuncs
		if callee < 0 {
			continue
		}
		p.settle(callee, depth+1)
		if p.fs[callee].state != boundYes { // large, or a cycle
			f.state = boundNo
			return
		}
		size += p.sizes[callee]
	}
	f.state, p.sizes[i] = boundYes, size
	if size > maxBounded {
		f.state = boundNo
	}
}

// price adds to the regions of function i what its calls of bounded functions and of the host cost.
func (p *pricer) price(i int) {
	f := &p.fs[i]
	if p.priced[i] {
		return
	}
	p.priced[i] = true
	for _, e := range f.edits {
		if e.kind != editIndex || e.region < 0 {
			continue
		}
		g := &f.regions[e.region]
		callee := int(e.callee) - p.m.importedFuncs
		switch {
		case callee < 0:
			g.cost += e.weight * costImport
		case p.fs[callee].state == boundYes:
			p.price(callee) // no cycle: a bounded function calls bounded ones only
			c := &p.fs[callee].regions[0]
			g.cost += e.weight * (c.cost / one)
			g.size += c.size
		}
	}
}
