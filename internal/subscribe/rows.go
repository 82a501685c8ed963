package subscribe

import (
	"fmt"

	"github.com/stdbgo/spacetime/internal/schema"
	"github.com/stdbgo/spacetime/internal/wire"
	v1 "github.com/stdbgo/spacetime/internal/wire/v1"
	v2 "github.com/stdbgo/spacetime/internal/wire/v2"
	"github.com/stdbgo/spacetime/sats"
)

// jsonForm chooses the form of a row in v1.json (spec 05 §7.3): named if it was
// read from a table, by position if it comes from a transaction.
type jsonForm func(row []byte) sats.Flavor

func storedForm([]byte) sats.Flavor { return sats.FlavorStored }

// jsonRows turns rows into the strings of v1.json. Rows of views, which come without
// the hidden column, are always given by position.
func jsonRows(t *schema.Table, l *wire.RowList, form jsonForm) []string {
	out := make([]string, l.Len())
	var text []byte
	rowType := t.Layout.Type()
	if t.IsView {
		rowType = sats.Product(rowType.Elems[1:]...)
		form = func([]byte) sats.Flavor { return sats.FlavorUntyped }
	}
	for i := range out {
		var err error
		text, _, err = sats.AppendJSON(text[:0], nil, rowType, l.At(i), form(l.At(i)))
		if err != nil {
			// Stored rows have been validated against the table's type.
			panic(fmt.Sprintf("subscribe: a row of %s does not decode: %v", t.Name, err))
		}
		out[i] = string(text)
	}
	return out
}

// appendList appends a list of rows in a format.
func appendList(b []byte, format wire.Format, t *schema.Table, l *wire.RowList, form jsonForm) []byte {
	if format == wire.FormatV1JSON {
		return v1.AppendRowsJSON(b, jsonRows(t, l, form))
	}
	return l.Append(b)
}

// appendUpdate appends the fragment of an update in a format.
func appendUpdate(b []byte, format wire.Format, t *schema.Table, inserts, deletes *wire.RowList, form jsonForm) []byte {
	switch format {
	case wire.FormatV1:
		return v1.AppendQueryUpdate(b, deletes, inserts)
	case wire.FormatV1JSON:
		return v1.AppendQueryUpdateJSON(b, jsonRows(t, deletes, form), jsonRows(t, inserts, form))
	}
	if t.IsEvent {
		return v2.AppendEvents(b, inserts)
	}
	return v2.AppendPersistent(b, inserts, deletes)
}

// bodyV1 encodes a v1 message for a client. It panics if a JSON message does not
// hold JSON fragments, which is a mistake of this package.
func bodyV1(c *Client, m v1.ServerMessage) []byte {
	if c.Protocol != wire.V1JSON {
		return m.Append(nil)
	}
	text, err := v1.JSON(nil, m)
	if err != nil {
		panic(fmt.Sprintf("subscribe: %T is not in JSON form: %v", m, err))
	}
	return text
}
