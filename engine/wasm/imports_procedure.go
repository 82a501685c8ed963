package wasm

import (
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/sats"
)

// The functions of procedures and HTTP handlers, spec 03 §10.3 and §11.2.

func sleepUntil(in *instance, s []uint64) {
	s[0] = uint64(in.host.SleepUntil(sats.Timestamp(s[0])))
}

func startTx(in *instance, s []uint64) {
	now, e := in.host.StartTx()
	if e == abi.OK {
		in.wasi.clock.unpaid = 0
		in.putU64(uint32(s[0]), uint64(now))
	}
	s[0] = uint64(e)
}

// commitTx ends the call if a view fails: the transaction is over then, and no errno says so.
func commitTx(in *instance, s []uint64) {
	e, failed := in.host.CommitTx()
	if failed != nil {
		panic(&abi.Trap{Msg: "procedure_commit_mut_tx", Err: failed})
	}
	if in.dead != nil { // a view ended it, and the host went on
		panic(&abi.Trap{Msg: "procedure_commit_mut_tx", Err: in.dead})
	}
	s[0] = uint64(e)
}

func abortTx(in *instance, s []uint64) { s[0] = uint64(in.host.AbortTx()) }

// httpRequest writes two sources for a response, one for the text of a failure, and nothing otherwise.
func httpRequest(in *instance, s []uint64) {
	request := in.view(uint32(s[0]), uint32(s[1]))
	body := in.view(uint32(s[2]), uint32(s[3]))
	out := uint32(s[4])
	response, responseBody, e := in.host.HTTPRequest(request, body)
	switch e {
	case abi.OK:
		in.putU64(out, uint64(response)|uint64(responseBody)<<32)
	case abi.ErrHTTP:
		in.putU32(out, response)
	}
	s[0] = uint64(e)
}
