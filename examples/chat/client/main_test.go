package main

import (
	"bytes"
	"context"
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/engine/wasm"
	"github.com/stdbgo/spacetime/internal/codegen/codegentest"
	"github.com/stdbgo/spacetime/internal/codegen/golang"
	"github.com/stdbgo/spacetime/internal/codegen/model"
)

// A screen is what a chat prints.
type screen struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// wait waits until the screen shows something.
func (s *screen) wait(t *testing.T, want string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		s.mu.Lock()
		text := s.text.String()
		s.mu.Unlock()
		if strings.Contains(text, want) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("the screen does not show %q:\n%s", want, text)
		}
	}
}

// Two people chat, one leaves and comes back as the same one.
func TestChat(t *testing.T) {
	engine, err := wasm.New(wasm.Options{CacheDir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	server, err := spacetime.Open(t.TempDir(), spacetime.Options{InMemory: true, Wasm: engine})
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(server)
	t.Cleanup(func() {
		if err := server.Close(); err != nil {
			t.Error(err)
		}
		web.Close()
	})
	program, err := os.ReadFile("../../../internal/host/testdata/chat1.wasm") // the chat module in Rust
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Publish(context.Background(), "chat", program); err != nil {
		t.Fatal(err)
	}
	tokens := t.TempDir()
	join := func(who string) (say io.WriteCloser, s *screen, ended chan error) {
		in, say := io.Pipe()
		s, ended = &screen{}, make(chan error, 1)
		go func() {
			ended <- run(context.Background(), client.Options{URL: web.URL, Database: "chat"}, filepath.Join(tokens, who), in, s)
		}()
		return say, s, ended
	}
	leave := func(say io.WriteCloser, ended chan error) {
		t.Helper()
		if err := say.Close(); err != nil {
			t.Error(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	line := func(say io.Writer, text string) {
		if _, err := io.WriteString(say, text+"\n"); err != nil {
			t.Error(err)
		}
	}
	ada, adaSees, adaEnds := join("ada")
	line(ada, "/name Ada")
	adaSees.wait(t, "is now called Ada\n")
	line(ada, "/name ")
	adaSees.wait(t, "! Names must not be empty\n")
	line(ada, "hello")
	adaSees.wait(t, "Ada: hello\n")
	bob, bobSees, bobEnds := join("bob")
	bobSees.wait(t, "Ada: hello\n")
	line(bob, "/name Bob")
	line(bob, "hi")
	adaSees.wait(t, "Bob: hi\n")
	leave(bob, bobEnds)
	adaSees.wait(t, "* Bob has left\n")
	bob, bobSees, bobEnds = join("bob")
	adaSees.wait(t, "* Bob has come\n")
	bobSees.wait(t, "Bob: hi\n")
	leave(bob, bobEnds)
	leave(ada, adaEnds)
}

// The bindings are what the generator makes of the module.
func TestBindings(t *testing.T) {
	m, err := model.Build(codegentest.Chat(t), false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := golang.Generate(m, model.Options{Package: "chat", Tool: "spacetime 2.8.3"})
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range out.Files {
		if got, err := os.ReadFile(filepath.Join("chat", f.Path)); err != nil || !bytes.Equal(got, f.Text) {
			t.Errorf("%s is out of date (%v): generate the bindings again", f.Path, err)
		}
	}
}
