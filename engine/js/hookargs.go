package js

import (
	lib "modernc.org/libquickjs"

	"github.com/stdbgo/spacetime/sats"
)

// hookArgs collects the arguments of a hook. Making one uses the stored arguments of the engine, so they are stored together
// at the end. Those that are owned are freed then.
type hookArgs struct {
	in    *instance
	list  [maxArgs]value
	owned [maxArgs]bool
	n     int
	bad   bool // an exception is pending
}

func (in *instance) hookArgs() *hookArgs {
	in.ids.trim(in)
	return &hookArgs{in: in}
}

func (a *hookArgs) add(v value, owned bool) *hookArgs {
	if isException(v) {
		a.bad = true
		return a
	}
	a.list[a.n], a.owned[a.n] = v, owned
	a.n++
	return a
}

func (a *hookArgs) id(n uint32) *hookArgs { return a.add(uint32Value(n), false) }

// identity adds a big integer if there is to be one.
func (a *hookArgs) identity(is bool, id sats.Identity) *hookArgs {
	if !is || a.bad {
		return a
	}
	return a.add(a.in.ids.get(a.in, id[:]), false)
}

func (a *hookArgs) connection(c sats.ConnectionID) *hookArgs {
	if a.bad {
		return a
	}
	return a.add(a.in.ids.get(a.in, c[:]), false)
}

func (a *hookArgs) time(t sats.Timestamp) *hookArgs {
	return a.add(lib.XJS_NewBigInt64(a.in.tls, a.in.ctx, int64(t)), true)
}

func (a *hookArgs) bytes(b []byte) *hookArgs {
	if a.bad {
		return a
	}
	return a.add(a.in.newBytes(b), true)
}

// callHook calls a hook and lets promises run, unless the call is inside another, whose end they wait for. A false means that
// an exception is pending.
func (in *instance) callHook(hook value, a *hookArgs) (value, bool) {
	result, ok := exception, !a.bad
	if ok {
		for i, v := range a.list[:a.n] {
			in.arg(i, v)
		}
		result = in.call(hook, in.hook.receiver, a.n)
		ok = !isException(result)
	}
	for i, v := range a.list[:a.n] {
		if a.owned[i] {
			in.drop(v)
		}
	}
	if !ok {
		return result, false
	}
	in.settle()
	if in.stopped() {
		in.drop(result)
		return exception, false
	}
	return result, true
}

// settle lets promises run at the end of a top-level call.
func (in *instance) settle() {
	if in.depth == 1 {
		in.jobs(in.stopped)
	}
}
