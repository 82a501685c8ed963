package host

import (
	"bytes"
	"encoding/json"

	"github.com/stdbgo/spacetime/sats"
)

// sourceNames rewrites JSON arguments that are an object, so that parameters under
// their canonical names stand under those that the module's author wrote (spec 06
// §4.8). What is another parameter's source name means that one. Text that has no
// such member, or is no object, stays as it is, for the parser to judge.
func sourceNames(args []byte, source, canonical *sats.Type) []byte {
	if trimmed := bytes.TrimLeft(args, " \t\r\n"); len(trimmed) == 0 || trimmed[0] != '{' {
		return args
	}
	names := aliases(source, canonical)
	if len(names) == 0 {
		return args
	}
	d := json.NewDecoder(bytes.NewReader(args))
	if _, err := d.Token(); err != nil {
		return args
	}
	out, renamed := []byte{'{'}, false
	for d.More() {
		key, err := d.Token()
		name, ok := key.(string)
		var value json.RawMessage
		if err != nil || !ok || d.Decode(&value) != nil {
			return args
		}
		if src, ok := names[name]; ok {
			name, renamed = src, true
		}
		if len(out) > 1 {
			out = append(out, ',')
		}
		out = append(append(sats.AppendJSONString(out, name), ':'), value...)
	}
	if _, err := d.Token(); err != nil || d.More() || !renamed {
		return args
	}
	return append(out, '}')
}

// aliases maps canonical names that are nobody's source name to source names.
func aliases(source, canonical *sats.Type) map[string]string {
	var names map[string]string
	for i, c := range canonical.Elems {
		if c.Name.Text == source.Elems[i].Name.Text || hasElement(source, c.Name.Text) {
			continue
		}
		if names == nil {
			names = map[string]string{}
		}
		names[c.Name.Text] = source.Elems[i].Name.Text
	}
	return names
}

func hasElement(t *sats.Type, name string) bool {
	for _, e := range t.Elems {
		if e.Name.Text == name {
			return true
		}
	}
	return false
}
