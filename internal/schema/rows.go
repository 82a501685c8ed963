package schema

import (
	"fmt"

	"github.com/stdbgo/spacetime/sats"
)

// The rows of the catalogue tables (spec 02 §9.2). Append and Decode are each
// other's inverse; Decode copies what it keeps and demands that the row ends
// where its bytes do.

// decodeRow runs read over row and names the table in errors.
func decodeRow(table string, row []byte, read func(*sats.Reader)) error {
	r := sats.NewReader(row)
	read(r)
	if err := r.End(); err != nil {
		return fmt.Errorf("row of %s: %w", table, err)
	}
	return nil
}

// StTableRow is a row of st_table.
type StTableRow struct {
	ID         TableID
	Name       string
	Type       string  // "system" or "user"
	Access     string  // "public" or "private"
	PrimaryKey []ColID // nil: none
}

func (s *StTableRow) Append(b []byte) []byte {
	b = sats.AppendU32(b, uint32(s.ID))
	b = sats.AppendString(b, s.Name)
	b = sats.AppendString(b, s.Type)
	b = sats.AppendString(b, s.Access)
	if s.PrimaryKey == nil {
		return sats.AppendNone(b)
	}
	return appendCols(sats.AppendSome(b), s.PrimaryKey)
}

func (s *StTableRow) Decode(row []byte) error {
	return decodeRow("st_table", row, func(r *sats.Reader) {
		*s = StTableRow{ID: TableID(r.U32()), Name: r.Str(), Type: r.Str(), Access: r.Str()}
		if r.Option() {
			s.PrimaryKey = readCols(r)
		}
	})
}

// StColumnRow is a row of st_column.
type StColumnRow struct {
	TableID TableID
	Pos     ColID
	Name    string
	Type    *sats.Type // without references
}

func (s *StColumnRow) Append(b []byte) []byte {
	return appendTypedName(b, uint32(s.TableID), s.Pos, s.Name, s.Type)
}

func (s *StColumnRow) Decode(row []byte) error {
	return decodeRow("st_column", row, func(r *sats.Reader) {
		id, pos, name, t := readTypedName(r)
		*s = StColumnRow{TableID(id), pos, name, t}
	})
}

// StSequenceRow is a row of st_sequence.
type StSequenceRow struct {
	ID                         SequenceID
	Name                       string
	TableID                    TableID
	Col                        ColID
	Increment, Start, Min, Max sats.I128
	Allocated                  sats.I128
}

func (s *StSequenceRow) Append(b []byte) []byte {
	b = sats.AppendU32(b, uint32(s.ID))
	b = sats.AppendString(b, s.Name)
	b = sats.AppendU32(b, uint32(s.TableID))
	b = sats.AppendU16(b, uint16(s.Col))
	for _, v := range []sats.I128{s.Increment, s.Start, s.Min, s.Max, s.Allocated} {
		b = sats.AppendI128(b, v)
	}
	return b
}

func (s *StSequenceRow) Decode(row []byte) error {
	return decodeRow("st_sequence", row, func(r *sats.Reader) {
		*s = StSequenceRow{
			ID: SequenceID(r.U32()), Name: r.Str(), TableID: TableID(r.U32()), Col: ColID(r.U16()),
			Increment: r.I128(), Start: r.I128(), Min: r.I128(), Max: r.I128(), Allocated: r.I128(),
		}
	})
}

// StIndexRow is a row of st_index.
type StIndexRow struct {
	ID      IndexID
	TableID TableID
	Name    string
	Algo    Algo
	Cols    []ColID
}

// The tags of st_index.index_algorithm.
const (
	stIndexBTree  = 1
	stIndexDirect = 2
	stIndexHash   = 3
)

func (s *StIndexRow) Append(b []byte) []byte {
	b = sats.AppendU32(b, uint32(s.ID))
	b = sats.AppendU32(b, uint32(s.TableID))
	b = sats.AppendString(b, s.Name)
	switch s.Algo {
	case Direct:
		return sats.AppendU16(sats.AppendTag(b, stIndexDirect), uint16(s.Cols[0]))
	case Hash:
		return appendCols(sats.AppendTag(b, stIndexHash), s.Cols)
	}
	return appendCols(sats.AppendTag(b, stIndexBTree), s.Cols)
}

