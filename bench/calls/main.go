//go:build unix

// Command calls measures how many small reducer calls a second one client process on
// one core sustains, pipelined over many connections. The server is a process of its
// own that only answers, so that the client alone is measured; -url names a real one,
// with the chat module as its database.
//
//	go run ./bench/calls [-typed] [-connections 64] [-flight 40] [-d 5s] [-cpuprofile FILE]
package main

import (
	"bufio"
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coder/websocket"

	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/wire"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
	"github.com/stdbgo/spacetime/test/goclient/bindings"
)

type config struct {
	url, db             string
	connections, flight int
	duration            time.Duration
	typed               bool
}

func main() {
	var c config
	flag.StringVar(&c.url, "url", "", "server; empty: one that only answers")
	flag.StringVar(&c.db, "db", "chat", "database")
	flag.IntVar(&c.connections, "connections", 64, "connections")
	flag.IntVar(&c.flight, "flight", 40, "calls in flight on each connection")
	flag.DurationVar(&c.duration, "d", 5*time.Second, "time of measuring")
	flag.BoolVar(&c.typed, "typed", false, "call through generated bindings, and wait for every call")
	serve := flag.Bool("serve", false, "be the server that only answers")
	profile := flag.String("cpuprofile", "", "write a profile of the client's processor time")
	flag.Parse()
	run := func() error { return measure(c, *profile) }
	if *serve {
		run = answer
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "calls:", err)
		os.Exit(1)
	}
}

// answer is the server: every call commits, and changes nothing. It prints its address
// and ends with its standard input.
func answer() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + l.Addr().String())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ws, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{wire.V3.String()}})
		if err == nil {
			_ = talk(r.Context(), ws) // until the client goes
		}
	}))
}

func talk(ctx context.Context, ws *websocket.Conn) error {
	ws.SetReadLimit(1 << 30)
	out := (&v2.InitialConnection{}).Append([]byte{0})
	result := v2.ReducerResult{}
	for {
		if err := ws.Write(ctx, websocket.MessageBinary, out); err != nil {
			return err
		}
		_, b, err := ws.Read(ctx)
		if err != nil {
			return err
		}
		r := sats.NewReader(b)
		for out = out[:1]; r.Len() > 0; {
			call, ok := v2.ReadClient(r).(*wire.CallReducer)
			if !ok {
				return fmt.Errorf("not a call: %w", r.Err())
			}
			result.RequestID = call.RequestID
			out = result.Append(out)
		}
	}
}

// startServer starts this program as the server.
func startServer() (url string, stop func(), err error) {
	cmd := exec.Command(os.Args[0], "-serve")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	return strings.TrimSpace(line), func() { _, _ = in.Close(), cmd.Wait() }, err
}

func measure(c config, profile string) error {
	if c.url == "" {
		url, stop, err := startServer()
		if err != nil {
			return err
		}
		defer stop()
		c.url = url
	}
	runtime.GOMAXPROCS(1)
	var done atomic.Uint64
	var failed atomic.Pointer[error]
	for range c.connections {
		conn, err := bindings.Dial(context.Background(), client.Options{URL: c.url, Database: c.db, ConfirmedReads: client.ConfirmedNo})
		if err != nil {
			return err
		}
		defer conn.Close()
		if c.typed {
			go window(conn, c.flight, &done, &failed)
		} else {
			for range c.flight {
				chain(conn.Conn, &done, &failed)
			}
		}
	}
	time.Sleep(time.Second)
	if profile != "" {
		f, err := os.Create(profile)
		if err != nil {
			return err
		}
		defer f.Close()
		if err := pprof.StartCPUProfile(f); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start, cpu, n := time.Now(), processorTime(), done.Load()
	time.Sleep(c.duration)
	n = done.Load() - n
	elapsed, used := time.Since(start), processorTime()-cpu
	runtime.ReadMemStats(&after)
	if err := failed.Load(); err != nil {
		return *err
	}
	perCall := used.Seconds() / float64(n)
	fmt.Printf("%.0f calls/s; %.2f s of processor time per million, so %.0f calls/s on a whole core; %.1f allocations and %.0f bytes a call\n",
		float64(n)/elapsed.Seconds(), 1e6*perCall, 1/perCall, float64(after.Mallocs-before.Mallocs)/float64(n), float64(after.TotalAlloc-before.TotalAlloc)/float64(n))
	return nil
}

var args = sats.AppendString(nil, "hello")

// chain makes a call, and the next when it has ended.
func chain(conn *client.Conn, done *atomic.Uint64, failed *atomic.Pointer[error]) {
	conn.CallFunc("send_message", args, func(call *client.Call) {
		if err := call.Err(); err != nil {
			failed.CompareAndSwap(nil, &err)
			return
		}
		done.Add(1)
		chain(conn, done, failed)
	})
}

// window keeps calls in flight through the generated bindings.
func window(conn *bindings.Conn, flight int, done *atomic.Uint64, failed *atomic.Pointer[error]) {
	calls := make([]*client.Call, flight)
	for i := 0; ; i = (i + 1) % flight {
		if calls[i] != nil {
			if err := calls[i].Wait(context.Background()); err != nil {
				failed.CompareAndSwap(nil, &err)
				return
			}
			done.Add(1)
		}
		calls[i] = conn.Send.SendMessage("hello")
	}
}

// processorTime is what this process has used.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
