package wire

// A ClientMessage is what a client asks for. The types below serve all
// protocols; which fields a protocol carries is said at each.
type ClientMessage interface{ clientMessage() }

// CallFlags modify a v1 reducer call; v2 and v3 allow only zero.
type CallFlags uint8

const (
	FullUpdate      CallFlags = 0
	NoSuccessNotify CallFlags = 1 // v1: treat the caller like any other subscriber
)

// CallReducer calls a reducer. Args is the BSATN of the arguments back to back,
// or JSON text if ArgsJSON is set (v1.json).
type CallReducer struct {
	RequestID uint32
	Flags     CallFlags
	Reducer   string
	Args      []byte
	ArgsJSON  bool
}

// CallProcedure calls a procedure; fields as in CallReducer.
type CallProcedure struct {
	RequestID uint32
	Flags     CallFlags
	Procedure string
	Args      []byte
	ArgsJSON  bool
}

// OneOffQuery asks for the rows of a query once. v1 names the request by
// MessageID, v2 by RequestID.
type OneOffQuery struct {
	RequestID uint32
	MessageID []byte
	Query     string
}

// Subscribe replaces the connection's legacy set (v1).
type Subscribe struct {
	Queries   []string
	RequestID uint32
}

// SubscribeSingle subscribes to one query (v1).
type SubscribeSingle struct {
	Query     string
	RequestID uint32
	QueryID   uint32
}

// SubscribeMulti subscribes to several queries under one id (v1).
type SubscribeMulti struct {
	Queries   []string
	RequestID uint32
	QueryID   uint32
}

// Unsubscribe ends a SubscribeSingle (v1).
type Unsubscribe struct{ RequestID, QueryID uint32 }

// UnsubscribeMulti ends a SubscribeMulti (v1).
type UnsubscribeMulti struct{ RequestID, QueryID uint32 }

// SubscribeSet subscribes to a query set (v2).
type SubscribeSet struct {
	RequestID  uint32
	QuerySetID uint32
	Queries    []string
}

// UnsubscribeSet ends a query set (v2).
type UnsubscribeSet struct {
	RequestID       uint32
	QuerySetID      uint32
	SendDroppedRows bool
}

// SubscribeBatch subscribes to several query sets in one step (v2); RequestID of
// the sets is unused.
type SubscribeBatch struct {
	RequestID uint32
	Sets      []SubscribeSet
}

func (*CallReducer) clientMessage()      {}
func (*CallProcedure) clientMessage()    {}
func (*OneOffQuery) clientMessage()      {}
func (*Subscribe) clientMessage()        {}
func (*SubscribeSingle) clientMessage()  {}
func (*SubscribeMulti) clientMessage()   {}
func (*Unsubscribe) clientMessage()      {}
func (*UnsubscribeMulti) clientMessage() {}
func (*SubscribeSet) clientMessage()     {}
func (*UnsubscribeSet) clientMessage()   {}
func (*SubscribeBatch) clientMessage()   {}
