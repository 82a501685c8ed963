package auth

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/stdbgo/spacetime/internal/spec"
)

// A provider is an OpenID Connect issuer for tests.
type provider struct {
	*httptest.Server
	fetches atomic.Int64 // of the key set
	broken  atomic.Bool
	mu      sync.Mutex
	keys    []any // published, as JSON objects
}

func newProvider(t *testing.T) *provider {
	t.Helper()
	p := &provider{}
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if p.broken.Load() {
			http.Error(w, "out of order", http.StatusInternalServerError)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]string{"jwks_uri": p.URL + "/keys"})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		p.fetches.Add(1)
		p.mu.Lock()
		defer p.mu.Unlock()
		_ = json.NewEncoder(w).Encode(map[string]any{"keys": p.keys})
	})
	p.Server = httptest.NewServer(mux)
	t.Cleanup(p.Close)
	return p
}

func (p *provider) publish(keys ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keys = keys
}

func jwk(t *testing.T, key any, kid string) any {
	t.Helper()
	return jose.JSONWebKey{Key: key, KeyID: kid}
}

func rs256(t *testing.T, key *rsa.PrivateKey, header, payload string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	sig, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return input + "." + b64.EncodeToString(sig)
}

func TestForeignIssuer(t *testing.T) {
	spec.Covers(t, "06.14")
	a := newAuthority(t)
	p := newProvider(t)
	ec, other := otherKey(t), otherKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("a published secret of 32 bytes..")
	p.publish(jwk(t, secret, "s"), jwk(t, other.Public(), "o"), jwk(t, ec.Public(), "e"), jwk(t, rsaKey.Public(), "r"))
	payload := fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, p.URL)
	want := IdentityFromClaims(p.URL, "x").String()
	expired := fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1,"exp":%d}`, p.URL, start.Unix()-90)

	for _, tt := range []struct{ name, token, want string }{
		{"ES256 by id", made(t, ec, `{"alg":"ES256","kid":"e"}`, payload), want},
		{"RS256 by id", rs256(t, rsaKey, `{"alg":"RS256","kid":"r"}`, payload), want},
		{"ES256, all tried", made(t, ec, `{"alg":"ES256"}`, payload), want},
		{"RS256, all tried", rs256(t, rsaKey, `{"alg":"RS256"}`, payload), want},
		{"other key's id", made(t, ec, `{"alg":"ES256","kid":"o"}`, payload), "Invalid token: InvalidSignature"},
		{"key of another kind", made(t, ec, `{"alg":"ES256","kid":"r"}`, payload), "Invalid token: InvalidAlgorithm"},
		{"unknown id", made(t, ec, `{"alg":"ES256","kid":"?"}`, payload), "Specified key ID not found in JWKs"},
		{"the published secret", hs256(`{"alg":"HS256","kid":"s"}`, payload, secret), "Invalid token: InvalidAlgorithm"},
		{"expired", made(t, ec, `{"alg":"ES256","kid":"e"}`, expired), "Invalid token: ExpiredSignature"},
		{"unreachable", made(t, ec, es256, `{"sub":"x","iss":"http://127.0.0.1:1/","iat":1}`), "Error fetching public key for issuer http://127.0.0.1:1/"},
		{"with a slash", made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"%s/","iat":1}`, p.URL)), IdentityFromClaims(p.URL+"/", "x").String()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := a.Validate(context.Background(), tt.token)
			if err != nil {
				if err.Error() != tt.want {
					t.Errorf("refused: %v, want %s", err, tt.want)
				}
			} else if c.Identity.String() != tt.want {
				t.Errorf("accepted as %s, want %s", c.Identity, tt.want)
			}
		})
	}
	if got := p.fetches.Load(); got != 2 {
		t.Errorf("%d fetches of the key set, want one for each spelling of the issuer", got)
	}
}

