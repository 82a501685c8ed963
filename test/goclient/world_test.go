// Package goclient tests the Go client with generated bindings against the server:
// every kind of type and object over every protocol, and random transactions over a
// network that breaks at random.
package goclient

import (
	"bytes"
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/client"
	"github.com/stdbgo/spacetime/internal/codegen/golang"
	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/leaktest"
	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/test/goclient/bindings"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// patience is how long a test waits for what has to come.
const patience = time.Minute

func within(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

const database = "goclient"

// A world is a server in this process with the module as its database.
type world struct {
	t      *testing.T
	server *spacetime.Server
	http   *httptest.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	s, err := spacetime.Open(t.TempDir(), spacetime.Options{InMemory: true})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, server: s, http: httptest.NewServer(s)}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		w.http.Close()
	})
	if err := s.PublishLinked(within(t), database); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) dial(o client.Options) *bindings.Conn {
	w.t.Helper()
	if o.URL == "" {
		o.URL = w.http.URL
	}
	o.Database = database
	c, err := bindings.Dial(within(w.t), o)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = c.Close() })
	return c
}

var protocols = []client.Protocol{client.V1, client.V2, client.V3}

var update = flag.Bool("update", false, "write the bindings anew")

// The bindings in this directory are what the generator makes of the running module.
func TestBindings(t *testing.T) {
	spec.Covers(t, "10.1", "10.28")
	w := newWorld(t)
	res, err := http.Get(w.http.URL + "/v1/database/" + database + "/schema?version=10")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := schema.ParseJSON(10, text)
	if err != nil {
		t.Fatal(err)
	}
	def, err := schema.Validate(raw)
	if err != nil {
		t.Fatal(err)
	}
	m, err := model.Build(def, false)
	if err != nil {
		t.Fatal(err)
	}
	out, err := golang.Generate(m, model.Options{Package: "bindings"})
	if err != nil {
		t.Fatal(err)
	}
	if len(out.Warnings) > 0 {
		t.Errorf("warnings: %q", out.Warnings)
	}
	for _, f := range out.Files {
		path := filepath.Join("bindings", f.Path)
		if *update {
			if err := os.WriteFile(path, f.Text, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, f.Text) {
			t.Errorf("%s is not what the generator writes now (-update writes it anew): %v", path, err)
		}
	}
}
