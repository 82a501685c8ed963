package build

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"

	"github.com/evanw/esbuild/pkg/api"
)

// typescript checks the types with the project's own compiler, if it has one, and
// beside that bundles src/index.ts into one ES module. The compiler has the first
// word.
func (b *builder) typescript(ctx context.Context) (string, error) {
	dir, err := filepath.Abs(b.Dir)
	if err != nil {
		return "", err
	}
	entry := filepath.Join(dir, "src", "index.ts")
	if _, err := os.Stat(entry); err != nil {
		return "", fmt.Errorf("a TypeScript module begins in src/index.ts: %w", err)
	}
	out := filepath.Join(dir, "dist", "bundle.js")
	bundled := make(chan api.BuildResult, 1)
	go func() { bundled <- b.bundle(dir, out) }()
	err = b.typeCheck(ctx)
	res := <-bundled
	if err != nil {
		return "", err
	}
	for i := range res.Errors {
		res.Errors[i].Notes = slices.DeleteFunc(res.Errors[i].Notes, bundlerNote)
	}
	b.messages(res.Warnings, api.WarningMessage)
	b.messages(res.Errors, api.ErrorMessage)
	if len(res.Errors) > 0 {
		if slices.ContainsFunc(res.Errors, func(m api.Message) bool { return strings.HasPrefix(m.Text, "Could not resolve") }) {
			fmt.Fprintf(b.Stderr, "Module not found. If it is one of the project's dependencies, install them first: run `npm install` in %s\n", b.Dir)
		}
		return "", &ExitError{1}
	}
	if err := checkBundle(res.Metafile); err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return "", err
	}
	return out, os.WriteFile(out, namesFromProject(res.OutputFiles[0].Contents), 0o644)
}

// bundle bundles the module in memory.
func (b *builder) bundle(dir, out string) api.BuildResult {
	mode := `"production"`
	if b.Debug {
		mode = `"development"`
	}
	o := api.BuildOptions{
		AbsWorkingDir:     dir,
		EntryPoints:       []string{"./src/index.ts"},
		Outfile:           out,
		Bundle:            true,
		Format:            api.FormatESModule,
		Platform:          api.PlatformBrowser,
		Target:            api.ESNext,
		Sourcemap:         api.SourceMapInline,
		External:          []string{"spacetime:sys*"},
		Conditions:        []string{"production", "import", "default"},
		MainFields:        []string{"module", "main"},
		ResolveExtensions: []string{".ts", ".tsx", ".mjs", ".js", ".cjs", ".json"},
		Define:            map[string]string{"process.env.NODE_ENV": mode},
		LegalComments:     api.LegalCommentsNone,
		TreeShaking:       api.TreeShakingTrue,
		JSX:               api.JSXPreserve,
		Metafile:          true,
	}
	if _, err := os.Stat(filepath.Join(dir, "tsconfig.json")); err == nil {
		o.Tsconfig = filepath.Join(dir, "tsconfig.json")
	}
	return api.Build(o)
}

const inlineMap = "//# sourceMappingURL=data:application/json;base64,"

// namesFromProject makes the inline source map name files from the project's
// directory (src/index.ts), as stack traces show them, instead of from dist.
func namesFromProject(bundle []byte) []byte {
	at := bytes.LastIndex(bundle, []byte(inlineMap))
	if at < 0 {
		return bundle
	}
	at += len(inlineMap)
	raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(bundle[at:])))
	if err != nil {
		return bundle
	}
	var m map[string]json.RawMessage
	var sources []string
	if json.Unmarshal(raw, &m) != nil || json.Unmarshal(m["sources"], &sources) != nil {
		return bundle
	}
	for i := range sources {
		sources[i] = strings.TrimPrefix(sources[i], "../")
	}
	if m["sources"], err = json.Marshal(sources); err != nil {
		return bundle
	}
	if raw, err = json.Marshal(m); err != nil {
		return bundle
	}
	return append(base64.StdEncoding.AppendEncode(bundle[:at:at], raw), '\n')
}

// bundlerNote is advice for those who run the bundler themselves.
func bundlerNote(n api.Note) bool { return strings.HasPrefix(n.Text, "You can mark the path") }

func (b *builder) messages(list []api.Message, kind api.MessageKind) {
	for _, text := range api.FormatMessages(list, api.FormatMessagesOptions{Kind: kind}) {
		fmt.Fprint(b.Stderr, text)
	}
}

// typeCheck runs the project's tsc. Its exit code becomes the command's.
func (b *builder) typeCheck(ctx context.Context) error {
	names := []string{"tsc"}
	if runtime.GOOS == "windows" {
		names = []string{"tsc.cmd", "tsc.exe"}
	}
	tsc, err := b.tscPath(names...)
	if err != nil {
		return err
	}
	if !exists(tsc) {
		fmt.Fprintf(b.Stderr, "The types are not checked, since %s is not there; `npm install --save-dev typescript` adds it.\n", tsc)
		return nil
	}
	if _, err := exec.LookPath("node"); err != nil {
		fmt.Fprintln(b.Stderr, "The types are not checked, since node is not in PATH.")
		return nil
	}
	if b.Types != nil {
		if ok, err := b.Types.check(ctx, b.Dir, b.Stderr); ok {
			return err
		}
	}
	err = b.command(ctx, tsc, "--noEmit").Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return &ExitError{exit.ExitCode()}
	}
	return err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

var sysImport = regexp.MustCompile(`^spacetime:sys@(\d+)\.\d+$`)

// checkBundle checks what the bundle imports and exports (spec 09 §9.3).
func checkBundle(metafile string) error {
	var meta struct {
		Outputs map[string]struct {
			Imports []struct{ Path string }
			Exports []string
		}
	}
	if err := json.Unmarshal([]byte(metafile), &meta); err != nil {
		return err
	}
	for _, out := range meta.Outputs {
		majors := map[string]bool{}
		for _, imp := range out.Imports {
			if m := sysImport.FindStringSubmatch(imp.Path); m != nil {
				majors[m[1]] = true
			}
		}
		switch {
		case len(majors) == 0:
			return errors.New("Your module doesn't import the `spacetimedb/server` package at all. Import `schema` and `table` from it and define your tables and reducers by them.")
		case len(majors) > 1:
			return fmt.Errorf("The module pulls in %d different versions of the `spacetimedb/server` package. Look for them by `npm ls spacetimedb` and keep one.", len(majors))
		case majors["2"] && !slices.Contains(out.Exports, "default"):
			return errors.New("The module has no default export. You must `export default schema(...);`")
		}
	}
	return nil
}
