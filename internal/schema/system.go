package schema

import (
	"slices"
	"strings"

	"github.com/stdbgo/spacetime/sats"
)

// The ids of the system tables (spec 02 §9.1).
const (
	StTable                 TableID = 1
	StColumn                TableID = 2
	StSequence              TableID = 3
	StIndex                 TableID = 4
	StConstraint            TableID = 5
	StModule                TableID = 6
	StClient                TableID = 7
	StVar                   TableID = 8
	StScheduled             TableID = 9
	StRowLevelSecurity      TableID = 10
	StConnectionCredentials TableID = 11
	StView                  TableID = 12
	StViewParam             TableID = 13
	StViewColumn            TableID = 14
	StViewSub               TableID = 15
	StViewArg               TableID = 16
	StEventTable            TableID = 17
	StTableAccessor         TableID = 18
	StIndexAccessor         TableID = 19
	StColumnAccessor        TableID = 20
	StEnv                   TableID = 21
	StOutboundStream        TableID = 22
	StOutboundMsg           TableID = 23
	StInboundStream         TableID = 24
	StInboundMsg            TableID = 25
	StOutbox                TableID = 26
)

// The ids of the sequences of the system tables (spec 02 §9.4).
const (
	SeqTableID        SequenceID = 1
	SeqIndexID        SequenceID = 2
	SeqConstraintID   SequenceID = 3
	SeqScheduleID     SequenceID = 4
	SeqSequenceID     SequenceID = 5
	SeqViewID         SequenceID = 6
	SeqViewArgID      SequenceID = 7
	SeqOutboundStream SequenceID = 8
)

// The indexes of the system tables that are looked up by id; the id of the
// constraint on the same columns, if any, differs (spec 02 §9.3).
const (
	IxTableID                   IndexID = 1
	IxTableName                 IndexID = 2
	IxColumnTableIDPos          IndexID = 3
	IxSequenceID                IndexID = 4
	IxIndexID                   IndexID = 5
	IxConstraintID              IndexID = 6
	IxClientIdentityConnection  IndexID = 7
	IxVarName                   IndexID = 8
	IxScheduledScheduleID       IndexID = 9
	IxScheduledTableID          IndexID = 10
	IxRLSTableID                IndexID = 11
	IxRLSSQL                    IndexID = 12
	IxCredentialsConnectionID   IndexID = 13
	IxViewID                    IndexID = 14
	IxViewName                  IndexID = 15
	IxViewParam                 IndexID = 16
	IxViewColumn                IndexID = 17
	IxEventTableID              IndexID = 23
	IxTableAccessorName         IndexID = 24
	IxTableAccessorAlias        IndexID = 25
	IxIndexAccessorName         IndexID = 26
	IxIndexAccessorAlias        IndexID = 27
	IxColumnAccessorName        IndexID = 28
	IxColumnAccessorAlias       IndexID = 29
	IxEnvKey                    IndexID = 30
	IxOutboundStreamID          IndexID = 31
	IxOutboundStreamTableTarget IndexID = 32
	IxOutboundMsgStreamSeq      IndexID = 33
	IxInboundStreamSenderStream IndexID = 34
	IxInboundMsgSenderStreamSeq IndexID = 35
	IxOutboundMsgStreamMsg      IndexID = 36
	IxOutboxTableID             IndexID = 37
)

// SystemSequenceAllocated is st_sequence.allocated of every system sequence in a
// fresh database: the first id handed out (spec 02 §9.4).
const SystemSequenceAllocated = FirstUserID

// systemSequenceStart is st_sequence.start of every system sequence.
const systemSequenceStart = 4097

// maxI128 is the largest 128-bit integer, the default maximum of sequences.
var maxI128 = sats.I128{Lo: 1<<64 - 1, Hi: 1<<63 - 1}

