package pgwire

import (
	"encoding/binary"
	"fmt"

	"github.com/stdbgo/spacetime/sats"
)

// Style is how values are written as text.
type Style uint8

const (
	// StyleOriginal is what the original sends in answer to simple queries (spec 06
	// §7.4).
	StyleOriginal Style = iota
	// StylePostgres is what PostgreSQL itself sends.
	StylePostgres
)

// NullForm says what the none of a column of an option type is sent as.
type NullForm uint8

const (
	// NullStored: as the value of the option type that it is.
	NullStored NullForm = iota
	// NullComputed: as NULL, and the column has the type of what the option holds.
	NullComputed
	// NullJoined: as NULL if there was no partner to join, which NullPartner tells, or
	// nothing does; else as NullStored.
	NullJoined
	// NullPartner: not at all. Behind the columns that are sent there may be a Bool for
	// each that is NullJoined, in their order: true means that it is NULL.
	NullPartner
)

// A RowEncoder writes rows of one type. It is for one goroutine.
type RowEncoder struct {
	Columns []Column
	values  []valueEncoder
	nulls   []NullForm
	told    int // columns that are NullPartner
	r       sats.Reader
}

// A valueEncoder appends one value without its length, in one format.
type valueEncoder func(dst []byte, r *sats.Reader) []byte

// NewRowEncoder makes an encoder for rows of a product type without references. nulls,
// if it is not nil, has one entry for each column; formats are those of a Bind
// message.
func NewRowEncoder(row *sats.Type, nulls []NullForm, formats []int, style Style) (*RowEncoder, error) {
	e := &RowEncoder{nulls: make([]NullForm, len(row.Elems))}
	copy(e.nulls, nulls)
	for ; e.told < len(nulls) && nulls[len(nulls)-1-e.told] == NullPartner; e.told++ {
	}
	sent := row.Elems[:len(row.Elems)-e.told]
	if len(formats) > 1 && len(formats) != len(sent) {
		return nil, fmt.Errorf("%d formats for %d columns", len(formats), len(sent))
	}
	for i, elem := range sent {
		t := elem.Type
		if inner, ok := t.IsOption(); !ok {
			e.nulls[i] = NullStored
		} else if e.nulls[i] == NullComputed {
			t = inner
		}
		c := Column{Name: elem.Name.Or(fmt.Sprintf("col_%d", i)), OID: OID(t), Format: FormatOf(formats, i)}
		e.Columns = append(e.Columns, c)
		if c.Format == FormatBinary {
			e.values = append(e.values, binaryValue(t))
		} else {
			e.values = append(e.values, textValue(t, style))
		}
	}
	return e, nil
}

// Append appends the message DataRow for a row in BSATN.
func (e *RowEncoder) Append(dst, row []byte) ([]byte, error) {
	start := len(dst)
	dst, at := begin(dst, 'D')
	dst = appendU16(dst, len(e.values))
	e.r.Reset(row)
	missing := row[max(len(row)-e.told, 0):]
	for i, value := range e.values {
		size := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		switch e.nulls[i] {
		case NullComputed:
			if !e.r.Option() {
				binary.BigEndian.PutUint32(dst[size:], 0xffffffff)
				continue
			}
		case NullJoined:
			rest := e.r.Rest()
			none := len(rest) > 0 && rest[0] == 1
			if e.told > 0 && len(missing) > 0 {
				none = none && missing[0] == 1
				missing = missing[1:]
			}
			if none {
				e.r.Option()
				binary.BigEndian.PutUint32(dst[size:], 0xffffffff)
				continue
			}
		}
		dst = value(dst, &e.r)
		binary.BigEndian.PutUint32(dst[size:], uint32(len(dst)-size-4))
	}
	for range e.told {
		e.r.Bool()
	}
	if err := e.r.End(); err != nil {
		return dst[:start], err
	}
	return finish(dst, at), nil
}
