package server

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	"github.com/stdbgo/spacetime/internal/server/ws"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
)

// idleBudget is what an idle connection with one subscription may cost, in bytes of
// heap and stacks: its own, its rows in the system tables, and here also the
// client's end of the socket.
const idleBudget = 12 << 10

// quietClient is a connection of a client of its own that subscribes to one table and
// then says nothing.
func quietClient(addr, protocol string, secure bool) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	if !secure {
		return conn, quiet(conn, protocol)
	}
	// Only the server's end of TLS is to be measured: the client forgets its own.
	return conn, quiet(tls.Client(conn, &tls.Config{InsecureSkipVerify: true}), protocol)
}

// quiet subscribes.
func quiet(conn net.Conn, protocol string) error {
	_, err := fmt.Fprintf(conn, "GET /v1/database/kettle/subscribe?compression=None&confirmed=false HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: %s.spacetimedb\r\n\r\n", protocol)
	if err != nil {
		return err
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("%v %w", res, err)
	}
	question := v2.AppendClient(nil, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}})
	if protocol == "v1.bsatn" {
		question = v1.AppendClient(nil, &wire.SubscribeMulti{RequestID: 1, QueryID: 1, Queries: []string{"SELECT * FROM person"}})
	}
	if _, err := conn.Write(masked(append(ws.AppendHeader(nil, ws.Binary, true, len(question)), question...))); err != nil {
		return err
	}
	for messages := 0; messages < 2; { // the first one, and the rows
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return err
		}
		n := int64(head[1])
		if n == 126 {
			var b [2]byte
			if _, err := io.ReadFull(r, b[:]); err != nil {
				return err
			}
			n = int64(b[0])<<8 | int64(b[1])
		}
		if _, err := io.CopyN(io.Discard, r, n); err != nil {
			return err
		}
		if head[0] == 0x80|byte(ws.Binary) {
			messages++
		}
	}
	return nil
}

// inUse is the memory of heap and stacks.
func inUse() (heap, stacks int) {
	var m runtime.MemStats
	for range 3 { // stacks shrink when they are scanned
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int(m.HeapInuse), int(m.StackInuse)
}

// idleCost opens n connections and returns what each of them costs.
func idleCost(t testing.TB, r *Running, protocol string, n int, secure bool) (heap, stacks, goroutines int) {
	t.Helper()
	addr := r.Addr().String()
	first, err := quietClient(addr, protocol, secure) // what all of them share is there now
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Close() }()
	heapBefore, stacksBefore := inUse()
	goroutinesBefore := runtime.NumGoroutine()

	conns := make([]net.Conn, n)
	errs := make([]error, 8)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				conns[i], errs[w] = quietClient(addr, protocol, secure)
			}
		})
	}
	wg.Wait()
	defer func() {
		for _, c := range conns {
			if c != nil {
				_ = c.Close()
			}
		}
	}()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "writers and runners have ended", func() bool { return runtime.NumGoroutine() <= goroutinesBefore+n+n/50 })
	heapAfter, stacksAfter := inUse()
	return (heapAfter - heapBefore) / n, (stacksAfter - stacksBefore) / n, runtime.NumGoroutine() - goroutinesBefore
}

func kettleServer(t testing.TB, set ...string) *Running {
	t.Helper()
	o := runOptions(t.TempDir(), io.Discard)
	o.Overrides.Set = set
	r, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Shutdown(); err != nil {
			t.Error(err)
		}
	})
	var created struct{ Token string }
	_, answer := r.ask(t, "POST", "/v1/identity", "", "")
	if err := json.Unmarshal([]byte(answer), &created); err != nil {
		t.Fatal(err)
	}
	if status, answer := r.ask(t, "PUT", "/v1/database/kettle", created.Token, kettle(t)); status != http.StatusOK {
		t.Fatalf("%d %s", status, answer)
	}
	return r
}

func TestIdleConnections(t *testing.T) {
	for _, protocol := range []string{"v1.bsatn", "v2.bsatn"} {
		const n = 500
		heap, stacks, goroutines := idleCost(t, kettleServer(t), protocol, n, false)
		t.Logf("%s: %d + %d bytes a connection in heap and stacks", protocol, heap, stacks)
		if !raceDetector && heap+stacks > idleBudget { // it makes frames larger
			t.Errorf("%s: an idle connection takes %d bytes of heap and %d of stacks, together more than %d", protocol, heap, stacks, idleBudget)
		}
		if goroutines > n+n/50 {
			t.Errorf("%s: %d goroutines for %d idle connections", protocol, goroutines, n)
		}
	}
}

// BenchmarkIdleConnections reports what an idle connection costs. One round.
func BenchmarkIdleConnections(b *testing.B) {
	const n = 5000
	r := kettleServer(b)
	for b.Loop() {
		heap, stacks, _ := idleCost(b, r, "v2.bsatn", n, false)
		b.ReportMetric(float64(heap), "heap-bytes/conn")
		b.ReportMetric(float64(stacks), "stack-bytes/conn")
	}
}

// kettleServerTLS is kettleServer with a certificate. Nobody answers its pings.
func kettleServerTLS(t testing.TB) *Running {
	t.Helper()
	dir := t.TempDir()
	writePair(t, dir, "one")
	return kettleServer(t, "tls.cert-file="+filepath.Join(dir, "cert.pem"), "tls.key-file="+filepath.Join(dir, "key.pem"), "websocket.idle-timeout=10min")
}

// idleTLSBudget is idleBudget by TLS: its keys and buffers are there, too.
const idleTLSBudget = 24 << 10

func TestIdleTLSConnections(t *testing.T) {
	const n = 300
	heap, stacks, goroutines := idleCost(t, kettleServerTLS(t), "v2.bsatn", n, true)
	t.Logf("%d + %d bytes a connection in heap and stacks", heap, stacks)
	if !raceDetector && heap+stacks > idleTLSBudget {
		t.Errorf("an idle connection takes %d bytes of heap and %d of stacks, together more than %d", heap, stacks, idleTLSBudget)
	}
	if goroutines > n+n/50 {
		t.Errorf("%d goroutines for %d idle connections", goroutines, n)
	}
}

// BenchmarkIdleTLSConnections is BenchmarkIdleConnections for wss.
func BenchmarkIdleTLSConnections(b *testing.B) {
	const n = 2000
	r := kettleServerTLS(b)
	for b.Loop() {
		heap, stacks, _ := idleCost(b, r, "v2.bsatn", n, true)
		b.ReportMetric(float64(heap), "heap-bytes/conn")
		b.ReportMetric(float64(stacks), "stack-bytes/conn")
	}
}
