//go:build ignore

// Bundle makes testdata/NAME.js of each module below testdata/src. It needs npm.
//
//	go generate ./engine/js
package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"log"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/build"
)

func main() {
	packages, err := filepath.Glob("testdata/src/*/package.json")
	check(err)
	for _, file := range packages {
		dir := filepath.Dir(file)
		npm := exec.Command("npm", "install", "--no-package-lock", "--no-audit", "--no-fund")
		npm.Dir, npm.Stdout, npm.Stderr = dir, os.Stdout, os.Stderr
		check(npm.Run())
		out, err := build.Build(context.Background(), build.Options{Dir: dir, Stdout: os.Stdout, Stderr: os.Stderr})
		check(err)
		text, err := os.ReadFile(out.Path)
		check(err)
		check(os.WriteFile(filepath.Join("testdata", filepath.Base(dir)+".js"), withoutSources(text), 0o644))
	}
}

// withoutSources removes the copies of the source files from the source map: no test reads them.
func withoutSources(text []byte) []byte {
	const comment = "//# sourceMappingURL=data:application/json;base64,"
	at := bytes.LastIndex(text, []byte(comment)) + len(comment)
	raw, err := base64.StdEncoding.DecodeString(string(bytes.TrimSpace(text[at:])))
	check(err)
	var m map[string]json.RawMessage
	check(json.Unmarshal(raw, &m))
	delete(m, "sourcesContent")
	raw, err = json.Marshal(m)
	check(err)
	return append(base64.StdEncoding.AppendEncode(text[:at:at], raw), '\n')
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
