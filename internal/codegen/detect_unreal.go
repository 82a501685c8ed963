package codegen

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

var unrealEvidence = detector{unrealPlugin}

// Bounds of the search for the plugin below Plugins.
const (
	maxPluginDepth   = 5
	maxPluginEntries = 20000
)

// unrealPlugin looks at the plugin's headers: its version is the same in all
// releases.
func unrealPlugin(dir string) (model.Version, string) {
	plugin := findPlugin(filepath.Join(dir, "Plugins"))
	if plugin == "" {
		return model.Version{}, ""
	}
	public := filepath.Join(plugin, "Source", "SpacetimeDbSdk", "Public")
	evidence, err := filepath.Rel(dir, plugin)
	if err != nil {
		evidence = plugin
	}
	return pluginGeneration(public), filepath.ToSlash(evidence)
}

// pluginGeneration returns the first release whose plugin has the same headers.
func pluginGeneration(public string) model.Version {
	switch {
	case exists(public, "QueryBuilder"):
		return newest[Unreal]
	case !exists(public, "Connection", "SetReducerFlags.h"):
		return model.Version{Major: 2, Minor: 1}
	case bytes.Contains(read(public, "Connection", "DbConnectionBuilder.h"), []byte("WithDatabaseName")):
		return model.Version{Major: 2}
	case exists(public, "Connection", "ProcedureFlags.h"):
		return last1x
	}
	return model.Version{Major: 1, Minor: 4}
}

// findPlugin returns the directory of SpacetimeDbSdk.uplugin, "" if it is not
// found.
func findPlugin(root string) string {
	found, entries := "", 0
	_ = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		entries++
		switch {
		case err != nil:
			return fs.SkipDir
		case entries > maxPluginEntries:
			return fs.SkipAll
		case d.Name() == "SpacetimeDbSdk.uplugin":
			found = filepath.Dir(path)
			return fs.SkipAll
		case d.IsDir() && strings.Count(strings.TrimPrefix(path, root), string(os.PathSeparator)) > maxPluginDepth:
			return fs.SkipDir
		}
		return nil
	})
	return found
}
