// Package spacetime is the database inside a Go program, and the source of the SDK for modules in Go.
//
// A program opens a data directory, publishes a module, and serves the result, which is an http.Handler, wherever it
// wants:
//
//	db, err := spacetime.Open("data", spacetime.Options{})
//	if err != nil {
//		return err
//	}
//	defer db.Close()
//	if err := db.PublishLinked(ctx, "game"); err != nil {
//		return err
//	}
//	return http.ListenAndServe("127.0.0.1:3000", db)
//
// The module is the one that the program itself declares with package module; Publish takes those of other languages.
//
// It owns what embedding programs see: opening a data directory, publishing modules, serving, closing. It also carries
// the source of this Go module, which the command line lays down beside new Go modules so that they build without
// network. What a database does is the business of the rooms below internal.
package spacetime

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/stdbgo/spacetime/internal/abi"
	"github.com/stdbgo/spacetime/internal/engine/native"
	"github.com/stdbgo/spacetime/internal/host"
	"github.com/stdbgo/spacetime/internal/server"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// version is the version of the original that this is compatible with; it stands in the data directory.
const version = "2.8.3"

// An Engine runs modules of one kind. Packages below engine make them.
type Engine = abi.Engine

// Options of Open. The zero value works.
type Options struct {
	// InMemory keeps the databases in memory. Names, owners and keys are in the data directory nevertheless.
	InMemory bool
	// Wasm and JS run the modules that are published. Without them only a module linked into the program can run.
	Wasm, JS Engine
	// KeyDir holds the key pair that tokens are signed with. Default: the data directory.
	KeyDir string
	// Log gets the server's log, line by line. Default: only the file in the data directory.
	Log io.Writer
}

// A Server is an open data directory with its databases. It answers the HTTP and WebSocket interface as an http.Handler;
// all methods may be called concurrently.
type Server struct {
	running   *server.Running
	token     string
	tokenFile string // where token is kept
}

// ownerTokenFile is where the token of the one who publishes with Publish and PublishLinked is kept.
const ownerTokenFile = "owner-token"

// Open opens a data directory, making it if it is not there, and starts its databases. One process at a time can have
// it open; the error of the second says which one has. The Server must be closed.
func Open(dir string, o Options) (*Server, error) {
	if o.Log == nil {
		o.Log = io.Discard
	}
	if o.KeyDir == "" {
		o.KeyDir = dir
	}
	running, err := server.Open(server.RunOptions{
		DataDir: dir, KeyDir: o.KeyDir, InMemory: o.InMemory, Version: version, ExeName: "spacetime", ExePath: os.Args[0],
		Stdout: o.Log, NonInteractive: true,
		Engines: func(server.EngineOptions) (map[host.ProgramKind]abi.Engine, error) {
			engines := map[host.ProgramKind]abi.Engine{host.Wasm: programs{wasm: o.Wasm}}
			if o.JS != nil {
				engines[host.JS] = o.JS
			}
			return engines, nil
		},
	})
	if err != nil {
		return nil, err
	}
	s := &Server{running: running, tokenFile: filepath.Join(dir, ownerTokenFile)}
	if s.token, err = s.ownerToken(); err != nil {
		return nil, errors.Join(err, running.Shutdown())
	}
	return s, nil
}

// Close ends connections and stops the databases, whose running calls have two seconds to end; everything committed is
// on disk when it returns. The error says what could not be stopped or written.
func (s *Server) Close() error { return s.running.Shutdown() }

// ServeHTTP answers the HTTP and WebSocket interface.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.running.Handler().ServeHTTP(w, r)
}

// Token is the token of the owner of what Publish and PublishLinked make, the same whenever the directory is opened.
func (s *Server) Token() string { return s.token }

// PublishLinked publishes the Go module that is linked into this program, or updates the database of that name to it.
// An update may disconnect clients. What is wrong with the module stands in the error.
func (s *Server) PublishLinked(ctx context.Context, name string, options ...PublishOption) error {
	program, err := native.Program()
	if err != nil {
		return fmt.Errorf("spacetime: %w", err)
	}
	return s.Publish(ctx, name, program, options...)
}

