package unreal

import (
	"strings"

	"github.com/stdbgo/spacetime/internal/codegen/source"
)

// clientSource writes the code of the client header's classes.
func (g *generator) clientSource() {
	w := source.New("\t")
	g.marker(w, "")
	includes := []string{"ModuleBindings/" + g.prefix + "SpacetimeDBClient.g.h", "DBCache/WithBsatn.h", "BSATN/UEBSATNHelpers.h"}
	for _, t := range g.root.Combined() {
		includes = append(includes, "ModuleBindings/Tables/"+g.table(t)+"Table.g.h")
	}
	g.include(w, includes)
	g.constructor(w)
	g.forwards(w)
	g.updates(w)
	g.contextSource(w)
	for _, f := range g.root.Reducers {
		g.reducerSource(w, f)
	}
	for _, f := range g.procedures() {
		g.procedureSource(w, f)
	}
	g.builders(w)
	g.add("Private", g.prefix+"SpacetimeDBClient.g.cpp", w)
}

func (g *generator) constructor(w *source.Writer) {
	w.Put(`

U‹P›DbConnection::U‹P›DbConnection(const FObjectInitializer& ObjectInitializer) : Super(ObjectInitializer)
{
	Db = ObjectInitializer.CreateDefaultSubobject<U‹P›RemoteTables>(this, TEXT("RemoteTables"));
	Db->Initialize();
`, g.holes()...)
	if !g.has.v2 {
		w.Put("\tSetReducerFlags = ObjectInitializer.CreateDefaultSubobject<U‹P›SetReducerFlags>(this, TEXT(\"SetReducerFlags\"));\n", g.holes()...)
	}
	w.Put(`
	Reducers = ObjectInitializer.CreateDefaultSubobject<U‹P›RemoteReducers>(this, TEXT("RemoteReducers"));
	Reducers->Conn = this;
`, g.holes()...)
	if !g.has.v2 {
		w.Put("\tReducers->SetCallReducerFlags = SetReducerFlags;\n")
	}
	if g.has.procedures {
		w.Put(`
	Procedures = ObjectInitializer.CreateDefaultSubobject<U‹P›RemoteProcedures>(this, TEXT("RemoteProcedures"));
	Procedures->Conn = this;
`, g.holes()...)
	}
	w.Line("")
	for _, t := range g.root.Combined() {
		w.Put("\tRegisterTable<‹Row›, U‹Table›Table, F‹P›EventContext>(TEXT(‹c›), Db->‹Name›);\n", g.tableHoles(t)...)
	}
	w.Put(`
}

void U‹P›DbConnection::PostInitProperties()
{
	Super::PostInitProperties();
`, g.holes()...)
	for _, kind := range g.kinds() {
		w.Put(`
	if (‹Kind›s)
	{
		‹Kind›s->InternalOnUnhandled‹Kind›Error.AddDynamic(this, &U‹P›DbConnection::OnUnhandled‹Kind›ErrorHandler);
	}
`, g.holes("Kind", kind)...)
	}
	w.Line("}")
}

