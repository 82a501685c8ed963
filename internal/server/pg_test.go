package server

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/sql"
)

// servePostgres has a server listen for PostgreSQL clients.
func (r *rig) servePostgres() string {
	r.t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- r.ServePostgres(l) }()
	r.t.Cleanup(func() {
		_ = l.Close()
		if err := <-served; err != nil {
			r.t.Error(err)
		}
	})
	return l.Addr().String()
}

// A pgTestClient speaks the protocol by hand.
type pgTestClient struct {
	t    *testing.T
	conn net.Conn
	in   *bufio.Reader
}

func dialPG(t *testing.T, addr string) *pgTestClient {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	return &pgTestClient{t, conn, bufio.NewReader(conn)}
}

// pgStart is a start-up packet.
func pgStart(version uint32, settings ...string) string {
	body := string(binary.BigEndian.AppendUint32(nil, version))
	for _, s := range settings {
		body += s + "\x00"
	}
	return pgPacket("", body+"\x00")
}

func pgPacket(kind, body string) string {
	return kind + string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+4))) + body
}

func pgQuery(text string) string { return pgPacket("Q", text+"\x00") }

// Messages of the extended protocol.
func pgParse(name, text string) string { return pgPacket("P", name+"\x00"+text+"\x00\x00\x00") }
func pgBind(portal, name string) string {
	return pgPacket("B", portal+"\x00"+name+"\x00\x00\x00\x00\x00\x00\x00")
}
func pgExecute(portal string, rows byte) string {
	return pgPacket("E", portal+"\x00\x00\x00\x00"+string(rune(rows)))
}

const pgSync = "S\x00\x00\x00\x04"

func (c *pgTestClient) send(parts ...string) *pgTestClient {
	c.t.Helper()
	if _, err := io.WriteString(c.conn, strings.Join(parts, "")); err != nil {
		c.t.Fatal(err)
	}
	return c
}

// message reads one message in words.
func (c *pgTestClient) message() string {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c.in, head); err != nil {
		if errors.Is(err, io.EOF) || strings.Contains(err.Error(), "reset") {
			return "end"
		}
		c.t.Fatal(err)
	}
	body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
	if _, err := io.ReadFull(c.in, body); err != nil {
		c.t.Fatal(err)
	}
	text := strings.ReplaceAll(strings.Trim(string(body), "\x00"), "\x00", "|")
	switch head[0] {
	case 'R':
		return fmt.Sprintf("auth %d", body[3])
	case 'S', 'K':
		return c.message()
	case 'E':
		return "error " + text
	case 'Z':
		return "ready"
	case 'C':
		if at := strings.Index(text, "server: "); at >= 0 {
			text = text[:at] + "server"
		}
		return "complete " + text
	case 'T':
		return fmt.Sprintf("columns %d", body[1])
	case 'D':
		return "row"
	}
	return string(head[0])
}

// until reads up to a message that begins so, and returns all.
func (c *pgTestClient) until(last string) string {
	var all []string
	for {
		m := c.message()
		if n := len(all); n > 0 && m == "row" && strings.HasPrefix(all[n-1], "row") {
			all[n-1] = "rows"
		} else {
			all = append(all, m)
		}
		if strings.HasPrefix(m, last) || m == "end" {
			return strings.Join(all, "; ")
		}
	}
}

func (c *pgTestClient) want(last, want string) {
	c.t.Helper()
	if got := c.until(last); got != want {
		c.t.Errorf("got %s\nwant %s", got, want)
	}
}

// loginPG logs in to the database db.
func loginPG(t *testing.T, addr, token string) *pgTestClient {
	t.Helper()
	c := dialPG(t, addr).send(pgStart(3<<16, "user", "any", "database", "db"), pgPacket("p", token+"\x00"))
	c.want("ready", "auth 3; auth 0; ready")
	return c
}

