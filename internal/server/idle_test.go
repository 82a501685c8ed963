package server

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
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
func quietClient(addr, protocol string) (net.Conn, error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	_, err = fmt.Fprintf(conn, "GET /v1/database/kettle/subscribe?compression=None&confirmed=false HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: %s.spacetimedb\r\n\r\n", protocol)
	if err != nil {
		return nil, err
	}
	r := bufio.NewReader(conn)
	res, err := http.ReadResponse(r, nil)
	if err != nil || res.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%v %w", res, err)
	}
	question := v2.AppendClient(nil, &wire.SubscribeSet{RequestID: 1, QuerySetID: 1, Queries: []string{"SELECT * FROM person"}})
	if protocol == "v1.bsatn" {
		question = v1.AppendClient(nil, &wire.SubscribeMulti{RequestID: 1, QueryID: 1, Queries: []string{"SELECT * FROM person"}})
	}
	if _, err := conn.Write(masked(append(ws.AppendHeader(nil, ws.Binary, true, len(question)), question...))); err != nil {
		return nil, err
	}
	for messages := 0; messages < 2; { // the first one, and the rows
		var head [2]byte
		if _, err := io.ReadFull(r, head[:]); err != nil {
			return nil, err
		}
		n := int64(head[1])
		if n == 126 {
			var b [2]byte
			if _, err := io.ReadFull(r, b[:]); err != nil {
				return nil, err
			}
			n = int64(b[0])<<8 | int64(b[1])
		}
		if _, err := io.CopyN(io.Discard, r, n); err != nil {
			return nil, err
		}
		if head[0] == 0x80|byte(ws.Binary) {
			messages++
		}
	}
	return conn, nil
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
func idleCost(t testing.TB, r *Running, protocol string, n int) (heap, stacks, goroutines int) {
	t.Helper()
	addr := r.Addr().String()
	first, err := quietClient(addr, protocol) // what all of them share is there now
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
				conns[i], errs[w] = quietClient(addr, protocol)
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

func kettleServer(t testing.TB) *Running {
	t.Helper()
	r, err := Start(t.Context(), runOptions(t.TempDir(), io.Discard))
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
		heap, stacks, goroutines := idleCost(t, kettleServer(t), protocol, n)
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
		heap, stacks, _ := idleCost(b, r, "v2.bsatn", n)
		b.ReportMetric(float64(heap), "heap-bytes/conn")
		b.ReportMetric(float64(stacks), "stack-bytes/conn")
	}
}
