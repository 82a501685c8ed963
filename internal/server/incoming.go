package server

import (
	"errors"
	"io"
	"math"
	"net/http"
	"sync/atomic"
)

// An incoming bounds what all clients together have sent and the server holds: parts
// of messages and of bodies, and messages that wait to be carried out. Small ones do
// not count.
type incoming struct {
	max  int64
	held atomic.Int64
}

// incomingBytes is the default: a quarter of what the machine has, at most 4 GiB.
func incomingBytes(machine uint64) int64 {
	const most, least = 4 << 30, 256 << 20
	if machine == 0 {
		return most
	}
	return int64(min(max(machine/4, least), most))
}

// alwaysIn is what one client may have sent however much others have.
const alwaysIn = 1 << 20

// A holding is what is held of one message, body or queue.
type holding struct {
	of *incoming
	n  int64
}

// grow counts n more bytes, less if n is negative. It reports false, and counts nothing,
// if they are too many: beyond the bound of all together, unless nobody else holds
// anything.
func (h *holding) grow(n int) bool {
	total := h.of.held.Add(int64(n))
	if n > 0 && total > h.of.max && h.n+int64(n) > alwaysIn && total > h.n+int64(n) {
		h.of.held.Add(int64(-n))
		return false
	}
	h.n += int64(n)
	return true
}

// release gives everything back.
func (h *holding) release() {
	if h.n != 0 {
		h.of.held.Add(-h.n)
		h.n = 0
	}
}

// errFull answers a request whose body the server has no room for.
var errFull = &httpError{
	status: http.StatusServiceUnavailable, retry: 10,
	body: "The server holds as many bytes of requests and messages as it may: try again later",
}

// A heldBody counts what is read of a body.
type heldBody struct {
	io.Reader
	held *holding
}

func (b heldBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if n > 0 && !b.held.grow(n) {
		return 0, errFull
	}
	return n, err
}

// body reads the whole body, at most limit bytes. They count until the request ends.
func (q *request) body(limit int64) ([]byte, error) {
	q.held.of = &q.s.incoming
	b, err := io.ReadAll(io.LimitReader(heldBody{q.r.Body, &q.held}, min(limit, math.MaxInt64-1)+1))
	switch {
	case errors.Is(err, error(errFull)):
		return nil, errFull
	case err != nil:
		return nil, badRequest("Failed to buffer the request body: %v", err)
	case int64(len(b)) > limit:
		return nil, failure(http.StatusRequestEntityTooLarge, "Failed to buffer the request body: length limit exceeded")
	}
	return b, nil
}
