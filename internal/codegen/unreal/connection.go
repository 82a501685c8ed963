package unreal

import "github.com/stdbgo/spacetime/internal/codegen/source"

func (g *generator) subscriptions(w *source.Writer) {
	w.Put(`

UCLASS(BlueprintType)
class ‹API› U‹P›SubscriptionBuilder : public USubscriptionBuilderBase
{
	GENERATED_BODY()

public:
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›SubscriptionBuilder* OnApplied(F‹P›OnSubscriptionApplied Callback);

	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›SubscriptionBuilder* OnError(F‹P›OnSubscriptionError Callback);

`, g.holes()...)
	if g.has.queries {
		w.Put(`
	/** Subscribe to the queries that were added. */
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›SubscriptionHandle* Subscribe();

	U‹P›SubscriptionHandle* Subscribe(const TArray<FString>& SQL);

	/** Add the query that a function makes of an F‹P›QueryBuilder. */
	template<typename TFn>
	U‹P›SubscriptionBuilder* AddQuery(TFn&& Build)
	{
		auto Query = Build(F‹P›QueryBuilder());
		PendingSqlQueries.Add(FString(UTF8_TO_TCHAR(std::string(Query.into_sql()).c_str())));
		return this;
	}
`, g.holes()...)
		g.addQueries(w)
	} else {
		w.Put(`
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›SubscriptionHandle* Subscribe(const TArray<FString>& SQL);
`, g.holes()...)
	}
	w.Put(`

	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›SubscriptionHandle* SubscribeToAllTables();

	friend class U‹P›DbConnection;
	friend class UDbConnectionBase;

protected:
	UPROPERTY()
	class U‹P›DbConnection* Conn;

	F‹P›OnSubscriptionApplied OnAppliedDelegateInternal;
	F‹P›OnSubscriptionError OnErrorDelegateInternal;
`, g.holes()...)
	if g.has.queries {
		w.Put("\tTArray<FString> PendingSqlQueries;\n")
	}
	w.Put(`
};

UCLASS(BlueprintType)
class ‹API› U‹P›SubscriptionHandle : public USubscriptionHandleBase
{
	GENERATED_BODY()

public:
	U‹P›SubscriptionHandle() {}
	explicit U‹P›SubscriptionHandle(U‹P›DbConnection* InConn);

	friend class U‹P›SubscriptionBuilder;

private:
	UPROPERTY()
	class U‹P›DbConnection* Conn;

	F‹P›OnSubscriptionApplied OnAppliedDelegate;
	F‹P›OnSubscriptionError OnErrorDelegate;

	UFUNCTION()
	void ForwardOnApplied(const FSubscriptionEventContextBase& BaseCtx);

	UFUNCTION()
	void ForwardOnError(const FErrorContextBase& BaseCtx);
};
`, g.holes()...)
}

// withName is the builder's method for the database.
func (g *generator) withName() string {
	if g.has.databaseName {
		return "WithDatabaseName"
	}
	return "WithModuleName"
}

func (g *generator) connection(w *source.Writer) {
	w.Put(`

UCLASS(BlueprintType)
class ‹API› U‹P›DbConnectionBuilder : public UDbConnectionBuilderBase
{
	GENERATED_BODY()

public:
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnectionBuilder* WithUri(const FString& InUri);
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnectionBuilder* ‹WithName›(const FString& InName);
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnectionBuilder* WithToken(const FString& InToken);
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnectionBuilder* WithCompression(const ESpacetimeDBCompression& InCompression);
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnectionBuilder* OnConnect(F‹P›OnConnectDelegate Callback);
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnectionBuilder* OnConnectError(FOnConnectErrorDelegate Callback);
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnectionBuilder* OnDisconnect(F‹P›OnDisconnectDelegate Callback);
	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›DbConnection* Build();

private:
	F‹P›OnConnectDelegate OnConnectDelegateInternal;
	F‹P›OnDisconnectDelegate OnDisconnectDelegateInternal;
};

/** A connection to a database of this module. */
UCLASS(BlueprintType)
class ‹API› U‹P›DbConnection : public UDbConnectionBase
{
	GENERATED_BODY()

public:
	explicit U‹P›DbConnection(const FObjectInitializer& ObjectInitializer = FObjectInitializer::Get());
`, g.holes("WithName", g.withName())...)
	for _, p := range g.parts() {
		w.Put(`

	UPROPERTY(BlueprintReadOnly, Category = "SpacetimeDB")
	U‹P›‹Class›* ‹Name›;
`, g.holes("Class", p.class, "Name", p.name)...)
	}
	w.Put(`

	F‹P›OnConnectDelegate OnConnectDelegate;
	F‹P›OnDisconnectDelegate OnDisconnectDelegate;

	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB")
	U‹P›SubscriptionBuilder* SubscriptionBuilder();

	UFUNCTION(BlueprintCallable, Category = "SpacetimeDB", DisplayName = "SpacetimeDB ‹P›Builder")
	static U‹P›DbConnectionBuilder* Builder();
`, g.holes()...)
	for _, kind := range g.kinds() {
		w.Put(`

	DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(F‹P›OnUnhandled‹Kind›Error, const F‹P›‹Kind›EventContext&, Context, const FString&, Error);
	UPROPERTY(BlueprintAssignable, Category = "SpacetimeDB")
	F‹P›OnUnhandled‹Kind›Error OnUnhandled‹Kind›Error;
`, g.holes("Kind", kind)...)
	}
	w.Put(`

protected:
	virtual void PostInitProperties() override;

	UFUNCTION()
	void ForwardOnConnect(UDbConnectionBase* BaseConnection, FSpacetimeDBIdentity InIdentity, const FString& InToken);
	UFUNCTION()
	void ForwardOnDisconnect(UDbConnectionBase* BaseConnection, const FString& Error);
`, g.holes()...)
	for _, kind := range g.kinds() {
		w.Put(`
	UFUNCTION()
	void OnUnhandled‹Kind›ErrorHandler(const F‹P›‹Kind›EventContext& Context, const FString& Error);
`, g.holes("Kind", kind)...)
	}
	w.Put(`

	virtual void DbUpdate(const FDatabaseUpdateType& Update, const FSpacetimeDBEvent& Event) override;
	virtual void ReducerEvent(const FReducerEvent& Event) override;
	virtual void ReducerEventFailed(const FReducerEvent& Event, const FString ErrorMessage) override;
`)
	if g.has.procedures {
		w.Put("\tvirtual void ProcedureEventFailed(const FProcedureEvent& Event, const FString ErrorMessage) override;\n")
	}
	w.Put(`

	friend class U‹P›RemoteReducers;
`, g.holes()...)
	if g.has.procedures {
		w.Put("\tfriend class U‹P›RemoteProcedures;\n", g.holes()...)
	}
	w.Put(`
	friend class U‹P›SubscriptionBuilder;
	friend class U‹P›DbConnectionBuilder;
`, g.holes()...)
	if g.has.v2 {
		w.Put(`

private:
	/** Own calls in flight, by request id. */
	TMap<uint32, F‹P›Reducer> PendingTypedReducers;
	void RegisterPendingTypedReducer(uint32 RequestId, F‹P›Reducer Reducer);
`, g.holes()...)
	} else {
		w.Put(`

private:
	static F‹P›Reducer DecodeReducer(const FReducerEvent& Event);
`, g.holes()...)
	}
	w.Line("};")
}

// kinds are the kinds of calls whose errors nobody may have heard of.
func (g *generator) kinds() []string {
	if g.has.procedures {
		return []string{"Reducer", "Procedure"}
	}
	return []string{"Reducer"}
}
