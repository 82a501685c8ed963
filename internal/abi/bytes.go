package abi

// A source is a byte string on its way into the module; a sink collects one on its way out (spec 03 §7).
type source struct {
	rest []byte
	held int // bytes counted against the call's limit
}

type sink struct{ buf []byte }

// maxSource bounds a source: its length must fit into 32 bits.
const maxSource = 1<<32 - 1

// AddSource makes a source of b, which must not change until the call has ended. Nothing to read gives handle 0.
func (c *Context) AddSource(b []byte) uint32 {
	if len(b) == 0 {
		return 0
	}
	return c.addSource(b)
}

// addSource makes a source even of an empty string.
func (c *Context) addSource(b []byte) uint32 {
	if uint64(len(b)) > maxSource {
		Fault("a byte source of %d bytes is too long", len(b))
	}
	id := c.sources.add(source{rest: b})
	if id == 0 {
		Fault("too many byte sources")
	}
	return id
}

// ownSource makes a source of bytes that nothing but the source keeps alive, so that they count against the call's limit.
func (c *Context) ownSource(b []byte) uint32 {
	id := c.AddSource(b)
	if id != 0 {
		c.hold(len(b))
		c.sources.get(id).held = len(b)
	}
	return id
}

// SourceRead moves bytes into buf and returns how many. It fills buf or empties the source; with the last byte the source
// ends (exhausted).
func (c *Context) SourceRead(src uint32, buf []byte) (n int, exhausted bool, e Errno) {
	s := c.sources.get(src)
	if s == nil {
		return 0, false, ErrNoSuchBytes
	}
	n = copy(buf, s.rest)
	s.rest = s.rest[n:]
	c.spend(uint64(n) / 8)
	if len(s.rest) > 0 {
		return n, false, OK
	}
	c.drop(s.held)
	c.sources.remove(src)
	return n, true, OK
}

// HasSource tells whether src is a source with something to read, so that an engine can answer before it looks at memory.
func (c *Context) HasSource(src uint32) bool { return c.sources.get(src) != nil }

// SourceRemaining is the number of bytes not yet read.
func (c *Context) SourceRemaining(src uint32) (uint32, Errno) {
	s := c.sources.get(src)
	if s == nil {
		return 0, ErrNoSuchBytes
	}
	return uint32(len(s.rest)), OK
}

// AddSink makes a sink.
func (c *Context) AddSink() uint32 {
	var s sink
	if c.sinks.live() == 0 {
		s.buf = c.sinkBuf[:0]
	}
	id := c.sinks.add(s)
	if id == 0 {
		Fault("too many byte sinks")
	}
	return id
}

// HasSink tells whether id is a sink.
func (c *Context) HasSink(id uint32) bool { return c.sinks.get(id) != nil }

// SinkWrite appends all of b.
func (c *Context) SinkWrite(id uint32, b []byte) Errno {
	s := c.sinks.get(id)
	if s == nil {
		return ErrNoSuchBytes
	}
	c.hold(len(b))
	c.spend(uint64(len(b)) / 8)
	s.buf = append(s.buf, b...)
	return OK
}

// maxKept is the largest buffer that a context keeps for later calls.
const maxKept = 1 << 20

// TakeSink ends a sink and returns what was written to it, good until the next AddSink.
func (c *Context) TakeSink(id uint32) []byte {
	s, ok := c.sinks.remove(id)
	if !ok {
		return nil
	}
	c.drop(len(s.buf))
	if cap(s.buf) <= maxKept && cap(s.buf) > cap(c.sinkBuf) {
		c.sinkBuf = s.buf[:0]
	}
	return s.buf
}
