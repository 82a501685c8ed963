package cli

import (
	"bytes"
	"embed"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"
)

// The templates of projects. A file's name gets ".tmpl" so that no tool takes it
// for a source of ours, and "dot-" where the name begins with a dot.
//
//go:embed templates
var templates embed.FS

// A scaffold is what the templates of a module are filled with.
type scaffold struct {
	lang     string // directory below templates
	Second   bool   // for the second generation of the SDKs, else for the first
	Name     string // of the project
	Packages string // version of the official packages
	Dotnet   string // C# only: 8 or 10
	SDK      *goSDK // Go only
}

// Crate is the project's name as Cargo takes it.
func (s *scaffold) Crate() string {
	if !s.Second {
		return "spacetime-module"
	}
	name := strings.Map(func(c rune) rune {
		if c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' {
			return c
		}
		return '_'
	}, s.Name)
	if name == "" || name[0] >= '0' && name[0] <= '9' {
		name = "_" + name
	}
	return name
}

// NameJSON is the project's name as a JSON text that npm takes.
func (s *scaffold) NameJSON() string { return string(jsonString(slug(s.Name))) }

// GoModule is the path of the Go module.
func (s *scaffold) GoModule() string { return slug(s.Name) }

// SDKDir is where the SDK's source is, as go.mod files write paths.
func (s *scaffold) SDKDir() string {
	dir := filepath.ToSlash(s.SDK.Dir)
	if strings.ContainsAny(dir, " \t'`,()[]{}\"") {
		return strconv.Quote(dir)
	}
	return dir
}

// write writes the module's files below dir; skip names those to leave out.
func (s *scaffold) write(dir string, skip ...string) error {
	top := "templates/" + s.lang
	return fs.WalkDir(templates, top, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name := strings.TrimSuffix(strings.TrimPrefix(p, top+"/"), ".tmpl")
		name = strings.ReplaceAll(name, "dot-", ".")
		for _, s := range skip {
			if name == s {
				return nil
			}
		}
		text, err := templates.ReadFile(p)
		if err != nil {
			return err
		}
		t, err := template.New(path.Base(p)).Parse(string(text))
		if err != nil {
			return err
		}
		var b bytes.Buffer
		if err := t.Execute(&b, s); err != nil {
			return err
		}
		return writeNew(filepath.Join(dir, filepath.FromSlash(name)), b.Bytes())
	})
}

// writeNew writes a file that must not exist.
func writeNew(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}
