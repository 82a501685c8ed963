package auth

import (
	"compress/gzip"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"os"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// A wycheproofFile is a file of signatures of project Wycheproof.
type wycheproofFile struct {
	NumberOfTests int
	TestGroups    []struct {
		PublicKeyPem string
		KeyJwk       json.RawMessage
		PublicKeyJwk json.RawMessage
		Tests        []struct {
			TcID    int
			Comment string
			Msg     string
			Sig     string
			Result  string
		}
	}
}

// The signatures of Wycheproof, each as the signature of a token, with the keys as
// issuers publish them and as PEM. What is valid by another algorithm is refused.
func TestWycheproof(t *testing.T) {
	for _, test := range []struct {
		file, alg string
		foreign   bool // another digest or padding than alg has
	}{
		{file: "ecdsa_secp256r1_sha256_p1363", alg: "ES256"},
		{file: "ecdsa_secp256r1_sha512_p1363", alg: "ES256", foreign: true},
		{file: "rsa_signature_2048_sha256", alg: "RS256"},
		{file: "rsa_signature_3072_sha256", alg: "RS256"},
		{file: "rsa_signature_4096_sha256", alg: "RS256"},
		{file: "rsa_signature_2048_sha512", alg: "RS256", foreign: true},
		{file: "rsa_pss_2048_sha256_mgf1_32", alg: "RS256", foreign: true},
	} {
		t.Run(test.file, func(t *testing.T) {
			f := readWycheproof(t, test.file)
			seen := 0
			for _, g := range f.TestGroups {
				keys := wycheproofKeys(t, g.PublicKeyPem, g.KeyJwk, g.PublicKeyJwk)
				for _, c := range g.Tests {
					seen++
					input, err := hex.DecodeString(c.Msg)
					if err != nil {
						t.Fatal(err)
					}
					sig, err := hex.DecodeString(c.Sig)
					if err != nil {
						t.Fatal(err)
					}
					good, bad := c.Result == "valid", c.Result == "invalid"
					if test.foreign { // some of what is invalid there is valid here
						good, bad = false, good
					}
					for _, key := range keys {
						err := (&token{alg: test.alg, input: string(input), sig: sig}).verify(key)
						if good && err != nil || bad && err == nil {
							t.Errorf("%d, %s: %v, and the signature is %s", c.TcID, c.Comment, err, c.Result)
						}
						if err != nil && !errors.Is(err, errSignature) {
							t.Errorf("%d: refused with %v", c.TcID, err)
						}
						if other := otherAlg(test.alg); (&token{alg: other, input: string(input), sig: sig}).verify(key) == nil {
							t.Errorf("%d: the key takes %s", c.TcID, other)
						}
					}
				}
			}
			if seen == 0 || seen != f.NumberOfTests {
				t.Errorf("%d of %d vectors were read", seen, f.NumberOfTests)
			}
		})
	}
}

func otherAlg(alg string) string {
	if alg == "ES256" {
		return "RS256"
	}
	return "ES256"
}

func readWycheproof(t *testing.T, name string) (f wycheproofFile) {
	t.Helper()
	file, err := os.Open("testdata/wycheproof/" + name + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.NewDecoder(text).Decode(&f); err != nil {
		t.Fatal(err)
	}
	return f
}

// wycheproofKeys reads the forms of a key that a group of vectors has.
func wycheproofKeys(t *testing.T, text string, jwks ...json.RawMessage) (keys []crypto.PublicKey) {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatalf("no PEM: %q", text)
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	keys = append(keys, key)
	for _, text := range jwks {
		if len(text) == 0 {
			continue
		}
		var k jose.JSONWebKey
		if err := k.UnmarshalJSON(text); err != nil {
			t.Fatal(err)
		}
		keys = append(keys, k.Key)
	}
	return keys
}