var (
	colList = sats.Array(sats.U16)

	// indexAlgorithmType is st_index.index_algorithm. Its tags differ from
	// those of a raw definition.
	indexAlgorithmType = sats.Sum(sats.E("Unused", sats.U128Type), sats.E("BTree", colList), sats.E("Direct", sats.U16), sats.E("Hash", colList))

	constraintDataType = sats.Sum(sats.E("Unused", sats.U128Type), sats.E("Unique", colList))

	varValueType = sats.Sum(
		sats.E("Bool", sats.Bool), sats.E("I8", sats.I8), sats.E("U8", sats.U8), sats.E("I16", sats.I16), sats.E("U16", sats.U16),
		sats.E("I32", sats.I32), sats.E("U32", sats.U32), sats.E("I64", sats.I64), sats.E("U64", sats.U64),
		sats.E("I128", sats.I128Type), sats.E("U128", sats.U128Type), sats.E("F32", sats.F32), sats.E("F64", sats.F64), sats.E("String", sats.String))
)

// systemTable describes a system table. Ids of indexes and constraints are
// given with the columns they cover.
type systemTable struct {
	id      TableID
	name    string
	cols    []sats.Element
	pk      int // column; -1: none
	indexes []systemIndex
	seq     SequenceID // on column 0; 0: none
}

// systemIndex is a B-tree index of a system table; con is the id of the unique
// constraint on the same columns, 0 if there is none.
type systemIndex struct {
	id   IndexID
	con  ConstraintID
	cols []ColID
}

func ix(id IndexID, con ConstraintID, cols ...ColID) systemIndex { return systemIndex{id, con, cols} }

