// Package auth issues and validates the tokens by which clients are known, and
// derives identities from them (spec 06 §3).
//
// It owns the server's key pair and the cache of the key sets of foreign
// issuers. It promises that a key is used only with its own algorithm, that
// every fetch caused by an unauthenticated caller is bounded in time, size and
// number, and that the text of an [Error] is the answer clients know. It knows
// nothing of HTTP requests to this server, databases or permissions.
package auth

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/stdbgo/spacetime/sats"
)

const (
	// LocalIssuer is the `iss` of tokens that this server issues on its own.
	LocalIssuer = "localhost"
	// Audience is the one member of their `aud`.
	Audience = "spacetimedb"
	// ShortLived is how long a token for a WebSocket URL lives (spec 06 §3.4).
	ShortLived = 60 * time.Second
	// leeway is granted after `exp`.
	leeway = 60 * time.Second
	// maxClaim bounds `iss` and `sub`, in bytes.
	maxClaim = 128
)

// An Error refuses a token. Its text is the body of the 401 answer (spec 06 §3.6).
type Error struct{ Text string }

func (e *Error) Error() string { return e.Text }

func refuse(format string, args ...any) error { return &Error{Text: fmt.Sprintf(format, args...)} }

// A Member is a claim that has no meaning here and is kept as it came.
type Member struct {
	Name  string
	Value json.RawMessage
}

// Claims are the validated content of a token.
type Claims struct {
	Identity sats.Identity // derived from Issuer and Subject
	Issuer   string
	Subject  string
	Audience []string // never nil
	IssuedAt int64    // Unix seconds
	Expires  *int64   // Unix seconds; nil: never
	Extra    []Member // in the order of the token
	Payload  []byte   // the payload segment, decoded, byte for byte: what modules see (spec 06 §3.7)
}

// Options of an Authority. The zero value of each field works, but for Keys.
type Options struct {
	Keys *Keys
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Rand gives subjects and signatures their randomness; nil is crypto/rand.
	Rand io.Reader
	// AllowedIssuers, if not nil, are the only foreign issuers whose keys are fetched.
	// Tokens signed with the local key are accepted in any case.
	AllowedIssuers []string
	// TrustedIssuers, as well as AllowedIssuers, may have private addresses, and are
	// reached through the proxy that the environment names. Anybody can name any other
	// issuer: these must be public.
	TrustedIssuers []string
	// AllowPrivate lets every issuer have a private address.
	AllowPrivate bool
	// Logger is told why keys could not be fetched; nil: nobody.
	Logger *slog.Logger
}

// An Authority issues and validates tokens. It is safe for concurrent use;
// Close it to stop its background fetches.
type Authority struct {
	keys    *Keys
	now     func() time.Time
	rand    io.Reader
	foreign *issuers
}

// New makes an Authority.
func New(o Options) *Authority {
	a := &Authority{keys: o.Keys, now: o.Now, rand: o.Rand}
	if a.now == nil {
		a.now = time.Now
	}
	if a.rand == nil {
		a.rand = rand.Reader
	}
	a.foreign = newIssuers(a.now, &o)
	return a
}

// Close cancels fetches that are under way and waits for them.
func (a *Authority) Close() { a.foreign.close() }

// PublicKeyPEM is the public key file's content, verbatim.
func (a *Authority) PublicKeyPEM() []byte { return a.keys.publicPEM }

// NewIdentity allocates an anonymous identity: a fresh subject of the local
// issuer and a token for it that does not expire. Nothing is stored.
func (a *Authority) NewIdentity() (sats.Identity, string, error) {
	sub, err := uuid.NewRandomFromReader(a.rand)
	if err != nil {
		return sats.Identity{}, "", fmt.Errorf("auth: draw a subject: %w", err)
	}
	c := &Claims{Issuer: LocalIssuer, Subject: sub.String(), Audience: []string{Audience}}
	c.Identity = IdentityFromClaims(c.Issuer, c.Subject)
	token, err := a.sign(c)
	return c.Identity, token, err
}

// ShortLived signs the claims anew with the local key, to expire in a minute
// (spec 06 §3.4). The claims may be those of a foreign issuer.
func (a *Authority) ShortLived(c *Claims) (string, error) {
	again := *c
	exp := a.seconds() + int64(ShortLived/time.Second)
	again.Expires = &exp
	return a.sign(&again)
}

// seconds is the current time in Unix seconds, rounded to the nearest.
func (a *Authority) seconds() int64 { return a.now().Add(500 * time.Millisecond).Unix() }

// header is the first segment of every token we sign: {"typ":"JWT","alg":"ES256"}.
var header = base64.RawURLEncoding.EncodeToString([]byte(`{"typ":"JWT","alg":"ES256"}`))

// sign encodes the claims, members in the order of spec 06 §3.3. `exp` is left
// out when there is no expiry: strict readers refuse a null.
func (a *Authority) sign(c *Claims) (string, error) {
	var b bytes.Buffer
	b.WriteString(`{"hex_identity":"` + c.Identity.String() + `","sub":`)
	writeJSON(&b, c.Subject)
	b.WriteString(`,"iss":`)
	writeJSON(&b, c.Issuer)
	b.WriteString(`,"aud":`)
	writeJSON(&b, c.Audience)
	b.WriteString(`,"iat":` + strconv.FormatInt(a.seconds(), 10))
	if c.Expires != nil {
		b.WriteString(`,"exp":` + strconv.FormatInt(*c.Expires, 10))
	}
	for _, m := range c.Extra {
		b.WriteByte(',')
		writeJSON(&b, m.Name)
		b.WriteByte(':')
		b.Write(m.Value)
	}
	b.WriteByte('}')

	return a.signPayload(b.Bytes())
}

// writeJSON appends v without the escapes meant for HTML.
func writeJSON(b *bytes.Buffer, v any) {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // strings and slices of them always encode
	b.Truncate(b.Len() - 1)
}

// trimIssuer is how issuers are compared with settings: without trailing slashes.
func trimIssuer(iss string) string { return strings.TrimRight(iss, "/") }
