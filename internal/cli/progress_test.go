//go:build unix

package cli_test

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// cleared is what a progress leaves: an empty line.
const cleared = `\r\x1b\[K`

// How much of a program the server has taken, and then that it is waited for.
func TestProgressOfUpload(t *testing.T) {
	u := newUser(t)
	more, answer := make(chan struct{}), make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPut {
			http.NotFound(w, r)
			return
		}
		_, _ = io.CopyN(io.Discard, r.Body, 8<<20)
		<-more
		_, _ = io.Copy(io.Discard, r.Body)
		<-answer
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"Success":{"domain":"big","database_identity":%q,"op":"created"}}`, someIdentity)
	}))
	t.Cleanup(s.Close)
	token, _ := tokenOf("big")
	u.setConfig(s.URL, "spacetimedb_token = \""+token+"\"\n")
	u.write("big.wasm", "\x00asm"+strings.Repeat("x", 64<<20)) // more than any socket buffers
	c := u.session("publish", "-b", "big.wasm", "big")
	at := c.expect(0, `Publishing module\.\.\.`)
	at = c.expect(at, `Uploading \[=+ +\] [1-9]\d?%`)
	close(more)
	at = c.expect(at, `Waiting for the server… \d+s`)
	close(answer)
	at = c.expect(at, cleared+`Created new database with name: big`)
	c.left(0)
	if text := c.seen()[at:]; strings.Contains(text, "Uploading") || strings.Contains(text, "Waiting") {
		t.Errorf("after the end: %q", text)
	}
	// not on a terminal
	if r := u.run("publish", "-y", "-b", "big.wasm", "big"); r.code != 0 || strings.Contains(r.stdout+r.stderr, "Uploading [") || strings.Contains(r.stdout+r.stderr, "\r") {
		t.Errorf("piped: %s", r)
	}
}

func TestProgressOfDefinition(t *testing.T) {
	u := realUser(t)
	db := u.publish("kettle1")
	address, asked := held(t, realServer(t), "/schema")
	c := u.session("generate", "--lang", "go", "--out-dir", "bindings", "--from-database", db, "-s", address, "--anonymous")
	<-asked
	at := c.expect(0, `Asking the server for the definition of `+db+`… \d+s`)
	c.send("\x03")
	c.expect(at, cleared)
	c.left(130)
}

// Packages that take long, and a tool's own words.
func TestProgressOfInstall(t *testing.T) {
	u := newUser(t)
	u.setConfig("http://127.0.0.1:9", "")
	u.env["PATH"] = t.TempDir()
	gate := filepath.Join(u.env["PATH"], "gate")
	if err := syscall.Mkfifo(gate, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(u.env["PATH"], "npm"), []byte("#!/bin/sh\nread line <'"+gate+"'\necho \"npm says $line\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := u.session("init", "--template", "basic-ts", "new")
	at := 0
	for _, question := range []string{`Project path`, `Database name`, `Which package manager`} {
		at = c.expect(at, question)
		c.send("\r")
	}
	for _, word := range []string{"one", "two"} {
		at = c.expect(at, `Installing packages… \d+s`)
		if err := os.WriteFile(gate, []byte(word+"\n"), 0); err != nil {
			t.Fatal(err)
		}
		at = c.expect(at, cleared+`npm says `+word+`\r?\n`)
	}
	c.expect(at, `Dependencies installed successfully!`)
	c.left(0)
}

// The tools for data directories: how much of the files is read, and of a dump written.
func TestProgressOfOfflineTools(t *testing.T) {
	u := newUser(t)
	dir := filledDataDir(t, u, "kitchen", func(string) {
		for i := range 40 {
			u.ok("sql", "kitchen", fmt.Sprintf("insert into item (id, name, kind, rank) values (0, '%d%s', 9, 1)", i, strings.Repeat("x", 10_000)))
		}
	})
	secrets, err := filepath.Glob(filepath.Join(dir, "replicas", "*", "secret"))
	if err != nil || len(secrets) != 1 {
		t.Fatalf("%q %v", secrets, err)
	}
	secret, err := os.ReadFile(secrets[0])
	if err != nil {
		t.Fatal(err)
	}
	// The secret is read last; a pipe in its place keeps the tool waiting.
	if err := os.Remove(secrets[0]); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(secrets[0], 0o600); err != nil {
		t.Fatal(err)
	}
	c := u.session("db", "check", "--data-dir", dir)
	at := c.expect(0, `Checking replica \d+ \[=+ *\] [1-9]\d+%`)
	if err := os.WriteFile(secrets[0], secret, 0); err != nil {
		t.Fatal(err)
	}
	at = c.expect(at, cleared)
	c.expect(at, `  OK\r\n`)
	c.left(0)

	if err := os.Remove(secrets[0]); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(secrets[0], secret, 0o600); err != nil {
		t.Fatal(err)
	}
	pipe := filepath.Join(u.work, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	c = u.through("exec \"$0\" db dump --data-dir '" + dir + "' >'" + pipe + "'")
	out, err := os.Open(pipe)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	at = c.expect(0, `Exporting… 0\.\d MiB`)
	text, err := io.ReadAll(out)
	if err != nil || strings.Count(string(text), "\n") < 40 || strings.Contains(string(text), "\r") {
		t.Errorf("%d bytes, %v", len(text), err)
	}
	c.expect(at, cleared)
	c.left(0)
}
