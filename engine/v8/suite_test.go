//go:build v8 && cgo

package v8

import (
	"testing"

	"github.com/stdbgo/spacetime/engine/internal/jstest"
	"github.com/stdbgo/spacetime/internal/abi"
)

var suite = jstest.Engine{
	New: func() abi.Engine { return New(Options{}) },
	Differs: map[string]string{
		"symbol":             "Uncaught Symbol(s)",
		"object that throws": "Uncaught [object Object]",
		"class":              "Uncaught x\n\tat __call_reducer__ (spacetimedb_module:", // the getter does not run
		"deep recursion":     "RangeError: Maximum call stack size exceeded",

		"endless toString of the exception": "trap", // it does not run
		"typed arrays":                      "trap", // a RangeError, which the module may catch
		"buffers of the host":               "trap",
		"recursion through bind":            "fine",
		"nested JSON":                       "memory",
	},
}

func TestSuite(t *testing.T) { jstest.Run(t, suite) }

func BenchmarkSuite(b *testing.B) { jstest.Bench(b, suite) }
