package server

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A pair is a certificate for 127.0.0.1 in two files.
func writePair(t *testing.T, dir, name string) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for file, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: private}} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool.AddCert(parsed)
	return pool
}

func secureClient(pool *x509.CertPool, change ...func(*tls.Config)) *http.Client {
	c := &tls.Config{RootCAs: pool}
	for _, f := range change {
		f(c)
	}
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DisableKeepAlives: true}}
}

func TestTLS(t *testing.T) {
	dir := t.TempDir()
	pool := writePair(t, dir, "one")
	o := runOptions(filepath.Join(dir, "data"), io.Discard)
	o.Overrides.Set = []string{"tls.cert-file=" + filepath.Join(dir, "cert.pem"), "tls.key-file=" + filepath.Join(dir, "key.pem")}
	signals := make(chan os.Signal)
	o.Hangup = func() (<-chan os.Signal, func()) { return signals, func() {} }
	r := started(t, o)
	defer func() {
		if err := r.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	ask := func(c *http.Client) (string, error) {
		res, err := c.Get("https://" + r.Addr().String() + "/v1/ping")
		if err != nil {
			return "", err
		}
		_ = res.Body.Close()
		return res.TLS.PeerCertificates[0].Subject.CommonName + " " + res.Proto + " " + res.Status, nil
	}
	if got, err := ask(secureClient(pool)); err != nil || got != "one HTTP/2.0 200 OK" {
		t.Errorf("over TLS: %s, %v", got, err)
	}
	if _, err := ask(secureClient(pool, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS11 })); err == nil {
		t.Error("TLS 1.1 was accepted")
	}
	if got, err := ask(secureClient(pool, func(c *tls.Config) { c.MaxVersion = tls.VersionTLS12 })); err != nil {
		t.Errorf("TLS 1.2: %s, %v", got, err)
	}
	if res, err := http.Get("http://" + r.Addr().String() + "/v1/ping"); err == nil {
		_ = res.Body.Close()
		if res.StatusCode != http.StatusBadRequest {
			t.Errorf("without TLS: %d", res.StatusCode)
		}
	}

	// A handshake over TLS becomes a WebSocket.
	conn, err := tls.Dial("tcp", r.Addr().String(), &tls.Config{RootCAs: pool, NextProtos: []string{"http/1.1"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := io.WriteString(conn, "GET /v1/database/nope/subscribe HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: v2.bsatn.spacetimedb\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	line := make([]byte, 12)
	if _, err := io.ReadFull(conn, line); err != nil || string(line) != "HTTP/1.1 404" {
		t.Errorf("handshake: %q, %v", line, err)
	}

	// New files are in use from the next signal on, bad ones never.
	if err := os.WriteFile(filepath.Join(dir, "key.pem"), []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	signals <- os.Interrupt
	if got, err := ask(secureClient(pool)); err != nil || !strings.HasPrefix(got, "one ") {
		t.Errorf("after bad files: %s, %v", got, err)
	}
	pool = writePair(t, dir, "two")
	signals <- os.Interrupt
	signals <- os.Interrupt // the first one has been dealt with
	if got, err := ask(secureClient(pool)); err != nil || !strings.HasPrefix(got, "two ") {
		t.Errorf("after new files: %s, %v", got, err)
	}
}

// Changed files are found without a signal, too.
func TestCertificateFilesAreWatched(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, "one")
	var log syncBuffer
	c, err := newCertificate(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), slog.New(&lineHandler{level: slog.LevelDebug, out: &lineWriter{all: []lineOutput{{&log, false}}}}))
	if err != nil {
		t.Fatal(err)
	}
	name := func() string {
		got, err := c.get(nil)
		if err != nil {
			t.Fatal(err)
		}
		leaf, err := x509.ParseCertificate(got.Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.Subject.CommonName
	}
	writePair(t, dir, "two, with another length")
	if got := name(); got != "one" {
		t.Errorf("looked too soon: %s", got)
	}
	c.mu.looked = time.Time{}
	if got := name(); got != "two, with another length" {
		t.Errorf("not read again: %s", got)
	}
	if err := os.Remove(filepath.Join(dir, "key.pem")); err != nil {
		t.Fatal(err)
	}
	c.mu.looked = time.Time{}
	if got := name(); got != "two, with another length" {
		t.Errorf("without files: %s", got)
	}
}

func TestBadCertificates(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, "one")
	for _, cert := range []string{"none.pem", "key.pem"} {
		o := runOptions(filepath.Join(dir, "data"), io.Discard)
		o.Overrides.Set = []string{"tls.cert-file=" + filepath.Join(dir, cert), "tls.key-file=" + filepath.Join(dir, "key.pem")}
		if _, err := Start(context.Background(), o); err == nil || !strings.Contains(err.Error(), cert) || !strings.HasPrefix(err.Error(), "[tls] ") {
			t.Errorf("%s: %v", cert, err)
		}
	}
}

func TestLogFilesAreRotated(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/logs"); err != nil {
		t.Fatal(err)
	}
	l, err := openLogFile(mem, "/logs/spacetime-standalone.log", 100, 2)
	if err != nil {
		t.Fatal(err)
	}
	line := func(c byte) string { return strings.Repeat(string(c), 39) + "\n" }
	for c := byte('a'); c <= 'i'; c++ {
		if _, err := l.Write([]byte(line(c))); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"": line('i'), ".1": line('g') + line('h'), ".2": line('e') + line('f')} {
		got, err := vfs.ReadFile(mem, "/logs/spacetime-standalone"+name+".log")
		if err != nil || string(got) != want {
			t.Errorf("file %q: %q, %v; want %q", name, got, err, want)
		}
	}
	entries, err := mem.ReadDir("/logs")
	if err != nil || len(entries) != 3 {
		t.Errorf("%d files, %v", len(entries), err)
	}
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	// What an earlier run has written counts; a line longer than a file has its own.
	if l, err = openLogFile(mem, "/logs/spacetime-standalone.log", 100, 0); err != nil || l.size != 40 {
		t.Fatalf("size %d, %v", l.size, err)
	}
	if _, err := l.Write([]byte(strings.Repeat("x", 500) + "\n")); err != nil {
		t.Fatal(err)
	}
	if got, err := vfs.ReadFile(mem, "/logs/spacetime-standalone.log"); err != nil || len(got) != 501 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
}

// A log that cannot be moved away goes on.
func TestLogGoesOnWhenItCannotRotate(t *testing.T) {
	mem := vfs.NewMem()
	if err := mem.MkdirAll("/logs"); err != nil {
		t.Fatal(err)
	}
	l, err := openLogFile(mem, "/logs/a.log", 10, 3)
	if err != nil {
		t.Fatal(err)
	}
	mem.SetHook(func(op vfs.Op, _ string) error {
		if op == vfs.OpRename {
			return os.ErrPermission
		}
		return nil
	})
	for range 5 {
		if _, err := l.Write([]byte("12345678\n")); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := vfs.ReadFile(mem, "/logs/a.log"); err != nil || len(got) != 45 {
		t.Errorf("%q, %v", got, err)
	}
}

func TestJSONLog(t *testing.T) {
	var out syncBuffer
	o := runOptions(t.TempDir(), &out)
	o.Overrides.Set = []string{"logs.format=json", "logs.level=info", "logs.directives=", "logs.requests=true"}
	r := started(t, o)
	r.want(t, "GET", "/v1/database/nope?token=secret", "", "", 400, "")
	client.CloseIdleConnections()
	if err := r.Shutdown(); err != nil {
		t.Fatal(err)
	}
	file, err := os.ReadFile(filepath.Join(o.DataDir, "logs", "spacetime-standalone.log"))
	if err != nil || len(file) == 0 || !strings.HasSuffix(out.String(), string(file)) {
		t.Errorf("the file is not what was printed: %v\n%s", err, file)
	}
	var request, listening bool
	for line := range bytes.Lines(file) {
		var rec struct {
			Time                                   time.Time
			Level, Msg, Source, Path, Method, Addr string
			Address                                string
			Status                                 int
		}
		if err := json.Unmarshal(line, &rec); err != nil || rec.Time.IsZero() || rec.Level == "" || rec.Msg == "" || !strings.Contains(rec.Source, ".go:") {
			t.Errorf("line %s: %v", line, err)
		}
		listening = listening || rec.Level == "INFO" && strings.HasPrefix(rec.Msg, "Starting SpacetimeDB listening on 127.0.0.1:")
		request = request || rec.Msg == "request" && rec.Path == "/v1/database/nope" && rec.Method == "GET" && rec.Status == 400 && rec.Address == "127.0.0.1"
		if bytes.Contains(line, []byte("secret")) {
			t.Errorf("a token is logged: %s", line)
		}
	}
	if !request || !listening {
		t.Errorf("request %t, listening %t:\n%s", request, listening, file)
	}
}

func TestHealthAndReadiness(t *testing.T) {
	r := newRig(t)
	r.want(r.do("GET", "/healthz", "not a token", ""), 200, "ok\n")
	r.want(r.do("GET", "/readyz", "", ""), 503, `{"state":"starting","databases":{"started":0,"failed":0}}`)
	_, alice := r.identity()
	r.published("main", alice, "program")
	r.launchAll(context.Background())
	r.Server.ready.started.Store(true)
	r.want(r.do("GET", "/readyz", "", ""), 200, `{"state":"ready","databases":{"started":1,"failed":0}}`)
	r.want(r.do("POST", "/readyz", "", ""), 405, "")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Server.Shutdown(ctx); err != nil {
		t.Fatal(err)
	}
	r.want(r.do("GET", "/readyz", "", ""), 503, `{"state":"stopping","databases":{"started":1,"failed":0}}`)
	r.want(r.do("GET", "/healthz", "", ""), 200, "ok\n")
}

// What is counted is how things are now, not how they were at the start.
func TestReadinessCountsLater(t *testing.T) {
	r := newRig(t)
	_, alice := r.identity()
	r.published("one", alice, "program")
	r.published("two", alice, "program")
	r.Server.ready.started.Store(true)
	counts := func(started, failed int) {
		t.Helper()
		r.want(r.do("GET", "/readyz", "", ""), 200, fmt.Sprintf(`{"state":"ready","databases":{"started":%d,"failed":%d}}`, started, failed))
	}
	counts(2, 0)
	for _, replica := range r.fake.Running() {
		if err := r.fake.Stop(context.Background(), replica); err != nil {
			t.Fatal(err)
		}
	}
	counts(0, 0)
	r.fake.noStart = errors.New("broken")
	r.do("GET", "/v1/database/one/schema?version=9", "", "")
	r.do("GET", "/v1/database/one/schema?version=9", "", "")
	r.do("GET", "/v1/database/two/schema?version=9", "", "")
	counts(0, 2)
	r.fake.noStart = nil
	r.do("GET", "/v1/database/one/schema?version=9", "", "")
	counts(1, 1)
	r.want(r.do("DELETE", "/v1/database/two", alice, ""), 200, "")
	counts(1, 0)
}

// The real server becomes ready when its databases have been started.
func TestBecomesReady(t *testing.T) {
	defer client.CloseIdleConnections()
	r := started(t, runOptions(t.TempDir(), io.Discard))
	defer func() {
		if err := r.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	deadline := time.Now().Add(patience)
	for {
		status, body := r.ask(t, "GET", "/readyz", "", "")
		if status == 200 && strings.Contains(body, `"state":"ready"`) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("never ready: %d %s", status, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Whoever connects and does not begin to speak TLS is let go.
func TestSilentHandshakes(t *testing.T) {
	dir := t.TempDir()
	writePair(t, dir, "one")
	o := runOptions(filepath.Join(dir, "data"), io.Discard)
	o.Overrides.Set = []string{"tls.cert-file=" + filepath.Join(dir, "cert.pem"), "tls.key-file=" + filepath.Join(dir, "key.pem"), "http.header-timeout=50ms"}
	r := started(t, o)
	defer func() {
		if err := r.Shutdown(); err != nil {
			t.Error(err)
		}
	}()
	c, err := net.Dial("tcp", r.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if b, err := io.ReadAll(c); err != nil || len(b) > 0 {
		t.Errorf("the connection stays open: %q, %v", b, err)
	}
}
