package codegen

import (
	"path/filepath"
	"regexp"
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/model"
)

const (
	npmPackage    = "spacetimedb"
	npmOldPackage = "@clockworklabs/spacetimedb-sdk"
)

var typescriptEvidence = detector{
	func(dir string) (model.Version, string) { return npmInstalled(dir, npmPackage) },
	npmLocked,
	func(dir string) (model.Version, string) { return npmDeclared(dir, npmPackage) },
	func(dir string) (model.Version, string) { return oldPackage(npmInstalled(dir, npmOldPackage)) },
	func(dir string) (model.Version, string) { return oldPackage(npmDeclared(dir, npmOldPackage)) },
}

// oldPackage turns a release of the SDK's former package into one of today's:
// its 2.0.0 only refers to the package of now.
func oldPackage(v model.Version, evidence string) (model.Version, string) {
	if v.Major >= 2 {
		v = newest[TypeScript]
	}
	return v, evidence
}

func npmInstalled(dir, name string) (model.Version, string) {
	var pkg struct{ Version string }
	if readJSON(&pkg, dir, "node_modules", filepath.FromSlash(name), "package.json") != nil {
		return model.Version{}, ""
	}
	if v, ok := exact(pkg.Version); ok {
		return v, "node_modules/" + name
	}
	return model.Version{}, ""
}

var (
	pnpmEntry = regexp.MustCompile(`(?m)^ +'?/?spacetimedb[@/]([0-9][^:'()\s]*)`)
	yarnEntry = regexp.MustCompile(`(?m)^"?spacetimedb@[^\n]*:\r?\n +version:? "?([0-9][^"\s]*)`)
	bunEntry  = regexp.MustCompile(`"spacetimedb@([0-9][^"]*)"`)
)

func npmLocked(dir string) (model.Version, string) {
	type entry struct{ Version string }
	var lock struct {
		Packages     map[string]entry
		Dependencies map[string]entry
	}
	if readJSON(&lock, dir, "package-lock.json") == nil {
		for _, e := range []entry{lock.Packages["node_modules/"+npmPackage], lock.Dependencies[npmPackage]} {
			if v, ok := exact(e.Version); ok {
				return v, "package-lock.json"
			}
		}
	}
	for _, f := range []struct {
		name  string
		entry *regexp.Regexp
	}{{"pnpm-lock.yaml", pnpmEntry}, {"yarn.lock", yarnEntry}, {"bun.lock", bunEntry}} {
		if m := f.entry.FindSubmatch(read(dir, f.name)); m != nil {
			if v, ok := exact(string(m[1])); ok {
				return v, f.name
			}
		}
	}
	return model.Version{}, ""
}

func npmDeclared(dir, name string) (model.Version, string) {
	var pkg struct{ Dependencies, DevDependencies, PeerDependencies map[string]string }
	if readJSON(&pkg, dir, "package.json") != nil {
		return model.Version{}, ""
	}
	for _, deps := range []map[string]string{pkg.Dependencies, pkg.DevDependencies, pkg.PeerDependencies} {
		requirement, ok := deps[name]
		if !ok {
			continue
		}
		requirement = requirement[strings.LastIndex(requirement, "@")+1:] // of "npm:spacetimedb@2.1.0"
		if strings.ContainsAny(requirement, "/#") {                       // an address or a path
			return newest[TypeScript], "package.json"
		}
		if v, ok := lowerBound(TypeScript, requirement); ok {
			return v, "package.json"
		}
		return newest[TypeScript], "package.json"
	}
	return model.Version{}, ""
}
