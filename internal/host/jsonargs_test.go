package host

import (
	"testing"

	"github.com/stdbgo/spacetime/sats"
)

func TestSourceNames(t *testing.T) {
	source := sats.Product(sats.E("someArg", sats.U32), sats.E("aB", sats.U32), sats.E("a_b", sats.U32), sats.E("x", sats.U32))
	canonical := sats.Product(sats.E("some_arg", sats.U32), sats.E("a_b", sats.U32), sats.E("a_b_2", sats.U32), sats.E("x", sats.U32))
	for _, tt := range [][2]string{
		{`{"some_arg":1,"a_b_2":{"some_arg":2}, "x" : [3]}`, `{"someArg":1,"a_b":{"some_arg":2},"x":[3]}`},
		{`{"a_b":1}`, `{"a_b":1}`}, // the source name of another wins
		{`{"someArg":1}`, `{"someArg":1}`}, {`["some_arg"]`, `["some_arg"]`}, {`{"some_arg":1`, `{"some_arg":1`}, {`{"some_arg":1} 2`, `{"some_arg":1} 2`},
		{`{"some_arg":}`, `{"some_arg":}`}, {"", ""}, {"{", "{"}, {`{"some_arg":1,"someArg":2}`, `{"someArg":1,"someArg":2}`},
	} {
		if got := string(sourceNames([]byte(tt[0]), source, canonical)); got != tt[1] {
			t.Errorf("%s became %s; want %s", tt[0], got, tt[1])
		}
	}
}
