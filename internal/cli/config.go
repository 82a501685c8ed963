package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/pelletier/go-toml/v2"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// A config is the user's cli.toml (spec 09 §3.2). Fields are what it says now;
// save writes what differs and leaves the rest of the file as it is.
type config struct {
	path string
	doc  tomlDoc

	defaultServer string
	sessionToken  string
	token         string
	listenAddr    string
	servers       []*serverEntry
}

// A serverEntry is one [[server_configs]] table.
type serverEntry struct {
	nickname, host, protocol string
	publicKey                string // PEM, the saved fingerprint
	token                    string // issued by this server

	key string // how the table in the file is found: its nickname, or host
}

func (s *serverEntry) url() string { return s.protocol + "://" + s.host }

func (s *serverEntry) name() string {
	if s.nickname != "" {
		return s.nickname
	}
	return s.host
}

const defaultConfig = `default_server = "local"

[[server_configs]]
nickname = "local"
host = "127.0.0.1:3000"
protocol = "http"

[[server_configs]]
nickname = "maincloud"
host = "maincloud.spacetimedb.com"
protocol = "https"
`

// config reads the configuration, or writes the default one.
func (r *run) config() (*config, error) {
	if r.conf != nil {
		return r.conf, nil
	}
	path := filepath.Join(r.configDir(), "cli.toml")
	if r.configPath != "" {
		path = r.path(r.configPath)
	}
	text, err := os.ReadFile(path)
	fresh := errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
	if fresh {
		text, err = []byte(defaultConfig), nil
	}
	if err != nil {
		return nil, because(err, "config file %s cannot be read", path)
	}
	c, err := parseConfig(path, text)
	if err != nil {
		return nil, err
	}
	r.conf = c
	if fresh {
		r.saveConfig(c)
	}
	return c, nil
}

// saveConfig is writeConfig for commands that do their work without, too: a
// failure is a warning.
func (r *run) saveConfig(c *config) {
	if err := r.writeConfig(c); err != nil {
		fmt.Fprintf(r.Stderr, "Could not save config file: %v\n", errors.Unwrap(err))
	}
}

func parseConfig(path string, text []byte) (*config, error) {
	var raw map[string]any
	if err := toml.Unmarshal(text, &raw); err != nil {
		var de *toml.DecodeError
		if errors.As(err, &de) {
			line, col := de.Position()
			err = fmt.Errorf("line %d, column %d: %w", line, col, err)
		}
		return nil, invalidConfig(path, err)
	}
	c := &config{path: path, doc: parseTOML(string(text))}
	str := func(from map[string]any, key string) (string, error) {
		v, ok := from[key]
		if !ok {
			return "", nil
		}
		s, ok := v.(string)
		if !ok {
			return "", invalidConfig(path, fmt.Errorf("Config error: The option `%s` is not a `string`, found: %v", key, v))
		}
		return s, nil
	}
	var err error
	for key, to := range map[string]*string{"default_server": &c.defaultServer, "web_session_token": &c.sessionToken, "spacetimedb_token": &c.token, "listen_addr": &c.listenAddr} {
		if *to, err = str(raw, key); err != nil {
			return nil, err
		}
	}
	tables, ok := raw["server_configs"].([]any)
	if !ok && raw["server_configs"] != nil {
		return nil, invalidConfig(path, fmt.Errorf("Config error: The option `server_configs` is not a `table array`, found: %v", raw["server_configs"]))
	}
	for _, t := range tables {
		m, ok := t.(map[string]any)
		if !ok {
			return nil, invalidConfig(path, fmt.Errorf("Config error: The option `server_configs` is not a `table array`, found: %v", t))
		}
		s := &serverEntry{}
		for key, to := range map[string]*string{"nickname": &s.nickname, "host": &s.host, "protocol": &s.protocol, "ecdsa_public_key": &s.publicKey, "token": &s.token} {
			if *to, err = str(m, key); err != nil {
				return nil, err
			}
		}
		for _, need := range []string{"host", "protocol"} {
			if _, ok := m[need]; !ok {
				return nil, invalidConfig(path, fmt.Errorf("Config error: The option `%s` not found", need))
			}
		}
		s.key = s.name()
		c.servers = append(c.servers, s)
	}
	return c, nil
}

func invalidConfig(path string, err error) error {
	return withHint(because(err, "config file %s is invalid", path), "Repair the file, or move it away to begin anew. Your login is in it.")
}

// writeConfig writes the configuration and says so.
func (r *run) writeConfig(c *config) error {
	fmt.Fprintf(r.Stderr, "Saving config to %s.\n", c.path)
	c.doc.set(nil, "default_server", c.defaultServer)
	c.doc.set(nil, "web_session_token", c.sessionToken)
	c.doc.set(nil, "spacetimedb_token", c.token)
	c.doc.set(nil, "listen_addr", c.listenAddr)
	c.doc.retain(c.servers)
	if err := writePrivate(c.path, c.doc.String()); err != nil {
		return because(err, "Could not save config file")
	}
	return nil
}

// writePrivate replaces a file that holds secrets, in one step.
func writePrivate(path, text string) error {
	if err := (vfs.OS{}).MkdirAll(filepath.Dir(path)); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".cli.toml.*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(text)
	if err = errors.Join(err, f.Chmod(0o600), f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	return vfs.OS{}.SyncDir(filepath.Dir(path))
}

// find returns the entry with a nickname or host.
func (c *config) find(name string) *serverEntry {
	for _, s := range c.servers {
		if s.nickname == name || s.host == name {
			return s
		}
	}
	return nil
}

func (c *config) remove(s *serverEntry) {
	c.servers = slices.DeleteFunc(c.servers, func(x *serverEntry) bool { return x == s })
	if c.defaultServer == s.nickname || c.defaultServer == s.host {
		c.defaultServer = ""
	}
}

// unknownServer is the refusal of a server name that is not saved.
func unknownServer(name string) error {
	return fail("No such saved server configuration: %s\nAdd a new server configuration with:\n\tspacetime server add %s --url <url>", name, name)
}

// server resolves what --server says, or the default (spec 09 §4.1).
func (c *config) server(name string) (*serverEntry, error) {
	if protocol, rest, ok := strings.Cut(name, "://"); ok {
		if protocol != "http" && protocol != "https" {
			return nil, fail("Invalid protocol: %s", protocol)
		}
		s := &serverEntry{protocol: protocol, host: strings.TrimRight(rest, "/")}
		for _, saved := range c.servers {
			if saved.url() == s.url() {
				return saved, nil
			}
		}
		return s, nil
	}
	if name != "" {
		if s := c.find(name); s != nil {
			return s, nil
		}
		return nil, unknownServer(name)
	}
	hints := "Set the default server with:\n\tspacetime server set-default <server>\nAdd a new server configuration with:\n\tspacetime server add <server> --url <url> --default"
	if c.defaultServer == "" {
		return nil, &failure{msg: "Cannot find protocol for default server", causes: []string{"No default server configuration.\n" + hints}}
	}
	if s := c.find(c.defaultServer); s != nil {
		return s, nil
	}
	return nil, &failure{msg: "Cannot find protocol for default server", causes: []string{
		"Default server does not refer to a saved server configuration: " + c.defaultServer, hints}}
}
