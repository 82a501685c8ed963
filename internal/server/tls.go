package server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certCheck is how often the certificate's files are looked at, at most.
const certCheck = 5 * time.Second

// A certificate is read from two files and read again when they change. While new
// files cannot be read, because one of them is not there yet, the old certificate
// stays in use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu struct {
		sync.Mutex
		current *tls.Certificate
		stamp   [2]fileStamp // of the files that current was read from
		looked  time.Time
	}
}

// A fileStamp tells whether a file has changed.
type fileStamp struct {
	modified time.Time
	size     int64
}

func newCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(); err != nil {
		return nil, fmt.Errorf("[tls] %w; both files must be PEM, the certificate of the server first in its file", err)
	}
	return c, nil
}

// stamps says how the files are now.
func (c *certificate) stamps() (s [2]fileStamp, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return s, err
		}
		s[i] = fileStamp{info.ModTime(), info.Size()}
	}
	return s, nil
}

// read reads the files; the lock is held.
func (c *certificate) read() error {
	stamp, err := c.stamps()
	if err != nil {
		return err
	}
	cert, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("certificate %s with key %s: %w", c.certFile, c.keyFile, err)
	}
	if cert.Leaf != nil && time.Now().After(cert.Leaf.NotAfter) {
		c.log.Warn("the certificate has expired", "file", c.certFile, "expired", cert.Leaf.NotAfter)
	}
	c.mu.current, c.mu.stamp, c.mu.looked = &cert, stamp, time.Now()
	return nil
}

// reload reads the files again, whether they seem to have changed or not.
func (c *certificate) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.read(); err != nil {
		c.log.Error("the certificate cannot be read again; the old one stays in use", "error", err)
		return
	}
	c.log.Info("the certificate was read again", "file", c.certFile)
}

// get is the certificate of a handshake.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.mu.looked) >= certCheck {
		c.mu.looked = time.Now()
		if now, err := c.stamps(); err == nil && now != c.mu.stamp {
			if err := c.read(); err != nil {
				c.log.Error("the certificate cannot be read again; the old one stays in use", "error", err)
			} else {
				c.log.Info("the certificate was read again", "file", c.certFile)
			}
		}
	}
	return c.mu.current, nil
}

// tls is the section [tls]; nil without a certificate.
func (c *Config) tls(log *slog.Logger) (*tls.Config, *certificate, error) {
	if c.TLS.Cert == "" {
		return nil, nil, nil
	}
	cert, err := newCertificate(c.TLS.Cert, c.TLS.Key, log)
	if err != nil {
		return nil, nil, err
	}
	t := &tls.Config{GetCertificate: cert.get, MinVersion: tls.VersionTLS12}
	if c.TLS.MinVersion == "1.3" {
		t.MinVersion = tls.VersionTLS13
	}
	return t, cert, nil
}

// reloads has the certificate read again whenever asked, until done is closed.
func (c *certificate) reloads(asked <-chan os.Signal, done <-chan struct{}) {
	for {
		select {
		case <-asked:
			c.reload()
		case <-done:
			return
		}
	}
}
