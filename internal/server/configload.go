package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/stdbgo/spacetime/internal/vfs"
)

// An origin says what a setting was given, and where.
type origin struct {
	text   string // of the value, in TOML
	source string
}

// Overrides are settings from outside the file. What stands in Set goes before the
// environment, and both before config.toml.
type Overrides struct {
	// Environ holds "NAME=value"; variables whose names do not begin with
	// SPACETIME_CONFIG_ are somebody else's.
	Environ []string
	// Set holds "section.key=value", values written as in a variable: text without
	// quotes, lists with commas.
	Set []string
}

// LoadConfig reads config.toml of a data directory; where there is none it makes
// the directory and writes the default file.
func LoadConfig(fsys vfs.FS, dataDir string, over Overrides) (*Config, error) {
	path := filepath.Join(dataDir, "config.toml")
	text, err := vfs.ReadFile(fsys, path)
	if errors.Is(err, fs.ErrNotExist) {
		text = []byte(defaultConfig)
		if err = fsys.MkdirAll(dataDir); err == nil {
			err = vfs.WriteFileAtomic(fsys, path, text)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be used: %w; make it writable, or choose another one by --data-dir", dataDir, err)
	}
	c, err := parseConfig(path, text, over)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// parseConfig reads the text of config.toml at path, and applies the overrides. With an
// error comes what can be shown of the configuration; nil: nothing.
func parseConfig(path string, text []byte, over Overrides) (*Config, error) {
	c := &Config{origins: map[string]origin{}}
	_ = c.Logs.Level.UnmarshalText([]byte("error"))
	if err := toml.Unmarshal(text, c); err != nil {
		var at *toml.DecodeError
		if errors.As(err, &at) {
			return nil, c.fileError(path, at)
		}
		if s, line := badSetting(text); line > 0 {
			return nil, fmt.Errorf("invalid TOML syntax in %s: line %d: %s: %w", path, line, s.name(), err)
		}
		return nil, fmt.Errorf("invalid TOML syntax in %s: %w", path, err)
	}
	c.noteFile(path, text)
	if err := c.check(); err != nil {
		return c, fmt.Errorf("invalid TOML syntax in %s: %w", path, err)
	}
	if err := c.applyEnvironment(over.Environ); err != nil {
		return c, err
	}
	for _, assignment := range over.Set {
		name, value, ok := strings.Cut(assignment, "=")
		if !ok {
			return c, fmt.Errorf("--set %s: expected section.key=value, like websocket.gzip=true", assignment)
		}
		s, ok := findSetting(name)
		if !ok {
			return c, fmt.Errorf("--set %s: there is no setting %s%s", assignment, name, fileSpelling.suggest(name))
		}
		if err := c.override(s, value, "--set"); err != nil {
			return c, fmt.Errorf("--set %s: %w", assignment, err)
		}
	}
	if err := c.check(); err != nil {
		return c, fmt.Errorf("the settings do not fit together: %w", err)
	}
	if p, _ := c.publishPolicy(); p.Listed && len(p.Identities)+len(p.Issuers) == 0 {
		c.warnings = append(c.warnings, `[publish] allow = "list", but identities and issuers are empty: nobody can create a database`)
	}
	return c, nil
}

// fileError says where and how a value of the file is wrong.
func (c *Config) fileError(path string, at *toml.DecodeError) error {
	if s, ok := findSetting(strings.Join(at.Key(), ".")); ok && strings.Contains(at.Error(), "cannot decode") {
		line, _ := at.Position()
		return fmt.Errorf("invalid TOML syntax in %s: line %d: %s is %s", path, line, s.name(), c.kindOf(s))
	}
	if key := at.Key(); len(key) == 1 && slices.ContainsFunc(settings, func(s setting) bool { return s.section == key[0] }) && strings.Contains(at.Error(), "cannot decode") {
		line, _ := at.Position()
		return fmt.Errorf("invalid TOML syntax in %s: line %d: %s is a section: write [%s] on a line of its own, and its settings below", path, line, key[0], key[0])
	}
	return fmt.Errorf("invalid TOML syntax in %s\n%s", path, at.String())
}

// badSetting finds the setting of the file whose value is not one, and its line; 0 if
// there is none.
func badSetting(text []byte) (s setting, line int) {
	var content map[string]map[string]any
	_ = toml.Unmarshal(text, &content) // keys outside of sections are no settings
	for _, s := range settings {
		v, ok := content[s.section][s.key]
		if ok && toml.Unmarshal([]byte("["+s.section+"]\n"+s.key+" = "+tomlText(v)+"\n"), &Config{}) != nil {
			return s, lineOf(text, s)
		}
	}
	return setting{}, 0
}

// lineOf is the line on which a setting stands.
func lineOf(text []byte, s setting) int {
	n, inside := 0, false
	for line := range strings.Lines(string(text)) {
		n++
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			inside = strings.HasPrefix(line, "["+s.section+"]")
		}
		if key, _, ok := strings.Cut(line, "="); ok && inside && strings.Trim(key, " \"") == s.key {
			return n
		}
	}
	return 0
}

// kindOf is what values a setting has, in words.
func (c *Config) kindOf(s setting) string {
	field, ok := fieldOf(reflect.ValueOf(c).Elem(), s)
	if !ok {
		return "no setting"
	}
	t := field.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[duration]():
		return `a text like "1m 30s"`
	case t.Kind() == reflect.Bool:
		return "true or false"
	case t.Kind() == reflect.Int64:
		return "a whole number, without quotes"
	case t.Kind() == reflect.Slice:
		return `a list of texts like ["a", "b"]`
	}
	return "a text in quotes"
}

