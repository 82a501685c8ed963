package v1

import "github.com/stdbgo/spacetime/sats"

// The message types of the JSON form. Names and order are the wire format of
// spec 05 §7; a difference to the binary form is that rows and arguments are
// strings and that a query update has no compression sum around it.
var (
	idType      = sats.Product(sats.E("id", sats.U32))
	stringsType = sats.Array(sats.String)

	queryUpdateType    = sats.Product(sats.E("deletes", stringsType), sats.E("inserts", stringsType))
	tableUpdateType    = sats.Product(sats.E("table_id", sats.U32), sats.E("table_name", sats.String), sats.E("num_rows", sats.U64), sats.E("updates", sats.Array(queryUpdateType)))
	databaseUpdateType = sats.Product(sats.E("tables", sats.Array(tableUpdateType)))
	updateStatusType   = sats.Sum(sats.E("Committed", databaseUpdateType), sats.E("Failed", sats.String), sats.E("OutOfEnergy", sats.Unit))
	reducerCallType    = sats.Product(sats.E("reducer_name", sats.String), sats.E("reducer_id", sats.U32), sats.E("args", sats.String), sats.E("request_id", sats.U32))
	energyType         = sats.Product(sats.E("quanta", sats.U128Type))
	subscribeRowsType  = sats.Product(sats.E("table_id", sats.U32), sats.E("table_name", sats.String), sats.E("table_rows", tableUpdateType))
	oneOffTableType    = sats.Product(sats.E("table_name", sats.String), sats.E("rows", stringsType))
	procStatusType     = sats.Sum(sats.E("Returned", sats.String), sats.E("OutOfEnergy", sats.Unit), sats.E("InternalError", sats.String))

	singleAppliedType = sats.Product(sats.E("request_id", sats.U32), sats.E("total_host_execution_duration_micros", sats.U64), sats.E("query_id", idType), sats.E("rows", subscribeRowsType))
	multiAppliedType  = sats.Product(sats.E("request_id", sats.U32), sats.E("total_host_execution_duration_micros", sats.U64), sats.E("query_id", idType), sats.E("update", databaseUpdateType))

	serverJSONType = sats.Sum(
		sats.E("InitialSubscription", sats.Product(sats.E("database_update", databaseUpdateType), sats.E("request_id", sats.U32), sats.E("total_host_execution_duration", sats.TimeDurationType))),
		sats.E("TransactionUpdate", sats.Product(sats.E("status", updateStatusType), sats.E("timestamp", sats.TimestampType), sats.E("caller_identity", sats.IdentityType), sats.E("caller_connection_id", sats.ConnectionIDType), sats.E("reducer_call", reducerCallType), sats.E("energy_quanta_used", energyType), sats.E("total_host_execution_duration", sats.TimeDurationType))),
		sats.E("TransactionUpdateLight", sats.Product(sats.E("request_id", sats.U32), sats.E("update", databaseUpdateType))),
		sats.E("IdentityToken", sats.Product(sats.E("identity", sats.IdentityType), sats.E("token", sats.String), sats.E("connection_id", sats.ConnectionIDType))),
		sats.E("OneOffQueryResponse", sats.Product(sats.E("message_id", sats.Bytes), sats.E("error", sats.Option(sats.String)), sats.E("tables", sats.Array(oneOffTableType)), sats.E("total_host_execution_duration", sats.TimeDurationType))),
		sats.E("SubscribeApplied", singleAppliedType),
		sats.E("UnsubscribeApplied", singleAppliedType),
		sats.E("SubscriptionError", sats.Product(sats.E("total_host_execution_duration_micros", sats.U64), sats.E("request_id", sats.Option(sats.U32)), sats.E("query_id", sats.Option(sats.U32)), sats.E("table_id", sats.Option(sats.U32)), sats.E("error", sats.String))),
		sats.E("SubscribeMultiApplied", multiAppliedType),
		sats.E("UnsubscribeMultiApplied", multiAppliedType),
		sats.E("ProcedureResult", sats.Product(sats.E("status", procStatusType), sats.E("timestamp", sats.TimestampType), sats.E("total_host_execution_duration", sats.TimeDurationType), sats.E("request_id", sats.U32))),
	)

	callType = func(name string) *sats.Type {
		return sats.Product(sats.E(name, sats.String), sats.E("args", sats.String), sats.E("request_id", sats.U32), sats.E("flags", sats.U8))
	}
	idsType        = sats.Product(sats.E("request_id", sats.U32), sats.E("query_id", idType))
	clientJSONType = sats.Sum(
		sats.E("CallReducer", callType("reducer")),
		sats.E("Subscribe", sats.Product(sats.E("query_strings", stringsType), sats.E("request_id", sats.U32))),
		sats.E("OneOffQuery", sats.Product(sats.E("message_id", sats.Bytes), sats.E("query_string", sats.String))),
		sats.E("SubscribeSingle", sats.Product(sats.E("query", sats.String), sats.E("request_id", sats.U32), sats.E("query_id", idType))),
		sats.E("SubscribeMulti", sats.Product(sats.E("query_strings", stringsType), sats.E("request_id", sats.U32), sats.E("query_id", idType))),
		sats.E("Unsubscribe", idsType),
		sats.E("UnsubscribeMulti", idsType),
		sats.E("CallProcedure", callType("procedure")),
	)
)
