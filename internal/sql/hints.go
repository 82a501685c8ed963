package sql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// What helps beside the messages, whose words are fixed (spec 07 §34.12).

// literalHint says how a literal of a type is written.
func literalHint(text string, t *sats.Type) string {
	if inner, ok := t.IsOption(); ok {
		return literalHint(text, inner)
	}
	switch t.Special() {
	case sats.SpecialTimestamp:
		return "A time is written like '2025-02-10 15:45:30Z'."
	case sats.SpecialTimeDuration:
		return "A span of time is written in seconds, like '1.5', or like 'PT1.5S'."
	case sats.SpecialScheduleAt:
		return "It is a time like '2025-02-10 15:45:30Z', or a span of time in seconds like '1.5'."
	case sats.SpecialIdentity:
		return "An identity has 64 hexadecimal digits."
	case sats.SpecialConnectionID:
		return "A connection id has 32 hexadecimal digits."
	case sats.SpecialUuid:
		return "A UUID is written like '00112233-4455-6677-8899-aabbccddeeff'."
	}
	switch {
	case t.Kind == sats.KindBool:
		return "It is true or false."
	case t.Kind.IsInteger():
		return integerHint(t.Kind)
	case t.Kind.IsFloat():
		return "It is a number, or 'NaN', 'inf' or '-inf'."
	case t.IsBytes():
		return "Bytes are written in hexadecimal digits, two each."
	case t.Kind == sats.KindSum:
		return variantHint(text, t)
	case t.Kind == sats.KindArray:
		return "A list is written in JSON, like '[..., ...]'."
	case t.Kind == sats.KindProduct:
		var fields []string
		for i := range t.Elems {
			fields = append(fields, `"`+t.Elems[i].Name.Text+`": ...`)
		}
		return "It is written in JSON: '{" + strings.Join(fields, ", ") + "}'."
	}
	return ""
}

func integerHint(k sats.Kind) string {
	bits := 8 * k.Size()
	switch {
	case bits > 64:
		return fmt.Sprintf("It is a whole number of %d bits.", bits)
	case k.IsSigned():
		return fmt.Sprintf("It is a whole number from %d to %d.", int64(-1)<<(bits-1), int64(1)<<(bits-1)-1)
	}
	return fmt.Sprintf("It is a whole number from 0 to %d.", ^uint64(0)>>(64-bits))
}

// maxListed is how many names a hint lists.
const maxListed = 12

func variantHint(text string, t *sats.Type) string {
	var names []string
	for _, v := range t.Elems {
		names = append(names, v.Name.Text)
	}
	if near := didYouMean(text, names); near != "" || len(names) > maxListed {
		return near
	}
	return "Its variants are `" + strings.Join(names, "`, `") + "`; those with a payload are written in JSON."
}

// typeHint helps where a value of one type stands for another.
func typeHint(from, to *sats.Type) string {
	name := castName(to)
	if fn, _ := conversion(from, to); fn == nil || name == "" {
		return ""
	}
	return "CAST(... AS " + name + ") converts it."
}

// castName is how CAST names a type; empty if it does not.
func castName(t *sats.Type) string {
	for _, name := range []string{
		"Bool", "String", "I8", "I16", "I32", "I64", "I128", "I256", "U8", "U16", "U32", "U64", "U128", "U256", "F32", "F64",
		"BYTEA", "TIMESTAMP", "INTERVAL", "IDENTITY", "UUID",
	} {
		if typeNames[strings.ToUpper(name)].Equal(t) {
			return name
		}
	}
	return ""
}

// columnsHint lists the columns that a row of values is for.
func (in *insertion) columnsHint() string {
	names := make([]string, in.n)
	for col, at := range in.at {
		if at >= 0 {
			names[at] = in.t.Cols[col].Name
		}
	}
	if len(names) > maxListed {
		return ""
	}
	return "The columns are `" + strings.Join(names, "`, `") + "`."
}

// aggregateHint says where aggregates belong, and what their functions take.
func aggregateHint(name string, misplaced bool) string {
	if misplaced {
		return "Aggregates stand in the list of columns, in HAVING and in ORDER BY, and not inside each other."
	}
	if name == "SUM" || name == "AVG" {
		return name + " takes numbers."
	}
	return ""
}

// functionHint names the function that may be meant.
func functionHint(name string) string {
	known := []string{"COALESCE", "CAST", "EXISTS"}
	for fn := range aggregates {
		known = append(known, fn)
	}
	slices.Sort(known)
	if near := didYouMean(name, known); near != "" {
		return near
	}
	return "The functions are " + strings.Join(known, ", ") + "."
}
