package codegen

import (
	"maps"
	"path/filepath"
	"slices"

	"github.com/pelletier/go-toml/v2"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

const crate = "spacetimedb-sdk"

var rustEvidence = detector{cargoLocked, cargoDeclared}

// cargoLocked reads Cargo.lock. Of several releases the one that Cargo.toml of
// the directory asks for counts.
func cargoLocked(dir string) (model.Version, string) {
	var lock struct {
		Package []struct{ Name, Version string }
	}
	if toml.Unmarshal(read(dir, "Cargo.lock"), &lock) != nil {
		return model.Version{}, ""
	}
	var found []model.Version
	for _, p := range lock.Package {
		if v, ok := exact(p.Version); ok && p.Name == crate {
			found = append(found, v)
		}
	}
	if len(found) == 0 {
		return model.Version{}, ""
	}
	slices.SortFunc(found, func(a, b model.Version) int {
		if a == b {
			return 0
		}
		if a.AtLeast(b.Major, b.Minor, b.Patch) {
			return -1
		}
		return 1
	})
	if len(found) > 1 {
		if want, evidence := cargoDeclared(dir); evidence != "" {
			for _, v := range found {
				if v.Major == want.Major {
					return v, "Cargo.lock"
				}
			}
		}
	}
	return found[0], "Cargo.lock"
}

// A cargoManifest is what counts of Cargo.toml.
type cargoManifest struct {
	Package struct {
		Version any // a text, or a table if it is the workspace's
	}
	Dependencies map[string]any
	Target       map[string]struct{ Dependencies map[string]any }
	Workspace    struct{ Dependencies map[string]any }
}

func cargoDeclared(dir string) (model.Version, string) {
	var m cargoManifest
	if text := read(dir, "Cargo.toml"); text == nil || toml.Unmarshal(text, &m) != nil {
		return model.Version{}, ""
	}
	tables := []map[string]any{m.Dependencies}
	for _, name := range slices.Sorted(maps.Keys(m.Target)) {
		tables = append(tables, m.Target[name].Dependencies)
	}
	for _, deps := range append(tables, m.Workspace.Dependencies) {
		if v, ok := cargoRequirement(dir, deps[crate]); ok {
			return v, "Cargo.toml"
		}
	}
	return model.Version{}, ""
}

// cargoRequirement reads a dependency of Cargo.toml in dir: a requirement or a
// table. One that is the workspace's is found in the workspace's file.
func cargoRequirement(dir string, dep any) (model.Version, bool) {
	switch dep := dep.(type) {
	case string:
		return lowerBound(Rust, dep)
	case map[string]any:
		if path, ok := dep["path"].(string); ok {
			return cargoPath(filepath.Join(dir, filepath.FromSlash(path))), true
		}
		if version, ok := dep["version"].(string); ok {
			return lowerBound(Rust, version)
		}
		if _, ok := dep["git"]; ok {
			return newest[Rust], true
		}
	}
	return model.Version{}, false
}

// cargoPath is the release of the crate in a directory.
func cargoPath(dir string) model.Version {
	var m cargoManifest
	if toml.Unmarshal(read(dir, "Cargo.toml"), &m) == nil {
		if s, ok := m.Package.Version.(string); ok {
			if v, ok := exact(s); ok {
				return v
			}
		}
	}
	return newest[Rust]
}
