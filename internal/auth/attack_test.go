package auth

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

var raw64 = base64.RawURLEncoding

// resigned replaces the signature of a token.
func resigned(token string, sig []byte) string {
	return token[:strings.LastIndexByte(token, '.')+1] + raw64.EncodeToString(sig)
}

// signature is r and s, 32 bytes each.
func signature(r, s *big.Int) []byte {
	return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
}

// An attack is a token that must not be accepted, however it is made.
type attack struct{ name, token string }

// Whoever knows the public key, some good tokens and how tokens are made gets
// nowhere. The same attacks are made on the local key and on an issuer's.
func TestAttacks(t *testing.T) {
	a := newAuthority(t)
	p := newProvider(t)
	theirs := otherKey(t)
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(jwk(t, theirs.Public(), "e"), jwk(t, rsaKey.Public(), "r"))
	for _, target := range []struct {
		name, issuer string
		key          *ecdsa.PrivateKey
	}{{"local", LocalIssuer, a.keys.private}, {"issuer", p.URL, theirs}} {
		t.Run(target.name, func(t *testing.T) {
			payload := fmt.Sprintf(`{"sub":"alice","iss":"%s","iat":%d}`, target.issuer, start.Unix())
			good := made(t, target.key, es256, payload)
			if c, err := a.Validate(context.Background(), good); err != nil || c.Subject != "alice" {
				t.Fatalf("the good token: %v", err)
			}
			for _, x := range attacks(t, a, target.issuer, target.key, rsaKey, payload, good) {
				if c, err := a.Validate(context.Background(), x.token); err == nil {
					t.Errorf("%s: accepted as %s of %s", x.name, c.Subject, c.Issuer)
				} else if _, refused := err.(*Error); !refused {
					t.Errorf("%s: %T %v", x.name, err, err)
				}
			}
		})
	}
}

