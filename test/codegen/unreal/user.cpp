// What users of the official bindings write, against those of the module `wide`: the
// names and signatures of handlers must be the same, or their projects do not compile.
#include "ModuleBindings/SpacetimeDBClient.g.h"
#include "ModuleBindings/Tables/KeywordTable.g.h"
#include "ModuleBindings/Tables/NoticeTable.g.h"

struct UListener : UObject {
	void OnConnect(UDbConnection* Connection, FSpacetimeDBIdentity, const FString&)
	{
		Connection->Reducers->OnNothing.AddDynamic(this, &UListener::OnNothing);
		Connection->Db->Keyword->OnInsert.AddDynamic(this, &UListener::OnInsert);
		Connection->Db->Keyword->OnUpdate.AddDynamic(this, &UListener::OnUpdate);
		Connection->Db->Keyword->OnDelete.AddDynamic(this, &UListener::OnInsert);
		Connection->Db->Notice->OnInsert.AddDynamic(this, &UListener::OnNotice);
		Connection->OnUnhandledReducerError.AddDynamic(this, &UListener::OnUnhandled);
		Connection->OnUnhandledProcedureError.AddDynamic(this, &UListener::OnUnhandledProcedure);

		FOnSubscriptionApplied Applied;
		Applied.BindDynamic(this, &UListener::OnApplied);
		FOnSubscriptionError Failed;
		Failed.BindDynamic(this, &UListener::OnError);
		Connection->SubscriptionBuilder()
			->OnApplied(Applied)
			->OnError(Failed)
			->AddQuery([](const FQueryBuilder& Q) { return Q.From.Keyword(); })
			->AddQuery([](const FQueryBuilder& Q) {
				return Q.From.Keyword().RightSemijoin(Q.From.KeywordView(), [](const FKeywordIxCols& A, const FKeywordViewIxCols& B) { return A.Type.Eq(B.Type); });
			})
			->Subscribe();
		Connection->SubscriptionBuilder()->SubscribeToAllTables();
		Connection->SubscriptionBuilder()->Subscribe({TEXT("SELECT * FROM keyword")});

		using Nodes = UQueryBuilderBlueprintLibrary;
		FKeywordQuery Query = Nodes::FromKeyword();
		FBlueprintPredicate Is = Nodes::StringEqual(Nodes::KeywordMatch(Query), TEXT("a"));
		FBlueprintPredicate Below = Nodes::Int32LessThan(Nodes::KeywordSelf(Query), 3);
		Query = Nodes::KeywordWhere(Query, Nodes::Or(Nodes::And(Is, Below), Nodes::Not(Is)));
		Connection->SubscriptionBuilder()->AddBlueprintQuery(Nodes::Conv_KeywordQueryToBlueprintQuery(Query))->AddKeywordQuery(Query)->Subscribe();

		FOnIdleComplete Idle;
		Idle.BindDynamic(this, &UListener::OnIdle);
		Connection->Procedures->Idle(Idle);
		Connection->Reducers->Nothing();
		FKeywordType Row = Connection->Db->Keyword->Type->Find(7);
		(void)Row;
	}
	void OnDisconnect(UDbConnection*, const FString&) {}
	void OnConnectError(const FString&) {}
	void OnApplied(FSubscriptionEventContext Context) { Context.Db->Keyword->Iter(); }
	void OnError(FErrorContext Context) { Last = Context.Error; }
	void OnNothing(const FReducerEventContext& Context)
	{
		if (Context.Event.Reducer.IsNothing() && Context.Event != LastReducer) LastReducer = Context.Event;
	}
	void OnInsert(const FEventContext& Context, const FKeywordType&)
	{
		if (Context.Event.IsReducer() && Context.Event != LastEvent) LastEvent = Context.Event;
	}
	void OnUpdate(const FEventContext&, const FKeywordType&, const FKeywordType&) {}
	void OnNotice(const FEventContext&, const FNoticeType&) {}
	void OnIdle(const FProcedureEventContext& Context, FSpacetimeDBUnit, bool)
	{
		if (Context.Event != LastProcedure) LastProcedure = Context.Event;
	}
	void OnUnhandled(const FReducerEventContext&, const FString& Error) { Last = Error; }
	void OnUnhandledProcedure(const FProcedureEventContext&, const FString& Error) { Last = Error; }

	FString Last;
	FGameEvent LastEvent;
	FGameReducerEvent LastReducer;
	FGameProcedureEvent LastProcedure;
};

UDbConnection* Connect(UListener* Listener)
{
	FOnConnectDelegate Connected;
	Connected.BindDynamic(Listener, &UListener::OnConnect);
	FOnDisconnectDelegate Disconnected;
	Disconnected.BindDynamic(Listener, &UListener::OnDisconnect);
	FOnConnectErrorDelegate Failed;
	Failed.BindDynamic(Listener, &UListener::OnConnectError);
	return UDbConnection::Builder()
		->WithUri(TEXT("127.0.0.1:3000"))
		->WithDatabaseName(TEXT("wide"))
		->WithToken(TEXT(""))
		->WithCompression(ESpacetimeDBCompression::Gzip)
		->OnConnect(Connected)
		->OnDisconnect(Disconnected)
		->OnConnectError(Failed)
		->Build();
}
