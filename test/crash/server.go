package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A server is the binary under test on one data directory and one port.
type server struct {
	binary, dir, addr string
	log               *os.File
	cmd               *exec.Cmd
	ended             chan struct{}
	http              http.Client
}

const config = `[commitlog]
max-segment-size = 2097152
checkpoint-transactions = 2000
keep-segments = 1
`

func newServer(dir string) (*server, error) {
	binary := os.Getenv("SPACETIME")
	if binary == "" {
		binary = "bin/spacetime"
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: run make build first", err)
	}
	// Small segments and many checkpoints: a kill also hits the moments when a new
	// one is begun and when old ones are removed.
	if err := os.MkdirAll(filepath.Join(dir, "data"), 0o755); err != nil {
		return nil, err
	}
	if err := os.WriteFile(filepath.Join(dir, "data", "config.toml"), []byte(config), 0o644); err != nil {
		return nil, err
	}
	addr, err := freeAddr()
	if err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, "server.log"))
	if err != nil {
		return nil, err
	}
	return &server{binary: binary, dir: dir, addr: addr, log: log, http: http.Client{Timeout: 3 * time.Minute}}, nil
}

// freeAddr finds a port that nobody listens on, below those that the system gives to
// outgoing connections: while the server is down, one of these could take it.
func freeAddr() (string, error) {
	var err error
	for range 100 {
		var l net.Listener
		if l, err = net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000))); err == nil {
			return l.Addr().String(), l.Close()
		}
	}
	return "", err
}

func (s *server) data() string { return filepath.Join(s.dir, "data") }

// launch starts the process and does not wait until it serves.
func (s *server) launch() error {
	s.cmd = exec.Command(s.binary, "--root-dir", filepath.Join(s.dir, "root"), "start", "--listen-addr", s.addr, "--data-dir", s.data())
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		return err
	}
	ended, cmd := make(chan struct{}), s.cmd
	s.ended = ended
	go func() {
		_ = cmd.Wait() // killed, as a rule
		close(ended)
	}()
	return nil
}

// check runs the offline check on the data directory and returns what it printed;
// healthy says whether it found no damage.
func (s *server) check() (out string, healthy bool, err error) {
	b, err := exec.Command(s.binary, "--root-dir", filepath.Join(s.dir, "root"), "db", "check", "--data-dir", s.data()).CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 3 {
		return string(b), false, nil
	}
	return string(b), true, err
}

func (s *server) start(ctx context.Context) error {
	if err := s.launch(); err != nil {
		return err
	}
	for begin := time.Now(); time.Since(begin) < 2*time.Minute; {
		if status, _, err := s.ask(ctx, http.MethodGet, "/v1/ping", "", nil); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-s.ended:
			return fmt.Errorf("the server ended at its start; see %s", s.log.Name())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return fmt.Errorf("the server does not answer; see %s", s.log.Name())
}

// kill ends the process by SIGKILL, if there is one, and waits for its end.
func (s *server) kill() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.ended
	s.cmd = nil
	s.http.CloseIdleConnections()
}

func (s *server) ask(ctx context.Context, method, path, token string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	answer, err := io.ReadAll(res.Body)
	return res.StatusCode, answer, err
}

// get asks for path and decodes the answer, which must be a success, into v.
func (s *server) get(ctx context.Context, method, path, token string, body []byte, v any) error {
	status, answer, err := s.ask(ctx, method, path, token, body)
	if err != nil {
		return err
	}
	if status != http.StatusOK {
		return fmt.Errorf("%s %s: %d %s", method, path, status, answer)
	}
	if v == nil {
		return nil
	}
	if err := json.Unmarshal(answer, v); err != nil {
		return fmt.Errorf("%s %s: %w in %.200s", method, path, err, answer)
	}
	return nil
}

// sql runs one statement and returns its rows as JSON.
func (s *server) sql(ctx context.Context, database, token, statement string) ([][]json.RawMessage, error) {
	var results []struct{ Rows [][]json.RawMessage }
	if err := s.get(ctx, http.MethodPost, "/v1/database/"+database+"/sql", token, []byte(statement), &results); err != nil {
		return nil, err
	}
	if len(results) != 1 {
		return nil, fmt.Errorf("%s: %d results", statement, len(results))
	}
	return results[0].Rows, nil
}

// texts is sql for statements that select one column of strings.
func (s *server) texts(ctx context.Context, database, token, statement string) ([]string, error) {
	rows, err := s.sql(ctx, database, token, statement)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(rows))
	for i, row := range rows {
		if len(row) != 1 {
			return nil, fmt.Errorf("%s: a row of %d columns", statement, len(row))
		}
		if err := json.Unmarshal(row[0], &out[i]); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	return out, nil
}
