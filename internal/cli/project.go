package cli

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A project is what the project files say: spacetime.json of the working
// directory or a parent, and what lies over it (spec 09 §5). The zero value is no
// project.
type project struct {
	dir     string   // that holds the files
	files   []string // that were read
	root    map[string]any
	targets []*databaseTarget // the root and all below it, with what they inherit
}

// A databaseTarget is the settings of one database.
type databaseTarget struct {
	values  map[string]any // by key with underscores
	hasKids bool
}

// maxProjectFile bounds a project file in bytes.
const maxProjectFile = 1 << 20

// loadProject finds the project of a directory; env selects further files.
func loadProject(start, env string) (*project, error) {
	p := &project{}
	for dir := start; ; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "spacetime.json")); err == nil {
			p.dir = dir
			break
		}
		if dir == filepath.Dir(dir) {
			return p, nil
		}
	}
	names := []string{"spacetime.json", "spacetime.local.json"}
	if env != "" {
		names = append(names, "spacetime."+env+".json", "spacetime."+env+".local.json")
	}
	for _, name := range names {
		path := filepath.Join(p.dir, name)
		layer, err := readProjectFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, because(err, "Failed to load spacetime.json")
		}
		p.files = append(p.files, path)
		markOrigin(layer, name)
		p.root = overlay(p.root, layer)
	}
	if err := checkDev(p.root); err != nil {
		return nil, because(err, "Failed to load spacetime.json")
	}
	return p, p.collect(p.root, nil)
}

// databaseOrigin is the key under which an object holds the name of the file that
// its database comes from. No file can have it.
const databaseOrigin = "\x00database"

// markOrigin notes in a file's objects where their databases come from.
func markOrigin(object map[string]any, file string) {
	if object["database"] != nil {
		object[databaseOrigin] = file
	}
	children, _ := object["children"].([]any)
	for _, c := range children {
		if child, ok := c.(map[string]any); ok {
			markOrigin(child, file)
		}
	}
}

// originOf returns the path of the file that names a target's database.
func (p *project) originOf(t *databaseTarget) string {
	file, ok := t.values[databaseOrigin].(string)
	if !ok {
		return ""
	}
	return filepath.Join(p.dir, file)
}

// shared reports whether the target's database is named in the file that everybody
// who works on the project has.
func (t *databaseTarget) shared() bool { return t.values[databaseOrigin] == "spacetime.json" }

func readProjectFile(path string) (map[string]any, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var v any
	if len(text) > maxProjectFile {
		err = errors.New("the file is larger than 1 MiB")
	} else {
		v, err = parseJSON5(string(text))
	}
	if err != nil {
		return nil, fail("Failed to parse config file %s: %s", path, err)
	}
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fail("Failed to parse config file %s: it must hold an object", path)
	}
	m, _ = normalKeys(m).(map[string]any)
	return m, nil
}

// keyAliases maps names that the documentation or the original's code uses to the
// one that is used here.
var keyAliases = map[string]string{"wasm_file": "bin_path", "js_file": "js_path", "anon_identity": "anonymous"}

// normalKeys writes keys with underscores and by one name; values of env are not
// touched, their keys are the user's.
func normalKeys(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for key, value := range v {
			key = strings.ReplaceAll(key, "-", "_")
			if known, ok := keyAliases[key]; ok {
				key = known
			}
			if key == "_source_config" {
				continue // written into users' files by one release of the original
			}
			if key != "env" {
				value = normalKeys(value)
			}
			m[key] = value
		}
		return m
	case []any:
		for i := range v {
			v[i] = normalKeys(v[i])
		}
	}
	return v
}

