package auth

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zeebo/blake3"

	"github.com/stdbgo/spacetime/internal/leaktest"
	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
	"github.com/stdbgo/spacetime/sats"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

// start is the time at which the clock of an authority under test stands.
var start = time.Unix(1_800_000_000, 0)

func newKeys(t *testing.T) *Keys {
	t.Helper()
	dir := t.TempDir()
	k, err := LoadKeys(vfs.OS{}, filepath.Join(dir, PrivateKeyName), filepath.Join(dir, PublicKeyName), nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func newAuthority(t *testing.T) *Authority {
	t.Helper()
	// The issuers of tests are on this machine.
	a := New(Options{Keys: newKeys(t), Now: func() time.Time { return start }, AllowPrivate: true})
	t.Cleanup(a.Close)
	return a
}

// made is a token with the given header and payload, signed with key.
func made(t *testing.T, key *ecdsa.PrivateKey, header, payload string) string {
	t.Helper()
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	digest := sha256.Sum256([]byte(input))
	r, s, err := ecdsa.Sign(rand.Reader, key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	sig := append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...)
	return input + "." + b64.EncodeToString(sig)
}

const es256 = `{"typ":"JWT","alg":"ES256"}`

func otherKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

type vectors struct {
	Derivation []struct {
		ID, Issuer, Subject string
		Source              string
		Digest              string `json:"blake3_issuer_pipe_subject"`
		Hash                string `json:"id_hash_26"`
		Checksum            string `json:"checksum_4"`
		Hex                 string `json:"identity_hex"`
		BSATN               string `json:"identity_bsatn"`
		JSON                string `json:"identity_u256_json"`
		Decimal             string `json:"identity_decimal"`
		Accepted            bool   `json:"accepted_in_token"`
	}
	Hashes []struct {
		Input   string `json:"input_hex"`
		Display string `json:"display_hex"`
		BSATN   string `json:"bsatn"`
		JSON    string `json:"sats_json"`
	} `json:"hash_keccak256"`
	Claims []struct {
		ID     string
		Note   string
		Claims json.RawMessage
		OK     bool
		Hex    string `json:"identity_hex"`
	}
}

func readVectors(t *testing.T) (v vectors) {
	t.Helper()
	b, err := os.ReadFile("../../testdata/vectors/identity.json")
	if err != nil {
		t.Fatal(err)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		t.Fatal(err)
	}
	for name, list := range map[string]any{"derivation": &v.Derivation, "hash_keccak256": &v.Hashes, "claims": &v.Claims} {
		d := json.NewDecoder(bytes.NewReader(parts[name]))
		d.DisallowUnknownFields() // a field that is not read is not tested
		if err := d.Decode(list); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	if len(v.Derivation) == 0 || len(v.Hashes) == 0 || len(v.Claims) == 0 {
		t.Fatal("vectors are missing")
	}
	return v
}

func TestIdentityVectors(t *testing.T) {
	spec.Covers(t, "06.7", "01.41")
	a := newAuthority(t)
	for _, d := range readVectors(t).Derivation {
		digest := blake3.Sum256([]byte(d.Issuer + "|" + d.Subject))
		if hex.EncodeToString(digest[:]) != d.Digest || d.Digest[:2*hashLen] != d.Hash || "c200"+d.Checksum+d.Hash != d.Hex {
			t.Errorf("%s: the parts are not those of the identity", d.ID)
		}
		id := IdentityFromClaims(d.Issuer, d.Subject)
		if id.String() != d.Hex || hex.EncodeToString(id[:]) != d.BSATN || id.U256().String() != d.Decimal || sats.Hash(id).JSON() != d.JSON {
			t.Errorf("%s: got %s, %x, %s, %s; want %+v", d.ID, id, id[:], id.U256(), sats.Hash(id).JSON(), d)
		}
		text, err := json.Marshal(map[string]any{"iss": d.Issuer, "sub": d.Subject, "iat": start.Unix()})
		if err != nil {
			t.Fatal(err)
		}
		got, err := a.Validate(context.Background(), made(t, a.keys.private, es256, string(text)))
		if (err == nil) != d.Accepted || err == nil && got.Identity != id {
			t.Errorf("%s: as a token: %+v, %v; accepted: %t", d.ID, got, err, d.Accepted)
		}
	}
}

func TestProgramHashVectors(t *testing.T) {
	spec.Covers(t, "01.47")
	for _, h := range readVectors(t).Hashes {
		in, err := hex.DecodeString(h.Input)
		if err != nil {
			t.Fatal(err)
		}
		got := HashProgram(in)
		if got.String() != h.Display || hex.EncodeToString(got[:]) != h.BSATN || `"`+got.JSON()+`"` != h.JSON {
			t.Errorf("hash of %s: got %s, %s; want %s, %s", h.Input, got, got.JSON(), h.Display, h.JSON)
		}
	}
}

func TestClaimVectors(t *testing.T) {
	spec.Covers(t, "01.42")
	a := newAuthority(t)
	a.now = func() time.Time { return time.Unix(1693425600, 0) }
	for _, c := range readVectors(t).Claims {
		got, err := a.Validate(context.Background(), made(t, a.keys.private, es256, string(c.Claims)))
		if (err == nil) != c.OK {
			t.Errorf("%s: error %v, want ok %v", c.ID, err, c.OK)
			continue
		}
		if c.OK && (got.Identity.String() != c.Hex || !bytes.Equal(got.Payload, c.Claims)) {
			t.Errorf("%s: identity %s, payload %s", c.ID, got.Identity, got.Payload)
		}
	}
}

func TestNewIdentity(t *testing.T) {
	spec.Covers(t, "06.8")
	a := newAuthority(t)
	id, tok, err := a.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	parts := strings.Split(tok, ".")
	if len(parts) != 3 {
		t.Fatalf("token %s", tok)
	}
	head, _ := base64.RawURLEncoding.DecodeString(parts[0])
	if string(head) != es256 {
		t.Errorf("header %s", head)
	}
	payload, _ := base64.RawURLEncoding.DecodeString(parts[1])
	members, err := object(payload)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range members {
		names = append(names, m.Name)
	}
	if want := []string{"hex_identity", "sub", "iss", "aud", "iat"}; !slices.Equal(names, want) {
		t.Errorf("members %v, want %v", names, want)
	}
	c, err := a.Validate(context.Background(), tok)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf(`{"hex_identity":"%s","sub":"%s","iss":"localhost","aud":["spacetimedb"],"iat":1800000000}`, id, c.Subject)
	if string(payload) != want {
		t.Errorf("payload %s, want %s", payload, want)
	}
	if c.Identity != id || c.Expires != nil || c.IssuedAt != start.Unix() {
		t.Errorf("claims %+v", c)
	}
}

// The token was issued by an upstream server, the signature made with a key of
// the specification's authors (spec 06 §3.3).
func TestSignatureVector(t *testing.T) {
	spec.Covers(t, "06.9")
	const input = "eyJ0eXAiOiJKV1QiLCJhbGciOiJFUzI1NiJ9.eyJoZXhfaWRlbnRpdHkiOiJjMjAwNDgzMTUyZDY0MmM3ZDQwMmRlMDZjYWNjMzZkY2IwYzJhMWYyYmJlYjhlN2Q1YTY3M2YyNDM1Y2NhOTc1Iiwic3ViIjoiNmQ0YjU0MzAtMDBjZi00YTk5LTkzMmMtYWQyZDA3YmFiODQxIiwiaXNzIjoibG9jYWxob3N0IiwiYXVkIjpbInNwYWNldGltZWRiIl0sImlhdCI6MTczNzY2NTc2OSwiZXhwIjpudWxsfQ"
	const sig = "97-oX2-CPzipx3FYjDsn4mcrM5EoDp_FnfkWpMR559XZWN4C-mgzWtAeYc1FS9yrBNsz-9_wh6xgXSnhNZF8qA"
	der, err := base64.StdEncoding.DecodeString("MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAElku84d4zd1vZZwnSCAjTrJyqbH2gLjgm4DMaQKU6rYRzL0RPxya7Ema+nLNTLC5kpv84ZzGH5r6edkeAlraQRQ==")
	if err != nil {
		t.Fatal(err)
	}
	pub, err := parsePublic(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	if err != nil {
		t.Fatal(err)
	}
	a := newAuthority(t)
	a.keys = &Keys{private: &ecdsa.PrivateKey{PublicKey: *pub}}
	c, err := a.Validate(context.Background(), input+"."+sig)
	if err != nil {
		t.Fatal(err)
	}
	if c.Identity.String() != "c200483152d642c7d402de06cacc36dcb0c2a1f2bbeb8e7d5a673f2435cca975" {
		t.Errorf("identity %s", c.Identity)
	}
	raw, _ := base64.RawURLEncoding.DecodeString(sig)
	for bit := range len(raw) * 8 {
		flipped := bytes.Clone(raw)
		flipped[bit/8] ^= 1 << (bit % 8)
		_, err := a.Validate(context.Background(), input+"."+base64.RawURLEncoding.EncodeToString(flipped))
		if err == nil || err.Error() != "Invalid token: InvalidSignature" {
			t.Fatalf("bit %d flipped: %v", bit, err)
		}
	}
}

func hs256(header, payload string, secret []byte) string {
	b64 := base64.RawURLEncoding
	input := b64.EncodeToString([]byte(header)) + "." + b64.EncodeToString([]byte(payload))
	m := hmac.New(sha256.New, secret)
	m.Write([]byte(input))
	return input + "." + b64.EncodeToString(m.Sum(nil))
}

func TestValidate(t *testing.T) {
	spec.Covers(t, "06.10", "06.11", "06.12", "06.13")
	a := newAuthority(t)
	own, foreign := a.keys.private, otherKey(t)
	now := start.Unix()
	claims := func(extra string) string {
		return fmt.Sprintf(`{"sub":"alice","iss":"localhost","aud":["spacetimedb"],"iat":%d%s}`, now-100, extra)
	}
	alice := "c20035600353a2e93544d898c6ed0eac323e200c0468300f22958f8b472a265d"
	der, err := x509.MarshalPKIXPublicKey(&own.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	point, err := own.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	hsHeader := `{"typ":"JWT","alg":"HS256"}`
	long := strings.Repeat("s", 129)
	zeros := strings.Repeat("0", 64)

	for _, tt := range []struct {
		name, token string
		want        string // identity, or the start of the refusal
	}{
		{"plain", made(t, own, es256, claims("")), alice},
		{"exp null", made(t, own, es256, claims(`,"exp":null`)), alice},
		{"expired 30 s ago", made(t, own, es256, claims(fmt.Sprintf(`,"exp":%d`, now-30))), alice},
		{"expired 60 s ago", made(t, own, es256, claims(fmt.Sprintf(`,"exp":%d`, now-60))), alice},
		{"expired 61 s ago", made(t, own, es256, claims(fmt.Sprintf(`,"exp":%d`, now-61))), "Invalid token: ExpiredSignature"},
		{"expired 90 s ago", made(t, own, es256, claims(fmt.Sprintf(`,"exp":%d`, now-90))), "Invalid token: ExpiredSignature"},
		{"another issuer, our key", made(t, own, es256, `{"sub":"test","iss":"https://auth.spacetimedb.com/oidc","iat":1}`), "c20032615159ae5f2365ee8c24036d7f7e17e8322060f45d6077994559975a0f"},
		{"nbf in the future", made(t, own, es256, claims(fmt.Sprintf(`,"nbf":%d`, now+900))), alice},
		{"iat in the future", made(t, own, es256, fmt.Sprintf(`{"sub":"alice","iss":"localhost","iat":%d}`, now+3600)), alice},
		{"hex_identity right", made(t, own, es256, claims(`,"hex_identity":"`+alice+`"`)), alice},
		{"hex_identity null", made(t, own, es256, claims(`,"hex_identity":null`)), alice},
		{"hex_identity wrong", made(t, own, es256, claims(`,"hex_identity":"`+zeros+`"`)), "Identity mismatch: token identity Identity(" + zeros + ") does not match computed identity Identity(" + alice + ")"},
		{"hex_identity short", made(t, own, es256, claims(`,"hex_identity":"00"`)), "Invalid token: JSON error: "},
		{"header with odd members", made(t, own, `{"typ":5,"alg":"ES256","x":{"y":[1]},"kid":"k"}`, claims("")), alice},
		{"foreign key", made(t, foreign, es256, claims("")), "Invalid token: InvalidSignature"},
		{"HS256 with the PEM", hs256(hsHeader, claims(""), a.keys.publicPEM), "Invalid token: InvalidAlgorithm"},
		{"HS256 with the DER", hs256(hsHeader, claims(""), der), "Invalid token: InvalidAlgorithm"},
		{"HS256 with the point", hs256(hsHeader, claims(""), point), "Invalid token: InvalidAlgorithm"},
		{"ES384", made(t, own, `{"alg":"ES384"}`, claims("")), "Invalid token: InvalidAlgorithm"},
		{"RS256 with our key", made(t, own, `{"alg":"RS256"}`, claims("")), "Invalid token: InvalidAlgorithm"},
		{"none", made(t, own, `{"alg":"none"}`, claims("")), "Invalid token: JSON error: unknown variant `none`"},
		{"no alg", made(t, own, `{}`, claims("")), "Invalid token: JSON error: missing field `alg`"},
		{"alg a number", made(t, own, `{"alg":1}`, claims("")), "Invalid token: JSON error: "},
		{"alg twice", made(t, own, `{"alg":"ES256","alg":"HS256"}`, claims("")), "Invalid token: JSON error: duplicate"},
		{"empty", "", "Invalid token: InvalidToken"},
		{"one part", "x", "Invalid token: InvalidToken"},
		{"two parts", "a.b", "Invalid token: InvalidToken"},
		{"four parts", made(t, own, es256, claims("")) + ".x", "Invalid token: Base64 error: "},
		{"not base64", "a.b.c", "Invalid token: Base64 error: "},
		{"padding", strings.Replace(made(t, own, es256, claims("")), ".", "=.", 1), "Invalid token: Base64 error: "},
		{"longer signature", made(t, own, es256, claims("")) + "AAAA", "Invalid token: InvalidSignature"},
		{"payload no JSON", made(t, own, es256, "hello"), "Invalid token: JSON error: "},
		{"payload no object", made(t, own, es256, "[]"), "Invalid token: JSON error: "},
		{"payload cut", made(t, own, es256, `{"sub":"a"`), "Invalid token: JSON error: "},
		{"payload and more", made(t, own, es256, claims("")+" 1"), "Invalid token: JSON error: "},
		{"payload not UTF-8", made(t, own, es256, "{\"sub\":\"\xff\"}"), "Invalid token: JSON error: "},
		{"sub absent", made(t, own, es256, `{"iss":"localhost","iat":1}`), "Invalid token: JSON error: missing field `sub`"},
		{"iss absent", made(t, own, es256, `{"sub":"a","iat":1}`), "Invalid token: JSON error: missing field `iss`"},
		{"iat absent", made(t, own, es256, `{"sub":"a","iss":"localhost"}`), "Invalid token: JSON error: missing field `iat`"},
		{"iat a fraction", made(t, own, es256, `{"sub":"a","iss":"localhost","iat":1.5}`), "Invalid token: JSON error: "},
		{"iat text", made(t, own, es256, `{"sub":"a","iss":"localhost","iat":"1"}`), "Invalid token: JSON error: "},
		{"exp a fraction", made(t, own, es256, claims(`,"exp":1900000000.5`)), "Invalid token: JSON error: "},
		{"exp negative", made(t, own, es256, claims(`,"exp":-5`)), "Invalid token: JSON error: "},
		{"aud a number", made(t, own, es256, `{"sub":"a","iss":"localhost","iat":1,"aud":[1]}`), "Invalid token: JSON error: "},
		{"sub twice", made(t, own, es256, `{"sub":"a","sub":"b","iss":"localhost","iat":1}`), "Invalid token: JSON error: duplicate"},
		{"sub empty", made(t, own, es256, `{"sub":"","iss":"localhost","iat":1}`), "Subject empty"},
		{"sub long", made(t, own, es256, `{"sub":"`+long+`","iss":"localhost","iat":1}`), `Subject too long: "` + long + `"`},
		{"iss empty", made(t, own, es256, `{"sub":"a","iss":"","iat":1}`), "Error fetching public key for issuer "},
		{"iss not a URL", made(t, foreign, es256, `{"sub":"a","iss":"somebody","iat":1}`), "Error fetching public key for issuer somebody"},
		{"iss a file", made(t, foreign, es256, `{"sub":"a","iss":"file:///etc","iat":1}`), "Error fetching public key for issuer file:///etc"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, err := a.Validate(context.Background(), tt.token)
			if err == nil {
				if c.Identity.String() != tt.want {
					t.Errorf("accepted as %s, want %s", c.Identity, tt.want)
				}
				return
			}
			if !strings.HasPrefix(err.Error(), tt.want) {
				t.Errorf("refused: %v; want %s", err, tt.want)
			}
			if _, ok := err.(*Error); !ok {
				t.Errorf("refused with a %T", err)
			}
		})
	}
}

func TestShortLived(t *testing.T) {
	spec.Covers(t, "06.18")
	a := newAuthority(t)
	payload := `{"sub":"alice","iss":"https://x/","aud":"one","iat":5,"roles":["a",{"b":1.50}],"n":9007199254740993}`
	c, err := a.Validate(context.Background(), made(t, a.keys.private, es256, payload))
	if err != nil {
		t.Fatal(err)
	}
	tok, err := a.ShortLived(c)
	if err != nil {
		t.Fatal(err)
	}
	again, err := a.Validate(context.Background(), tok)
	if err != nil {
		t.Fatal(err)
	}
	now := start.Unix()
	want := fmt.Sprintf(`{"hex_identity":"%s","sub":"alice","iss":"https://x/","aud":["one"],"iat":%d,"exp":%d,"roles":["a",{"b":1.50}],"n":9007199254740993}`,
		c.Identity, now, now+60)
	if string(again.Payload) != want {
		t.Errorf("payload %s\n   want %s", again.Payload, want)
	}
	if again.Identity != c.Identity {
		t.Errorf("identity %s, want %s", again.Identity, c.Identity)
	}
	if c.Expires != nil {
		t.Error("the claims handed in were changed")
	}
}

func FuzzValidate(f *testing.F) {
	mem := vfs.NewMem()
	keys, err := LoadKeys(mem, "/k/id_ecdsa", "/k/id_ecdsa.pub", nil)
	if err != nil {
		f.Fatal(err)
	}
	a := New(Options{Keys: keys, AllowedIssuers: []string{"https://nobody.invalid"}})
	f.Cleanup(a.Close)
	_, tok, err := a.NewIdentity()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(tok)
	f.Add("a.b.c")
	f.Add("eyJhbGciOiJFUzI1NiJ9.e30.")
	f.Add(hs256(`{"alg":"HS256"}`, `{"sub":"a","iss":"b","iat":1}`, nil))
	f.Fuzz(func(t *testing.T, text string) {
		c, err := a.Validate(context.Background(), text)
		if err == nil && c.Identity == (sats.Identity{}) {
			t.Error("accepted without an identity")
		}
	})
}
