package main

import (
	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/server"
)

// engines makes the engines that this build runs modules on.
func engines(o server.EngineOptions) (map[host.ProgramKind]abi.Engine, error) {
	w, err := wasm.New(wasm.Options{CacheDir: o.CacheDir, Engine: wasm.Mode(o.Wasm), Logger: o.Logger})
	if err != nil {
		return nil, err
	}
	return map[host.ProgramKind]abi.Engine{host.Wasm: w, host.JS: scripts(o.Logger)}, nil
}
