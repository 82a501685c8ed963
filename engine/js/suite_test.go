package js

import (
	"testing"

	"github.com/stdbgo/spacetime/engine/internal/jstest"
	"github.com/stdbgo/spacetime/internal/abi"
)

var suite = jstest.Engine{
	New:    func() abi.Engine { return New(Options{}) },
	Allocs: 1, // the closure that guard runs
}

func TestSuite(t *testing.T) { jstest.Run(t, suite) }

func BenchmarkSuite(b *testing.B) { jstest.Bench(b, suite) }