func TestKeySetWithoutIDs(t *testing.T) {
	spec.Covers(t, "06.59")
	a := newAuthority(t)
	p := newProvider(t)
	ec, other := otherKey(t), otherKey(t)
	secret := []byte("a published secret of 32 bytes..")
	p.publish(jwk(t, secret, ""), jwk(t, other.Public(), ""), jwk(t, ec.Public(), ""))
	payload := fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1,"exp":null}`, p.URL)
	for _, header := range []string{es256, `{"alg":"ES256","kid":"anything"}`} {
		if _, err := a.Validate(context.Background(), made(t, ec, header, payload)); err != nil {
			t.Errorf("%s: %v", header, err)
		}
	}
	for _, header := range []string{`{"alg":"HS256"}`, `{"alg":"HS256","kid":"x"}`} {
		if _, err := a.Validate(context.Background(), hs256(header, payload, secret)); err == nil {
			t.Errorf("%s accepted", header)
		}
	}
}

func TestUnknownKeyTypeRefusesTheSet(t *testing.T) {
	a := newAuthority(t)
	p := newProvider(t)
	ec := otherKey(t)
	p.publish(jwk(t, ec.Public(), ""), map[string]string{"kty": "???"})
	_, err := a.Validate(context.Background(), made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, p.URL)))
	if err == nil || !strings.HasPrefix(err.Error(), "Error fetching public key") {
		t.Error(err)
	}
}

// A clock that a test moves.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return start.Add(time.Duration(c.at.Load())) }
func (c *clock) advance(d time.Duration) { c.at.Add(int64(d)) }

func TestCache(t *testing.T) {
	clk := &clock{}
	a := New(Options{Keys: newKeys(t), Now: clk.now, AllowPrivate: true})
	t.Cleanup(a.Close)
	p := newProvider(t)
	first, second := otherKey(t), otherKey(t)
	p.publish(jwk(t, first.Public(), "1"))
	payload := fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, p.URL)
	one := made(t, first, `{"alg":"ES256","kid":"1"}`, payload)
	two := made(t, second, `{"alg":"ES256","kid":"2"}`, payload)
	validate := func(tok string) error { _, err := a.Validate(context.Background(), tok); return err }
	expectFetches := func(want int64) {
		t.Helper()
		a.foreign.wg.Wait() // background refreshes end
		if got := p.fetches.Load(); got != want {
			t.Errorf("%d fetches, want %d", got, want)
		}
	}

	// A failed first fetch is not kept longer than a few seconds.
	p.broken.Store(true)
	if err := validate(one); err == nil {
		t.Fatal("accepted without keys")
	}
	p.broken.Store(false)
	if err := validate(one); err == nil {
		t.Fatal("the failure was not remembered")
	}
	clk.advance(6 * time.Second)
	if err := validate(one); err != nil {
		t.Fatal(err)
	}
	expectFetches(1)

	// An unknown key id refetches, at most every ten seconds.
	if err := validate(two); err == nil {
		t.Fatal("accepted with an unpublished key")
	}
	expectFetches(1)
	p.publish(jwk(t, first.Public(), "1"), jwk(t, second.Public(), "2"))
	clk.advance(11 * time.Second)
	if err := validate(two); err != nil {
		t.Fatal(err)
	}
	expectFetches(2)

	// An old set is used while it is refreshed behind the caller's back.
	p.publish(jwk(t, second.Public(), "2"))
	clk.advance(301 * time.Second)
	if err := validate(one); err != nil {
		t.Fatalf("the old set was not used: %v", err)
	}
	expectFetches(3)
	if err := validate(one); err == nil {
		t.Fatal("the refreshed set is not used")
	}

	// A failed refresh keeps the set.
	p.broken.Store(true)
	clk.advance(301 * time.Second)
	for range 2 {
		if err := validate(two); err != nil {
			t.Fatal(err)
		}
		a.foreign.wg.Wait()
	}

	// Two hours without use forget it.
	clk.advance(7201 * time.Second)
	if err := validate(two); err == nil {
		t.Fatal("an unused set was kept")
	}
}

func TestFirstFetchesAreMerged(t *testing.T) {
	a := newAuthority(t)
	p := newProvider(t)
	ec := otherKey(t)
	p.publish(jwk(t, ec.Public(), ""))
	tok := made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, p.URL))
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if _, err := a.Validate(context.Background(), tok); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	if got := p.fetches.Load(); got != 1 {
		t.Errorf("%d fetches", got)
	}
}

func TestCacheIsBounded(t *testing.T) {
	a := newAuthority(t)
	ec := otherKey(t)
	for i := range cacheMax + 50 {
		_, err := a.Validate(context.Background(), made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"nowhere-%d","iat":1}`, i)))
		if err == nil {
			t.Fatal("accepted")
		}
	}
	if n := len(a.foreign.mu.entries); n > cacheMax {
		t.Errorf("%d issuers remembered", n)
	}
}

func TestAllowedIssuers(t *testing.T) {
	p := newProvider(t)
	ec := otherKey(t)
	p.publish(jwk(t, ec.Public(), ""))
	tok := made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, p.URL))
	for _, tt := range []struct {
		allowed []string
		ok      bool
	}{{nil, true}, {[]string{p.URL + "/"}, true}, {[]string{"https://elsewhere.example"}, false}, {[]string{}, false}} {
		a := New(Options{Keys: newKeys(t), AllowedIssuers: tt.allowed, AllowPrivate: tt.allowed == nil})
		_, err := a.Validate(context.Background(), tok)
		a.Close()
		if (err == nil) != tt.ok {
			t.Errorf("allowed %v: %v", tt.allowed, err)
		}
	}
}

