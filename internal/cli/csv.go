package cli

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"

	"github.com/stdbgo/spacetime/sats"
)

// csv is a result in the form of RFC 4180: a line of names and one per row. Texts
// stand for themselves, an option without a value is empty.
func (s *statementResult) csv() (string, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	line := make([]string, len(s.columns))
	for i, c := range s.columns {
		if line[i] = c.Name.Text; !c.Name.Set {
			line[i] = fmt.Sprintf("column %d", i)
		}
	}
	err := w.Write(line)
	for _, row := range s.rows {
		for i, cell := range row {
			line[i] = csvText(s.columns[i].Type, cell)
		}
		if err == nil {
			err = w.Write(line)
		}
	}
	w.Flush()
	if err == nil {
		err = w.Error()
	}
	return b.String(), err
}

// csvText is the text of a value in a CSV file.
func csvText(t *sats.Type, cell json.RawMessage) string {
	if inner, ok := optionOf(t); ok {
		value, some := optionValue(cell)
		if !some {
			return ""
		}
		return csvText(inner, value)
	}
	var text string
	if t.Kind == sats.KindString && json.Unmarshal(cell, &text) == nil {
		return text
	}
	return cellText(t, cell)
}

// optionOf returns the type in an option.
func optionOf(t *sats.Type) (*sats.Type, bool) {
	if t.Kind != sats.KindSum || len(t.Elems) != 2 || t.Elems[0].Name.Text != "some" || t.Elems[1].Name.Text != "none" {
		return nil, false
	}
	return t.Elems[0].Type, true
}

// optionValue takes apart an option in either of its JSON forms.
func optionValue(cell json.RawMessage) (value json.RawMessage, some bool) {
	var named map[string]json.RawMessage
	if json.Unmarshal(cell, &named) == nil {
		value, some = named["some"]
		return value, some
	}
	var tagged []json.RawMessage
	if json.Unmarshal(cell, &tagged) == nil && len(tagged) == 2 && string(tagged[0]) == "0" {
		return tagged[1], true
	}
	return nil, false
}
