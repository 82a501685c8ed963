package main

import (
	"context"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/abi"
)

// The reducer counts what happens inside the module, in WebAssembly the guest's allocations.
func TestRowsDoNotAllocate(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.do("check_allocations", encode(strings.HasSuffix(t.Name(), "native")))
	})
}

// This counts those of the host too.
func TestCallsDoNotAllocate(t *testing.T) {
	onBoth(t, func(t *testing.T, w *world) {
		w.insertAccount(account{ID: 1, Balance: 1000})
		w.insertAccount(account{ID: 2, Balance: 1000})
		tx := w.store.Begin()
		defer tx.Rollback()
		r, _ := w.def.Reducer("transfer")
		call := &abi.ReducerCall{ID: r.ID, Name: r.Name, Time: w.now, Args: transferArgs(nil, 1, 2, 0), Tx: tx}
		// Natively a thirty-second of an allocation for the context; AllocsPerRun rounds down.
		if n := testing.AllocsPerRun(1000, func() {
			if out := w.inst.CallReducer(context.Background(), call); out.Status != abi.StatusOK {
				t.Fatal(out.Message, out.Err)
			}
		}); n > 0 {
			t.Errorf("a call allocates %v times", n)
		}
	})
}
