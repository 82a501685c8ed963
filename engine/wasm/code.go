package wasm

import (
	"context"

	"github.com/tetratelabs/wazero"
)

// A code is a compiled module. All programs that were loaded from the same bytes share one: beside machine code it holds the
// decoded module, several times the size of the binary.
type code struct {
	wazero.CompiledModule
	key   [32]byte // SHA-256 of the module as it was sent
	users int      // guarded by Engine.mu
}

// share returns the code of the module with the key and counts one more user. If nobody uses the module so far it becomes
// what has been compiled, nil if that is nil; if somebody does, compiled is closed.
func (e *Engine) share(key [32]byte, compiled wazero.CompiledModule) *code {
	e.mu.Lock()
	c := e.codes[key]
	switch {
	case c != nil:
		c.users++
	case compiled != nil:
		c = &code{CompiledModule: compiled, key: key, users: 1}
		e.codes[key], compiled = c, nil
	}
	e.mu.Unlock()
	if compiled != nil {
		_ = compiled.Close(context.Background()) // has no failures of its own
	}
	return c
}

// release takes one user away, and the code with the last.
func (e *Engine) release(c *code) error {
	e.mu.Lock()
	c.users--
	last := c.users == 0
	if last {
		delete(e.codes, c.key)
	}
	e.mu.Unlock()
	if !last {
		return nil
	}
	return c.Close(context.Background())
}
