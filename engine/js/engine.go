package js

import (
	"log/slog"

	"github.com/stdbgo/spacetime/internal/abi"
)

// Options configure an engine. The zero value works.
type Options struct {
	Logger *slog.Logger // nil: none
}

// An Engine compiles and runs modules. It implements the engine interface of the server.
type Engine struct{ log *slog.Logger }

var _ abi.Engine = (*Engine)(nil)

// New makes an engine.
func New(o Options) *Engine {
	e := &Engine{log: o.Logger}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	return e
}

// Name is "js/quickjs".
func (e *Engine) Name() string { return "js/quickjs" }