func (g *generator) forwards(w *source.Writer) {
	for _, kind := range g.kinds() {
		w.Put(`

void U‹P›DbConnection::OnUnhandled‹Kind›ErrorHandler(const F‹P›‹Kind›EventContext& Context, const FString& Error)
{
	OnUnhandled‹Kind›Error.Broadcast(Context, Error);
}
`, g.holes("Kind", kind)...)
	}
	clear := ""
	if g.has.v2 {
		clear = "\tPendingTypedReducers.Empty();\n"
	}
	w.Put(`

U‹P›DbConnectionBuilder* U‹P›DbConnection::Builder()
{
	return NewObject<U‹P›DbConnectionBuilder>();
}

U‹P›SubscriptionBuilder* U‹P›DbConnection::SubscriptionBuilder()
{
	U‹P›SubscriptionBuilder* NewBuilder = NewObject<U‹P›SubscriptionBuilder>(this);
	NewBuilder->Conn = this;
	return NewBuilder;
}

void U‹P›DbConnection::ForwardOnConnect(UDbConnectionBase*, FSpacetimeDBIdentity InIdentity, const FString& InToken)
{
	OnConnectDelegate.ExecuteIfBound(this, InIdentity, InToken);
}

void U‹P›DbConnection::ForwardOnDisconnect(UDbConnectionBase*, const FString& Error)
{
`+clear+`	OnDisconnectDelegate.ExecuteIfBound(this, Error);
}
`, g.holes()...)
	if g.has.v2 {
		w.Put(`

void U‹P›DbConnection::RegisterPendingTypedReducer(uint32 RequestId, F‹P›Reducer Reducer)
{
	Reducer.RequestId = RequestId;
	PendingTypedReducers.Add(RequestId, MoveTemp(Reducer));
}
`, g.holes()...)
		return
	}
	w.Put(`

F‹P›Reducer U‹P›DbConnection::DecodeReducer(const FReducerEvent& Event)
{
	const FString& Name = Event.ReducerCall.ReducerName;
`, g.holes()...)
	for _, f := range g.root.Reducers {
		w.Put(`
	if (Name == TEXT(‹c›))
	{
		return F‹P›Reducer::‹V›(UE::SpacetimeDB::Deserialize<‹Args›>(Event.ReducerCall.Args));
	}
`, g.functionHoles(f, "V", callVariant(f))...)
	}
	w.Put(`
	return F‹P›Reducer();
}
`, g.holes()...)
}

func (g *generator) contextSource(w *source.Writer) {
	parts := make([]string, 0, 4)
	for _, p := range g.parts() {
		parts = append(parts, p.name+"(InConn->"+p.name+")")
	}
	w.Put(`

F‹P›ContextBase::F‹P›ContextBase(U‹P›DbConnection* InConn)
	: ‹parts›, Conn(InConn)
{
}
bool F‹P›ContextBase::IsActive() const { return Conn->IsActive(); }
void F‹P›ContextBase::Disconnect() { Conn->Disconnect(); }
bool F‹P›ContextBase::TryGetIdentity(FSpacetimeDBIdentity& OutIdentity) const { return Conn->TryGetIdentity(OutIdentity); }
FSpacetimeDBConnectionId F‹P›ContextBase::GetConnectionId() const { return Conn->GetConnectionId(); }
U‹P›SubscriptionBuilder* F‹P›ContextBase::SubscriptionBuilder() { return Conn->SubscriptionBuilder(); }

void U‹P›RemoteTables::Initialize()
{
`, g.holes("parts", strings.Join(parts, ", "))...)
	for _, t := range g.root.Combined() {
		w.Put(`
	‹Name› = NewObject<U‹Table›Table>(this);
	‹Name›->PostInitialize();
`, g.tableHoles(t)...)
	}
	w.Line("}")
}

