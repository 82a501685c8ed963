// Command demo shows the product at work: it starts a server, publishes the Go
// chat module, serves the chat page and follows the module's logs.
//
//	go run ./examples/chat/demo        from the root of the repository
//
// It expects the server's binary at bin/spacetime; `make run` builds it first.
// Everything it stores lies in .work/demo. Ctrl-C ends it and the server.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const defaultServer = "127.0.0.1:3000"

type demo struct {
	spacetime string // the binary
	state     string // data directory, client configuration and the built page
	server    string // address to listen on
	page      string // address of the page
	database  string
}

func main() {
	var d demo
	flag.StringVar(&d.spacetime, "spacetime", "bin/spacetime", "the server's binary")
	flag.StringVar(&d.state, "state", ".work/demo", "folder for everything that the demo stores")
	flag.StringVar(&d.server, "listen", defaultServer, "address of the server")
	flag.StringVar(&d.page, "page", "127.0.0.1:8080", "address of the chat page")
	flag.StringVar(&d.database, "db", "chat", "name of the database")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := d.run(ctx); err != nil && ctx.Err() == nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func (d *demo) run(ctx context.Context) error {
	if _, err := os.Stat(d.spacetime); err != nil {
		return fmt.Errorf("%w; build it by `make run`, from the root of the repository", err)
	}
	var err error
	if d.state, err = filepath.Abs(d.state); err != nil {
		return err
	}
	if err := os.MkdirAll(d.state, 0o755); err != nil {
		return err
	}
	for what, addr := range map[string]string{"server": d.server, "page": d.page} {
		l, err := net.Listen("tcp", addr)
		if err != nil {
			return fmt.Errorf("the %s's address is taken: %w; end what uses it, or choose others: go run ./examples/chat/demo -listen 127.0.0.1:3001 -page 127.0.0.1:8081", what, err)
		}
		_ = l.Close()
	}

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	server := d.command(ctx, "start", "--listen-addr", d.server, "--data-dir", filepath.Join(d.state, "data"))
	server.Stdout = nil
	if server.Stderr, err = os.Create(filepath.Join(d.state, "server.log")); err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Wait() }()
	defer func() { cancel(); <-ended }()
	if err := d.waitForServer(ctx, ended); err != nil {
		ended <- err // for the deferred wait
		return err
	}

	fmt.Println("Building and publishing the chat module; the first time takes a minute or two.")
	if err := d.command(ctx, "publish", "--server", "http://"+d.server, "--project-path", "examples/chat/module", "--yes", d.database).Run(); err != nil {
		return fmt.Errorf("publishing the module: %w", err)
	}
	fmt.Println("Building the chat page.")
	dist, err := bundle(ctx, "examples/chat/web", filepath.Join(d.state, "page"))
	if err != nil {
		return err
	}
	page := &http.Server{Addr: d.page, Handler: http.FileServer(http.Dir(dist)), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		if err := page.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			ended <- err
		}
	}()
	defer page.Close()

	d.greet()
	logs := d.command(ctx, "logs", "--server", "http://"+d.server, "--follow", d.database)
	if err := logs.Start(); err != nil {
		return err
	}
	defer func() { cancel(); _ = logs.Wait() }()
	select {
	case <-ctx.Done():
		return nil
	case err := <-ended:
		ended <- err
		return fmt.Errorf("the server ended: %v; see %s", err, filepath.Join(d.state, "server.log"))
	}
}

// command runs the binary with a client configuration of the demo's own, so that
// the user's is left alone.
func (d *demo) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, d.spacetime, append([]string{"--root-dir", filepath.Join(d.state, "root")}, args...)...)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

func (d *demo) waitForServer(ctx context.Context, ended <-chan error) error {
	for range 200 {
		res, err := http.Get("http://" + d.server + "/v1/ping")
		if err == nil {
			_ = res.Body.Close()
			if res.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-ended:
			text, _ := os.ReadFile(filepath.Join(d.state, "server.log"))
			return fmt.Errorf("the server did not start: %v\n%s", err, text)
		case <-time.After(50 * time.Millisecond):
		}
	}
	return errors.New("the server does not answer")
}

func (d *demo) greet() {
	bin := d.spacetime + " --root-dir " + filepath.Join(d.state, "root")
	database := d.database
	if d.server != defaultServer { // which the command line would ask otherwise
		database = "--server http://" + d.server + " " + d.database
	}
	address := fmt.Sprintf("http://%s/?server=%s&db=%s", d.page, url.QueryEscape("http://"+d.server), d.database)
	fmt.Printf(`
The server runs at http://%s, the module of examples/chat/module in it as database %q.

  Open the chat page, best in two windows:
      %s

  Or try, in another terminal:
      %[4]s call %[5]s send_message '"Hello, World!"'
      %[4]s sql %[5]s "SELECT * FROM message"
      %[4]s sql %[5]s
      %[4]s subscribe %[5]s "SELECT * FROM message"

The module's logs follow; Ctrl-C ends everything.
`, d.server, d.database, address, strings.TrimSpace(bin), database)
}
