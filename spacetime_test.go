package spacetime

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/cli"
)

func TestVersion(t *testing.T) {
	if version != cli.CompatVersion {
		t.Errorf("version %s; the command line says %s", version, cli.CompatVersion)
	}
}

func open(t *testing.T, dir string, o Options) *Server {
	t.Helper()
	s, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestOpenTwice(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir, Options{})
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), "cannot take lock on database") {
		t.Errorf("a second Open: %v", err)
	}
	token := s.Token()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{})
	if s.Token() != token {
		t.Error("the owner has changed")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
}

// Who opens a directory whose keys or whose owner are gone is told which file to mend.
func TestOwnerLost(t *testing.T) {
	dir := t.TempDir()
	if err := open(t, dir, Options{}).Close(); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"id_ecdsa", "id_ecdsa.pub"} {
		if err := os.Remove(filepath.Join(dir, key)); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, dir, Options{})
	var refused *StatusError
	err := s.Publish(t.Context(), "x", nil)
	file := filepath.Join(dir, ownerTokenFile)
	if !errors.As(err, &refused) || refused.Code != http.StatusUnauthorized || !strings.Contains(err.Error(), file) {
		t.Errorf("with other keys: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, Options{}); err == nil || !strings.Contains(err.Error(), file+" is empty") {
		t.Errorf("with an empty token: %v", err)
	}
}

func TestPublishRefused(t *testing.T) {
	s := open(t, t.TempDir(), Options{InMemory: true})
	defer s.Close()
	if err := s.PublishLinked(context.Background(), "x"); err == nil || !strings.Contains(err.Error(), "no module is linked into this process") {
		t.Errorf("no module: %v", err)
	}
	var refused *StatusError
	err := s.Publish(context.Background(), "x", []byte("\x00asm\x01\x00\x00\x00"))
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "spacetime: publish x: ") {
		t.Errorf("no engine: %v", err)
	}
}

func TestPublishEnv(t *testing.T) {
	s := open(t, t.TempDir(), Options{InMemory: true})
	defer s.Close()
	if err := s.Publish(t.Context(), "x", nil, Env{"MY-KEY": "1"}); err == nil || !strings.Contains(err.Error(), `"MY-KEY"`) {
		t.Errorf("the error does not name the variable: %v", err)
	}
}

// A program with the database in it: publish, call, query over the handler, close, open again.
func TestEmbedded(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles a module with the Go tool chain; not in -short")
	}
	program := filepath.Join(t.TempDir(), "chat.wasm")
	cmd := exec.Command("go", "build", "-buildmode=c-shared", "-o", program, "./examples/chat/module")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, text)
	}
	chat, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	engine, err := wasm.New(wasm.Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	s := open(t, dir, Options{Wasm: engine})
	for range 2 { // the second time nothing changes
		if err := s.Publish(t.Context(), "chat", chat); err != nil {
			t.Fatal(err)
		}
	}
	post := func(path, contentType, body string) string {
		web := httptest.NewServer(s)
		defer web.Close()
		res, err := http.Post(web.URL+"/v1/database/chat/"+path, contentType, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	if got := post("call/send_message", "application/json", `["hello"]`); got != "" {
		t.Errorf("send_message: %s", got)
	}
	if got := post("call/send_message", "application/json", `[""]`); got != "Messages must not be empty" {
		t.Errorf("send_message: %s", got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, dir, Options{Wasm: engine})
	defer s.Close()
	if got := post("sql", "text/plain", "SELECT text FROM message"); !strings.Contains(got, `"rows":[["hello"]]`) {
		t.Errorf("after a restart: %s", got)
	}
}