// systemTables is spec 02 §9.1 to §9.4 as data.
var systemTables = []systemTable{
	{StTable, "st_table", []sats.Element{
		sats.E("table_id", sats.U32), sats.E("table_name", sats.String), sats.E("table_type", sats.String),
		sats.E("table_access", sats.String), sats.E("table_primary_key", sats.Option(colList)),
	}, 0, []systemIndex{ix(1, 1, 0), ix(2, 2, 1)}, SeqTableID},
	{StColumn, "st_column", []sats.Element{
		sats.E("table_id", sats.U32), sats.E("col_pos", sats.U16), sats.E("col_name", sats.String), sats.E("col_type", sats.Bytes),
	}, -1, []systemIndex{ix(3, 3, 0, 1)}, 0},
	{StSequence, "st_sequence", []sats.Element{
		sats.E("sequence_id", sats.U32), sats.E("sequence_name", sats.String), sats.E("table_id", sats.U32),
		sats.E("col_pos", sats.U16), sats.E("increment", sats.I128Type), sats.E("start", sats.I128Type),
		sats.E("min_value", sats.I128Type), sats.E("max_value", sats.I128Type), sats.E("allocated", sats.I128Type),
	}, 0, []systemIndex{ix(4, 4, 0)}, SeqSequenceID},
	{StIndex, "st_index", []sats.Element{
		sats.E("index_id", sats.U32), sats.E("table_id", sats.U32), sats.E("index_name", sats.String),
		sats.E("index_algorithm", indexAlgorithmType),
	}, 0, []systemIndex{ix(5, 5, 0)}, SeqIndexID},
	{StConstraint, "st_constraint", []sats.Element{
		sats.E("constraint_id", sats.U32), sats.E("constraint_name", sats.String), sats.E("table_id", sats.U32),
		sats.E("constraint_data", constraintDataType),
	}, 0, []systemIndex{ix(6, 6, 0)}, SeqConstraintID},
	{StModule, "st_module", []sats.Element{
		sats.E("database_identity", sats.U256Type), sats.E("owner_identity", sats.U256Type), sats.E("program_kind", sats.U8),
		sats.E("program_hash", sats.U256Type), sats.E("program_bytes", sats.Bytes), sats.E("module_version", sats.String),
	}, -1, nil, 0},
	{StClient, "st_client", []sats.Element{
		sats.E("identity", sats.U256Type), sats.E("connection_id", sats.U128Type),
	}, -1, []systemIndex{ix(7, 7, 0, 1)}, 0},
	{StVar, "st_var", []sats.Element{
		sats.E("name", sats.String), sats.E("value", varValueType),
	}, 0, []systemIndex{ix(8, 8, 0)}, 0},
	{StScheduled, "st_scheduled", []sats.Element{
		sats.E("schedule_id", sats.U32), sats.E("table_id", sats.U32), sats.E("reducer_name", sats.String),
		sats.E("schedule_name", sats.String), sats.E("at_column", sats.U16),
	}, 0, []systemIndex{ix(9, 9, 0), ix(10, 10, 1)}, SeqScheduleID},
	{StRowLevelSecurity, "st_row_level_security", []sats.Element{
		sats.E("table_id", sats.U32), sats.E("sql", sats.String),
	}, 1, []systemIndex{ix(11, 0, 0), ix(12, 11, 1)}, 0},
	{StConnectionCredentials, "st_connection_credentials", []sats.Element{
		sats.E("connection_id", sats.U128Type), sats.E("jwt_payload", sats.String),
	}, 0, []systemIndex{ix(13, 12, 0)}, 0},
	{StView, "st_view", []sats.Element{
		sats.E("view_id", sats.U32), sats.E("view_name", sats.String), sats.E("table_id", sats.Option(sats.U32)),
		sats.E("is_public", sats.Bool), sats.E("is_anonymous", sats.Bool),
	}, 0, []systemIndex{ix(14, 13, 0), ix(15, 14, 1)}, SeqViewID},
	{StViewParam, "st_view_param", []sats.Element{
		sats.E("view_id", sats.U32), sats.E("param_pos", sats.U16), sats.E("param_name", sats.String), sats.E("param_type", sats.Bytes),
	}, -1, []systemIndex{ix(16, 15, 0, 1)}, 0},
	{StViewColumn, "st_view_column", []sats.Element{
		sats.E("view_id", sats.U32), sats.E("col_pos", sats.U16), sats.E("col_name", sats.String), sats.E("col_type", sats.Bytes),
	}, -1, []systemIndex{ix(17, 16, 0, 1)}, 0},
	{StViewSub, "st_view_sub", []sats.Element{
		sats.E("view_id", sats.U32), sats.E("arg_id", sats.U64), sats.E("identity", sats.U256Type),
		sats.E("num_subscribers", sats.U64), sats.E("has_subscribers", sats.Bool), sats.E("last_called", sats.I64),
	}, -1, []systemIndex{ix(18, 0, 2), ix(19, 0, 4), ix(20, 0, 0, 1, 2)}, 0},
	{StViewArg, "st_view_arg", []sats.Element{
		sats.E("id", sats.U64), sats.E("bytes", sats.Bytes),
	}, 0, []systemIndex{ix(21, 17, 0), ix(22, 18, 1)}, SeqViewArgID},
	{StEventTable, "st_event_table", []sats.Element{
		sats.E("table_id", sats.U32),
	}, 0, []systemIndex{ix(23, 19, 0)}, 0},
	{StTableAccessor, "st_table_accessor", []sats.Element{
		sats.E("table_name", sats.String), sats.E("accessor_name", sats.String),
	}, -1, []systemIndex{ix(24, 20, 0), ix(25, 21, 1)}, 0},
	{StIndexAccessor, "st_index_accessor", []sats.Element{
		sats.E("index_name", sats.String), sats.E("accessor_name", sats.String),
	}, -1, []systemIndex{ix(26, 22, 0), ix(27, 23, 1)}, 0},
	{StColumnAccessor, "st_column_accessor", []sats.Element{
		sats.E("table_name", sats.String), sats.E("col_name", sats.String), sats.E("accessor_name", sats.String),
	}, -1, []systemIndex{ix(28, 24, 0, 1), ix(29, 25, 0, 2)}, 0},
	{StEnv, "st_env", []sats.Element{
		sats.E("key", sats.String), sats.E("value", sats.String),
	}, 0, []systemIndex{ix(30, 26, 0)}, 0},
	{StOutboundStream, "st_outbound_stream", []sats.Element{
		sats.E("stream_id", sats.U64), sats.E("outbox_table_id", sats.U32), sats.E("target_identity", sats.U256Type),
		sats.E("next_seq", sats.U64), sats.E("ack_prefix", sats.U64),
	}, 0, []systemIndex{ix(31, 27, 0), ix(32, 28, 1, 2)}, SeqOutboundStream},
	{StOutboundMsg, "st_outbound_msg", []sats.Element{
		sats.E("stream_id", sats.U64), sats.E("msg_id", sats.U64), sats.E("seq", sats.U64), sats.E("retry_count", sats.U32),
		sats.E("last_transport_error", sats.Option(sats.String)), sats.E("result_status", sats.Option(sats.U8)),
		sats.E("result_payload", sats.Option(sats.Bytes)),
	}, -1, []systemIndex{ix(33, 29, 0, 2), ix(36, 32, 0, 1)}, 0},
	{StInboundStream, "st_inbound_stream", []sats.Element{
		sats.E("sender_identity", sats.U256Type), sats.E("stream_id", sats.U64), sats.E("applied_prefix", sats.U64),
	}, -1, []systemIndex{ix(34, 30, 0, 1)}, 0},
	{StInboundMsg, "st_inbound_msg", []sats.Element{
		sats.E("sender_identity", sats.U256Type), sats.E("stream_id", sats.U64), sats.E("seq", sats.U64),
		sats.E("result_status", sats.U8), sats.E("result_payload", sats.Bytes),
	}, -1, []systemIndex{ix(35, 31, 0, 1, 2)}, 0},
	{StOutbox, "st_outbox", []sats.Element{
		sats.E("table_id", sats.U32), sats.E("remote_reducer", sats.String), sats.E("target_column", sats.U16),
		sats.E("arg_columns", colList), sats.E("on_result_reducer", sats.Option(sats.String)), sats.E("signature_hash", sats.String),
	}, 0, []systemIndex{ix(37, 33, 0)}, 0},
}

