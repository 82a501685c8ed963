package wasm

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"sync"

	"github.com/tetratelabs/wazero"
)

//go:embed selftest/repro.wasm
var selfTestModule []byte

//go:embed selftest/repro.json
var selfTestCases []byte

type selfTestCase struct {
	Func string   `json:"func"`
	Args []string `json:"args"`
	Want string   `json:"want"`
	Type string   `json:"type"` // of the result
}

var selfTestOnce = sync.OnceValue(runSelfTest)

// SelfTest tells whether the WebAssembly compiler in this process computes correctly: it returns the names of the test functions that
// gave a wrong result, none if all is well. The first call compiles and runs them, some milliseconds; later ones return the same.
//
// The published engine has known miscompilations. A program gets the repaired one by running
// `go run github.com/stdbgo/spacetime/tools/patchdeps` in its module before it is built.
func SelfTest() []string { return selfTestOnce() }

func runSelfTest() (failed []string) {
	defer func() {
		if r := recover(); r != nil { // no compiler for this processor
			failed = []string{fmt.Sprint(r)}
		}
	}()
	// No compilation cache: a cached result would say nothing about this process.
	ctx := context.Background()
	rt := wazero.NewRuntimeWithConfig(ctx, wazero.NewRuntimeConfigCompiler())
	defer rt.Close(ctx)
	mod, err := rt.Instantiate(ctx, selfTestModule)
	if err != nil {
		return []string{err.Error()}
	}
	var cases []selfTestCase
	if err := json.Unmarshal(selfTestCases, &cases); err != nil {
		panic(err)
	}
	for _, c := range cases {
		stack := make([]uint64, max(len(c.Args), 1))
		for i, a := range c.Args {
			stack[i] = stackValue(a)
		}
		err := mod.ExportedFunction(c.Func).CallWithStack(ctx, stack)
		got := stack[0]
		if c.Type == "i32" {
			got = uint64(uint32(got)) // the upper half means nothing
		}
		if err != nil || got != stackValue(c.Want) {
			failed = append(failed, c.Func)
		}
	}
	return failed
}

func stackValue(s string) uint64 {
	n, err := strconv.ParseUint(s, 0, 64)
	if err != nil {
		panic(err) // repro.json is part of the program
	}
	return n
}
