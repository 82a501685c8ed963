package cli

import (
	"bytes"
	"embed"
	"errors"
	"html"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/template"
)

// The templates of projects. A file's name gets ".tmpl" so that no tool takes it
// for a source of ours, and "dot-" where the name begins with a dot.
//
//go:embed all:templates
var templates embed.FS

// A scaffold is what the templates of a module are filled with.
type scaffold struct {
	lang     string // directory below templates
	Second   bool   // for the second generation of the SDKs, else for the first
	Name     string // of the project
	Packages string // version of the official packages
	Dotnet   string // C# only: 8 or 10
	SDK      *goSDK // Go only

	// Of projects with a client.
	ClientLang string // a word of generate's --lang
	Framework  string // of a browser's client: react, vue, svelte …
	Chat       bool   // else a list of people
	Database   string
	Bindings   string // directory of the generated code, below the project
	Dev        string // command that runs the client
}

// Language is the language of the module, as a directory below templates.
func (s *scaffold) Language() string { return s.lang }

// PackageLine is the version of the official packages without a pattern: 2.8.
func (s *scaffold) PackageLine() string { return strings.TrimSuffix(s.Packages, ".*") }

// Title is the project's name for a page of HTML.
func (s *scaffold) Title() string { return html.EscapeString(s.Name) }

// TitleJSON is the project's name as a text of source code.
func (s *scaffold) TitleJSON() string { return string(jsonString(s.Name)) }

// DatabaseJSON is the name of the database as a text of source code.
func (s *scaffold) DatabaseJSON() string { return string(jsonString(s.Database)) }

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

// A layer is a folder below templates, and the place in the project of its files.
// Files of later layers replace those of earlier ones.
type layer struct{ from, to string }

// write writes the files of layers below dir; skip names those to leave out, as
// they are named in the project.
func (s *scaffold) write(dir string, layers []layer, skip ...string) error {
	files := map[string]string{} // the template of each file
	for _, l := range layers {
		top := "templates/" + l.from
		err := fs.WalkDir(templates, top, func(p string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			name := strings.TrimSuffix(strings.TrimPrefix(p, top+"/"), ".tmpl")
			files[path.Join(l.to, strings.ReplaceAll(name, "dot-", "."))] = p
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if slices.Contains(skip, name) {
			continue
		}
		text, err := s.fill(files[name])
		if err != nil {
			return err
		}
		if err := writeNew(filepath.Join(dir, filepath.FromSlash(name)), text); err != nil {
			return err
		}
	}
	return nil
}

// fill fills in one template.
func (s *scaffold) fill(name string) ([]byte, error) {
	text, err := templates.ReadFile(name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(path.Base(name)).Parse(string(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, s)
	return b.Bytes(), err
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
