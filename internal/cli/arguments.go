package cli

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/stdbgo/spacetime/sats"
)

// argumentJSON renders an argument as typed by the user as JSON (spec 09 §7.4).
// What is JSON of its type already stays as it is.
func argumentJSON(ts *sats.Typespace, t *sats.Type, arg string) string {
	t = resolved(ts, t)
	if text, ok := specialJSON(t.Special(), arg); ok {
		return text
	}
	if some, ok := t.IsOption(); ok {
		return optionJSON(ts, some, arg)
	}
	switch t.Kind {
	case sats.KindString:
		return stringJSON(arg)
	case sats.KindI128, sats.KindU128, sats.KindI256, sats.KindU256:
		return wideJSON(t.Kind, arg)
	case sats.KindSum:
		for _, v := range t.Elems {
			if isUnit(resolved(ts, v.Type)) && v.Name.Text == strings.Trim(arg, `"`) {
				return "{" + string(sats.AppendJSONString(nil, v.Name.Text)) + ":{}}"
			}
		}
	}
	return arg
}

// resolved follows references.
func resolved(ts *sats.Typespace, t *sats.Type) *sats.Type {
	for range 64 { // a chain of references ends before
		if t.Kind != sats.KindRef || int(t.Ref) >= len(ts.Types) {
			break
		}
		t = ts.Types[t.Ref]
	}
	return t
}

func isUnit(t *sats.Type) bool { return t.Kind == sats.KindProduct && len(t.Elems) == 0 }

// specialJSON renders what is written bare of a special type.
func specialJSON(special sats.Special, arg string) (string, bool) {
	bare := strings.Trim(arg, `"`)
	_, notNumber := strconv.ParseInt(bare, 10, 64)
	switch special {
	case sats.SpecialIdentity:
		switch {
		case strings.HasPrefix(bare, "0x"):
			return `["` + bare + `"]`, true
		case strings.HasPrefix(bare, "c200"):
			return `["0x` + bare + `"]`, true
		}
	case sats.SpecialConnectionID:
		if id, err := sats.ParseConnectionID(strings.TrimPrefix(bare, "0x")); err == nil {
			return "[" + id.U128().String() + "]", true
		}
	case sats.SpecialTimestamp:
		for _, text := range []string{bare, bare + "T00:00:00Z"} {
			if ts, err := sats.ParseTimestamp(text); err == nil {
				return fmt.Sprintf("[%d]", int64(ts)), true
			}
		}
		return "[" + bare + "]", notNumber == nil
	case sats.SpecialTimeDuration:
		if d, err := time.ParseDuration(bare); err == nil && d%time.Microsecond == 0 {
			return fmt.Sprintf("[%d]", d.Microseconds()), true
		}
		return "[" + bare + "]", notNumber == nil
	case sats.SpecialUuid:
		if u, err := sats.ParseUuid(bare); err == nil {
			return "[" + sats.ConnectionID(u).U128().String() + "]", true
		}
	}
	return "", false
}

// optionJSON takes null, an array, and an object that names the variant; anything
// else is the value that the option has.
func optionJSON(ts *sats.Typespace, some *sats.Type, arg string) string {
	var value any
	if json.Unmarshal([]byte(arg), &value) == nil {
		switch v := value.(type) {
		case nil, []any:
			return arg
		case map[string]any:
			if _, some := v["some"]; some && len(v) == 1 {
				return arg
			}
			if _, none := v["none"]; none && len(v) == 1 {
				return arg
			}
		}
	}
	return `{"some":` + argumentJSON(ts, some, arg) + `}`
}