func TestPGLogin(t *testing.T) {
	spec.Covers(t, "06.54", "06.55")
	r := newRig(t)
	_, token := r.identity()
	id := r.published("db", token, "program")
	addr := r.servePostgres()
	start := func(settings ...string) string {
		return pgStart(3<<16, append([]string{"user", "any"}, settings...)...)
	}
	password := pgPacket("p", token+"\x00")
	for name, tt := range map[string]struct{ send, want string }{
		"by name":           {start("database", "db") + password, "auth 3; auth 0; ready"},
		"by identity":       {start("database", id) + password, "auth 3; auth 0; ready"},
		"newer minor":       {pgStart(3<<16|9, "database", "db") + password, "v; auth 3; auth 0; ready"},
		"option":            {start("database", "db", "_pq_.x", "1") + password, "v; auth 3; auth 0; ready"},
		"no database":       {start(), "error SFATAL|C3D000|MDatabase name is required; end"},
		"unknown database":  {start("database", "nope") + password, `auth 3; error SFATAL|C3D000|Mdatabase "nope" does not exist; end`},
		"no name":           {start("database", "No Name") + password, `auth 3; error SFATAL|C3D000|Mdatabase "No Name" does not exist; end`},
		"wrong token":       {start("database", "db") + pgPacket("p", "x\x00"), "auth 3; error SFATAL|C28P01|MInvalid token: InvalidToken; end"},
		"no token":          {start("database", "db") + pgPacket("p", "\x00"), "auth 3; error SFATAL|C28P01|MInvalid token: InvalidToken; end"},
		"query too early":   {start("database", "db") + pgQuery("SELECT"), "auth 3; error SFATAL|C08P01|Mexpected the password, got a message of type 'Q'; end"},
		"endless password":  {start("database", "db") + "p\x00\x00\xff\xff", "auth 3; error SFATAL|C08P01|Mpassword: a message of 65535 bytes is not within the limits: at most 10000; end"},
		"malformed":         {start("database", "db") + pgPacket("p", "x"), "auth 3; error SFATAL|C08P01|Mpassword: malformed message; end"},
		"protocol 2":        {pgStart(2<<16, "database", "db"), "end"},
		"protocol 4":        {pgStart(4<<16, "database", "db"), "error SFATAL|C08P01|Munsupported frontend protocol 4.0: server supports 3.0 to 3.2; end"},
		"TLS":               {"\x16\x03\x01\x00\x05", "end"},
		"cancel":            {pgPacket("", "\x04\xd2\x16\x2e\x00\x00\x00\x00\x00\x00\x00\x00"), "end"},
		"broken parameters": {pgPacket("", "\x00\x03\x00\x00user"), "end"},
	} {
		t.Run(name, func(t *testing.T) { dialPG(t, addr).send(tt.send).want("ready", tt.want) })
	}
	c := dialPG(t, addr)
	for _, code := range []byte{0x30, 0x2f} { // GSS, SSL
		c.send("\x00\x00\x00\x08\x04\xd2\x16" + string(rune(code)))
		if b, err := c.in.ReadByte(); err != nil || b != 'N' {
			t.Fatalf("%q, %v", b, err)
		}
	}
	c.send(start("database", "db"), password).want("ready", "auth 3; auth 0; ready")
	// Whoever asks for nothing but encryption is let go.
	c = dialPG(t, addr).send(strings.Repeat("\x00\x00\x00\x08\x04\xd2\x16\x2f", 4))
	if b, err := io.ReadAll(c.in); err == nil && string(b) != "NNNN" {
		t.Errorf("%q", b)
	}
}