// noteFile remembers which settings the file has, and warns of keys that mean
// nothing.
func (c *Config) noteFile(path string, text []byte) {
	var content map[string]any
	_ = toml.Unmarshal(text, &content) // it has been read before
	for _, s := range settings {
		section, _ := content[s.section].(map[string]any)
		if v, ok := section[s.key]; ok {
			c.origins[s.name()] = origin{tomlText(v), "config.toml"}
		}
	}
	d := toml.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	var missing *toml.StrictMissingError
	if !errors.As(d.Decode(&Config{}), &missing) {
		return
	}
	for i := range missing.Errors {
		e := &missing.Errors[i]
		name := strings.Join(e.Key(), ".")
		if foreign[name] || slices.ContainsFunc(e.Key(), func(k string) bool { return k == "v8-heap-policy" }) {
			continue
		}
		line, _ := e.Position()
		c.warnings = append(c.warnings, fmt.Sprintf("%s:%d: the key %s is not known and has no effect%s", path, line, name, fileSpelling.suggest(name)))
	}
}

// applyEnvironment takes the settings among environment variables. Nothing else
// has names like theirs, so one that is no setting is a mistake.
func (c *Config) applyEnvironment(environ []string) error {
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		if !strings.HasPrefix(name, variablePrefix) {
			continue
		}
		i := slices.IndexFunc(settings, func(s setting) bool { return s.variable() == name })
		if i < 0 {
			return fmt.Errorf("the environment variable %s is no setting%s", name, variableSpelling.suggest(name))
		}
		if err := c.override(settings[i], value, name); err != nil {
			return fmt.Errorf("the environment variable %s = %q: %w", name, value, err)
		}
	}
	return nil
}

// override gives one setting a value that is written without quotes.
func (c *Config) override(s setting, value, source string) error {
	text, err := c.valueText(s, value)
	if err != nil {
		return err
	}
	if err := toml.Unmarshal([]byte("["+s.section+"]\n"+s.key+" = "+text+"\n"), c); err != nil {
		return fmt.Errorf("%s: %s", s.name(), strings.TrimPrefix(err.Error(), "toml: "))
	}
	if err := c.checkValues(); err != nil {
		return err
	}
	c.origins[s.name()] = origin{text, source}
	return nil
}

// valueText writes a value in TOML, as the type of the setting's field wants it.
func (c *Config) valueText(s setting, value string) (string, error) {
	field, ok := fieldOf(reflect.ValueOf(c).Elem(), s)
	if !ok {
		return "", fmt.Errorf("the setting %s has no field", s.name())
	}
	t := field.Type()
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case reflect.PointerTo(t).Implements(reflect.TypeFor[interface{ UnmarshalText([]byte) error }]()):
		return tomlText(value), nil
	case t.Kind() == reflect.Bool:
		if value != "true" && value != "false" {
			return "", fmt.Errorf("%s is true or false, not %q", s.name(), value)
		}
		return value, nil
	case t.Kind() == reflect.Int64:
		if _, err := strconv.ParseInt(value, 10, 64); err != nil {
			return "", fmt.Errorf("%s is a whole number, not %q", s.name(), value)
		}
		return value, nil
	case t.Kind() == reflect.Slice:
		list := []any{}
		for item := range strings.SplitSeq(value, ",") {
			if item = strings.TrimSpace(item); item != "" {
				list = append(list, item)
			}
		}
		return tomlText(list), nil
	}
	return tomlText(value), nil
}

// fieldOf finds the field of a setting by the tags of Config.
func fieldOf(config reflect.Value, s setting) (reflect.Value, bool) {
	for i := range config.NumField() {
		if config.Type().Field(i).Tag.Get("toml") != s.section {
			continue
		}
		section := config.Field(i)
		for j := range section.NumField() {
			if section.Type().Field(j).Tag.Get("toml") == s.key {
				return section.Field(j), true
			}
		}
	}
	return reflect.Value{}, false
}

// tomlText writes a value that TOML and JSON write alike: all that settings have.
func tomlText(v any) string {
	switch v := v.(type) {
	case []any:
		var items []string
		for _, item := range v {
			items = append(items, tomlText(item))
		}
		return "[" + strings.Join(items, ", ") + "]"
	case string:
		b, _ := json.Marshal(v) // strings always encode
		return string(b)
	}
	return fmt.Sprint(v)
}
