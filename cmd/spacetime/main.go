// Command spacetime is the server and its command line.
package main

import (
	"context"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/internal/cli"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/server"
)

// release is the product's version without v in builds that are released, see
// tools/release; else it is empty.
var release string

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A second signal ends the program at once, should an orderly end take long.
	context.AfterFunc(ctx, stop)
	home, _ := os.UserHomeDir() // without one, paths below it are relative
	work, err := os.Getwd()
	if err != nil {
		work = "."
	}
	program := &cli.Program{
		Version: version() + ", JavaScript on " + scriptEngine(), Release: release, Path: executable(), Arg0: os.Args[0],
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Getenv: os.Getenv, LookupEnv: os.LookupEnv, HomeDir: home, WorkDir: work,
		Start: start, Describe: describe, SDK: spacetime.SDK(),
	}
	code := program.Main(ctx, os.Args[1:])
	os.Exit(code)
}

// start runs a server until ctx ends.
func start(ctx context.Context, o cli.StartOptions) error {
	path := executable()
	over := server.Overrides{Environ: os.Environ(), Set: o.Set}
	run := server.RunOptions{
		DataDir: o.DataDir, ListenAddr: o.ListenAddr,
		PrivateKeyPath: o.PrivateKeyPath, PublicKeyPath: o.PublicKeyPath, KeyDir: o.KeyDir,
		InMemory: o.InMemory, NonInteractive: o.NonInteractive, Overrides: over, Hangup: hangups,
		Version: cli.CompatVersion, ExeName: strings.TrimSuffix(filepath.Base(path), ".exe"), ExePath: path,
		Engines: engines,
		Stdin:   o.Stdin, Stdout: o.Stdout, Color: o.Color,
		NoDiskLogging: os.Getenv("SPACETIMEDB_DISABLE_DISK_LOGGING") != "",
		PublishIssuer: os.Getenv("TEMP_SPACETIMEAUTH_ISSUER_REQUIRED_TO_PUBLISH"),
	}
	if o.PrintConfig {
		return server.PrintConfig(run)
	}
	return server.Run(ctx, run)
}

// hangups delivers SIGHUP, which then does not end the program any more.
func hangups() (<-chan os.Signal, func()) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c, func() { signal.Stop(c) }
}

// describe reads what a program says about itself. It runs once: to compile it would
// take longer.
func describe(ctx context.Context, program []byte, js bool) (*schema.ModuleDef, error) {
	all, err := engines(server.EngineOptions{Wasm: "interpreter", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	kind := host.Wasm
	if js {
		kind = host.JS
	}
	return host.Describe(ctx, all[kind], program)
}

func executable() string {
	path, err := os.Executable()
	if err != nil {
		return os.Args[0]
	}
	return path
}

// version is the product's: of a release its number, else the revision.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	v := info.Main.Version
	if release != "" {
		return "v" + release
	}
	if v == "" || v == "(devel)" {
		v = "devel"
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				v += " " + s.Value
			}
		}
	}
	return v
}
