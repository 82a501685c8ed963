package cli

import (
	"path/filepath"
	"runtime"
)

// configDir, dataDir and historyFile follow spec 09 §3.1.
func (r *run) configDir() string {
	if r.rootDir != "" {
		return filepath.Join(r.path(r.rootDir), "config")
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(r.Getenv("LocalAppData"), "SpacetimeDB", "config")
	}
	return filepath.Join(r.xdg("XDG_CONFIG_HOME", ".config"), "spacetime")
}

func (r *run) dataDir() string {
	if r.rootDir != "" {
		return filepath.Join(r.path(r.rootDir), "data")
	}
	if runtime.GOOS == "windows" {
		return filepath.Join(r.Getenv("LocalAppData"), "SpacetimeDB", "data")
	}
	return filepath.Join(r.xdg("XDG_DATA_HOME", filepath.Join(".local", "share")), "spacetime", "data")
}

// xdg returns a base directory; relative values are ignored as the XDG
// specification wants.
func (r *run) xdg(variable, def string) string {
	if dir := r.Getenv(variable); filepath.IsAbs(dir) {
		return dir
	}
	return filepath.Join(r.HomeDir, def)
}

// path makes a path given on the command line absolute.
func (r *run) path(p string) string {
	if filepath.IsAbs(p) {
		return p
	}
	return filepath.Join(r.WorkDir, p)
}