// Nobody can make the server ask private addresses, neither by the issuer of a token
// nor by what a public issuer answers; the operator can.
func TestPrivateIssuers(t *testing.T) {
	ec := otherKey(t)
	p := newProvider(t)
	p.publish(jwk(t, ec.Public(), ""))
	_, port, err := net.SplitHostPort(p.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	token := func(issuer string) string {
		return made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, issuer))
	}
	const hint = ": its address is private; if the server is to trust it, name it in [auth] issuers of config.toml, or set [auth] allow-private-addresses = true"
	var log bytes.Buffer
	a := New(Options{Keys: newKeys(t), TrustedIssuers: []string{"https://elsewhere.example"}, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	defer a.Close()
	asked := func() int64 { return p.fetches.Load() }
	for _, issuer := range []string{
		p.URL, "http://localhost:" + port, "http://[::1]:" + port, "http://[::ffff:127.0.0.1]:" + port, "http://x.localhost:" + port,
		"http://169.254.169.254/latest", "https://10.0.0.1", "http://192.168.1.1:" + port, "http://0.0.0.0:" + port,
	} {
		_, err := a.Validate(context.Background(), token(issuer))
		want := "Error fetching public key for issuer " + issuer + hint
		if strings.Contains(issuer, "x.localhost") { // not every resolver knows it
			want = "Error fetching public key for issuer " + issuer
		}
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%s: %v", issuer, err)
		}
	}
	if asked() > 0 {
		t.Error("the keys were asked for")
	}
	if got := log.String(); strings.Count(got, "\n") != 1 || !strings.Contains(got, "allow-private-addresses") || !strings.Contains(got, "private or special-purpose") {
		t.Errorf("logged:\n%s", got)
	}
	// What a name leads to is not told, but for names that mean this machine anyway.
	if got := whyPrivate("http://db.internal").Error(); got != "Error fetching public key for issuer http://db.internal" {
		t.Error(got)
	}

	for name, o := range map[string]Options{
		"listed": {AllowedIssuers: []string{p.URL}}, "trusted": {TrustedIssuers: []string{p.URL + "/"}}, "all": {AllowPrivate: true},
	} {
		o.Keys = a.keys
		b := New(o)
		if _, err := b.Validate(context.Background(), token(p.URL)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		b.Close()
	}
}

// A public issuer cannot lead the server to a private address.
func TestPublicIssuersLeadNowhere(t *testing.T) {
	ec := otherKey(t)
	inside := newProvider(t)
	inside.publish(jwk(t, ec.Public(), ""))
	for name, h := range map[string]http.HandlerFunc{
		"key set": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = fmt.Fprintf(w, `{"jwks_uri":"%s/keys"}`, inside.URL)
		},
		"redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, inside.URL+r.URL.Path, http.StatusFound)
		},
	} {
		public := httptest.NewServer(h)
		a := New(Options{Keys: newKeys(t)})
		// A name server that says the test's own server is public cannot be had: dial it for the name.
		transport := a.foreign.public.Transport.(*http.Transport)
		guarded := transport.DialContext
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			if address == "public.example:80" {
				return net.Dial(network, public.Listener.Addr().String())
			}
			return guarded(ctx, network, address)
		}
		_, err := a.Validate(context.Background(), made(t, ec, es256, `{"sub":"x","iss":"http://public.example","iat":1}`))
		if err == nil || err.Error() != "Error fetching public key for issuer http://public.example" {
			t.Errorf("%s: %v", name, err)
		}
		a.Close()
		public.Close()
	}
	if inside.fetches.Load() > 0 {
		t.Error("the keys were asked for")
	}
}

// A provider that never answers or never stops must not hold the caller or our memory.
func TestHostileProvider(t *testing.T) {
	a := newAuthority(t)
	ec := otherKey(t)
	flood := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chunk := []byte(strings.Repeat(" ", 64<<10))
		for r.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}))
	defer flood.Close()
	_, err := a.Validate(context.Background(), made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, flood.URL)))
	if err == nil {
		t.Error("flood accepted")
	}

	silent := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	defer silent.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	_, err = a.Validate(ctx, made(t, ec, es256, fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, silent.URL)))
	if err != context.DeadlineExceeded {
		t.Errorf("silent provider: %v", err)
	}
	a.Close() // ends the fetch
}