// privateSystemTables are those only the owner may read.
var privateSystemTables = []TableID{StConnectionCredentials, StEnv, StOutboundStream, StOutboundMsg, StInboundStream, StInboundMsg, StOutbox}

var builtSystemTables = buildSystemTables()

// SystemTables returns the system tables in id order, with their fixed ids
// (spec 02 §9). The tables are shared; the slice is the caller's.
func SystemTables() []*Table { return slices.Clone(builtSystemTables) }

// SystemTable returns the system table with this id, or nil.
func SystemTable(id TableID) *Table {
	if id == 0 || int(id) > len(builtSystemTables) {
		return nil
	}
	return builtSystemTables[id-1]
}

func buildSystemTables() []*Table {
	tables := make([]*Table, len(systemTables))
	for i, d := range systemTables {
		tables[i] = d.build()
	}
	return tables
}

func (d *systemTable) build() *Table {
	t := &Table{ID: d.id, Name: d.name, Kind: System, Access: Public}
	if slices.Contains(privateSystemTables, d.id) {
		t.Access = Private
	}
	for _, e := range d.cols {
		t.Cols = append(t.Cols, Column{Name: e.Name.Text, Type: e.Type})
	}
	t.Layout = mustLayout(rowType(t.Cols))
	if d.pk >= 0 {
		pk := ColID(d.pk)
		t.PrimaryKey = &pk
	}
	for _, x := range d.indexes {
		stem := d.name
		for _, c := range x.cols {
			stem += "_" + t.Cols[c].Name
		}
		t.Indexes = append(t.Indexes, &Index{ID: x.id, Name: stem + "_idx_btree", Cols: x.cols, Unique: x.con != 0})
		if x.con != 0 {
			t.Constraints = append(t.Constraints, &Constraint{ID: x.con, Name: stem + "_key", Cols: x.cols})
		}
	}
	if d.seq != 0 {
		t.Sequences = []*Sequence{{
			ID: d.seq, Name: strings.Join([]string{d.name, t.Cols[0].Name, "seq"}, "_"), Col: 0,
			Start: sats.I128From(systemSequenceStart), Min: sats.I128From(1), Max: maxI128, Increment: sats.I128From(1),
		}}
	}
	return t
}