func (g *generator) builders(w *source.Writer) {
	w.Put(`

U‹P›SubscriptionBuilder* U‹P›SubscriptionBuilder::OnApplied(F‹P›OnSubscriptionApplied Callback)
{
	OnAppliedDelegateInternal = Callback;
	return this;
}

U‹P›SubscriptionBuilder* U‹P›SubscriptionBuilder::OnError(F‹P›OnSubscriptionError Callback)
{
	OnErrorDelegateInternal = Callback;
	return this;
}

U‹P›SubscriptionHandle* U‹P›SubscriptionBuilder::Subscribe(const TArray<FString>& SQL)
{
	U‹P›SubscriptionHandle* Handle = NewObject<U‹P›SubscriptionHandle>();
	Handle->Conn = Conn;
	Handle->OnAppliedDelegate = OnAppliedDelegateInternal;
	Handle->OnErrorDelegate = OnErrorDelegateInternal;

	FSubscriptionEventDelegate Applied;
	Applied.BindUFunction(Handle, TEXT("ForwardOnApplied"));
	OnAppliedBase(Applied);
	FSubscriptionErrorDelegate Failed;
	Failed.BindUFunction(Handle, TEXT("ForwardOnError"));
	OnErrorBase(Failed);

	SubscribeBase(SQL, Handle);
	if (Conn)
	{
		Conn->StartSubscription(Handle);
	}
	return Handle;
}
`, g.holes()...)
	g.allTables(w)
	w.Put(`

U‹P›SubscriptionHandle::U‹P›SubscriptionHandle(U‹P›DbConnection* InConn)
{
	Conn = InConn;
}

void U‹P›SubscriptionHandle::ForwardOnApplied(const FSubscriptionEventContextBase&)
{
	OnAppliedDelegate.ExecuteIfBound(F‹P›SubscriptionEventContext(Conn));
}

void U‹P›SubscriptionHandle::ForwardOnError(const FErrorContextBase& BaseCtx)
{
	OnErrorDelegate.ExecuteIfBound(F‹P›ErrorContext(Conn, BaseCtx.Error));
}

U‹P›DbConnectionBuilder* U‹P›DbConnectionBuilder::WithUri(const FString& InUri) { return Cast<U‹P›DbConnectionBuilder>(WithUriBase(InUri)); }
U‹P›DbConnectionBuilder* U‹P›DbConnectionBuilder::‹WithName›(const FString& InName) { return Cast<U‹P›DbConnectionBuilder>(‹WithName›Base(InName)); }
U‹P›DbConnectionBuilder* U‹P›DbConnectionBuilder::WithToken(const FString& InToken) { return Cast<U‹P›DbConnectionBuilder>(WithTokenBase(InToken)); }
U‹P›DbConnectionBuilder* U‹P›DbConnectionBuilder::WithCompression(const ESpacetimeDBCompression& InCompression) { return Cast<U‹P›DbConnectionBuilder>(WithCompressionBase(InCompression)); }
U‹P›DbConnectionBuilder* U‹P›DbConnectionBuilder::OnConnectError(FOnConnectErrorDelegate Callback) { return Cast<U‹P›DbConnectionBuilder>(OnConnectErrorBase(Callback)); }

U‹P›DbConnectionBuilder* U‹P›DbConnectionBuilder::OnConnect(F‹P›OnConnectDelegate Callback)
{
	OnConnectDelegateInternal = Callback;
	return this;
}

U‹P›DbConnectionBuilder* U‹P›DbConnectionBuilder::OnDisconnect(F‹P›OnDisconnectDelegate Callback)
{
	OnDisconnectDelegateInternal = Callback;
	return this;
}

U‹P›DbConnection* U‹P›DbConnectionBuilder::Build()
{
	U‹P›DbConnection* Connection = NewObject<U‹P›DbConnection>();
	Connection->OnConnectDelegate = OnConnectDelegateInternal;
	Connection->OnDisconnectDelegate = OnDisconnectDelegateInternal;

	FOnConnectBaseDelegate Connected;
	Connected.BindUFunction(Connection, TEXT("ForwardOnConnect"));
	Connection->SetOnConnectDelegate(Connected);
	OnConnectBase(Connected);

	FOnDisconnectBaseDelegate Disconnected;
	Disconnected.BindUFunction(Connection, TEXT("ForwardOnDisconnect"));
	Connection->SetOnDisconnectDelegate(Disconnected);
	OnDisconnectBase(Disconnected);

	return Cast<U‹P›DbConnection>(BuildConnection(Connection));
}
`, g.holes("WithName", g.withName())...)
}

// allTables writes SubscribeToAllTables, and Subscribe without arguments.
func (g *generator) allTables(w *source.Writer) {
	var queries []string
	for _, t := range g.root.Combined() {
		if len(t.Params) == 0 {
			queries = append(queries, "TEXT("+quote(`SELECT * FROM "`+t.Name+`"`)+")")
		}
	}
	all := "{ " + strings.Join(queries, ", ") + " }"
	if g.has.queries {
		w.Put(`

TArray<FString> F‹P›QueryBuilder::AllTablesSqlQueries()
{
	return ‹all›;
}

U‹P›SubscriptionHandle* U‹P›SubscriptionBuilder::Subscribe()
{
	return Subscribe(PendingSqlQueries);
}
`, g.holes("all", all)...)
		all = "F" + g.prefix + "QueryBuilder::AllTablesSqlQueries()"
	}
	w.Put(`

U‹P›SubscriptionHandle* U‹P›SubscriptionBuilder::SubscribeToAllTables()
{
	return Subscribe(‹all›);
}
`, g.holes("all", all)...)
}
