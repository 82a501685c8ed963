// Command gomodule is a module in Go without an SDK: it makes the calls of the ABI itself. Each reducer tries one thing that Go
// programs do and fails with a text that says what it found.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync"
	"time"
	"unsafe"
)

//go:wasmimport spacetime_10.0 bytes_sink_write
func sinkWrite(sink uint32, buf unsafe.Pointer, n unsafe.Pointer) uint32

func write(sink uint32, text string) {
	if text == "" {
		return
	}
	n := uint32(len(text))
	sinkWrite(sink, unsafe.Pointer(unsafe.StringData(text)), unsafe.Pointer(&n))
}

//go:wasmimport spacetime_10.3 procedure_start_mut_tx
func startTx(out unsafe.Pointer) uint32

//go:wasmimport spacetime_10.3 procedure_commit_mut_tx
func commitTx() uint32

//go:wasmimport spacetime_10.0 datastore_table_row_count
func rowCount(table uint32, out unsafe.Pointer) uint32

//go:wasmexport __describe_module__
func describe(sink uint32) { write(sink, "\x02\x00\x00\x00\x00") }

//go:wasmexport __call_reducer__
func call(id uint32, s0, s1, s2, s3, c0, c1, ts uint64, args, sink uint32) int32 {
	if err := reducers[id](int64(ts)); err != nil {
		write(sink, err.Error())
		return 1
	}
	return 0
}

var reducers = []func(ts int64) error{nothing, clock, load, streams, system, random, panics, exits, deadlock}

//go:wasmexport __call_view_anon__
func view(id, args, sink uint32) int32 {
	start := time.Now()
	var kept []string // makes the garbage collector run inside
	for i := range 1000 {
		kept = append(kept, strings.Repeat("x", i))
	}
	time.Sleep(time.Hour / 100)
	done := make(chan int)
	go func() { done <- len(kept) }()
	write(sink, fmt.Sprint(<-done, time.Since(start)))
	return 0
}

//go:wasmexport __call_procedure__
func procedure(id uint32, s0, s1, s2, s3, c0, c1, ts uint64, args, sink uint32) int32 {
	if err := procedures[id](int64(ts)); err != nil {
		write(sink, err.Error())
		return 1
	}
	write(sink, "done")
	return 0
}

var procedures = []func(ts int64) error{waits, transacts}

// waits sleeps in two goroutines at once, in real time.
func waits(int64) error {
	start := time.Now()
	var wg sync.WaitGroup
	for i := range 2 {
		wg.Go(func() { time.Sleep(time.Duration(20+10*i) * time.Millisecond) })
	}
	wg.Wait()
	if d := time.Since(start); d < 30*time.Millisecond || d > time.Minute {
		return fmt.Errorf("slept %v", d)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Millisecond)
	defer cancel()
	<-ctx.Done()
	if d := time.Since(start); d < 35*time.Millisecond {
		return fmt.Errorf("waited %v", d)
	}
	return nil
}

// transacts sleeps in a transaction, which does not wait, and has a view evaluated by its commit.
func transacts(int64) error {
	var now int64
	if e := startTx(unsafe.Pointer(&now)); e != 0 {
		return fmt.Errorf("start: %d", e)
	}
	start := time.Now()
	time.Sleep(20 * time.Second)
	if d := time.Since(start); d < 20*time.Second {
		return fmt.Errorf("slept %v", d)
	}
	var n uint64
	if e := rowCount(4096, unsafe.Pointer(&n)); e != 4 {
		return fmt.Errorf("count: %d", e)
	}
	var wg sync.WaitGroup
	wg.Go(func() { time.Sleep(time.Second) }) // runs on after the commit
	if e := commitTx(); e != 0 {
		return fmt.Errorf("commit: %d", e)
	}
	wg.Wait()
	return nil
}

func nothing(int64) error { return nil }

func clock(ts int64) error {
	start := time.Now()
	if start.UnixMicro() != ts {
		return fmt.Errorf("it is %d, not %d", start.UnixMicro(), ts)
	}
	time.Sleep(20 * time.Millisecond)
	if d := time.Since(start); d != 20*time.Millisecond {
		return fmt.Errorf("slept %v", d)
	}
	if d := time.Now().UnixMicro() - ts; d != 20_000 {
		return fmt.Errorf("the wall clock moved by %d", d)
	}
	return nil
}

// load allocates, collects, and runs goroutines that wait for each other and for timers.
func load(int64) error {
	var wg sync.WaitGroup
	sums := make(chan int, 10)
	for i := range 10 {
		wg.Go(func() {
			var kept [][]byte
			for j := range 200 {
				kept = append(kept, make([]byte, 1000+j))
			}
			time.Sleep(time.Duration(i) * 5 * time.Second)
			sums <- len(kept)
		})
	}
	wg.Wait()
	runtime.GC()
	close(sums)
	total := 0
	for n := range sums {
		total += n
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	<-ctx.Done()
	if total != 2000 || !errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return fmt.Errorf("%d, %v", total, ctx.Err())
	}
	return nil
}

func streams(int64) error {
	fmt.Print("three ")
	fmt.Print("frag")
	fmt.Println("ments")
	fmt.Fprintln(os.Stderr, "careful")
	return nil
}

func system(int64) error {
	_, read := os.ReadFile("/etc/passwd")
	write := os.WriteFile("x", nil, 0o600)
	return fmt.Errorf("%v | %v | %v | %v", os.Args, os.Environ(), read, write)
}

func random(int64) error {
	var b [16]byte
	rand.Read(b[:])
	return fmt.Errorf("%x", b)
}

func panics(int64) error { panic("the kettle " + strings.Repeat("b", 1) + "oils") }

func exits(int64) error {
	os.Exit(0)
	return nil
}

func deadlock(int64) error {
	<-make(chan int)
	return nil
}

func main() {}