func (s *StIndexRow) Decode(row []byte) error {
	return decodeRow("st_index", row, func(r *sats.Reader) {
		*s = StIndexRow{ID: IndexID(r.U32()), TableID: TableID(r.U32()), Name: r.Str()}
		switch tag := r.Tag(4); tag {
		case stIndexBTree:
			s.Algo, s.Cols = BTree, readCols(r)
		case stIndexDirect:
			s.Algo, s.Cols = Direct, []ColID{ColID(r.U16())}
		case stIndexHash:
			s.Algo, s.Cols = Hash, readCols(r)
		default:
			r.Fail(fmt.Errorf("index %q has an algorithm this server does not know", s.Name))
		}
	})
}

// StConstraintRow is a row of st_constraint.
type StConstraintRow struct {
	ID      ConstraintID
	Name    string
	TableID TableID
	Cols    []ColID // of a unique constraint
}

func (s *StConstraintRow) Append(b []byte) []byte {
	b = sats.AppendU32(b, uint32(s.ID))
	b = sats.AppendString(b, s.Name)
	b = sats.AppendU32(b, uint32(s.TableID))
	return appendCols(sats.AppendTag(b, 1), s.Cols)
}

func (s *StConstraintRow) Decode(row []byte) error {
	return decodeRow("st_constraint", row, func(r *sats.Reader) {
		*s = StConstraintRow{ID: ConstraintID(r.U32()), Name: r.Str(), TableID: TableID(r.U32())}
		if r.Tag(2) != 1 {
			r.Fail(fmt.Errorf("constraint %q is of a kind this server does not know", s.Name))
		}
		s.Cols = readCols(r)
	})
}

// StModuleRow is the row of st_module.
type StModuleRow struct {
	Database, Owner sats.Identity
	ProgramKind     uint8 // 0 WebAssembly, 1 JavaScript
	ProgramHash     sats.Hash
	Program         []byte
	Version         string // "0.0.1"
}

// ModuleVersion is what st_module.module_version holds.
const ModuleVersion = "0.0.1"

func (s *StModuleRow) Append(b []byte) []byte {
	b = s.Owner.AppendBSATN(s.Database.AppendBSATN(b))
	b = append(b, s.ProgramKind)
	b = s.ProgramHash.AppendBSATN(b)
	b = sats.AppendBytes(b, s.Program)
	return sats.AppendString(b, s.Version)
}

func (s *StModuleRow) Decode(row []byte) error {
	return decodeRow("st_module", row, func(r *sats.Reader) {
		*s = StModuleRow{}
		s.Database.ReadBSATN(r)
		s.Owner.ReadBSATN(r)
		s.ProgramKind = r.U8()
		s.ProgramHash.ReadBSATN(r)
		s.Program = r.Bytes()
		s.Version = r.Str()
	})
}

// StClientRow is a row of st_client.
type StClientRow struct {
	Identity     sats.Identity
	ConnectionID sats.ConnectionID
}

func (s *StClientRow) Append(b []byte) []byte {
	return s.ConnectionID.AppendBSATN(s.Identity.AppendBSATN(b))
}

func (s *StClientRow) Decode(row []byte) error {
	return decodeRow("st_client", row, func(r *sats.Reader) {
		s.Identity.ReadBSATN(r)
		s.ConnectionID.ReadBSATN(r)
	})
}

// StScheduledRow is a row of st_scheduled.
type StScheduledRow struct {
	ID       ScheduleID
	TableID  TableID
	Function string
	Name     string
	AtCol    ColID
}

func (s *StScheduledRow) Append(b []byte) []byte {
	b = sats.AppendU32(b, uint32(s.ID))
	b = sats.AppendU32(b, uint32(s.TableID))
	b = sats.AppendString(b, s.Function)
	b = sats.AppendString(b, s.Name)
	return sats.AppendU16(b, uint16(s.AtCol))
}

func (s *StScheduledRow) Decode(row []byte) error {
	return decodeRow("st_scheduled", row, func(r *sats.Reader) {
		*s = StScheduledRow{ID: ScheduleID(r.U32()), TableID: TableID(r.U32()), Function: r.Str(), Name: r.Str(), AtCol: ColID(r.U16())}
	})
}

// StRowLevelSecurityRow is a row of st_row_level_security.
type StRowLevelSecurityRow struct {
	TableID TableID
	SQL     string
}

