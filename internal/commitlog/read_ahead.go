package commitlog

import (
	"errors"
	"io"
)

// An aheadReader reads, verifies and decompresses a checkpoint on a goroutine of
// its own, so that who loads it does not wait for that. Its blocks are handed over
// in order, and a few of them at most are ready.
type aheadReader struct {
	blocks chan []byte // closed at the end; err is set then
	free   chan []byte // to be used again
	quit   chan struct{}
	err    error // why blocks ended; io.EOF at a good end

	cur, rest []byte
}

const blocksAhead = 4

// readAhead starts the goroutine, which ends with the file, an error, or stop.
func readAhead(r *checkpointReader) *aheadReader {
	a := &aheadReader{
		blocks: make(chan []byte, blocksAhead), free: make(chan []byte, blocksAhead+2), quit: make(chan struct{}),
	}
	go a.run(r)
	return a
}

func (a *aheadReader) run(r *checkpointReader) {
	defer close(a.blocks)
	for {
		if a.err = r.nextBlock(); a.err != nil {
			return
		}
		select {
		case r.buf = <-a.free:
		default:
			r.buf = nil
		}
		if a.err = r.decompress(); a.err != nil {
			return
		}
		select {
		case a.blocks <- r.out:
		case <-a.quit:
			a.err = errStopped
			return
		}
	}
}

// Read gives decompressed bytes.
func (a *aheadReader) Read(p []byte) (int, error) {
	for len(a.rest) == 0 {
		if a.cur != nil {
			select {
			case a.free <- a.cur:
			default:
			}
		}
		var ok bool
		if a.cur, ok = <-a.blocks; !ok {
			return 0, a.err
		}
		a.rest = a.cur
	}
	n := copy(p, a.rest)
	a.rest = a.rest[n:]
	return n, nil
}

// errStopped means that nobody wants the rest.
var errStopped = errors.New("stopped")

// stop ends the goroutine and returns, when it has ended, what was wrong with the
// file as far as it was read; nil if nothing.
func (a *aheadReader) stop() error {
	close(a.quit)
	for range a.blocks { // nobody wants them
	}
	if a.err == io.EOF || a.err == errStopped {
		return nil
	}
	return a.err
}
