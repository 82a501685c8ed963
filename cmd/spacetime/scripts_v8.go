//go:build v8 && cgo

package main

import (
	"log/slog"

	"github.com/stdbgo/spacetime/engine/v8"
	"github.com/stdbgo/spacetime/internal/abi"
)

// scripts makes the engine for JavaScript: V8, for which this build has been asked with its tag.
func scripts(log *slog.Logger) abi.Engine { return v8.New(v8.Options{Logger: log}) }

// scriptEngine says what it is.
func scriptEngine() string { return "V8 " + v8.Version() }
