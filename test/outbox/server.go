package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A server is the binary under test on one data directory and one port.
type server struct {
	binary, root, data, addr string
	log                      *os.File
	cmd                      *exec.Cmd
	ended                    chan struct{}
	http                     http.Client
}

func newServer() *server {
	return &server{
		binary: os.Getenv("SPACETIME"), root: os.Getenv("ROOT"), data: os.Getenv("DATA"), addr: os.Getenv("ADDR"),
		http: http.Client{Timeout: 2 * time.Minute},
	}
}

func (s *server) start(ctx context.Context) (err error) {
	if s.log == nil {
		if s.log, err = os.OpenFile(filepath.Join(filepath.Dir(s.data), "driven.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644); err != nil {
			return err
		}
	}
	s.cmd = exec.Command(s.binary, "--root-dir", s.root, "start", "--listen-addr", s.addr, "--data-dir", s.data)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	ended, cmd := make(chan struct{}), s.cmd
	s.ended = ended
	go func() {
		_ = cmd.Wait() // killed, as a rule
		close(ended)
	}()
	for begin := time.Now(); time.Since(begin) < 2*time.Minute; {
		if status, _, err := s.ask(ctx, http.MethodGet, "/v1/ping", nil); err == nil && status == http.StatusOK {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("the server ended at its start; see %s", s.log.Name())
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("the server does not answer")
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

func (s *server) ask(ctx context.Context, method, path string, body []byte) (int, []byte, error) {
	req, err := http.NewRequestWithContext(ctx, method, "http://"+s.addr+path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+os.Getenv("TOKEN"))
	res, err := s.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = res.Body.Close() }()
	b, err := io.ReadAll(res.Body)
	return res.StatusCode, b, err
}

// rows reads the rows of a query, each a list of JSON values.
func (s *server) rows(ctx context.Context, database, query string) ([][]json.RawMessage, error) {
	status, b, err := s.ask(ctx, http.MethodPost, "/v1/database/"+database+"/sql", []byte(query))
	if err != nil {
		return nil, err
	}
	var results []struct{ Rows [][]json.RawMessage }
	if status != http.StatusOK {
		return nil, fmt.Errorf("%s: %d %s", query, status, b)
	}
	if err := json.Unmarshal(b, &results); err != nil || len(results) != 1 {
		return nil, fmt.Errorf("%s: %s: %v", query, b, err)
	}
	return results[0].Rows, nil
}