// wideJSON renders integers of more than 64 bits, which JSON knows in decimal up to
// 128 bits and in hexadecimal, as a string, beyond.
func wideJSON(k sats.Kind, arg string) string {
	bare := strings.Trim(arg, `"`)
	wide := k == sats.KindI256 || k == sats.KindU256
	if strings.HasPrefix(strings.TrimPrefix(bare, "-"), "0x") && wide {
		return `"` + bare + `"`
	}
	t := &sats.Type{Kind: k}
	var value []byte
	switch k {
	case sats.KindU256:
		if u, err := sats.ParseU256(bare); err == nil {
			value = sats.AppendU256(nil, u)
		}
	case sats.KindI256:
		if i, err := sats.ParseI256(bare); err == nil {
			value = sats.AppendI256(nil, i)
		}
	}
	if value == nil {
		return arg
	}
	text, _, err := sats.AppendJSON(nil, nil, t, value, sats.FlavorUntyped)
	if err != nil {
		return arg
	}
	return string(text)
}

// stringJSON takes a string that is JSON already as it is, escapes in it too, and
// quotes any other.
func stringJSON(arg string) string {
	var s string
	if len(arg) >= 2 && arg[0] == '"' && json.Unmarshal([]byte(arg), &s) == nil {
		return arg
	}
	if quoted := `"` + arg + `"`; json.Unmarshal([]byte(quoted), &s) == nil {
		return quoted
	}
	return string(sats.AppendJSONString(nil, arg))
}

var refusedPlace = regexp.MustCompile(`^invalid arguments for [a-z]+ [^:]*: \[(\d+)\]`)

// refusedArgument says which argument the server has refused, and how one of its
// type is written.
func (c *callRequest) refusedArgument(f *function, text string) string {
	m := refusedPlace.FindStringSubmatch(text)
	if m == nil {
		return ""
	}
	i, err := strconv.Atoi(m[1])
	if err != nil || i >= len(f.params.Elems) {
		return ""
	}
	p := f.params.Elems[i]
	return fmt.Sprintf("argument %d, %s, is %s", i+1, p.Name.Text, spelling(c.module.Typespace, p.Type))
}

// spelling says how a value of a type is written on the command line.
func spelling(ts *sats.Typespace, t *sats.Type) string {
	t = resolved(ts, t)
	if some, ok := t.IsOption(); ok {
		return "optional: null, or the value, which is " + spelling(ts, some)
	}
	switch t.Special() {
	case sats.SpecialIdentity:
		return "an identity of 64 hexadecimal digits, like 0xc200…"
	case sats.SpecialConnectionID:
		return "a connection id of 32 hexadecimal digits"
	case sats.SpecialTimestamp:
		return "a time, like 2026-01-31T12:00:00Z, or microseconds since 1970"
	case sats.SpecialTimeDuration:
		return "a duration, like 90s, or microseconds"
	case sats.SpecialUuid:
		return "a UUID, like 0190a6ba-7c80-7000-8000-000000000000"
	case sats.SpecialScheduleAt:
		return `a schedule, like '{"Interval":[1000000]}' or '{"Time":[1700000000000000]}', in microseconds`
	}
	switch t.Kind {
	case sats.KindBool:
		return "true or false"
	case sats.KindString:
		return "a text"
	case sats.KindF32, sats.KindF64:
		return "a number, like 1.5"
	case sats.KindArray:
		return "a list, like '[1, 2]'; texts in it are in double quotes"
	case sats.KindProduct:
		return productSpelling(t)
	case sats.KindSum:
		return sumSpelling(ts, t)
	}
	name := strings.ToLower(t.Kind.String())
	if bits, ok := strings.CutPrefix(name, "u"); ok {
		return "a whole number of " + bits + " bits, not negative"
	}
	return "a whole number of " + strings.TrimPrefix(name, "i") + " bits"
}

func productSpelling(t *sats.Type) string {
	var names []string
	for _, e := range t.Elems {
		names = append(names, string(sats.AppendJSONString(nil, e.Name.Text))+": …")
	}
	return "an object: '{" + strings.Join(names, ", ") + "}'"
}

func sumSpelling(ts *sats.Typespace, t *sats.Type) string {
	var forms []string
	for _, v := range t.Elems {
		if isUnit(resolved(ts, v.Type)) {
			forms = append(forms, v.Name.Text)
		} else {
			forms = append(forms, "'{"+string(sats.AppendJSONString(nil, v.Name.Text))+": …}'")
		}
	}
	return "one of " + strings.Join(forms, ", ")
}
