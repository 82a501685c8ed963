package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"math/big"
	"strings"
	"unicode/utf8"

	"github.com/stdbgo/spacetime/sats"
)

// A token is a JWS in compact form, taken apart and not yet trusted.
type token struct {
	alg     string
	kid     string
	hasKid  bool
	input   string // what the signature covers
	payload []byte
	sig     []byte
}

// algorithms known by name: accepted ones are true. A name outside the table is
// a malformed header, as in the original's decoder.
var algorithms = map[string]bool{
	"ES256": true, "RS256": true,
	"HS256": false, "HS384": false, "HS512": false, "ES384": false, "RS384": false, "RS512": false,
	"PS256": false, "PS384": false, "PS512": false, "EdDSA": false,
}

// maxToken bounds the length of a token. The largest that providers issue, with
// many roles, have some 10 KiB.
const maxToken = 64 << 10

// parseToken checks the outer form of a token and nothing else.
func parseToken(text string) (*token, error) {
	if len(text) > maxToken {
		return nil, refuse("Invalid token: InvalidToken: it has %d bytes, at most %d are read", len(text), maxToken)
	}
	cut := strings.LastIndexByte(text, '.')
	if cut < 0 {
		return nil, refuse("Invalid token: InvalidToken")
	}
	t := &token{input: text[:cut]}
	mid := strings.LastIndexByte(t.input, '.')
	if mid < 0 {
		return nil, refuse("Invalid token: InvalidToken")
	}
	head, err := segment(t.input[:mid])
	if err != nil {
		return nil, err
	}
	if err := t.parseHeader(head); err != nil {
		return nil, err
	}
	if t.payload, err = segment(t.input[mid+1:]); err != nil {
		return nil, err
	}
	if t.sig, err = segment(text[cut+1:]); err != nil {
		return nil, err
	}
	return t, nil
}

func segment(s string) ([]byte, error) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil {
		return nil, refuse("Invalid token: Base64 error: %v", err)
	}
	return b, nil
}

// parseHeader reads `alg` and `kid`; members that are not known may have any type.
func (t *token) parseHeader(b []byte) error {
	members, err := object(b)
	if err != nil {
		return err
	}
	found := false
	for _, m := range members {
		switch m.Name {
		case "alg":
			if t.alg, err = text(m); err != nil {
				return err
			}
			found = true
		case "kid":
			if t.kid, err = text(m); err != nil {
				return err
			}
			t.hasKid = true
		case "crit":
			// Who makes a token says that it must not be accepted by those who do
			// not understand these members (RFC 7515 §4.1.11). We understand none.
			return refuse("Invalid token: JSON error: the header members in `crit` are not supported: %s", clip(string(m.Value)))
		}
	}
	if !found {
		return refuse("Invalid token: JSON error: missing field `alg`")
	}
	accepted, known := algorithms[t.alg]
	switch {
	case !known:
		return refuse("Invalid token: JSON error: unknown variant `%s`, expected `ES256` or `RS256`", t.alg)
	case !accepted:
		return errAlgorithm
	}
	return nil
}

var (
	errAlgorithm = refuse("Invalid token: InvalidAlgorithm")
	errSignature = refuse("Invalid token: InvalidSignature")
	errExpired   = refuse("Invalid token: ExpiredSignature")
)

// verify checks the signature with one public key. The key decides the
// algorithm: a header that names another one is refused, so that no public key
// is ever taken for a shared secret.
func (t *token) verify(key crypto.PublicKey) error {
	digest := sha256.Sum256([]byte(t.input))
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		if t.alg != "ES256" || k.Curve != elliptic.P256() {
			return errAlgorithm
		}
		if len(t.sig) != 64 {
			return errSignature
		}
		r, s := new(big.Int).SetBytes(t.sig[:32]), new(big.Int).SetBytes(t.sig[32:])
		if !ecdsa.Verify(k, digest[:], r, s) {
			return errSignature
		}
	case *rsa.PublicKey:
		if t.alg != "RS256" {
			return errAlgorithm
		}
		if rsa.VerifyPKCS1v15(k, crypto.SHA256, digest[:], t.sig) != nil {
			return errSignature
		}
	default:
		return errAlgorithm
	}
	return nil
}

