package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/stdbgo/spacetime/internal/build"
	"github.com/stdbgo/spacetime/internal/schema"
)

// A moduleSource says where a definition comes from; entries with one source
// share what it gives.
type moduleSource struct {
	modulePath, binPath, jsPath, moduleDef, database string
	buildOptions, dotnet                             string
}

// A codegenSource is a definition that was read.
type codegenSource struct{ def *schema.ModuleDef }

// sourceOf returns the definition of an entry's module.
func (r *run) sourceOf(ctx context.Context, e *generateEntry, run generateRun, sources map[moduleSource]*codegenSource) (*schema.ModuleDef, error) {
	key := moduleSource{binPath: e.binPath, jsPath: e.jsPath, moduleDef: e.moduleDef, database: e.database}
	if e.builds() {
		key.modulePath, key.buildOptions, key.dotnet = e.modulePath, e.buildOptions, e.dotnet
	}
	if s := sources[key]; s != nil {
		return s.def, nil
	}
	def, err := r.readSource(ctx, e, run)
	if err == nil {
		sources[key] = &codegenSource{def}
	}
	return def, err
}

func (r *run) readSource(ctx context.Context, e *generateEntry, run generateRun) (*schema.ModuleDef, error) {
	path, host := e.binPath, build.Wasm
	switch {
	case e.moduleDef != "":
		return r.definitionFile(e.moduleDef)
	case e.database != "":
		return r.definitionOf(ctx, e.database, &run.target)
	case e.jsPath != "":
		path, host = e.jsPath, build.JS
	}
	if path != "" {
		fmt.Fprintf(r.Stdout, "Skipping build. Instead we are inspecting %s\n", path)
		return r.extract(ctx, path, host)
	}
	a, err := r.buildModule(ctx, r.path(e.modulePath), &publishOptions{buildOptions: e.buildOptions, dotnet: e.dotnet})
	if err != nil {
		return nil, err
	}
	return r.extract(ctx, a.Path, a.HostType)
}

// definitionOf reads the definition of a running database.
func (r *run) definitionOf(ctx context.Context, name string, t *target) (*schema.ModuleDef, error) {
	a, err := r.connect(ctx, t)
	if err != nil {
		return nil, err
	}
	shown := r.progress("Asking the server for the definition of "+name, 0)
	defer shown.end()
	id, err := a.identityOf(ctx, name)
	if err != nil {
		return nil, err
	}
	return a.module(ctx, id)
}

// maxDefinition bounds the JSON of a definition in bytes.
const maxDefinition = 4 * schema.MaxRawSize

// definitionFile reads a definition from a file, or the standard input.
func (r *run) definitionFile(path string) (*schema.ModuleDef, error) {
	var in io.Reader = r.Stdin
	if path != "-" {
		f, err := os.Open(r.path(path))
		if err != nil {
			return nil, because(err, "the module definition %s cannot be read", path)
		}
		defer f.Close()
		in = f
	}
	text, err := io.ReadAll(io.LimitReader(in, maxDefinition+1))
	if err != nil {
		return nil, because(err, "the module definition %s cannot be read", path)
	}
	def, err := parseDefinition(text)
	if err != nil {
		return nil, because(err, "the module definition %s is not understood", path)
	}
	return def, nil
}

// parseDefinition reads a definition in JSON: {"V9":…} or {"V10":…} as a module
// gives it, or, ours, what the schema route of a server answers.
func parseDefinition(text []byte) (*schema.ModuleDef, error) {
	if len(text) > maxDefinition {
		return nil, fmt.Errorf("it has more than the limit of %d bytes", maxDefinition)
	}
	var outer map[string]json.RawMessage
	if err := json.Unmarshal(text, &outer); err != nil {
		return nil, fmt.Errorf(`it must be JSON like {"V10":{"sections":[…]}} or {"V9":{…}}: %w`, err)
	}
	generation, inner := 0, text
	switch {
	case outer["V10"] != nil && len(outer) == 1:
		generation, inner = 10, outer["V10"]
	case outer["V9"] != nil && len(outer) == 1:
		generation, inner = 9, outer["V9"]
	case outer["sections"] != nil:
		return readModule(10, text)
	case outer["typespace"] != nil:
		return readModule(9, text)
	default:
		return nil, errors.New(`it must be an object like {"V10":{"sections":[…]}} or {"V9":{…}}`)
	}
	raw, err := schema.ParseJSON(generation, inner)
	if err != nil {
		return nil, err
	}
	return schema.Validate(raw)
}

