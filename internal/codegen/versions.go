package codegen

import (
	"fmt"
	"regexp"
	"strconv"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/codegen/typescript"
)

// newest are the newest releases of the client SDKs that the generators know.
// Bindings for them are made where nothing says otherwise.
var newest = map[Language]model.Version{
	TypeScript: typescript.Newest,
	Rust:       {Major: 2, Minor: 14, Patch: 0},
	CSharp:     {Major: 2, Minor: 14, Patch: 0},
	Unreal:     {Major: 2, Minor: 14, Patch: 0},
}

// last1x is the last release of generation 1, for every language.
var last1x = model.Version{Major: 1, Minor: 12, Patch: 0}

// Newest returns the newest release of a language's SDK that is known.
func Newest(l Language) model.Version { return newest[l] }

var explicitVersion = regexp.MustCompile(`^v?([0-9]{1,4})(?:\.([0-9]{1,4}))?(?:\.([0-9]{1,4}))?$`)

// ParseVersion reads a release as users name it: 1, 2, X.Y or X.Y.Z. A major
// version stands for its newest release (spec 10 §3.1).
func ParseVersion(l Language, s string) (model.Version, error) {
	m := explicitVersion.FindStringSubmatch(s)
	if m == nil {
		return model.Version{}, fmt.Errorf("`%s` is no version of an SDK: write 1, 2, or a release like 2.8 or 1.12.0", s)
	}
	if m[2] == "" {
		return newestOf(l, atoi(m[1]))
	}
	v := model.Version{Major: atoi(m[1]), Minor: atoi(m[2]), Patch: atoi(m[3])}
	if v.Major < 1 || v.Major > newest[l].Major {
		return newestOf(l, v.Major)
	}
	return v, nil
}

func newestOf(l Language, major int) (model.Version, error) {
	switch major {
	case 1:
		return last1x, nil
	case newest[l].Major:
		return newest[l], nil
	}
	return model.Version{}, fmt.Errorf("SDK version %d is not known: bindings can be generated for 1.x and %d.x", major, newest[l].Major)
}

// atoi reads a number of a few digits, "" as 0.
func atoi(s string) int {
	n, _ := strconv.Atoi(s)
	return n
}

var anyVersion = regexp.MustCompile(`([0-9]{1,4})(?:\.([0-9]{1,4}|[xX*]))?(?:\.([0-9]{1,4}))?`)

// lowerBound returns the first release in a requirement like ^2.1.0, >=1.12 or
// 2.x; a requirement that names only a major version means its newest release.
func lowerBound(l Language, s string) (model.Version, bool) {
	m := anyVersion.FindStringSubmatch(s)
	if m == nil {
		return model.Version{}, false
	}
	major := atoi(m[1])
	if m[2] == "" || m[2][0] < '0' || m[2][0] > '9' {
		v, err := newestOf(l, major)
		if err != nil {
			v = model.Version{Major: major}
		}
		return v, true
	}
	return model.Version{Major: major, Minor: atoi(m[2]), Patch: atoi(m[3])}, true
}

// exact reads the release at the beginning of s.
func exact(s string) (model.Version, bool) {
	m := regexp.MustCompile(`^v?([0-9]{1,4})\.([0-9]{1,4})\.([0-9]{1,4})`).FindStringSubmatch(s)
	if m == nil {
		return model.Version{}, false
	}
	return model.Version{Major: atoi(m[1]), Minor: atoi(m[2]), Patch: atoi(m[3])}, true
}