func TestPGQueries(t *testing.T) {
	spec.Covers(t, "06.54", "07.39")
	r := newRig(t)
	_, token := r.identity()
	r.published("db", token, "program")
	r.fake.notes()
	addr := r.servePostgres()
	c := loginPG(t, addr, token)
	c.send(pgQuery("SELECT")).want("ready", "columns 2; rows; complete SELECT 2; ready")
	if got := r.fake.notes(); got != "connect; sql; disconnect" {
		t.Errorf("a query asks %s", got)
	}
	c.send(pgQuery("INSERT")).want("ready", "complete inserted: 2, server; ready")
	const missing = "error SERROR|CXX000|M(Sql) no such table: `x`. If the table exists, it may be marked private."
	c.send(pgQuery("nope")).want("ready", missing+"; ready")
	for _, empty := range []string{"", ";", " \n ; "} {
		c.send(pgQuery(empty)).want("ready", "I; ready")
	}
	c.send("d\x00\x00\x00\x05xc\x00\x00\x00\x04f\x00\x00\x00\x05\x00", pgQuery("SELECT")).want("ready", "columns 2; rows; complete SELECT 2; ready")
	c.send(pgQuery("MANY")).want("ready", fmt.Sprintf("columns 1; rows; complete SELECT %d; ready", manyRows))
	// A failure behind rows that have been sent comes after them.
	c.send(pgQuery("BROKEN")).want("ready", "columns 1; rows; error SERROR|CXX000|M(Sql) Division by zero; ready")

	db := r.fake.the(t)
	db.mu.Lock()
	db.reject = &RejectedError{Message: "go away"}
	db.mu.Unlock()
	c.send(pgQuery("SELECT")).want("ready", "error SERROR|CXX000|M(Sql) go away; ready")
	db.mu.Lock()
	db.reject = nil
	db.mu.Unlock()
	if a := r.do("DELETE", "/v1/database/db", token, ""); a.status != 200 {
		t.Fatal(a)
	}
	c.send(pgQuery("SELECT")).want("end", `error SFATAL|C3D000|Mdatabase "db" does not exist; end`)
}

// An answer waits until what it shows is on disk.
func TestPGWaitsForTheDisk(t *testing.T) {
	r := newRig(t)
	_, token := r.identity()
	r.published("db", token, "program")
	db := r.fake.the(t)
	db.setDurable(5)
	c := loginPG(t, r.servePostgres(), token).send(pgQuery("SELECT"))
	_ = c.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if b, err := c.in.Peek(1); err == nil {
		t.Errorf("the answer came first: %q", b)
	}
	_ = c.conn.SetDeadline(time.Now().Add(patience))
	db.setDurable(6)
	c.want("ready", "columns 2; rows; complete SELECT 2; ready")
}

func TestPGExtended(t *testing.T) {
	r := newRig(t)
	_, token := r.identity()
	r.published("db", token, "program")
	c := loginPG(t, r.servePostgres(), token)
	describe := func(kind, name string) string { return pgPacket("D", kind+name+"\x00") }
	c.send(pgParse("", "SELECT"), pgBind("", ""), describe("P", ""), pgExecute("", 0), pgSync).
		want("ready", "1; 2; columns 2; rows; complete SELECT 2; ready")
	c.send(pgParse("s", "INSERT"), describe("S", "s"), pgBind("p", "s"), describe("P", "p"), pgExecute("p", 0), pgSync).
		want("ready", "1; t; n; 2; n; complete INSERT 0 2; ready")
	c.send(pgBind("", "s"), pgExecute("", 0), pgSync).want("ready", "2; complete INSERT 0 2; ready") // again
	c.send(pgParse("", ""), pgBind("", ""), describe("P", ""), pgExecute("", 0), pgSync).want("ready", "1; 2; n; I; ready")
	c.send(pgSync).want("ready", "ready")
	c.send(pgParse("", "MANY"), pgBind("", ""), pgExecute("", 3), pgExecute("", 0), pgSync).
		want("ready", `1; 2; rows; s; error SERROR|C55000|Mportal "" cannot be run again or continued: read large results in parts with ORDER BY, LIMIT and OFFSET; ready`)
	// After a failure nothing is done up to the Sync, not even a simple query.
	c.send(pgParse("", "nope"), pgBind("", ""), pgExecute("", 0), pgQuery("SELECT"), pgSync, pgQuery("INSERT")).
		want("ready", "error SERROR|CXX000|M(Sql) no such table: `x`. If the table exists, it may be marked private.; ready")
	c.want("ready", "complete inserted: 2, server; ready")
	for send, want := range map[string]string{
		pgBind("", "nope"):     "error SERROR|C26000|MStatement not found for name: nope",
		describe("S", "nope"):  "error SERROR|C26000|MStatement not found for name: nope",
		describe("P", "nope"):  `error SERROR|C34000|Mportal "nope" does not exist`,
		pgExecute("nope", 0):   `error SERROR|C34000|Mportal "nope" does not exist`,
		pgParse("s", "SELECT"): `error SERROR|C42P05|Mprepared statement "s" already exists`,
		pgPacket("B", "\x00s\x00\x00\x00\x00\x01\xff\xff\xff\xff\x00\x00"): `error SERROR|C08P01|Mbind message supplies 1 parameters, but prepared statement "s" requires 0`,
	} {
		c.send(send, pgSync).want("ready", want+"; ready")
	}
	c.send(pgPacket("C", "Ss\x00"), pgPacket("C", "Pnope\x00"), pgParse("s", "SELECT"), pgBind("", "s"), pgPacket("C", "P\x00"), pgExecute("", 0), pgSync).
		want("ready", `3; 3; 1; 2; 3; error SERROR|C34000|Mportal "" does not exist; ready`)
	c.send(pgBind("", "s"), "H\x00\x00\x00\x04").want("2", "2") // Flush
	c.send(pgSync, pgExecute("", 0), pgSync).want("error", `ready; error SERROR|C34000|Mportal "" does not exist`)
	c.want("ready", "ready")
	c.send(pgPacket("B", "x")).want("end", "error SFATAL|C08P01|Mmalformed message of type 'B'; end")
}

