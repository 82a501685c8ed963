package server

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/internal/nearest"
)

// A spelling is a way to write the names of settings: that of config.toml and --set,
// or that of environment variables.
type spelling struct {
	name    func(setting) string // whole
	section func(string) string  // what names of a section begin with
	key     func(string) string
}

var (
	fileSpelling = spelling{setting.name, func(s string) string { return s + "." }, func(k string) string { return k }}

	variableSpelling = spelling{setting.variable, func(s string) string { return variablePrefix + variableText(s) + "_" }, variableText}
)

// variableText writes a part of a setting's name as in an environment variable.
func variableText(s string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(s))
}

// sections are those of config.toml, in their order.
func sections() (list []string) {
	for _, s := range settings {
		if !slices.Contains(list, s.section) {
			list = append(list, s.section)
		}
	}
	return list
}

// suggest says what a name that is no setting may mean: a key of its section that
// begins alike or is similar, that key in another section, a similar section; else what
// there is.
func (sp spelling) suggest(given string) string {
	in := ""
	for _, s := range sections() {
		if p := sp.section(s); strings.HasPrefix(given, p) && len(p) > len(in) {
			in = p
		}
	}
	if in != "" {
		return sp.suggestKey(in, given[len(in):])
	}
	var names []string
	for _, s := range settings {
		names = append(names, sp.name(s))
	}
	if near := nearest.Of(given, names, 2); near != "" {
		return "; do you mean " + near + "?"
	}
	if elsewhere := sp.withKey(given); len(elsewhere) > 0 {
		return "; do you mean " + strings.Join(elsewhere, " or ") + "?"
	}
	return "; " + sp.suggestSection(given)
}

// suggestKey is suggest for a key behind the name of a section.
func (sp spelling) suggestKey(in, given string) string {
	var names, keys []string
	for _, s := range settings {
		if name := sp.name(s); strings.HasPrefix(name, in) {
			names, keys = append(names, name), append(keys, name[len(in):])
		}
	}
	if given != "" {
		for i, key := range keys {
			if strings.HasPrefix(key, given) {
				return "; do you mean " + names[i] + "?"
			}
		}
	}
	if i := nearest.Index(given, keys, nearest.Limit(given)); i >= 0 {
		return "; do you mean " + names[i] + "?"
	}
	if elsewhere := sp.withKey(in + given); given != "" && len(elsewhere) > 0 {
		return "; do you mean " + strings.Join(elsewhere, " or ") + "?"
	}
	return "; there are " + strings.Join(names, ", ")
}

// withKey are the settings whose key a name ends with.
func (sp spelling) withKey(given string) (names []string) {
	for _, s := range settings {
		name := sp.name(s)
		key := name[len(sp.section(s.section)):]
		if given == key || strings.HasSuffix(given, name[len(name)-len(key)-1:]) {
			names = append(names, name)
		}
	}
	return names
}

// suggestSection says which sections there are, or which one is similar to what a name
// begins with.
func (sp spelling) suggestSection(given string) string {
	all := sections()
	best, limit := "", len(given)
	for _, s := range all {
		p := strings.TrimRight(sp.section(s), "._")
		begin := given
		if i := strings.IndexByte(given, '.'); i >= 0 {
			begin = given[:i]
		} else if len(begin) > len(p) {
			begin = begin[:len(p)]
		}
		if d := nearest.Distance(begin, p); d <= min(limit, nearest.Limit(s)) {
			best, limit = s, d-1
		}
	}
	if best != "" {
		return "do you mean the section [" + best + "]?"
	}
	return "the sections are " + strings.Join(all, ", ")
}