func attacks(t *testing.T, a *Authority, issuer string, key *ecdsa.PrivateKey, rsaKey *rsa.PrivateKey, payload, good string) (all []attack) {
	t.Helper()
	add := func(name, token string) { all = append(all, attack{name, token}) }
	head, rest, _ := strings.Cut(good, ".")
	body, _, _ := strings.Cut(rest, ".")
	sig, err := raw64.DecodeString(good[strings.LastIndexByte(good, '.')+1:])
	if err != nil {
		t.Fatal(err)
	}
	n := key.Params().N
	r, s := new(big.Int).SetBytes(sig[:32]), new(big.Int).SetBytes(sig[32:])
	der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
	if err != nil {
		t.Fatal(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	jwkText, err := json.Marshal(jwk(t, otherKey(t).Public(), "e"))
	if err != nil {
		t.Fatal(err)
	}
	mine := otherKey(t)

	// No signature, or one of another kind.
	for _, alg := range []string{"none", "None", "NONE", "nOnE", ""} {
		h := raw64.EncodeToString([]byte(`{"typ":"JWT","alg":"` + alg + `"}`))
		add("alg "+alg, h+"."+body+".")
		add("alg "+alg+" with a signature", resigned(h+"."+body+".", sig))
	}
	add("empty signature", head+"."+body+".")
	for _, alg := range []string{"HS256", "HS384", "HS512"} {
		for name, secret := range map[string][]byte{"PEM": a.keys.publicPEM, "SPKI": spki, "point": point, "x": point[1:33], "nothing": nil} {
			add(alg+" with "+name, hs256(`{"alg":"`+alg+`"}`, payload, secret))
		}
	}
	for _, alg := range []string{"ES384", "ES512", "ES256K", "PS256", "RS512", "EdDSA", "Ed25519", "es256", "ES256 ", "ES256\u0000"} {
		add("alg "+alg, made(t, key, fmt.Sprintf(`{"alg":%q}`, alg), payload))
	}
	add("RS256 over the EC key", made(t, key, `{"alg":"RS256"}`, payload))
	if issuer == LocalIssuer {
		add("RS256 by an issuer's key", rs256(t, rsaKey, `{"alg":"RS256","kid":"r"}`, payload))
	}
	add("ES256 by the RSA key", rs256(t, rsaKey, `{"alg":"ES256","kid":"r"}`, payload))

	// Signatures that are no numbers of the curve, or not in the form.
	zero, one := new(big.Int), big.NewInt(1)
	minus := new(big.Int).Sub(n, one)
	for name, pair := range map[string][2]*big.Int{
		"0, 0": {zero, zero}, "0, s": {zero, s}, "r, 0": {r, zero}, "n, s": {n, s}, "r, n": {r, n}, "n, n": {n, n}, "1, 1": {one, one},
		"n-1, n-1": {minus, minus}, "r, r": {r, r}, "s, r": {s, r}, "n-r, s": {new(big.Int).Sub(n, r), s},
	} {
		add("signature "+name, resigned(good, signature(pair[0], pair[1])))
	}
	add("signature all ones", resigned(good, bytes.Repeat([]byte{0xff}, 64)))
	add("signature in DER", resigned(good, der))
	add("signature of 63 bytes", resigned(good, sig[:63]))
	add("signature of 65 bytes", resigned(good, append(bytes.Clone(sig), 0)))
	add("signature of 96 bytes", resigned(good, append(bytes.Clone(sig), sig[:32]...)))
	add("signature with zeros before", resigned(good, append(append(append([]byte{0}, sig[:32]...), 0), sig[32:]...)))
	add("signature of the payload alone", resigned(good, signedBytes(t, key, body)))
	add("signature of the decoded text", resigned(good, signedBytes(t, key, `{"typ":"JWT","alg":"ES256"}.`+payload)))
	add("another signature of the same key", resigned(good, signedBytes(t, key, "hello")))
	add("another key", made(t, mine, es256, payload))

	// Keys that the token brings along or points to.
	for name, member := range map[string]string{
		"jwk": `"jwk":` + string(jwkText), "jku": `"jku":"https://evil.example/keys"`, "x5u": `"x5u":"https://evil.example/cert"`,
		"x5c": `"x5c":["` + base64.StdEncoding.EncodeToString(spki) + `"]`, "kid": `"kid":"../../../../dev/null"`,
		"kid, SQL": `"kid":"x' UNION SELECT 'secret"`, "kid, a file": `"kid":"/etc/passwd"`, "kid, shell": `"kid":"|/bin/sh"`, "kid, a URL": `"kid":"https://evil.example/"`,
	} {
		add("own key by "+name, made(t, mine, `{"alg":"ES256",`+member+`}`, payload))
	}
	add("crit", made(t, key, `{"alg":"ES256","crit":["exp"],"exp":1}`, payload))
	add("payload not encoded", head+"."+payload+"."+raw64.EncodeToString(sig))
	add("b64 false", made(t, key, `{"alg":"ES256","b64":false,"crit":["b64"]}`, payload))

	// Two readers must not see two tokens.
	add("alg twice", made(t, key, `{"alg":"ES256","alg":"none"}`, payload))
	add("kid twice", made(t, key, `{"alg":"ES256","kid":"e","kid":"r"}`, payload))
	for _, claim := range []string{`"sub":"root"`, `"iss":"` + issuer + `"`, `"iat":1`} {
		add("twice "+claim, made(t, key, es256, strings.TrimSuffix(payload, "}")+","+claim+"}"))
	}
	add("exp twice", made(t, key, es256, strings.TrimSuffix(payload, "}")+`,"exp":1,"exp":99999999999}`))
	add("escaped twin", made(t, key, es256, strings.TrimSuffix(payload, "}")+`,"s\u0075b":"root"}`))
	add("more behind the payload", made(t, key, es256, payload+`{"sub":"root"}`))
	add("changed payload", head+"."+raw64.EncodeToString([]byte(strings.Replace(payload, "alice", "admin", 1)))+"."+raw64.EncodeToString(sig))
	add("changed header", raw64.EncodeToString([]byte(`{"alg":"ES256"}`))+"."+body+"."+raw64.EncodeToString(sig))
	add("standard base64", strings.NewReplacer("-", "+", "_", "/").Replace(good)+"==")
	add("padding", head+"=."+body+"."+raw64.EncodeToString(sig))
	add("white space", " "+good)
	add("line feed", head+".\n"+body+"."+raw64.EncodeToString(sig))
	add("bits behind the end", good[:len(good)-1]+bumped(good[len(good)-1:]))
	add("five parts", good+".."+"x")
	add("JSON serialization", fmt.Sprintf(`{"payload":%q,"protected":%q,"signature":%q}`, body, head, raw64.EncodeToString(sig)))
	add("too long", made(t, key, es256, strings.TrimSuffix(payload, "}")+`,"x":"`+strings.Repeat("x", 64<<10)+`"}`))
	add("long header", raw64.EncodeToString([]byte(`{"alg":"ES256","x":"`+strings.Repeat("x", 1<<20)+`"}`))+"."+body+"."+raw64.EncodeToString(sig))
	add("deep", made(t, key, es256, strings.TrimSuffix(payload, "}")+`,"x":`+strings.Repeat("[", 20_000)+strings.Repeat("]", 20_000)+"}"))

	// Claims that are not those of this token.
	claim := func(members string) string { return `{"sub":"alice","iss":"` + issuer + `","iat":1` + members + "}" }
	for name, members := range map[string]string{
		"expired": fmt.Sprintf(`,"exp":%d`, start.Unix()-61), "expired, as text": `,"exp":"99999999999"`, "expired, negative": `,"exp":-1`,
		"expires in a fraction": `,"exp":99999999999.5`, "expires in an exponent": `,"exp":1e20`, "expires never": `,"exp":true`,
		"another's identity": `,"hex_identity":"` + IdentityFromClaims(issuer, "root").String() + `"`, "identity cut": `,"hex_identity":"c200"`,
		"audience of numbers": `,"aud":[1]`, "audience an object": `,"aud":{}`,
	} {
		add(name, made(t, key, es256, claim(members)))
	}
	add("no subject", made(t, key, es256, `{"iss":"`+issuer+`","iat":1}`))
	add("no issuer", made(t, mine, es256, `{"sub":"alice","iat":1}`))
	add("issuer an array", made(t, mine, es256, `{"sub":"alice","iss":["`+issuer+`"],"iat":1}`))
	add("another issuer", made(t, mine, es256, strings.Replace(payload, issuer, "http://127.0.0.1:1", 1)))
	add("an issuer that is none", made(t, mine, es256, `{"sub":"alice","iss":"localhost@evil.example","iat":1}`))
	if issuer != LocalIssuer {
		add("the issuer's key for the local issuer", made(t, key, es256, `{"sub":"alice","iss":"localhost","iat":1}`))
		add("the issuer's key for another", made(t, key, es256, strings.Replace(payload, issuer, "https://127.0.0.1:1", 1)))
		add("the issuer with a path", made(t, key, es256, strings.Replace(payload, issuer, issuer+"/other", 1)))
	}
	return all
}

// bumped changes the last character of base64 in bits that carry nothing.
func bumped(c string) string {
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(alphabet[strings.Index(alphabet, c)^1])
}

func signedBytes(t *testing.T, key *ecdsa.PrivateKey, text string) []byte {
	t.Helper()
	digest := sha256.Sum256([]byte(text))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return signature(r, s)
}

// Forgeries of RSA signatures: the padding must be the one and only.
func TestRSASignatures(t *testing.T) {
	a := newAuthority(t)
	p := newProvider(t)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p.publish(jwk(t, key.Public(), "r"))
	payload := fmt.Sprintf(`{"sub":"alice","iss":"%s","iat":1}`, p.URL)
	good := rs256(t, key, `{"alg":"RS256","kid":"r"}`, payload)
	if _, err := a.Validate(context.Background(), good); err != nil {
		t.Fatal(err)
	}
	input := good[:strings.LastIndexByte(good, '.')]
	digest := sha256.Sum256([]byte(input))
	prefix := []byte{0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20}
	// encrypted applies the private key to a block that ends with tail.
	encrypted := func(block []byte) []byte {
		m := new(big.Int).SetBytes(block)
		return new(big.Int).Exp(m, key.D, key.N).FillBytes(make([]byte, key.Size()))
	}
	block := func(filler int, tail ...byte) []byte {
		b := append([]byte{0, 1}, bytes.Repeat([]byte{0xff}, filler)...)
		return append(append(b, 0), tail...)
	}
	info := append(bytes.Clone(prefix), digest[:]...)
	right := block(key.Size()-3-len(info), info...)
	if _, err := a.Validate(context.Background(), resigned(good, encrypted(right))); err != nil {
		t.Fatalf("the block that is right: %v", err)
	}
	garbage := append(bytes.Clone(info), bytes.Repeat([]byte{7}, key.Size()-3-8-len(info))...)
	sha1 := append([]byte{0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14}, digest[:20]...)
	pss, err := rsa.SignPSS(rand.Reader, key, crypto.SHA256, digest[:], nil)
	if err != nil {
		t.Fatal(err)
	}
	sig := encrypted(right)
	for name, forged := range map[string][]byte{
		"garbage behind the hash": encrypted(block(8, garbage...)), "short filler": encrypted(block(8, append(bytes.Repeat([]byte{0}, key.Size()-3-8-len(info)), info...)...)),
		"the hash without its name": encrypted(block(key.Size()-3-32, digest[:]...)), "SHA-1": encrypted(block(key.Size()-3-len(sha1), sha1...)),
		"PSS": pss, "empty": {}, "zero": make([]byte, key.Size()), "one": append(make([]byte, key.Size()-1), 1), "the modulus": key.N.Bytes(),
		"a zero before": append([]byte{0}, sig...), "a zero behind": append(bytes.Clone(sig), 0), "cut": sig[:len(sig)-1],
	} {
		if _, err := a.Validate(context.Background(), resigned(good, forged)); err == nil || err.Error() != "Invalid token: InvalidSignature" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// Key sets that are odd let nobody in.
func TestOddKeySets(t *testing.T) {
	a := newAuthority(t)
	key := otherKey(t)
	payload := func(p *provider) string { return fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, p.URL) }
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	x, y := raw64.EncodeToString(point[1:33]), raw64.EncodeToString(point[33:])
	object := func(members string) any { return json.RawMessage("{" + members + "}") }
	for name, published := range map[string]any{
		"a key for encryption":  object(`"kty":"EC","crv":"P-256","use":"enc","x":"` + x + `","y":"` + y + `"`),
		"a point off the curve": object(`"kty":"EC","crv":"P-256","x":"` + x + `","y":"` + x + `"`),
		"the point at infinity": object(`"kty":"EC","crv":"P-256","x":"` + raw64.EncodeToString(make([]byte, 32)) + `","y":"` + raw64.EncodeToString(make([]byte, 32)) + `"`),
		"a coordinate short":    object(`"kty":"EC","crv":"P-256","x":"` + x[:10] + `","y":"` + y + `"`),
		"another curve":         jwk(t, p384.Public(), ""),
		"no curve":              object(`"kty":"EC","x":"` + x + `","y":"` + y + `"`),
		"a secret":              jwk(t, point, ""),
		"RSA with exponent 1":   object(`"kty":"RSA","e":"AQ","n":"` + raw64.EncodeToString(bytes.Repeat([]byte{0xab}, 256)) + `"`),
		"RSA without modulus":   object(`"kty":"RSA","e":"AQAB"`),
		"an unknown kind":       object(`"kty":"XY"`),
		"no kind":               object(``),
		"text":                  "text",
	} {
		p := newProvider(t)
		p.publish(published)
		for _, token := range []string{made(t, key, es256, payload(p)), made(t, key, `{"alg":"RS256"}`, payload(p))} {
			if _, err := a.Validate(context.Background(), token); err == nil {
				t.Errorf("%s: accepted", name)
			}
		}
	}
}

// What an issuer sends is bounded after it has been unpacked, and redirects lead
// nowhere but to http addresses.
func TestHostileDiscovery(t *testing.T) {
	a := newAuthority(t)
	key := otherKey(t)
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	for range 64 {
		_, _ = z.Write(bytes.Repeat([]byte(" "), 1<<20)) // to memory
	}
	_ = z.Close()
	for name, handler := range map[string]http.HandlerFunc{
		"gzip bomb": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			_, _ = w.Write(bomb.Bytes())
		},
		"redirect to a file": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Location", "file:///etc/passwd")
			w.WriteHeader(302)
		},
		"redirect for ever": func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.Path+"x", http.StatusFound) },
		"keys in a file": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(`{"jwks_uri":"file:///etc/passwd"}`))
		},
		"keys nowhere": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{}`)) },
		"no JSON":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`<html>`)) },
		"an error":     func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) },
		"a hundred thousand headers": func(w http.ResponseWriter, _ *http.Request) {
			for i := range 100_000 {
				w.Header().Add("X-Header", fmt.Sprint("a long value of a header ", i))
			}
		},
	} {
		web := httptest.NewServer(handler)
		_, err := a.Validate(context.Background(), made(t, key, es256, fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, web.URL)))
		if err == nil || !strings.HasPrefix(err.Error(), "Error fetching public key for issuer ") {
			t.Errorf("%s: %v", name, err)
		}
		web.Close()
	}
}

// A failing issuer is not asked again at once, and a flood of unknown key ids
// fetches once in a while only.
func TestIssuersAreNotFlooded(t *testing.T) {
	now := start
	a := New(Options{Keys: newKeys(t), Now: func() time.Time { return now }, AllowPrivate: true})
	t.Cleanup(a.Close)
	p := newProvider(t)
	key := otherKey(t)
	p.publish(jwk(t, key.Public(), "e"))
	payload := fmt.Sprintf(`{"sub":"x","iss":"%s","iat":1}`, p.URL)
	for i := range 50 {
		_, err := a.Validate(context.Background(), made(t, key, fmt.Sprintf(`{"alg":"ES256","kid":"%d"}`, i), payload))
		if err == nil || err.Error() != "Specified key ID not found in JWKs" {
			t.Fatal(err)
		}
	}
	if n := p.fetches.Load(); n != 1 {
		t.Errorf("50 unknown ids: %d fetches", n)
	}
	now = now.Add(rotationWindow + time.Second)
	for i := range 50 {
		_, _ = a.Validate(context.Background(), made(t, key, fmt.Sprintf(`{"alg":"ES256","kid":"%d"}`, i), payload)) // refused as before
	}
	if n := p.fetches.Load(); n != 2 {
		t.Errorf("50 more, later: %d fetches", n)
	}
}