// What a session may keep is bounded.
func TestPGBounds(t *testing.T) {
	r := newRig(t)
	_, token := r.identity()
	r.published("db", token, "program")
	addr := r.servePostgres()
	c := loginPG(t, addr, token)
	c.send(pgParse("s0", ""), pgSync).want("ready", "1; ready")
	n := 0
	for ; n < 40; n++ {
		c.send(pgParse(fmt.Sprint("big", n), strings.Repeat(" ", 1<<20)), pgSync)
		if m := c.until("ready"); strings.Contains(m, "C54000") {
			break
		}
	}
	if n != pgMaxTexts>>20 {
		t.Errorf("%d statements of a MiB are kept", n)
	}
	for n = 0; n < pgMaxPortals+10; n++ {
		c.send(pgBind(fmt.Sprint("p", n), "s0"), "H\x00\x00\x00\x04")
		if m := c.message(); strings.Contains(m, "C54000") {
			break
		}
	}
	if n != pgMaxPortals {
		t.Errorf("%d portals are kept", n)
	}
	c.send(pgSync, pgBind("p", "s0"), pgSync).want("2", "ready; 2")
	c.want("ready", "ready")
	c.send("Q\x7f\xff\xff\xff").want("end", "error SFATAL|C54000|Ma message of 2147483647 bytes is not within the limits: at most 2097152; end")
}

func TestPGConnections(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Postgres.MaxConnections = 2 })
	_, token := r.identity()
	r.published("db", token, "program")
	addr := r.servePostgres()
	a := loginPG(t, addr, token)
	loginPG(t, addr, token)
	dialPG(t, addr).send(pgStart(3<<16, "database", "db")).
		want("end", "error SFATAL|C53300|Msorry, too many clients already: at most 2 ([postgres] max-connections in config.toml); end")
	a.send("X\x00\x00\x00\x04")
	_ = a.conn.Close()
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) { // there is room again
		c := dialPG(t, addr).send(pgStart(3<<16, "database", "db"), pgPacket("p", token+"\x00"))
		if got := c.until("ready"); strings.HasSuffix(got, "ready") {
			break
		} else if time.Now().After(end) {
			t.Fatal(got)
		}
		_ = c.conn.Close()
	}
}

// Whoever does not log in is let go.
func TestPGStartupTimeout(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Postgres.StartupTimeout = 50 * time.Millisecond })
	addr := r.servePostgres()
	for _, part := range []string{"", "\x00\x00", pgStart(3<<16, "database", "db")} {
		c := dialPG(t, addr).send(part)
		if got := c.until("end"); got != "end" && got != "auth 3; end" {
			t.Error(got)
		}
	}
}

