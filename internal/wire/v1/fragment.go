package v1

import (
	"errors"

	"github.com/stdbgo/spacetime/internal/wire"
	"github.com/stdbgo/spacetime/sats"
)

var errCompressedUpdate = errors.New("a query update is compressed on its own, as servers older than 1.2 did")

// AppendQueryUpdate appends the fragment of one query: never compressed by
// itself, deletes before inserts.
func AppendQueryUpdate(b []byte, deletes, inserts *wire.RowList) []byte {
	return inserts.Append(deletes.Append(append(b, 0)))
}

// AppendQueryUpdateJSON appends the fragment of one query in the JSON form; each
// row is the JSON text of a row.
func AppendQueryUpdateJSON(b []byte, deletes, inserts []string) []byte {
	return AppendRowsJSON(AppendRowsJSON(b, deletes), inserts)
}

// AppendRowsJSON appends a list of rows in the JSON form.
func AppendRowsJSON(b []byte, rows []string) []byte { return wire.AppendStrings(b, rows) }

// ReadQueryUpdate reads a binary fragment.
func ReadQueryUpdate(r *sats.Reader) (deletes, inserts wire.RowList) {
	if r.TagOf(3, "CompressableQueryUpdate") != 0 {
		r.Fail(errCompressedUpdate)
		return
	}
	deletes = wire.ReadRowList(r)
	inserts = wire.ReadRowList(r)
	return deletes, inserts
}

func appendOptU32(b []byte, v *uint32) []byte { return wire.AppendOptU32(b, v) }
