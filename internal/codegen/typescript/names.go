package typescript

import (
	"encoding/json"
	"strings"
	"unicode"

	"github.com/stdbgo/spacetime/internal/codegen/model"
	"github.com/stdbgo/spacetime/internal/schema"
)

// sdkCamel is the function by which the SDK makes the keys of reducers and
// procedures, and in 1.x those of tables, from names on the wire. It is not the
// conversion of spec 02 §5.4 (spec 10 §5.3).
func sdkCamel(s string) string {
	var out strings.Builder
	gap := false
	for _, r := range s {
		if r == '-' || r == '_' {
			gap = true
			continue
		}
		if gap && (r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9') {
			out.WriteString(strings.ToUpper(string(r)))
		} else {
			if gap {
				out.WriteByte('_')
			}
			out.WriteRune(r)
		}
		gap = false
	}
	if gap {
		out.WriteByte('_')
	}
	key := out.String()
	for i := range key {
		if i > 0 {
			return strings.ToLower(key[:i]) + key[i:]
		}
	}
	return strings.ToLower(key)
}

// startSafe makes of a converted name one that can begin an identifier.
// JavaScript would move keys that look like numbers before all others, and the
// order of keys is the order on the wire.
func startSafe(s string) string {
	if s == "" || s[0] >= '0' && s[0] <= '9' {
		return "_" + s
	}
	return s
}

func camel(s string) string    { return startSafe(schema.ToCamel(s)) }
func pascal(s string) string   { return startSafe(schema.ToPascal(s)) }
func fileStem(s string) string { return startSafe(schema.ToSnake(s)) }

// ident is a type's name in the code.
func ident(t *model.Type) string { return startSafe(t.Ident) }

func stem(t *model.Type) string { return startSafe(t.Stem) }

// symbol is the name by which index.ts knows an object of a level, before the
// suffix of its kind.
func symbol(l *model.Level, accessor string) string {
	if len(l.Path) == 0 {
		return pascal(accessor)
	}
	return pascal(strings.Join(l.Path, "_")) + "_" + pascal(accessor)
}

// quote returns s as a string literal.
func quote(s string) string {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // strings cannot fail
	return strings.TrimSuffix(b.String(), "\n")
}

// key returns s as the key of an object literal.
func key(s string) string {
	switch {
	case s == "__proto__": // would set the prototype
		return `["__proto__"]`
	case isIdentifier(s):
		return s
	}
	return quote(s)
}

// member returns the expression for a property.
func member(object, name string) string {
	if isIdentifier(name) {
		return object + "." + name
	}
	return object + "[" + quote(name) + "]"
}

func isIdentifier(s string) bool {
	for i, r := range s {
		if r != '_' && r != '$' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// variantKey is the key of a variant: 1.x has the source name.
func (g *generator) variantKey(name string) string {
	if g.modern() {
		return pascal(name)
	}
	return name
}