// overlay puts one layer over another: keys replace, children and env are merged
// (spec 09 §5.1).
func overlay(base, over map[string]any) map[string]any {
	if base == nil {
		return over
	}
	for key, value := range over {
		switch key {
		case "children":
			below, ok := base[key].([]any)
			above, ok2 := value.([]any)
			if ok && ok2 {
				for i := range min(len(below), len(above)) {
					b, ok := below[i].(map[string]any)
					o, ok2 := above[i].(map[string]any)
					if ok && ok2 {
						below[i] = overlay(b, o)
					}
				}
				continue
			}
		case "env":
			below, ok := base[key].(map[string]any)
			above, ok2 := value.(map[string]any)
			if ok && ok2 {
				for name, v := range above {
					below[name] = v
				}
				continue
			}
		}
		base[key] = value
	}
	return base
}

func checkDev(root map[string]any) error {
	dev, ok := root["dev"].(map[string]any)
	if !ok && root["dev"] != nil {
		return fail("Failed to deserialize merged config: `dev` must be an object")
	}
	for key := range dev {
		if key != "run" {
			return because(fmt.Errorf("unknown field `%s`, expected `run`", key), "Failed to deserialize merged config")
		}
	}
	return nil
}

var moduleSources = []string{"module_path", "bin_path", "js_path"}

// collect adds a target and those below it.
func (p *project) collect(object, parent map[string]any) error {
	values := map[string]any{}
	own := slices.ContainsFunc(moduleSources, func(k string) bool { return object[k] != nil })
	for key, value := range parent {
		if key == "dev" || key == "generate" || key == "children" || key == "dependencies" || own && slices.Contains(moduleSources, key) {
			continue
		}
		values[key] = value
	}
	for key, value := range object {
		above, ok := values[key].(map[string]any)
		if own, ok2 := value.(map[string]any); ok && ok2 && key == "env" {
			merged := maps.Clone(above)
			maps.Copy(merged, own)
			value = merged
		}
		values[key] = value
	}
	children, ok := object["children"].([]any)
	if !ok && object["children"] != nil {
		return fail("Failed to load spacetime.json: `children` must be a list of objects")
	}
	p.targets = append(p.targets, &databaseTarget{values: values, hasKids: len(children) > 0})
	for _, c := range children {
		child, ok := c.(map[string]any)
		if !ok {
			return fail("Failed to load spacetime.json: `children` must be a list of objects")
		}
		if err := p.collect(child, values); err != nil {
			return err
		}
	}
	return nil
}

// text returns a value that must be a text, "" if there is none.
func (t *databaseTarget) text(key string) (string, error) {
	switch v := t.values[key].(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case number5:
		if key == "num_replicas" || key == "dotnet_version" {
			return string(v), nil
		}
	}
	return "", fail("Failed to convert config value for key '%s' to type string", key)
}

func (t *databaseTarget) flag(key string) (bool, error) {
	switch v := t.values[key].(type) {
	case nil:
		return false, nil
	case bool:
		return v, nil
	}
	return false, fail("Failed to convert config value for key '%s' to type bool", key)
}

// database is the target's database, "" if it names none.
func (t *databaseTarget) database() string {
	s, _ := t.values["database"].(string)
	return s
}

// named returns the targets that name a database, each name once.
func (p *project) named() []*databaseTarget {
	var list []*databaseTarget
	for _, t := range p.targets {
		if t.database() != "" && !slices.ContainsFunc(list, func(o *databaseTarget) bool { return o.database() == t.database() }) {
			list = append(list, t)
		}
	}
	return list
}

func databaseNames(list []*databaseTarget) string {
	names := make([]string, len(list))
	for i, t := range list {
		names[i] = t.database()
	}
	return strings.Join(names, ", ")
}

// path makes a path of the project files absolute.
func (p *project) path(path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(p.dir, path)
}

// sharedServer is the server of all targets that have one, if it is the same.
func (p *project) sharedServer() string {
	server := ""
	for _, t := range p.targets {
		s, _ := t.values["server"].(string)
		switch {
		case s == "" || s == server:
		case server == "":
			server = s
		default:
			return ""
		}
	}
	return server
}