// Sessions have identities of their own, whoever logged in last.
func TestPGIdentities(t *testing.T) {
	spec.Covers(t, "06.56")
	r := newRig(t)
	_, alice := r.identity()
	_, bob := r.identity()
	r.published("db", alice, "program")
	addr := r.servePostgres()
	who := func(c *pgTestClient) string {
		c.send(pgQuery("WHO"))
		defer c.until("ready")
		for {
			head := make([]byte, 5)
			if _, err := io.ReadFull(c.in, head); err != nil {
				t.Fatal(err)
			}
			body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
			if _, err := io.ReadFull(c.in, body); err != nil {
				t.Fatal(err)
			}
			if head[0] == 'D' {
				return string(body)
			}
		}
	}
	a := loginPG(t, addr, alice)
	first := who(a)
	b := loginPG(t, addr, bob)
	if second := who(b); second == first || who(a) != first || who(b) != second {
		t.Error("sessions have each other's identity")
	}
}

// A statement ends when its client leaves, and a client that does not read is let go.
func TestPGGone(t *testing.T) {
	r := newRig(t)
	r.pace.write = 50 * time.Millisecond
	_, token := r.identity()
	r.published("db", token, "program")
	addr := r.servePostgres()
	c := loginPG(t, addr, token)
	r.fake.notes()
	c.send(pgQuery("FOREVER"))
	seen := ""
	wait := func(want string) {
		t.Helper()
		for end := time.Now().Add(patience); !strings.Contains(seen, want); time.Sleep(time.Millisecond) {
			seen += r.fake.notes()
			if time.Now().After(end) {
				t.Fatalf("no %s in %q", want, seen)
			}
		}
	}
	wait("forever")
	_ = c.conn.Close()
	wait("gone")
	wait("disconnect")

	slow := loginPG(t, addr, token)
	_ = slow.conn.(*net.TCPConn).SetReadBuffer(4096)
	slow.send(strings.Repeat(pgQuery("MANY"), 4))
	for end := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		r.pg.mu.Lock()
		n := len(r.pg.mu.all)
		r.pg.mu.Unlock()
		if n == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("%d sessions are left", n)
		}
	}
}

