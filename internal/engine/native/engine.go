// Package native runs the Go module that is linked into the process, so that it can be debugged and tested like any
// other Go code.
//
// It owns the way from internal/guest, which the module SDK calls, to the call context of internal/abi, and what becomes
// of a panic. It promises the outcomes that the same module has as WebAssembly, except that it cannot stop code that
// never calls the host, nor bound its memory. It must not know package module or what rows are.
//
// An Engine and its programs are safe for concurrent use, an instance is not. Package variables of the module are
// shared by all instances.
package native

import (
	"bytes"
	"context"
	"errors"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/guest"
	"github.com/stdbgo/spacetime/sats"
)

// An Engine runs the program's module. The zero Engine is ready.
type Engine struct {
	// Sleep, if it is not nil, is told until when a procedure is about to sleep. Tests move a clock by it.
	Sleep func(until sats.Timestamp)
}

var _ abi.Engine = (*Engine)(nil)

// Name is "native".
func (*Engine) Name() string { return "native" }

// magic begins a native program; the module's definition follows. So a database notices when it changes.
var magic = []byte("spacetime native module 1\n")

// IsProgram reports whether program is one of this engine's, which no other engine takes.
func IsProgram(program []byte) bool { return bytes.HasPrefix(program, magic) }

// Program returns the program that stands for the linked-in module. The error names all that is wrong with it.
func Program() ([]byte, error) {
	m := guest.Registered()
	if m == nil {
		return nil, &abi.LoadError{Problem: "no module is linked into this process",
			Fix: "import a package that declares tables and reducers with package module"}
	}
	definition, err := m.Definition()
	if err != nil {
		return nil, &abi.LoadError{Problem: err.Error()}
	}
	return append(append([]byte(nil), magic...), definition...), nil
}

// errStale is why the functions of another version of the module cannot be called.
var errStale = errors.New("the module linked into this process is not the one that the database was published with; publish it")

// Load takes a program that Program returned, now or in an earlier process. If the module has changed since, the
// program still describes itself as it was, so that the database can be updated; calls fail.
func (e *Engine) Load(_ context.Context, program []byte, o abi.LoadOptions) (abi.Program, error) {
	if !IsProgram(program) {
		return nil, &abi.LoadError{Problem: "the program is not one that was linked into a process",
			Fix: "run the database with the server that it was published to"}
	}
	linked, err := Program()
	if err != nil {
		return nil, err
	}
	p := &nativeProgram{sleep: e.Sleep, hash: o.Hash, limits: o.Limits.WithDefaults(), definition: bytes.Clone(program[len(magic):])}
	if p.hash == (sats.Hash{}) {
		p.hash = abi.HashProgram(program)
	}
	if bytes.Equal(program, linked) {
		p.module = guest.Registered()
	}
	return p, nil
}

type nativeProgram struct {
	sleep      func(until sats.Timestamp)
	hash       sats.Hash
	limits     abi.Limits
	definition []byte
	module     guest.Module // nil: another version is linked in
}

func (p *nativeProgram) Hash() sats.Hash { return p.hash }

func (p *nativeProgram) Instantiate(_ context.Context, s abi.Services) (abi.Instance, error) {
	in := &instance{p: p}
	in.meter.services = s
	in.host.ctx = abi.NewContext(s, p.limits, &in.meter)
	in.host.sleep = p.sleep
	if p.module == nil {
		in.dead = errStale
	} else {
		in.guest = p.module.Instantiate(&in.host)
	}
	return in, nil
}

func (p *nativeProgram) Close() error { return nil }
