// Command release builds what is released, for every system: an archive and the
// bare program each, and the list of their checksums. The directory that it fills
// can be put on any file server; `spacetime version install` and the installer
// scripts take it from there.
//
//	go run ./tools/release -version 1.2.3 -out dist/release
package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

var targets = map[string]string{
	"linux/amd64": "x86_64-unknown-linux-gnu", "linux/arm64": "aarch64-unknown-linux-gnu",
	"darwin/amd64": "x86_64-apple-darwin", "darwin/arm64": "aarch64-apple-darwin",
	"windows/amd64": "x86_64-pc-windows-msvc", "windows/arm64": "aarch64-pc-windows-msvc",
}

func main() {
	version := flag.String("version", "", "the version, a semantic one without v")
	out := flag.String("out", "dist/release", "the directory of releases to add it to")
	only := flag.String("only", "", "build for this system only, as linux/amd64")
	flag.Parse()
	if err := release(*version, *out, *only); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

func release(version, out, only string) error {
	if !regexp.MustCompile(`^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(version) {
		return fmt.Errorf("-version %q is no version like 1.2.3", version)
	}
	dir := filepath.Join(out, "v"+version)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	systems := make([]string, 0, len(targets))
	for system := range targets {
		if only == "" || only == system {
			systems = append(systems, system)
		}
	}
	if len(systems) == 0 {
		return fmt.Errorf("there are no releases for %s", only)
	}
	slices.Sort(systems)
	var sums strings.Builder
	for _, system := range systems {
		files, err := pack(version, system)
		if err != nil {
			return fmt.Errorf("%s: %w", system, err)
		}
		for _, f := range files {
			if err := os.WriteFile(filepath.Join(dir, f.name), f.content, f.mode); err != nil {
				return err
			}
			sum := sha256.Sum256(f.content)
			fmt.Fprintf(&sums, "%s  %s\n", hex.EncodeToString(sum[:]), f.name)
			fmt.Println(filepath.Join(dir, f.name))
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "SHA256SUMS"), []byte(sums.String()), 0o644); err != nil {
		return err
	}
	return list(out, version)
}

// list adds the version to the list of releases.
func list(out, version string) error {
	path := filepath.Join(out, "releases")
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if slices.Contains(strings.Fields(string(text)), version) {
		return nil
	}
	return os.WriteFile(path, append(text, version+"\n"...), 0o644)
}

type file struct {
	name    string
	content []byte
	mode    os.FileMode
}

// pack builds the program for a system.
func pack(version, system string) ([]file, error) {
	goos, arch, _ := strings.Cut(system, "/")
	suffix := ""
	if goos == "windows" {
		suffix = ".exe"
	}
	temp, err := os.MkdirTemp("", "release-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(temp)
	program := filepath.Join(temp, "spacetime"+suffix)
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w -X main.release="+version, "-o", program, "./cmd/spacetime")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+goos, "GOARCH="+arch)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return nil, err
	}
	inside := []file{{"spacetime" + suffix, content, 0o755}}
	for _, name := range []string{"LICENSE", "README.md"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return nil, err
		}
		inside = append(inside, file{name, text, 0o644})
	}
	target := targets[system]
	archive, name := tarball, "spacetime-"+target+".tar.gz"
	if goos == "windows" {
		archive, name = zipped, "spacetime-"+target+".zip"
	}
	packed, err := archive(inside)
	if err != nil {
		return nil, err
	}
	return []file{{name, packed, 0o644}, {"spacetimedb-update-" + target + suffix, content, 0o755}}, nil
}

// epoch is the time of all files, so that a release can be built again to the byte.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func tarball(files []file) ([]byte, error) {
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	t := tar.NewWriter(gz)
	for _, f := range files {
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: int64(f.mode), Size: int64(len(f.content)), ModTime: epoch}); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := errors.Join(t.Close(), gz.Close())
	return b.Bytes(), err
}

func zipped(files []file) ([]byte, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Modified: epoch}
		h.SetMode(f.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(f.content); err != nil {
			return nil, err
		}
	}
	err := z.Close()
	return b.Bytes(), err
}
