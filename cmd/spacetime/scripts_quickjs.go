//go:build !(v8 && cgo)

package main

import (
	"log/slog"

	"github.com/stdbgo/spacetime/engine/js"
	"github.com/stdbgo/spacetime/internal/abi"
)

// scripts makes the engine for JavaScript.
func scripts(log *slog.Logger) abi.Engine { return js.New(js.Options{Logger: log}) }

// scriptEngine says what it is.
func scriptEngine() string { return "QuickJS" }
