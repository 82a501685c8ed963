package server

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"time"
)

// pace is how slow a client may be with a request. One that is slower is let
// go: it holds a connection, a goroutine and memory.
type pace struct {
	body      time.Duration // for the first bytes of a body, and beyond the rate
	bodyRate  int64         // bytes of a body a second, on average
	write     time.Duration // for writeStep bytes of an answer
	writeStep int
}

var defaultPace = pace{body: 30 * time.Second, bodyRate: 16 << 10, write: 30 * time.Second, writeStep: 256 << 10}

// idleTime is how long a connection may wait for its next request.
const idleTime = 3 * time.Minute

// bound bounds how long a client may take over its request and the answer. done
// is to be called when the request has been served; what is left of it is the HTTP
// library's business. Where there are no deadlines, as in tests without
// sockets, nothing is bounded.
func (p *pace) bound(w http.ResponseWriter, r *http.Request) (_ http.ResponseWriter, done func()) {
	limits := http.NewResponseController(w)
	body := &boundedBody{ReadCloser: r.Body, limits: limits, left: p.body, rate: p.bodyRate}
	if r.Body != nil && r.Body != http.NoBody {
		r.Body = body
	}
	answer := &boundedWriter{ResponseWriter: w, limits: limits, p: p}
	return answer, func() {
		if answer.hijacked {
			return
		}
		// The HTTP library looks for the rest of the body. If that comes it gives
		// the next request all the time it wants.
		_ = limits.SetReadDeadline(time.Now().Add(body.left))
		_ = limits.SetWriteDeadline(time.Now().Add(p.write))
	}
}

// A boundedBody is the body of a request that has to arrive in time.
type boundedBody struct {
	io.ReadCloser
	limits *http.ResponseController
	left   time.Duration // for waiting
	rate   int64
}

func (b *boundedBody) Read(p []byte) (int, error) {
	start := time.Now()
	_ = b.limits.SetReadDeadline(start.Add(b.left))
	n, err := b.ReadCloser.Read(p)
	b.left += time.Duration(n)*time.Second/time.Duration(b.rate) - time.Since(start)
	// Whoever reads the connection next has a time of their own.
	_ = b.limits.SetReadDeadline(time.Time{})
	return n, err
}

// A boundedWriter writes an answer in steps, each of which has to be taken in time.
type boundedWriter struct {
	http.ResponseWriter
	limits *http.ResponseController
	p      *pace

	hijacked bool // the connection has a life of its own
}

// Hijack implements http.Hijacker.
func (w *boundedWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.limits.Hijack()
	w.hijacked = err == nil
	return conn, rw, err
}

func (w *boundedWriter) Write(b []byte) (n int, err error) {
	for first := true; first || len(b) > 0; first = false {
		step := b[:min(len(b), w.p.writeStep)]
		_ = w.limits.SetWriteDeadline(time.Now().Add(w.p.write))
		m, err := w.ResponseWriter.Write(step)
		n, b = n+m, b[len(step):]
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// Unwrap lets http.ResponseController through.
func (w *boundedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
