package schema

import (
	"fmt"

	"github.com/stdbgo/spacetime/sats"
)

// The rows about views, variables and messages between databases (spec 02
// §9.2).

// StViewRow is a row of st_view.
type StViewRow struct {
	ID          ViewID
	Name        string
	TableID     *TableID // of the backing table; nil: none
	IsPublic    bool     // true always; the access is that of the backing table
	IsAnonymous bool
}

func (s *StViewRow) Append(b []byte) []byte {
	b = sats.AppendU32(b, uint32(s.ID))
	b = sats.AppendString(b, s.Name)
	if s.TableID == nil {
		b = sats.AppendNone(b)
	} else {
		b = sats.AppendU32(sats.AppendSome(b), uint32(*s.TableID))
	}
	return sats.AppendBool(sats.AppendBool(b, s.IsPublic), s.IsAnonymous)
}

func (s *StViewRow) Decode(row []byte) error {
	return decodeRow("st_view", row, func(r *sats.Reader) {
		*s = StViewRow{ID: ViewID(r.U32()), Name: r.Str()}
		if r.Option() {
			id := TableID(r.U32())
			s.TableID = &id
		}
		s.IsPublic, s.IsAnonymous = r.Bool(), r.Bool()
	})
}

// StViewParamRow is a row of st_view_param.
type StViewParamRow struct {
	ViewID ViewID
	Pos    ColID
	Name   string
	Type   *sats.Type // may hold references into the module's typespace
}

func (s *StViewParamRow) Append(b []byte) []byte {
	return appendTypedName(b, uint32(s.ViewID), s.Pos, s.Name, s.Type)
}

func (s *StViewParamRow) Decode(row []byte) error {
	return decodeRow("st_view_param", row, func(r *sats.Reader) {
		id, pos, name, t := readTypedName(r)
		*s = StViewParamRow{ViewID(id), pos, name, t}
	})
}

// StViewColumnRow is a row of st_view_column.
type StViewColumnRow struct {
	ViewID ViewID
	Pos    ColID
	Name   string
	Type   *sats.Type // may hold references into the module's typespace
}

func (s *StViewColumnRow) Append(b []byte) []byte {
	return appendTypedName(b, uint32(s.ViewID), s.Pos, s.Name, s.Type)
}

func (s *StViewColumnRow) Decode(row []byte) error {
	return decodeRow("st_view_column", row, func(r *sats.Reader) {
		id, pos, name, t := readTypedName(r)
		*s = StViewColumnRow{ViewID(id), pos, name, t}
	})
}

// RowLimitVar is the only name st_var defines: the number of rows a query of
// anyone but the owner may be estimated to visit.
const RowLimitVar = "row_limit"

// StVarRow is a row of st_var. Value is BSATN of the column: a tag and the
// payload.
type StVarRow struct {
	Name  string
	Value []byte
}

// stVarU64 is the tag of a U64 in st_var.value.
const stVarU64 = 8

// NewStVarU64 returns the row that gives the variable name the value v.
func NewStVarU64(name string, v uint64) *StVarRow {
	return &StVarRow{Name: name, Value: sats.AppendU64([]byte{stVarU64}, v)}
}

// U64 returns the value if it is one of type U64.
func (s *StVarRow) U64() (uint64, bool) {
	if len(s.Value) != 9 || s.Value[0] != stVarU64 {
		return 0, false
	}
	return sats.NewReader(s.Value[1:]).U64(), true
}

func (s *StVarRow) Append(b []byte) []byte { return append(sats.AppendString(b, s.Name), s.Value...) }

func (s *StVarRow) Decode(row []byte) error {
	return decodeRow("st_var", row, func(r *sats.Reader) {
		*s = StVarRow{Name: r.Str()}
		s.Value = append(s.Value, r.Rest()...)
		if tag := r.Tag(len(varValueType.Elems)); r.Err() == nil {
			if t := varValueType.Elems[tag].Type; t.Kind == sats.KindString {
				r.Str()
			} else {
				r.View(t.Kind.Size())
			}
		}
	})
}

// StEnvRow is a row of st_env.
type StEnvRow struct{ Key, Value string }

func (s *StEnvRow) Append(b []byte) []byte {
	return sats.AppendString(sats.AppendString(b, s.Key), s.Value)
}

func (s *StEnvRow) Decode(row []byte) error {
	return decodeRow("st_env", row, func(r *sats.Reader) { *s = StEnvRow{r.Str(), r.Str()} })
}

// StOutboxRow is a row of st_outbox.
type StOutboxRow struct {
	TableID TableID
	Outbox
}

func (s *StOutboxRow) Append(b []byte) []byte {
	b = sats.AppendU32(b, uint32(s.TableID))
	b = sats.AppendString(b, s.RemoteReducer)
	b = sats.AppendU16(b, uint16(s.TargetCol))
	b = appendCols(b, s.ArgCols)
	if s.OnResult == "" {
		b = sats.AppendNone(b)
	} else {
		b = sats.AppendString(sats.AppendSome(b), s.OnResult)
	}
	return sats.AppendString(b, s.SignatureHash.String())
}

func (s *StOutboxRow) Decode(row []byte) error {
	return decodeRow("st_outbox", row, func(r *sats.Reader) {
		*s = StOutboxRow{TableID: TableID(r.U32())}
		s.RemoteReducer, s.TargetCol, s.ArgCols = r.Str(), ColID(r.U16()), readCols(r)
		if r.Option() {
			s.OnResult = r.Str()
		}
		text := r.Str()
		if r.Err() != nil {
			return
		}
		h, err := sats.ParseHash(text)
		if err != nil {
			r.Fail(fmt.Errorf("signature_hash: %w", err))
		}
		s.SignatureHash = h
	})
}

// StOutboundStreamRow is a row of st_outbound_stream.
type StOutboundStreamRow struct {
	ID               uint64
	OutboxTableID    TableID
	Target           sats.Identity
	NextSeq, AckedTo uint64
}

func (s *StOutboundStreamRow) Append(b []byte) []byte {
	b = sats.AppendU32(sats.AppendU64(b, s.ID), uint32(s.OutboxTableID))
	b = s.Target.AppendBSATN(b)
	return sats.AppendU64(sats.AppendU64(b, s.NextSeq), s.AckedTo)
}

func (s *StOutboundStreamRow) Decode(row []byte) error {
	return decodeRow("st_outbound_stream", row, func(r *sats.Reader) {
		*s = StOutboundStreamRow{ID: r.U64(), OutboxTableID: TableID(r.U32())}
		s.Target.ReadBSATN(r)
		s.NextSeq, s.AckedTo = r.U64(), r.U64()
	})
}
