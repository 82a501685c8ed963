package auth

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// Names of the key files in a key directory (spec 06 §3.8).
const (
	PrivateKeyName = "id_ecdsa"
	PublicKeyName  = "id_ecdsa.pub"
)

// maxKeyFile bounds what is read of a key file, in bytes.
const maxKeyFile = 64 << 10

// Keys are the server's key pair.
type Keys struct {
	private   *ecdsa.PrivateKey
	publicPEM []byte // the public key file, verbatim
}

// LoadKeys reads the key pair from its two files; when neither is there it makes
// a pair and writes both, with their directories. random is nil for crypto/rand.
func LoadKeys(fsys vfs.FS, privatePath, publicPath string, random io.Reader) (*Keys, error) {
	private, errPrivate := readFile(fsys, privatePath)
	public, errPublic := readFile(fsys, publicPath)
	noPrivate, noPublic := errors.Is(errPrivate, fs.ErrNotExist), errors.Is(errPublic, fs.ErrNotExist)
	switch {
	case noPrivate && !noPublic:
		private, errPrivate = finish(fsys, privatePath, errPrivate)
	case noPublic && !noPrivate:
		public, errPublic = finish(fsys, publicPath, errPublic)
	}
	switch {
	case noPrivate && noPublic:
		return generate(fsys, privatePath, publicPath, random)
	case errPublic != nil:
		return nil, fmt.Errorf("Unable to read public key for JWT token verification: %w", errPublic)
	case errPrivate != nil:
		return nil, fmt.Errorf("Unable to read private key for JWT token signing: %w", errPrivate)
	}
	k := &Keys{publicPEM: public}
	var err error
	if k.private, err = parsePrivate(private); err != nil {
		return nil, fmt.Errorf("auth: private key %s: %w", privatePath, err)
	}
	pub, err := parsePublic(public)
	if err != nil {
		return nil, fmt.Errorf("auth: public key %s: %w", publicPath, err)
	}
	if !k.private.PublicKey.Equal(pub) {
		return nil, fmt.Errorf("auth: %s and %s are not a pair; restore the file that was replaced, or remove both "+
			"to have a new pair made (every token issued so far becomes invalid)", privatePath, publicPath)
	}
	return k, nil
}

func readFile(fsys vfs.FS, name string) (_ []byte, err error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, maxKeyFile))
}

func generate(fsys vfs.FS, privatePath, publicPath string, random io.Reader) (*Keys, error) {
	if random == nil {
		random = rand.Reader
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), random)
	if err != nil {
		return nil, fmt.Errorf("auth: make a key pair: %w", err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("auth: encode the private key: %w", err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		return nil, fmt.Errorf("auth: encode the public key: %w", err)
	}
	k := &Keys{private: key, publicPEM: pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: public})}
	files := []keyFile{
		{privatePath, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})},
		{publicPath, k.publicPEM},
	}
	if err := writePair(fsys, files); err != nil {
		return nil, err
	}
	return k, nil
}

type keyFile struct {
	path    string
	content []byte
}

// writePair writes both files under temporary names before either gets its own, so
// that after a crash between the two the other can be finished.
func writePair(fsys vfs.FS, files []keyFile) error {
	for _, f := range files {
		if err := fsys.MkdirAll(filepath.Dir(f.path)); err != nil {
			return fmt.Errorf("auth: directory of %s: %w", f.path, err)
		}
		if err := vfs.WriteFileAtomic(fsys, f.path+vfs.TempSuffix, f.content); err != nil {
			return fmt.Errorf("auth: write %s: %w", f.path, err)
		}
	}
	for _, f := range files {
		if err := give(fsys, f.path); err != nil {
			return fmt.Errorf("auth: write %s: %w", f.path, err)
		}
	}
	return nil
}

// give renames a file that is whole under its temporary name.
func give(fsys vfs.FS, path string) error {
	if err := fsys.Rename(path+vfs.TempSuffix, path); err != nil {
		return err
	}
	return fsys.SyncDir(filepath.Dir(path))
}

// finish gives the missing one of two key files its name, if a crash of writePair
// left it without; else it returns why it is missing.
func finish(fsys vfs.FS, path string, missing error) ([]byte, error) {
	if give(fsys, path) != nil {
		return nil, missing
	}
	return readFile(fsys, path)
}

func block(b []byte) (*pem.Block, error) {
	block, _ := pem.Decode(bytes.TrimSpace(b))
	if block == nil {
		return nil, errors.New("not in PEM form")
	}
	return block, nil
}

// parsePrivate reads PKCS #8, and SEC 1 as well.
func parsePrivate(b []byte) (*ecdsa.PrivateKey, error) {
	p, err := block(b)
	if err != nil {
		return nil, err
	}
	if p.Type == "EC PRIVATE KEY" {
		key, err := x509.ParseECPrivateKey(p.Bytes)
		if err != nil {
			return nil, err
		}
		return key, onP256(&key.PublicKey)
	}
	any, err := x509.ParsePKCS8PrivateKey(p.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*ecdsa.PrivateKey)
	if !ok {
		return nil, errWrongKey
	}
	return key, onP256(&key.PublicKey)
}

func parsePublic(b []byte) (*ecdsa.PublicKey, error) {
	p, err := block(b)
	if err != nil {
		return nil, err
	}
	any, err := x509.ParsePKIXPublicKey(p.Bytes)
	if err != nil {
		return nil, err
	}
	key, ok := any.(*ecdsa.PublicKey)
	if !ok {
		return nil, errWrongKey
	}
	return key, onP256(key)
}

var errWrongKey = errors.New("not an elliptic-curve key on P-256")

func onP256(k *ecdsa.PublicKey) error {
	if k.Curve != elliptic.P256() {
		return errWrongKey
	}
	return nil
}
