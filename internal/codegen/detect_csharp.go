package codegen

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

const (
	nuget      = "SpacetimeDB.ClientSDK"
	unityName  = "com.clockworklabs.spacetimedbsdk"
	unityFiles = "Packages"
)

var csharpEvidence = detector{nugetRestored, nugetDeclared, unityLocked, unityDeclared, unityEmbedded}

func nugetRestored(dir string) (model.Version, string) {
	var assets struct{ Libraries map[string]any }
	if readJSON(&assets, dir, "obj", "project.assets.json") != nil {
		return model.Version{}, ""
	}
	for _, key := range slices.Sorted(maps.Keys(assets.Libraries)) {
		name, version, _ := strings.Cut(key, "/")
		if v, ok := exact(version); ok && strings.EqualFold(name, nuget) {
			return v, "obj/project.assets.json"
		}
	}
	return model.Version{}, ""
}

var (
	packageElement = regexp.MustCompile(`(?is)<Package(?:Reference|Version)\s+(?:[^>]*\s)?(?:Include|Update)\s*=\s*"SpacetimeDB\.ClientSDK"[^>]*?(?:/>|>.*?</Package(?:Reference|Version)>)`)
	versionPart    = regexp.MustCompile(`(?is)\bVersion(?:Override)?\s*(?:=\s*"|>)\s*([^"<]+)`)
)

func nugetDeclared(dir string) (model.Version, string) {
	files, err := filepath.Glob(filepath.Join(globEscape(dir), "*.csproj"))
	if err != nil {
		return model.Version{}, ""
	}
	for _, f := range append(files, filepath.Join(dir, "Directory.Packages.props")) {
		for _, element := range packageElement.FindAll(read(f), 16) {
			// The name itself holds no version; what follows it may.
			if m := versionPart.FindSubmatch(element); m != nil {
				if v, ok := lowerBound(CSharp, string(m[1])); ok {
					return v, filepath.Base(f)
				}
			}
		}
	}
	return model.Version{}, ""
}

// globEscape makes a directory stand for itself in a pattern.
func globEscape(dir string) string {
	if filepath.Separator == '\\' {
		return dir // there is no escaping; brackets are rare
	}
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}

func unityLocked(dir string) (model.Version, string) {
	var lock struct {
		Dependencies map[string]struct{ Version string }
	}
	if readJSON(&lock, dir, unityFiles, "packages-lock.json") != nil {
		return model.Version{}, ""
	}
	if d, ok := lock.Dependencies[unityName]; ok {
		return unitySource(dir, d.Version), unityFiles + "/packages-lock.json"
	}
	return model.Version{}, ""
}

func unityDeclared(dir string) (model.Version, string) {
	var manifest struct{ Dependencies map[string]string }
	if readJSON(&manifest, dir, unityFiles, "manifest.json") != nil {
		return model.Version{}, ""
	}
	if source, ok := manifest.Dependencies[unityName]; ok {
		return unitySource(dir, source), unityFiles + "/manifest.json"
	}
	return model.Version{}, ""
}

func unityEmbedded(dir string) (model.Version, string) {
	if v, ok := unityPackage(filepath.Join(dir, unityFiles, unityName)); ok {
		return v, unityFiles + "/" + unityName
	}
	return model.Version{}, ""
}

// unitySource reads where a package comes from: a release, an address with a tag
// behind "#", or a directory that is relative to Packages.
func unitySource(dir, source string) model.Version {
	if path, ok := strings.CutPrefix(source, "file:"); ok {
		path = filepath.FromSlash(path)
		if !filepath.IsAbs(path) {
			path = filepath.Join(dir, unityFiles, path)
		}
		if v, ok := unityPackage(path); ok {
			return v
		}
		return newest[CSharp]
	}
	if _, tag, ok := strings.Cut(source, "#"); ok {
		source = tag
	}
	if v, ok := exact(source); ok {
		return v
	}
	return newest[CSharp]
}

func unityPackage(dir string) (model.Version, bool) {
	var pkg struct{ Version string }
	if readJSON(&pkg, dir, "package.json") != nil {
		return model.Version{}, false
	}
	return exact(pkg.Version)
}
