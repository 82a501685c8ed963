package auth

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stdbgo/spacetime/internal/spec"
	"github.com/stdbgo/spacetime/internal/vfs"
)

func TestKeyFiles(t *testing.T) {
	spec.Covers(t, "06.21")
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	private, public := filepath.Join(dir, PrivateKeyName), filepath.Join(dir, PublicKeyName)
	first, err := LoadKeys(vfs.OS{}, private, public, nil)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(private); err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o600) {
		t.Errorf("private key file: %v, %v", info, err)
	}
	for path, begin := range map[string]string{private: "-----BEGIN PRIVATE KEY-----\n", public: "-----BEGIN PUBLIC KEY-----\n"} {
		if b, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(b), begin) {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}

	// A restart reads the same pair, and tokens survive it.
	a := New(Options{Keys: first})
	defer a.Close()
	id, tok, err := a.NewIdentity()
	if err != nil {
		t.Fatal(err)
	}
	second, err := LoadKeys(vfs.OS{}, private, public, nil)
	if err != nil {
		t.Fatal(err)
	}
	b := New(Options{Keys: second})
	defer b.Close()
	if c, err := b.Validate(context.Background(), tok); err != nil || c.Identity != id {
		t.Errorf("after a restart: %v, %v", c, err)
	}
	if file, _ := os.ReadFile(public); string(file) != string(b.PublicKeyPEM()) {
		t.Error("the public key is not the file verbatim")
	}

	for _, tt := range []struct{ missing, want string }{
		{public, "Unable to read public key for JWT token verification"},
		{private, "Unable to read private key for JWT token signing"},
	} {
		saved, err := os.ReadFile(tt.missing)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(tt.missing); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKeys(vfs.OS{}, private, public, nil); err == nil || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("without %s: %v", tt.missing, err)
		}
		if err := os.WriteFile(tt.missing, saved, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// A power cut at any moment leaves no half pair: the next start has keys, the same
// if they were there once.
func TestKeysSurvivePowerCuts(t *testing.T) {
	const private, public = "/config/id_ecdsa", "/config/id_ecdsa.pub"
	for seed := range uint64(40) {
		for n := 0; ; n++ {
			disk, calls := vfs.NewMem(), 0
			var crashed *vfs.Mem
			disk.SetHook(func(op vfs.Op, _ string) error {
				if !op.Changes() {
					return nil
				}
				if calls++; calls-1 == n {
					crashed = disk.CrashClone(mathrand.New(mathrand.NewPCG(seed, uint64(n))))
				}
				return nil
			})
			made, err := LoadKeys(disk, private, public, nil)
			if err != nil {
				t.Fatal(err)
			}
			if crashed == nil {
				crashed = disk.CrashClone(nil)
				found, err := LoadKeys(crashed, private, public, nil)
				if err != nil || !found.private.Equal(made.private) {
					t.Errorf("a pair that was made is gone: %v", err)
				}
				break
			}
			first, err := LoadKeys(crashed, private, public, nil)
			if err != nil {
				t.Fatalf("seed %d operation %d: %v", seed, n, err)
			}
			again, err := LoadKeys(crashed.CrashClone(nil), private, public, nil)
			if err != nil || !again.private.Equal(first.private) {
				t.Fatalf("seed %d operation %d: the pair did not stay: %v", seed, n, err)
			}
		}
	}
}

func TestBadKeyFiles(t *testing.T) {
	good := newKeys(t)
	goodPrivate, err := x509.MarshalPKCS8PrivateKey(good.private)
	if err != nil {
		t.Fatal(err)
	}
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	private384, err := x509.MarshalPKCS8PrivateKey(p384)
	if err != nil {
		t.Fatal(err)
	}
	sec1, err := x509.MarshalECPrivateKey(good.private)
	if err != nil {
		t.Fatal(err)
	}
	file := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	for _, tt := range []struct{ name, private, public, want string }{
		{"good", file("PRIVATE KEY", goodPrivate), string(good.publicPEM), ""},
		{"SEC 1", file("EC PRIVATE KEY", sec1), string(good.publicPEM), ""},
		{"other public key", file("PRIVATE KEY", goodPrivate), string(newKeys(t).publicPEM), "are not a pair"},
		{"P-384", file("PRIVATE KEY", private384), string(good.publicPEM), "P-256"},
		{"no PEM", "key", string(good.publicPEM), "not in PEM form"},
		{"no PEM, public", file("PRIVATE KEY", goodPrivate), "", "not in PEM form"},
		{"wrong kind", file("PRIVATE KEY", goodPrivate), file("PUBLIC KEY", goodPrivate), "public key"},
	} {
		dir := t.TempDir()
		private, public := filepath.Join(dir, "a"), filepath.Join(dir, "b")
		if err := os.WriteFile(private, []byte(tt.private), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(public, []byte(tt.public), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := LoadKeys(vfs.OS{}, private, public, nil)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.name, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %s", tt.name, err, tt.want)
		}
	}
}
