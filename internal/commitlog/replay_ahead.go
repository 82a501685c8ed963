package commitlog

// A chunk is some commits that were read and verified, with bytes of its own.
type chunk struct {
	commits []Commit
	buf     []byte
}

const (
	chunkBytes  = 256 << 10
	chunksAhead = 3
)

// runAhead is run with the reading, verifying and decompressing on a goroutine of
// its own, while fn is called here. Whoever applies records has more to do than
// that, so it costs no time where there is a second processor.
func (t *traversal) runAhead(segments []Offset) (next Offset, err error) {
	fn := t.fn
	c := collector{
		full: make(chan *chunk, chunksAhead), free: make(chan *chunk, chunksAhead+2), quit: make(chan struct{}), cur: &chunk{},
	}
	t.fn = c.add
	go func() {
		defer close(c.full)
		if next, err = t.run(segments); err != errStopped {
			_ = c.hand() // also before an error: these commits are good
		}
	}()
	var stop error
	for chunk := range c.full {
		for i := 0; i < len(chunk.commits) && stop == nil; i++ {
			if stop = fn(chunk.commits[i]); stop != nil {
				close(c.quit)
			}
		}
		chunk.commits, chunk.buf = chunk.commits[:0], chunk.buf[:0]
		c.free <- chunk
	}
	if stop != nil {
		return 0, stop
	}
	return next, err
}

// A collector gathers commits into chunks.
type collector struct {
	full, free chan *chunk
	quit       chan struct{} // closed when nobody wants more
	cur        *chunk
}

// add copies a commit into the current chunk.
func (c *collector) add(commit Commit) error {
	if len(c.cur.buf)+len(commit.Records) > chunkBytes && len(c.cur.commits) > 0 {
		if err := c.hand(); err != nil {
			return err
		}
	}
	from := len(c.cur.buf)
	if need := from + len(commit.Records); need > cap(c.cur.buf) {
		// The chunk is empty or has its room: see above.
		c.cur.buf = make([]byte, 0, max(need, chunkBytes))
		from = 0
	}
	c.cur.buf = append(c.cur.buf, commit.Records...)
	commit.Records = c.cur.buf[from:len(c.cur.buf):len(c.cur.buf)]
	c.cur.commits = append(c.cur.commits, commit)
	return nil
}

// hand gives the current chunk away and takes an empty one.
func (c *collector) hand() error {
	select {
	case c.full <- c.cur:
	case <-c.quit:
		return errStopped
	}
	select {
	case c.cur = <-c.free:
	default:
		c.cur = &chunk{}
	}
	return nil
}
