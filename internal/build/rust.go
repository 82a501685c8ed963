package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const rustTarget = "wasm32-unknown-unknown"

func (b *builder) rust(ctx context.Context) (string, error) {
	if err := missing("cargo", "Install the Rust tool chain from https://rustup.rs, then try again."); err != nil {
		return "", err
	}
	if err := b.ensureTarget(ctx); err != nil {
		return "", err
	}
	if err := b.lint(); err != nil {
		return "", err
	}
	path, err := b.cargo(ctx)
	if err != nil {
		return "", err
	}
	return path, checkRustModule(path)
}

// ensureTarget installs the target's standard library where rustup can, unless
// cargo has been told to build it.
func (b *builder) ensureTarget(ctx context.Context) error {
	rustc := os.Getenv("RUSTC")
	if rustc == "" {
		rustc = "rustc"
	}
	var out strings.Builder
	cmd := b.command(ctx, rustc, "--print", "target-libdir", "--target", rustTarget)
	cmd.Stdout = &out
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("asking %s for the target %s: %w", rustc, rustTarget, err)
	}
	if _, err := os.Stat(strings.TrimSpace(out.String())); err == nil || b.buildsStd() {
		return nil
	}
	if _, err := exec.LookPath("rustup"); err == nil {
		return b.run(ctx, "rustup", "target", "add", rustTarget)
	}
	return errors.New(rustTarget + " target is not installed. Please install it.")
}

// buildsStd reports whether cargo builds the standard library itself.
func (b *builder) buildsStd() bool {
	if os.Getenv("CARGO_UNSTABLE_BUILD_STD") != "" {
		return true
	}
	dir, err := filepath.Abs(b.Dir)
	if err != nil {
		return false
	}
	files := []string{}
	for ; ; dir = filepath.Dir(dir) {
		files = append(files, filepath.Join(dir, ".cargo", "config.toml"), filepath.Join(dir, ".cargo", "config"))
		if dir == filepath.Dir(dir) {
			break
		}
	}
	if home := os.Getenv("CARGO_HOME"); home != "" {
		files = append(files, filepath.Join(home, "config.toml"))
	} else if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".cargo", "config.toml"))
	}
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && strings.Contains(string(text), "build-std") {
			return true
		}
	}
	return false
}

// printMacros write to a standard stream that a module does not have.
var printMacros = []string{"println!", "print!", "eprintln!", "eprint!", "dbg!"}

// lint refuses statements that would print nowhere.
func (b *builder) lint() error {
	if b.LintDir == "" {
		fmt.Fprintln(b.Stdout, "Warning: Skipping checks for nonfunctional print statements.")
		return nil
	}
	var found []string
	root := filepath.Join(b.Dir, b.LintDir)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".rs" {
			return err
		}
		lines, err := printLines(path)
		found = append(found, lines...)
		return err
	})
	if err != nil {
		return fmt.Errorf("searching %s for print statements: %w (choose another directory by --lint-dir)", root, err)
	}
	if len(found) == 0 {
		return nil
	}
	fmt.Fprintf(b.Stderr, "Detected nonfunctional print statements:\n%s\n", strings.Join(found, "\n"))
	return fmt.Errorf("Found %d disallowed print statement(s).\nThese will not be printed from modules. Use the `log` crate instead, as in `log::info!(\"…\")`; its messages are shown by `spacetime logs`.", len(found))
}

func printLines(path string) (found []string, err error) {
	source, err := os.ReadFile(path)
	n := 0
	for line := range strings.Lines(string(source)) {
		n++
		for _, macro := range printMacros {
			if strings.Contains(line, macro) {
				found = append(found, fmt.Sprintf("%s:%d: %s", path, n, strings.TrimSpace(line)))
			}
		}
	}
	return found, err
}

// cargo builds the crate and returns the last artifact that it names.
func (b *builder) cargo(ctx context.Context) (string, error) {
	args := []string{"build", "--config=net.git-fetch-with-cli=true", "--target=" + rustTarget}
	if !b.Debug {
		args = append(args, "--release")
	}
	if len(b.Features) > 0 {
		args = append(args, "--features="+strings.Join(b.Features, ","))
	}
	if os.Getenv("CARGO_UNSTABLE_BUILD_STD") != "" {
		// Who builds the standard library himself vouches for the compiler: crates
		// that ask for a newer one may still build.
		args = append(args, "--ignore-rust-version")
	}
	args = append(args, "--message-format=json-render-diagnostics")
	cmd := b.command(ctx, "cargo", args...)
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	artifact := ""
	dec := json.NewDecoder(out)
	for {
		var msg struct {
			Reason    string
			Filenames []string
		}
		if dec.Decode(&msg) != nil {
			break
		}
		if msg.Reason == "compiler-artifact" && len(msg.Filenames) > 0 {
			artifact = msg.Filenames[0]
		}
	}
	_, _ = io.Copy(io.Discard, out) // whatever is no JSON must not block cargo
	err = cmd.Wait()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return "", fmt.Errorf("command %q exited with code %d", cmd.Args, exit.ExitCode())
	case err != nil:
		return "", err
	case artifact == "":
		return "", errors.New("no artifact found?")
	case filepath.Ext(artifact) != ".wasm":
		return "", fmt.Errorf("cargo built %s, which is no WebAssembly module; does Cargo.toml say [lib] crate-type = [\"cdylib\"]?", artifact)
	}
	return artifact, nil
}

// checkRustModule refuses modules that need a browser.
func checkRustModule(path string) error {
	program, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	imports, exports, err := wasmNames(program)
	if err != nil {
		return nil // the server judges programs; this is advice only
	}
	for _, name := range append(imports, exports...) {
		if strings.HasPrefix(name, "__wbindgen") {
			return errors.New("wasm-bindgen detected.\nIt is for browsers: modules cannot use it. Find which dependency needs it by `cargo tree -i wasm-bindgen`, and turn off the feature that does.")
		}
		if name == "__getrandom_custom" {
			return errors.New("getrandom usage detected.\nModules have no random device: use `ctx.rng()` instead. Find which dependency needs it by `cargo tree -i getrandom`.")
		}
	}
	return nil
}