// claims decodes the payload, whoever signed it. Identity stays zero.
func (t *token) claims() (*Claims, *sats.Identity, error) {
	members, err := object(t.payload)
	if err != nil {
		return nil, nil, err
	}
	c := &Claims{Audience: []string{}, Payload: t.payload}
	var claimed *sats.Identity
	var sub, iss, iat bool
	for _, m := range members {
		switch m.Name {
		case "sub":
			c.Subject, err = text(m)
			sub = true
		case "iss":
			c.Issuer, err = text(m)
			iss = true
		case "iat":
			c.IssuedAt, err = integer(m)
			iat = true
		case "exp":
			c.Expires, err = expiry(m)
		case "aud":
			c.Audience, err = audience(m)
		case "hex_identity":
			claimed, err = hexIdentity(m)
		default:
			c.Extra = append(c.Extra, m)
		}
		if err != nil {
			return nil, nil, err
		}
	}
	for _, f := range []struct {
		name string
		have bool
	}{{"sub", sub}, {"iss", iss}, {"iat", iat}} {
		if !f.have {
			return nil, nil, refuse("Invalid token: JSON error: missing field `%s`", f.name)
		}
	}
	return c, claimed, nil
}

// object splits a JSON object into its members, in order. A name given twice is
// an error: two readers of one token must never see two values.
func object(b []byte) ([]Member, error) {
	if !utf8.Valid(b) {
		return nil, refuse("Invalid token: JSON error: invalid UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(b))
	open, err := d.Token()
	if err != nil {
		return nil, jsonError(err)
	}
	if open != json.Delim('{') {
		return nil, refuse("Invalid token: JSON error: expected an object")
	}
	var members []Member
	seen := map[string]bool{}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return nil, jsonError(err)
		}
		m := Member{Name: name.(string)}
		if seen[m.Name] {
			return nil, refuse("Invalid token: JSON error: duplicate field `%s`", m.Name)
		}
		seen[m.Name] = true
		if err := d.Decode(&m.Value); err != nil {
			return nil, jsonError(err)
		}
		members = append(members, m)
	}
	if _, err := d.Token(); err != nil {
		return nil, jsonError(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse("Invalid token: JSON error: trailing characters")
	}
	return members, nil
}

func jsonError(err error) error {
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return refuse("Invalid token: JSON error: %v", err)
}

func wrongType(m Member, want string) error {
	return refuse("Invalid token: JSON error: invalid value for `%s`: %s, expected %s", m.Name, clip(string(m.Value)), want)
}

// clip keeps an answer about a token short.
func clip(s string) string {
	if len(s) > 64 {
		return s[:61] + "..."
	}
	return s
}

func text(m Member) (string, error) {
	var s string
	if m.Value[0] != '"' || json.Unmarshal(m.Value, &s) != nil {
		return "", wrongType(m, "a string")
	}
	return s, nil
}

func integer(m Member) (int64, error) {
	var n json.Number
	if c := m.Value[0]; c == '"' || json.Unmarshal(m.Value, &n) != nil {
		return 0, wrongType(m, "i64")
	}
	v, err := n.Int64()
	if err != nil {
		return 0, wrongType(m, "i64")
	}
	return v, nil
}

func expiry(m Member) (*int64, error) {
	if string(m.Value) == "null" {
		return nil, nil
	}
	v, err := integer(m)
	if err != nil {
		return nil, err
	}
	if v < 0 {
		return nil, wrongType(m, "a time after 1970")
	}
	return &v, nil
}

func audience(m Member) ([]string, error) {
	if m.Value[0] == '"' {
		s, err := text(m)
		return []string{s}, err
	}
	var list []json.RawMessage
	if m.Value[0] != '[' || json.Unmarshal(m.Value, &list) != nil {
		return nil, wrongType(m, "a string or an array of strings")
	}
	out := make([]string, 0, len(list))
	for _, raw := range list {
		s, err := text(Member{Name: m.Name, Value: raw})
		if err != nil {
			return nil, err
		}
		out = append(out, s)
	}
	return out, nil
}

// hexIdentity reads exactly 64 hexadecimal digits; null is absence.
func hexIdentity(m Member) (*sats.Identity, error) {
	if string(m.Value) == "null" {
		return nil, nil
	}
	s, err := text(m)
	if err != nil {
		return nil, err
	}
	id, err := sats.ParseIdentity(s)
	if err != nil {
		return nil, wrongType(m, "64 hex digits")
	}
	return &id, nil
}

// check applies the rules of spec 06 §3.5 step 5 and fills in the identity.
func (c *Claims) check(claimed *sats.Identity) error {
	switch {
	case len(c.Issuer) > maxClaim:
		return refuse("Issuer too long: %q", c.Issuer)
	case len(c.Subject) > maxClaim:
		return refuse("Subject too long: %q", c.Subject)
	case c.Issuer == "":
		return refuse("Issuer empty")
	case c.Subject == "":
		return refuse("Subject empty")
	}
	c.Identity = IdentityFromClaims(c.Issuer, c.Subject)
	if claimed != nil && *claimed != c.Identity {
		return refuse("Identity mismatch: token identity Identity(%s) does not match computed identity Identity(%s)",
			*claimed, c.Identity)
	}
	return nil
}
