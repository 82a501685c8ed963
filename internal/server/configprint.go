package server

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/stdbgo/spacetime/internal/auth"
	"github.com/stdbgo/spacetime/internal/vfs"
)

// print writes the configuration that holds, with the origin of each value. What
// settings hold is no secret: of keys and certificates they name files.
func (c *Config) print(w io.Writer) error {
	var b strings.Builder
	section := ""
	for _, s := range settings {
		if s.section != section {
			if section != "" {
				b.WriteByte('\n')
			}
			section = s.section
			fmt.Fprintf(&b, "[%s]\n", section)
		}
		given, ok := c.origins[s.name()]
		switch {
		case ok:
			fmt.Fprintf(&b, "%s = %s # %s\n", s.key, given.text, given.source)
		case s.fallback != "":
			fmt.Fprintf(&b, "%s = %s # default\n", s.key, s.fallback)
		default:
			fmt.Fprintf(&b, "# %s is not set\n", s.key)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// PrintConfig writes the configuration that a server with these options would have to
// their Stdout. It changes nothing: where there is no file, that is the default one. The
// error says why a server would not start with it.
func PrintConfig(o RunOptions) error {
	path := filepath.Join(o.DataDir, "config.toml")
	text, err := vfs.ReadFile(vfs.OS{}, path)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = []byte(defaultConfig), nil
	}
	if err != nil {
		return err
	}
	c, wrong := parseConfig(path, text, o.Overrides)
	if c == nil {
		return wrong
	}
	if o.ListenAddr != "" {
		c.origins["http.listen"] = origin{tomlText(o.ListenAddr), "--listen-addr"}
	}
	for _, warning := range c.warnings {
		if _, err := fmt.Fprintf(o.Stdout, "# warning: %s\n", warning); err != nil {
			return err
		}
	}
	if err := c.print(o.Stdout); err != nil {
		return err
	}
	if wrong != nil {
		return wrong
	}
	return c.try(o)
}

// try looks at what the configuration names as a server would that starts with it.
func (c *Config) try(o RunOptions) error {
	address := or(o.ListenAddr, or(c.HTTP.Listen, defaultListen))
	_, _, err := c.tls(slog.New(slog.DiscardHandler))
	return errors.Join(tryListen(address, c.Postgres.Port), err, c.tryKeys(o), tryArchive(c.Commitlog.ArchiveDir))
}

// tryListen reports whether this machine has the address at all; the port may be in use.
func tryListen(address string, postgres *int64) error {
	host, port, err := splitListen(address)
	if err != nil {
		return err
	}
	if postgres != nil && int64(port) == *postgres {
		return fmt.Errorf("[postgres] port = %d is the port of the listen address %q: they must differ", port, address)
	}
	l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(0)))
	if err != nil {
		return fmt.Errorf("listen address %q: this machine cannot listen there: %w", address, err)
	}
	return l.Close()
}

// tryKeys reads the keys if they are there; a server makes such as are missing.
func (c *Config) tryKeys(o RunOptions) error {
	private, public, err := o.keyPaths(c)
	if err != nil {
		return err
	}
	for _, name := range []string{private, public} {
		if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
			return nil
		}
	}
	_, err = auth.LoadKeys(vfs.OS{}, private, public, nil)
	return err
}

// tryArchive reports whether what is there is a directory.
func tryArchive(dir string) error {
	if dir == "" {
		return nil
	}
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return fmt.Errorf("[commitlog] archive-dir = %q is not a directory", dir)
	}
	return nil
}
