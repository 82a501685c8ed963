package cli

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// devSignals ends dev also when its terminal is closed.
func devSignals(ctx context.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(ctx, syscall.SIGHUP)
}

// isLocal reports whether a server is on this machine, as publish sees it.
func (s *serverEntry) isLocal() bool {
	host := strings.Split(s.host, ":")[0]
	return host == "localhost" || host == "127.0.0.1" || strings.HasPrefix(s.host, "[::1]")
}

// reachServer starts a server if the local one does not run.
func (s *devSession) reachServer(ctx context.Context) error {
	if s.o.skipPublish || !s.entry.isLocal() || s.reachable(ctx) {
		return nil
	}
	if !s.o.yes {
		if !s.canAsk() {
			return nil // the first request says what to do
		}
		ok, err := s.menuConfirm(fmt.Sprintf("No server listens at %s. Start one for as long as dev runs?", s.entry.host), true)
		if err != nil || !ok {
			return err
		}
	}
	return s.startServer(ctx)
}

func (s *devSession) reachable(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	res, err := (&api{base: s.entry.url(), entry: s.entry}).open(ctx, request{method: http.MethodGet, path: "/v1/ping"})
	if err != nil {
		return false
	}
	res.Body.Close()
	return true
}

// serverStartTime bounds how long a server may take to start.
const serverStartTime = time.Minute

// startServer starts a server as a child. What it prints goes to a file.
func (s *devSession) startServer(ctx context.Context) error {
	host, port, err := net.SplitHostPort(s.entry.host)
	if err != nil {
		host, port = s.entry.host, "80"
	}
	var args []string
	if s.rootDir != "" {
		args = append(args, "--root-dir", s.path(s.rootDir))
	}
	if s.configPath != "" {
		args = append(args, "--config-path", s.path(s.configPath))
	}
	args = append(args, "start", "--listen-addr", net.JoinHostPort(host, port), "--non-interactive")
	if err := os.MkdirAll(s.dataDir(), 0o755); err != nil {
		return err
	}
	path := filepath.Join(s.dataDir(), "dev-server.log")
	log, err := os.Create(path)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.Path, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.WorkDir, log, log
	if s.serverProcess, err = startChild(cmd); err != nil {
		return because(err, "the server cannot be started")
	}
	fmt.Fprintf(s.Stdout, "Starting a server at %s; its log is %s\n", s.entry.url(), path)
	end := time.After(serverStartTime)
	for !s.reachable(ctx) {
		select {
		case <-s.serverProcess.done:
		case <-end:
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
			continue
		}
		return fail("the server has not started; its log %s says why", path)
	}
	return nil
}

// end stops what dev has started.
func (s *devSession) end() {
	for _, c := range s.types {
		c.Close()
	}
	for _, c := range []*child{s.clientProcess, s.serverProcess} {
		if c != nil {
			c.stop()
		}
	}
}

// chooseDatabase makes up a database on the local server; on another one it asks.
func (s *devSession) chooseDatabase(ctx context.Context) (string, error) {
	if s.entry.isLocal() || s.o.yes {
		return randomDatabase(), nil
	}
	at, err := s.menuSelect("Database selection", []string{"Create new database with random name", "Select from existing databases"})
	if err != nil {
		return "", err
	}
	if at == 0 {
		return randomDatabase(), nil
	}
	a := &api{base: s.entry.url(), entry: s.entry}
	if err := s.authorize(ctx, a); err != nil {
		return "", err
	}
	me, err := tokenIdentity(a.token)
	if err != nil {
		return "", err
	}
	ids, err := a.databasesOf(ctx, me)
	if err != nil {
		return "", err
	}
	if len(ids) == 0 {
		fmt.Fprintf(s.Stdout, "No databases found for %s.\n", me)
		return randomDatabase(), nil
	}
	labels, values := make([]string, len(ids)), make([]string, len(ids))
	for i, id := range ids {
		names, err := a.namesOf(ctx, id)
		if err != nil {
			return "", err
		}
		values[i] = id
		if len(names) > 0 {
			values[i] = names[0]
		}
		labels[i] = fmt.Sprintf("%s (%s...%s)", strings.Join(names, ", "), id[:8], id[len(id)-8:])
	}
	if at, err = s.menuSelect("Select database", labels); err != nil {
		return "", err
	}
	return values[at], nil
}

var (
	adjectives = strings.Fields("amber bold brisk calm clever cosmic crisp dapper eager fair fleet gentle golden happy hardy jolly keen lively lucky mellow merry nimble noble proud quick quiet rapid shiny silent sunny swift tidy vivid warm wise witty")
	nouns      = strings.Fields("badger beacon brook cedar comet coral crane delta ember falcon fern fjord forest garden glacier harbor heron island lagoon lantern maple meadow meteor nebula orbit otter pebble pine prairie quasar raven river summit thistle tulip willow")
)

// randomDatabase makes up a name: two words and four digits.
func randomDatabase() string {
	return fmt.Sprintf("%s-%s-%04d", adjectives[rand.IntN(len(adjectives))], nouns[rand.IntN(len(nouns))], rand.IntN(10000))
}
