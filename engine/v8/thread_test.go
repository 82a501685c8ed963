//go:build v8 && cgo

package v8

import (
	"runtime"
	"testing"

	"github.com/stdbgo/spacetime/engine/internal/jstest"
)

// BenchmarkThread compares who calls an instance: any goroutine, which locks the isolate; two that take turns on threads of
// their own; and one for all on a thread of its own, to which others hand their calls.
func BenchmarkThread(b *testing.B) {
	call := jstest.EmptyReducer(b, suite)
	b.Run("any", func(b *testing.B) {
		for b.Loop() {
			call()
		}
	})
	thread := func() (run chan func(), done chan struct{}) {
		run, done = make(chan func()), make(chan struct{})
		go func() {
			runtime.LockOSThread()
			for f := range run {
				f()
				done <- struct{}{}
			}
		}()
		return run, done
	}
	b.Run("turns", func(b *testing.B) {
		run, done := thread()
		defer close(run)
		for b.Loop() {
			call()
			run <- call
			<-done
		}
	})
	b.Run("own", func(b *testing.B) {
		run, done := thread()
		defer close(run)
		for b.Loop() {
			run <- call
			<-done
		}
	})
}