func TestPGShutdown(t *testing.T) {
	r := newRig(t)
	_, token := r.identity()
	r.published("db", token, "program")
	addr := r.servePostgres()
	idle := loginPG(t, addr, token)
	half := dialPG(t, addr).send(pgStart(3<<16, "database", "db"))
	half.want("auth", "auth 3")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := r.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	idle.want("end", "error SFATAL|C57P01|Mterminating connection due to administrator command; end")
	half.want("end", "end")
	if conn, err := net.Dial("tcp", addr); err == nil {
		_ = conn.Close()
		t.Error("the port is still open")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.ServePostgres(l); err != nil {
		t.Error(err)
	}
}

// Garbage after the login ends the session, and nothing else.
func FuzzPGSession(f *testing.F) {
	f.Add([]byte(pgQuery("SELECT") + pgParse("", "SELECT") + pgBind("", "") + pgExecute("", 0) + pgSync))
	f.Add([]byte(pgParse("a", "INSERT") + pgPacket("D", "Sa\x00") + pgPacket("C", "Sa\x00") + pgSync + "X\x00\x00\x00\x04"))
	f.Add([]byte("F\x00\x00\x00\x04"))
	r := newRig(f)
	_, token := r.identity()
	r.published("db", token, "program")
	f.Fuzz(func(t *testing.T, data []byte) {
		here, there := net.Pipe()
		r.startPostgres(there)
		_ = here.SetDeadline(time.Now().Add(patience))
		go func() {
			_, _ = io.WriteString(here, pgStart(3<<16, "database", "db")+pgPacket("p", token+"\x00"))
			_, _ = here.Write(data)
			_, _ = io.WriteString(here, pgSync+"X\x00\x00\x00\x04")
			_ = here.Close()
		}()
		_, _ = io.Copy(io.Discard, here)
		r.pg.running.Wait()
	})
}

func TestPGWords(t *testing.T) {
	for text, at := range map[string]struct {
		pos  sql.Pos
		want int
	}{
		"abc":    {sql.Pos{Line: 1, Column: 3}, 3},
		"ü\n\nx": {sql.Pos{Line: 3, Column: 1}, 4},
		"ab":     {sql.Pos{Line: 1, Column: 3}, 3},
		"a":      {sql.Pos{Line: 2, Column: 1}, 0},
		"x":      {sql.Pos{}, 0},
	} {
		if got := position(text, at.pos); got != at.want {
			t.Errorf("%q %v: %d, want %d", text, at.pos, got, at.want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0.00ns", 999: "999.00ns", 1720 * time.Microsecond: "1.72ms", 500 * time.Microsecond: "500.00µs", 90 * time.Second: "90.00s",
	} {
		if got := shortDuration(d); got != want {
			t.Errorf("%v: %s, want %s", d, got, want)
		}
	}
}

// farConn is a connection from another machine.
type farConn struct{ net.Conn }

func (farConn) RemoteAddr() net.Addr {
	return &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 5}
}

// One identity may ask so often, and have so many sessions, as over HTTP.
func TestPGLimits(t *testing.T) {
	r := newRig(t, func(o *Options) {
		o.Limits = Limits{SessionsPerIdentity: 1, RequestsPerIdentity: 1, RequestBurst: 2}
		o.Now = func() time.Time { return time.Unix(1_700_000_000, 0) }
	})
	_, token := r.identity()
	r.published("db", token, "program")
	far := func() *pgTestClient {
		here, there := net.Pipe()
		t.Cleanup(func() { _ = here.Close() })
		_ = here.SetDeadline(time.Now().Add(patience))
		r.startPostgres(farConn{there})
		c := &pgTestClient{t, here, bufio.NewReader(here)}
		c.send(pgStart(3<<16, "database", "db"))
		c.want("auth", "auth 3")
		return c.send(pgPacket("p", token+"\x00"))
	}
	c := far()
	c.want("ready", "auth 0; ready")
	for range 2 {
		c.send(pgQuery("INSERT")).want("ready", "complete inserted: 2, server; ready")
	}
	got := c.send(pgQuery("INSERT")).until("ready")
	if !strings.HasPrefix(got, "error SERROR|C53400|MToo many requests of your identity: try again in 1 s") || !strings.HasSuffix(got, "; ready") {
		t.Error(got)
	}
	if got := far().until("end"); !strings.HasPrefix(got, "error SFATAL|C53300|MToo many connections of your identity") {
		t.Error(got)
	}
}

// With a certificate clients talk TLS, and nothing else.
func TestPGTLS(t *testing.T) {
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"localhost"}, NotAfter: time.Now().Add(time.Hour)}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, func(o *Options) {
		o.Postgres.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{cert}, PrivateKey: key}}}
	})
	_, token := r.identity()
	r.published("db", token, "program")
	addr := r.servePostgres()
	dialPG(t, addr).send(pgStart(3<<16, "database", "db")).
		want("end", "error SFATAL|C28000|Mconnections without TLS are not served: use sslmode=require, or a higher one; end")
	const request = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	c := dialPG(t, addr).send(request)
	if b, err := c.in.ReadByte(); err != nil || b != 'S' {
		t.Fatalf("%q, %v", b, err)
	}
	pool := x509.NewCertPool()
	if trusted, err := x509.ParseCertificate(cert); err == nil {
		pool.AddCert(trusted)
	}
	secure := tls.Client(c.conn, &tls.Config{RootCAs: pool, ServerName: "localhost"})
	c = &pgTestClient{t, secure, bufio.NewReader(secure)}
	c.send(pgStart(3<<16, "database", "db"), pgPacket("p", token+"\x00")).want("ready", "auth 3; auth 0; ready")
	c.send(pgQuery("MANY")).want("ready", fmt.Sprintf("columns 1; rows; complete SELECT %d; ready", manyRows))
	// What comes in the clear before the handshake is not taken for what comes after it.
	c = dialPG(t, addr).send(request + pgStart(3<<16, "database", "db"))
	if got, _ := io.ReadAll(c.in); strings.Contains(string(got), "R\x00\x00\x00\x08") {
		t.Errorf("it is asked for a password: %q", got)
	}
}