func (s *StRowLevelSecurityRow) Append(b []byte) []byte {
	return sats.AppendString(sats.AppendU32(b, uint32(s.TableID)), s.SQL)
}

func (s *StRowLevelSecurityRow) Decode(row []byte) error {
	return decodeRow("st_row_level_security", row, func(r *sats.Reader) {
		*s = StRowLevelSecurityRow{TableID: TableID(r.U32()), SQL: r.Str()}
	})
}

// StConnectionCredentialsRow is a row of st_connection_credentials.
type StConnectionCredentialsRow struct {
	ConnectionID sats.ConnectionID
	JWTPayload   string
}

func (s *StConnectionCredentialsRow) Append(b []byte) []byte {
	return sats.AppendString(s.ConnectionID.AppendBSATN(b), s.JWTPayload)
}

func (s *StConnectionCredentialsRow) Decode(row []byte) error {
	return decodeRow("st_connection_credentials", row, func(r *sats.Reader) {
		s.ConnectionID.ReadBSATN(r)
		s.JWTPayload = r.Str()
	})
}

// StEventTableRow is a row of st_event_table.
type StEventTableRow struct{ TableID TableID }

func (s *StEventTableRow) Append(b []byte) []byte { return sats.AppendU32(b, uint32(s.TableID)) }

func (s *StEventTableRow) Decode(row []byte) error {
	return decodeRow("st_event_table", row, func(r *sats.Reader) { s.TableID = TableID(r.U32()) })
}

// StTableAccessorRow is a row of st_table_accessor.
type StTableAccessorRow struct{ Table, Accessor string }

func (s *StTableAccessorRow) Append(b []byte) []byte {
	return sats.AppendString(sats.AppendString(b, s.Table), s.Accessor)
}

func (s *StTableAccessorRow) Decode(row []byte) error {
	return decodeRow("st_table_accessor", row, func(r *sats.Reader) { *s = StTableAccessorRow{r.Str(), r.Str()} })
}

// StIndexAccessorRow is a row of st_index_accessor.
type StIndexAccessorRow struct{ Index, Accessor string }

func (s *StIndexAccessorRow) Append(b []byte) []byte {
	return sats.AppendString(sats.AppendString(b, s.Index), s.Accessor)
}

func (s *StIndexAccessorRow) Decode(row []byte) error {
	return decodeRow("st_index_accessor", row, func(r *sats.Reader) { *s = StIndexAccessorRow{r.Str(), r.Str()} })
}

// StColumnAccessorRow is a row of st_column_accessor.
type StColumnAccessorRow struct{ Table, Column, Accessor string }

func (s *StColumnAccessorRow) Append(b []byte) []byte {
	return sats.AppendString(sats.AppendString(sats.AppendString(b, s.Table), s.Column), s.Accessor)
}

func (s *StColumnAccessorRow) Decode(row []byte) error {
	return decodeRow("st_column_accessor", row, func(r *sats.Reader) {
		*s = StColumnAccessorRow{r.Str(), r.Str(), r.Str()}
	})
}

// appendTypedName appends the row that st_column, st_view_param and
// st_view_column share.
func appendTypedName(b []byte, id uint32, pos ColID, name string, t *sats.Type) []byte {
	b = sats.AppendU32(b, id)
	b = sats.AppendU16(b, uint16(pos))
	b = sats.AppendString(b, name)
	return sats.AppendBytes(b, sats.AppendType(nil, t))
}

func readTypedName(r *sats.Reader) (id uint32, pos ColID, name string, t *sats.Type) {
	id, pos, name = r.U32(), ColID(r.U16()), r.Str()
	inner := sats.NewReader(r.BytesView())
	if r.Err() != nil {
		return id, pos, name, nil
	}
	t, err := sats.DecodeType(inner)
	if err == nil {
		err = inner.End()
	}
	if err != nil {
		r.Fail(fmt.Errorf("type of %q: %w", name, err))
	}
	return id, pos, name, t
}

func appendCols(b []byte, cols []ColID) []byte {
	b = sats.AppendLen(b, len(cols))
	for _, c := range cols {
		b = sats.AppendU16(b, uint16(c))
	}
	return b
}

// readCols reads a column list; an empty list is not nil.
func readCols(r *sats.Reader) []ColID {
	cols := make([]ColID, r.Count(2))
	for i := range cols {
		cols[i] = ColID(r.U16())
	}
	return cols
}