// Publish publishes a WebAssembly module, or updates the database of that name to it. An update may disconnect clients;
// one that would lose data is refused. The error wraps a *StatusError if the server refuses it.
func (s *Server) Publish(ctx context.Context, name string, program []byte, options ...PublishOption) error {
	p := publication{header: http.Header{}}
	for _, o := range options {
		if err := o.apply(&p); err != nil {
			return fmt.Errorf("spacetime: publish %s: %w", name, err)
		}
	}
	path := "/v1/database/" + url.PathEscape(name)
	query, err := s.breakClients(ctx, path, program)
	if err == nil {
		_, err = s.request(ctx, http.MethodPut, path+query, program, p.header)
	}
	var refused *StatusError
	switch isRefused := errors.As(err, &refused); {
	case isRefused && refused.Code == http.StatusUnauthorized:
		return fmt.Errorf("spacetime: publish %s: the owner's token in %s is not valid: %w; restore the keys it was signed with, "+
			"or remove the file to become somebody else, to whom the databases do not belong", name, s.tokenFile, err)
	case isRefused:
		return fmt.Errorf("spacetime: publish %s: %w", name, missingEnv(refused))
	case err != nil:
		return fmt.Errorf("spacetime: publish %s: %w", name, err)
	}
	return nil
}

// breakClients asks for leave to disconnect clients if the update needs it.
func (s *Server) breakClients(ctx context.Context, path string, program []byte) (query string, err error) {
	b, err := s.request(ctx, http.MethodPost, path+"/pre_publish?style=NoColor", program, nil)
	var refused *StatusError
	if errors.As(err, &refused) && refused.Code == http.StatusNotFound {
		return "", nil // it is new
	}
	if err != nil {
		return "", err
	}
	var plan struct {
		AutoMigrate struct {
			BreakClients bool   `json:"break_clients"`
			Token        string `json:"token"`
		}
	}
	if err := json.Unmarshal(b, &plan); err != nil {
		return "", err
	}
	if !plan.AutoMigrate.BreakClients {
		return "", nil
	}
	return "?policy=BreakClients&token=" + url.QueryEscape(plan.AutoMigrate.Token), nil
}

// A StatusError is a refusal by the server, with the text that an HTTP client gets.
type StatusError struct {
	Code int    // of HTTP
	Text string // what is wrong, such as every reason why a migration is impossible
}

// Error returns Text.
func (e *StatusError) Error() string { return e.Text }

// request makes a request as the owner, without a socket.
func (s *Server) request(ctx context.Context, method, path string, body []byte, header http.Header) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	maps.Copy(r.Header, header)
	if s.token != "" {
		r.Header.Set("Authorization", "Bearer "+s.token)
	}
	r.RequestURI = r.URL.RequestURI()
	r.RemoteAddr = "127.0.0.1:0"
	w := answer{header: http.Header{}, code: http.StatusOK}
	s.ServeHTTP(&w, r)
	if w.code != http.StatusOK {
		return nil, &StatusError{w.code, strings.TrimSpace(w.body.String())}
	}
	return w.body.Bytes(), nil
}

// An answer collects what a handler writes.
type answer struct {
	header http.Header
	code   int
	body   bytes.Buffer
}

func (a *answer) Header() http.Header         { return a.header }
func (a *answer) WriteHeader(code int)        { a.code = code }
func (a *answer) Write(b []byte) (int, error) { return a.body.Write(b) }

// ownerToken reads the token of the owner, or makes a new one.
func (s *Server) ownerToken() (string, error) {
	b, err := os.ReadFile(s.tokenFile)
	if err == nil {
		token := strings.TrimSpace(string(b))
		if token == "" {
			return "", fmt.Errorf("spacetime: the owner's token: %s is empty; restore it, or remove it to have a new owner made", s.tokenFile)
		}
		return token, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	if b, err = s.request(context.Background(), http.MethodPost, "/v1/identity", nil, nil); err != nil {
		return "", fmt.Errorf("spacetime: the owner's token: %w", err)
	}
	var made struct{ Token string }
	if err := json.Unmarshal(b, &made); err != nil {
		return "", fmt.Errorf("spacetime: the owner's token: %w", err)
	}
	return made.Token, vfs.WriteFileAtomic(vfs.OS{}, s.tokenFile, []byte(made.Token+"\n"))
}

// programs tells linked-in modules from WebAssembly.
type programs struct {
	native native.Engine
	wasm   Engine
}

func (p programs) Name() string {
	if p.wasm == nil {
		return p.native.Name()
	}
	return p.native.Name() + " and " + p.wasm.Name()
}

func (p programs) Load(ctx context.Context, program []byte, o abi.LoadOptions) (abi.Program, error) {
	if p.wasm == nil || native.IsProgram(program) {
		return p.native.Load(ctx, program, o)
	}
	return p.wasm.Load(ctx, program, o)
}