// extractorVariable names a program that reads the definition of a module
// instead of this one.
const extractorVariable = "SPACETIMEDB_SCHEMA_EXTRACTOR"

// extract returns what a built module says about itself.
func (r *run) extract(ctx context.Context, path string, host build.HostType) (*schema.ModuleDef, error) {
	def, err := r.extracted(ctx, path, host)
	if err != nil && ctx.Err() == nil {
		err = because(err, "could not extract schema")
	}
	return def, err
}

func (r *run) extracted(ctx context.Context, path string, host build.HostType) (*schema.ModuleDef, error) {
	program, err := os.ReadFile(r.path(path))
	if err != nil {
		return nil, because(err, "the module %s cannot be read", path)
	}
	isWasm := bytes.HasPrefix(program, []byte("\x00asm"))
	switch {
	case host == build.Wasm && !isWasm:
		return nil, fail("%s is no WebAssembly module; JavaScript is given with --js-path", path)
	case host == build.JS && isWasm:
		return nil, fail("%s is a WebAssembly module, which is given with --bin-path", path)
	}
	if extractor := r.Getenv(extractorVariable); extractor != "" {
		return r.runExtractor(ctx, extractor, path, host)
	}
	if r.Describe == nil {
		return nil, errors.New("this program has no engine to load modules with; set " + extractorVariable)
	}
	shown := r.progress("Loading the module", 0)
	defer shown.end()
	return r.Describe(ctx, program, host == build.JS)
}

// Bounds of a foreign extractor.
const (
	extractorTime   = time.Minute
	extractorOutput = 16 << 20
)

// runExtractor lets a program read the definition. It gets an empty environment,
// because it runs code of the module.
func (r *run) runExtractor(ctx context.Context, program, path string, host build.HostType) (*schema.ModuleDef, error) {
	ctx, cancel := context.WithTimeout(ctx, extractorTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "extract-schema", r.path(path), "--host-type", strings.ToLower(string(host)))
	cmd.Env, cmd.Dir, cmd.WaitDelay = []string{}, r.WorkDir, time.Second
	out, errs := &boundedBuffer{limit: extractorOutput}, &boundedBuffer{limit: 64 << 10}
	cmd.Stdout, cmd.Stderr = out, errs
	if err := cmd.Run(); err != nil {
		if text := strings.TrimSpace(errs.String()); text != "" {
			err = fmt.Errorf("%w: %s", err, text)
		}
		return nil, because(err, "%s failed", program)
	}
	if out.over {
		return nil, fail("%s printed more than %d bytes", program, extractorOutput)
	}
	return parseDefinition(out.kept)
}

// A boundedBuffer keeps no more than limit bytes of what is written to it.
type boundedBuffer struct {
	kept  []byte
	limit int
	over  bool
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	room := min(b.limit-len(b.kept), len(p))
	b.kept = append(b.kept, p[:room]...)
	b.over = b.over || room < len(p)
	return len(p), nil
}

func (b *boundedBuffer) String() string { return string(b.kept) }

// extractCommand prints the definition of a built module, as tools of the
// original ask for it (spec 09 §9.6).
func (r *run) extractCommand() *cobra.Command {
	var kind string
	cmd := &cobra.Command{
		Use:    "extract-schema [OPTIONS] <module-file>",
		Short:  "Print the definition of a built module as JSON",
		Hidden: true,
		Args:   positionals(1, "module-file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			host := build.HostType("")
			switch ext := strings.ToLower(args[0]); {
			case strings.EqualFold(kind, "wasm"), kind == "" && strings.HasSuffix(ext, ".wasm"):
				host = build.Wasm
			case strings.EqualFold(kind, "js"), kind == "" && strings.HasSuffix(ext, ".js"):
				host = build.JS
			default:
				return fail("--host-type not provided but cannot deduce from file extension")
			}
			def, err := r.extracted(cmd.Context(), args[0], host)
			if err != nil {
				return err
			}
			_, err = r.Stdout.Write(def.Raw.AppendJSON(nil))
			return err
		},
	}
	cmd.Flags().Var(once(&kind, "type", "wasm", "js", "Wasm", "Js"), "host-type", "what the file is: wasm, js")
	return cmd
}
