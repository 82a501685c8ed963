package docs

import (
	"context"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime"
	"github.com/stdbgo/spacetime/engine/wasm"
)

// The code of docs/embedding.md.

func embed(ctx context.Context, dir string) (*spacetime.Server, error) {
	server, err := spacetime.Open(dir, spacetime.Options{Log: log.Writer()})
	if err != nil {
		return nil, err
	}
	if err := server.PublishLinked(ctx, "game"); err != nil {
		_ = server.Close()
		return nil, err
	}
	return server, nil
}

func routes(server *spacetime.Server) *http.ServeMux {
	mux := http.NewServeMux()
	mux.Handle("/v1/", server)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) })
	return mux
}

func withEngine(dir string) (*spacetime.Server, error) {
	engine, err := wasm.New(wasm.Options{})
	if err != nil {
		return nil, err
	}
	return spacetime.Open(dir, spacetime.Options{Wasm: engine})
}

func TestEmbedding(t *testing.T) {
	dir := t.TempDir()
	server, err := embed(within(t), dir)
	if err != nil {
		t.Fatal(err)
	}
	web := httptest.NewServer(routes(server))
	res, err := http.Post(web.URL+"/v1/database/game/call/join", "application/json", strings.NewReader(`["ada", {"none": []}]`))
	if err != nil || res.StatusCode != 200 {
		t.Errorf("join: %v, %v", res, err)
	}
	if err == nil {
		_ = res.Body.Close()
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
	web.Close()
	if server, err = withEngine(t.TempDir()); err != nil {
		t.Fatal(err)
	}
	if err := server.Close(); err != nil {
		t.Error(err)
	}
}
