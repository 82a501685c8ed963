package build

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"time"
)

// cpp builds a C++ module by its own CMake project, with Emscripten (spec 09 §9.5).
func (b *builder) cpp(ctx context.Context) (string, error) {
	for _, tool := range [][2]string{
		{"emcc", "Install Emscripten from https://emscripten.org and activate it, then try again."},
		{"emcmake", "It comes with Emscripten: activate that, then try again."},
		{"cmake", "Install CMake from https://cmake.org, then try again."},
	} {
		if err := missing(tool[0], tool[1]); err != nil {
			return "", err
		}
	}
	config := "Release"
	if b.Debug {
		config = "Debug"
	}
	if err := b.run(ctx, "emcmake", "cmake", "-S", ".", "-B", "build", "-DCMAKE_BUILD_TYPE="+config); err != nil {
		return "", err
	}
	if err := b.run(ctx, "cmake", "--build", "build", "--config", config, "--parallel"); err != nil {
		return "", err
	}
	return b.newestWasm(filepath.Join(b.Dir, "build"))
}

// newestWasm finds the program that was written last.
func (b *builder) newestWasm(dir string) (string, error) {
	var newest string
	var at time.Time
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || filepath.Ext(path) != ".wasm" {
			return err
		}
		st, err := d.Info()
		if err == nil && (newest == "" || st.ModTime().After(at)) {
			newest, at = path, st.ModTime()
		}
		return err
	})
	if err == nil && newest == "" {
		err = errors.New("the build has made no .wasm file below build: the CMake project must set the suffix of its target to .wasm")
	}
	return newest, err
}
