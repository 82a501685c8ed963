// A stand-in for what bindings use of Unreal and of the plugin, as spec 10 §8 says
// it: enough for a compiler to check generated code without either. Nothing runs.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <tuple>
#include <type_traits>
#include <utility>

using int8 = std::int8_t;
using int16 = std::int16_t;
using int32 = std::int32_t;
using int64 = std::int64_t;
using uint8 = std::uint8_t;
using uint16 = std::uint16_t;
using uint32 = std::uint32_t;
using uint64 = std::uint64_t;

#define UCLASS(...)
#define USTRUCT(...)
#define UENUM(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define GENERATED_BODY()
#define TEXT(s) s
#define UTF8_TO_TCHAR(s) s

struct FString {
	FString() = default;
	FString(const char*) {}
	bool operator==(const FString&) const = default;
	bool operator==(const char*) const { return true; }
	template<typename... A> static FString Printf(const char*, A...) { return {}; }
	bool IsEmpty() const { return true; }
	bool Contains(const char*) const { return true; }
	FString& operator+=(const FString&) { return *this; }
};
inline FString operator+(const FString&, const FString&) { return {}; }
inline FString operator+(const char*, const FString&) { return {}; }
inline FString operator+(const FString&, const char*) { return {}; }

template<typename T> struct TArray {
	TArray() = default;
	TArray(std::initializer_list<T>) {}
	void Add(T) {}
	bool operator==(const TArray&) const { return true; }
	const T* begin() const { return nullptr; }
	const T* end() const { return nullptr; }
};

template<typename K, typename V> struct TMap {
	void Add(K, V) {}
	void Empty() {}
	const V* Find(K) const { return nullptr; }
	bool RemoveAndCopyValue(K, V&) { return true; }
};

template<typename T> struct TSharedPtr {
	TSharedPtr() = default;
	template<typename U> TSharedPtr(const TSharedPtr<U>&) {}
	std::add_lvalue_reference_t<T> operator*() const;
	T* operator->() const { return nullptr; }
	T* Get() const { return nullptr; }
	explicit operator bool() const { return true; }
};
template<typename T, typename... A> TSharedPtr<T> MakeShared(A...) { return {}; }

template<typename... T> using TTuple = std::tuple<T...>;
template<typename... T> TTuple<std::decay_t<T>...> MakeTuple(T&&... v) { return {v...}; }
template<typename T> std::remove_reference_t<T>&& MoveTemp(T&& v) { return std::move(v); }

template<typename... T> struct TVariant {
	template<typename U> void Set(const U&) { static_assert((std::is_same_v<T, U> || ...)); }
	template<typename U> U Get() const { static_assert((std::is_same_v<T, U> || ...)); return U(); }
};

inline uint32 HashCombine(uint32 a, uint32 b) { return a ^ b; }
template<typename T> requires(std::is_arithmetic_v<T> || std::is_enum_v<T>) uint32 GetTypeHash(T) { return 0; }
inline uint32 GetTypeHash(const FString&) { return 0; }
template<typename T> uint32 GetTypeHash(const TArray<T>&) { return 0; }

struct FObjectInitializer {
	static const FObjectInitializer& Get();
	template<typename T, typename O> T* CreateDefaultSubobject(O*, const char*) const { return new T; }
};
struct UObject {
	virtual ~UObject() = default;
	virtual void PostInitProperties() {}
};
struct UBlueprintFunctionLibrary : UObject {};
template<typename T, typename... A> T* NewObject(A...) { return new T; }
template<typename T, typename U> T* Cast(U* o) { return static_cast<T*>(o); }

// Delegates.
#define STUB_MULTICAST(Name, Params) \
	struct Name { \
		bool IsBound() const { return true; } \
		void Broadcast Params const {} \
		template<typename O> void AddDynamic(O*, void (O::*) Params) {} \
	}
#define STUB_SINGLE(Name, Params) \
	struct Name { \
		bool ExecuteIfBound Params const { return true; } \
		template<typename O> void BindDynamic(O*, void (O::*) Params) {} \
	}
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(N, A, a) STUB_MULTICAST(N, (A a))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_TwoParams(N, A, a, B, b) STUB_MULTICAST(N, (A a, B b))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_ThreeParams(N, A, a, B, b, C, c) STUB_MULTICAST(N, (A a, B b, C c))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_FourParams(N, A, a, B, b, C, c, D, d) STUB_MULTICAST(N, (A a, B b, C c, D d))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_FiveParams(N, A, a, B, b, C, c, D, d, E, e) STUB_MULTICAST(N, (A a, B b, C c, D d, E e))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_SixParams(N, A, a, B, b, C, c, D, d, E, e, F, f) STUB_MULTICAST(N, (A a, B b, C c, D d, E e, F f))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_SevenParams(N, A, a, B, b, C, c, D, d, E, e, F, f, G, g) STUB_MULTICAST(N, (A a, B b, C c, D d, E e, F f, G g))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_EightParams(N, A, a, B, b, C, c, D, d, E, e, F, f, G, g, H, h) STUB_MULTICAST(N, (A a, B b, C c, D d, E e, F f, G g, H h))
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_NineParams(N, A, a, B, b, C, c, D, d, E, e, F, f, G, g, H, h, I, i) STUB_MULTICAST(N, (A a, B b, C c, D d, E e, F f, G g, H h, I i))
#define DECLARE_DYNAMIC_DELEGATE_OneParam(N, A, a) STUB_SINGLE(N, (A a))
#define DECLARE_DYNAMIC_DELEGATE_TwoParams(N, A, a, B, b) STUB_SINGLE(N, (A a, B b))
#define DECLARE_DYNAMIC_DELEGATE_ThreeParams(N, A, a, B, b, C, c) STUB_SINGLE(N, (A a, B b, C c))
#define DECLARE_DELEGATE_ThreeParams(N, A, B, C) STUB_SINGLE(N, (A a, B b, C c))

// Types of the plugin.
#define STUB_TYPE(T) \
	struct T { \
		bool operator==(const T&) const = default; \
		auto operator<=>(const T&) const = default; \
	}; \
	inline uint32 GetTypeHash(const T&) { return 0; }
STUB_TYPE(FSpacetimeDBInt128)
STUB_TYPE(FSpacetimeDBUInt128)
STUB_TYPE(FSpacetimeDBInt256)
STUB_TYPE(FSpacetimeDBUInt256)
STUB_TYPE(FSpacetimeDBIdentity)
STUB_TYPE(FSpacetimeDBConnectionId)
STUB_TYPE(FSpacetimeDBTimestamp)
STUB_TYPE(FSpacetimeDBTimeDuration)
STUB_TYPE(FSpacetimeDBScheduleAt)
STUB_TYPE(FSpacetimeDBUuid)
STUB_TYPE(FSpacetimeDBUnit)
STUB_TYPE(FEnergyQuantaType)
STUB_TYPE(FDatabaseUpdateType)

struct FSpacetimeDBStatus {
	bool IsFailed() const { return true; }
	FString GetAsFailed() const { return {}; }
	bool operator==(const FSpacetimeDBStatus&) const { return true; }
};
struct FSpacetimeDBProcedureStatus {
	bool operator==(const FSpacetimeDBProcedureStatus&) const { return true; }
	static FSpacetimeDBProcedureStatus FromStatus(FSpacetimeDBProcedureStatus s) { return s; }
};
struct FReducerCallInfo {
	FString ReducerName;
	TArray<uint8> Args;
};
struct FReducerEvent {
	FSpacetimeDBTimestamp Timestamp;
	FSpacetimeDBStatus Status;
	FSpacetimeDBIdentity CallerIdentity;
	FSpacetimeDBConnectionId CallerConnectionId;
	FEnergyQuantaType EnergyConsumed;
	FReducerCallInfo ReducerCall;
	uint32 RequestId;
};
struct FProcedureEvent {
	FSpacetimeDBTimestamp Timestamp;
	FSpacetimeDBProcedureStatus Status;
	FSpacetimeDBTimeDuration TotalHostExecutionDuration;
};
enum class ESpacetimeDBEventTag : uint8 { Reducer, SubscribeApplied, UnsubscribeApplied, Disconnected, Transaction, SubscribeError, UnknownTransaction };
struct FSpacetimeDBEvent {
	ESpacetimeDBEventTag Tag;
	FReducerEvent GetAsReducer() const;
	FProcedureEvent GetAsProcedure() const;
	FSpacetimeDBUnit GetAsSubscribeApplied() const;
	FSpacetimeDBUnit GetAsUnsubscribeApplied() const;
	FSpacetimeDBUnit GetAsDisconnected() const;
	FSpacetimeDBUnit GetAsTransaction() const;
	FString GetAsSubscribeError() const;
	FSpacetimeDBUnit GetAsUnknownTransaction() const;
};

// Serialization.
namespace UE::SpacetimeDB {
struct UEWriter {};
struct UEReader {};
template<typename T> void serialize(UEWriter&, const T&);
template<typename T> T deserialize(UEReader&);
template<typename T> T Deserialize(const TArray<uint8>&) { return T(); }
}
#define STUB_PARENS ()
#define STUB_EXPAND(...) STUB_EXPAND3(STUB_EXPAND3(STUB_EXPAND3(STUB_EXPAND3(__VA_ARGS__))))
#define STUB_EXPAND3(...) STUB_EXPAND2(STUB_EXPAND2(STUB_EXPAND2(STUB_EXPAND2(__VA_ARGS__))))
#define STUB_EXPAND2(...) STUB_EXPAND1(STUB_EXPAND1(STUB_EXPAND1(STUB_EXPAND1(__VA_ARGS__))))
#define STUB_EXPAND1(...) __VA_ARGS__
#define STUB_FIELDS(T, ...) __VA_OPT__(STUB_EXPAND(STUB_FIELD(T, __VA_ARGS__)))
#define STUB_FIELD(T, F, ...) static_assert(sizeof(decltype(T::F)) > 0); __VA_OPT__(STUB_AGAIN STUB_PARENS (T, __VA_ARGS__))
#define STUB_AGAIN() STUB_FIELD
#define STUB_VARIANTS(T, E, ...) __VA_OPT__(STUB_EXPAND(STUB_VARIANT(T, E, __VA_ARGS__)))
#define STUB_VARIANT(T, E, V, P, ...) static_assert(std::is_same_v<decltype(std::declval<T>().GetAs##V()), P> && E::V == E::V); __VA_OPT__(STUB_NEXT STUB_PARENS (T, E, __VA_ARGS__))
#define STUB_NEXT() STUB_VARIANT
#define UE_SPACETIMEDB_ENABLE_TARRAY(T) static_assert(sizeof(TArray<T>) > 0)
#define UE_SPACETIMEDB_STRUCT(T, ...) STUB_FIELDS(T, __VA_ARGS__) static_assert(true)
#define UE_SPACETIMEDB_STRUCT_EMPTY(T) static_assert(std::is_empty_v<T>)
#define UE_SPACETIMEDB_OPTIONAL(T, Has, Value) STUB_FIELDS(T, Has, Value) static_assert(true)
#define UE_SPACETIMEDB_RESULT(T, IsOk, Ok, Err) STUB_FIELDS(T, IsOk, Ok, Err) static_assert(true)
#define UE_SPACETIMEDB_TAGGED_ENUM(T, E, Data, ...) STUB_VARIANTS(T, E, __VA_ARGS__) static_assert(sizeof(decltype(T::Data)) > 0)

// The cache.
template<typename T> struct FWithBsatn {
	TArray<uint8> Bsatn;
	T Row;
};
template<typename T> struct FTableAppliedDiff {
	struct FRows {
		void Add(TArray<uint8>, T) {}
	} Inserts;
	template<typename K, typename F> void DeriveUpdatesByPrimaryKey(F) { static_assert(std::is_invocable_r_v<K, F, const T&>); }
};
template<typename T> struct FTableCache {
	template<typename K, typename F> void AddUniqueConstraint(const char*, F) { static_assert(std::is_invocable_r_v<const K&, F, const T&>); }
	template<typename K, typename F> void AddMultiKeyBTreeIndex(const char*, F) { static_assert(std::is_invocable_r_v<K, F, const T&>); }
	template<typename K> void FindByMultiKeyBTreeIndex(TArray<T>&, const char*, const K&) const {}
};
template<typename T> struct UClientCache {
	TSharedPtr<FTableCache<T>> GetOrAdd(const FString&) { return {}; }
};
template<typename T, typename K, typename C> struct FUniqueIndexHelper {
	FUniqueIndexHelper(FString) {}
	T FindUniqueIndex(K) { return T(); }
	TSharedPtr<const C> Cache;
};
struct URemoteTable : UObject {
protected:
	template<typename T> FTableAppliedDiff<T> BaseUpdate(TArray<FWithBsatn<T>>&, TArray<FWithBsatn<T>>&, const TSharedPtr<UClientCache<T>>&, const FString&) { return {}; }
};
template<typename T> int32 GetRowCountFromTable(TSharedPtr<UClientCache<T>>, const FString&) { return 0; }
template<typename T> TArray<T> GetAllRowsFromTable(TSharedPtr<UClientCache<T>>, const FString&) { return {}; }

// The connection.
struct FSubscriptionEventContextBase {};
struct FErrorContextBase {
	FString Error;
};
struct FStubBound {
	template<typename O> void BindUFunction(O*, const char*) {}
	template<typename F> void BindLambda(F f) { static_assert(std::is_invocable_v<F, const FSpacetimeDBEvent&, const TArray<uint8>&, bool>); (void)f; }
};
using FSubscriptionEventDelegate = FStubBound;
using FSubscriptionErrorDelegate = FStubBound;
using FOnConnectBaseDelegate = FStubBound;
using FOnDisconnectBaseDelegate = FStubBound;
using FOnProcedureCompleteDelegate = FStubBound;
STUB_SINGLE(FOnConnectErrorDelegate, (const FString& ErrorMessage));
enum class ESpacetimeDBCompression : uint8 { None, Gzip };
enum class ECallReducerFlags : uint8 { FullUpdate, NoSuccessNotify };
struct USetReducerFlagsBase : UObject {
	TMap<FString, ECallReducerFlags> FlagMap;
};
struct USubscriptionHandleBase : UObject {};
struct USubscriptionBuilderBase : UObject {
protected:
	void OnAppliedBase(FStubBound) {}
	void OnErrorBase(FStubBound) {}
	void SubscribeBase(const TArray<FString>&, USubscriptionHandleBase*) {}
};
struct UDbConnectionBase : UObject {
	using Super = UDbConnectionBase; // the header tool makes it the base of each class
	UDbConnectionBase() = default;
	explicit UDbConnectionBase(const FObjectInitializer&) {}
	bool IsActive() const { return true; }
	void Disconnect() {}
	bool TryGetIdentity(FSpacetimeDBIdentity&) const { return true; }
	FSpacetimeDBConnectionId GetConnectionId() const { return {}; }
	template<typename A> uint32 CallReducerTyped(const char*, const A&) { return 1; }
	template<typename A> void CallReducerTyped(const char*, const A&, USetReducerFlagsBase*) {}
	template<typename A> void CallProcedureTyped(const char*, const A&, FOnProcedureCompleteDelegate) {}
	template<typename Row, typename Table, typename Context> void RegisterTable(const char*, Table* t)
	{
		FTableAppliedDiff<Row> Diff = t->Update(TArray<FWithBsatn<Row>>(), TArray<FWithBsatn<Row>>());
		t->OnInsert.Broadcast(*static_cast<const Context*>(nullptr), Row());
		(void)Diff;
	}
protected:
	friend struct UDbConnectionBuilderBase;
	template<typename Context> void ApplyRegisteredTableUpdates(const FDatabaseUpdateType&, Context*) {}
	void HandleProtocolViolation(const FString&) {}
	void StartSubscription(USubscriptionHandleBase*) {}
	void SetOnConnectDelegate(FStubBound) {}
	void SetOnDisconnectDelegate(FStubBound) {}
	virtual void DbUpdate(const FDatabaseUpdateType&, const FSpacetimeDBEvent&) {}
	virtual void ReducerEvent(const FReducerEvent&) {}
	virtual void ReducerEventFailed(const FReducerEvent&, const FString) {}
	virtual void ProcedureEventFailed(const FProcedureEvent&, const FString) {}
};
struct UDbConnectionBuilderBase : UObject {
	UDbConnectionBuilderBase* WithUriBase(const FString&) { return this; }
	UDbConnectionBuilderBase* WithDatabaseNameBase(const FString&) { return this; }
	UDbConnectionBuilderBase* WithModuleNameBase(const FString&) { return this; }
	UDbConnectionBuilderBase* WithTokenBase(const FString&) { return this; }
	UDbConnectionBuilderBase* WithCompressionBase(const ESpacetimeDBCompression&) { return this; }
	UDbConnectionBuilderBase* OnConnectErrorBase(FOnConnectErrorDelegate) { return this; }
	void OnConnectBase(FStubBound) {}
	void OnDisconnectBase(FStubBound) {}
	UDbConnectionBase* BuildConnection(UDbConnectionBase* c) { return c; }
};

// Typed queries.
namespace SpacetimeDB::query_builder {
template<typename Row, typename T> struct Col {
	Col(const char*, const char*) {}
};
template<typename Left, typename Right> struct IxJoin {};
template<typename Row, typename T> struct IxCol {
	IxCol(const char*, const char*) {}
	template<typename Other> IxJoin<Row, Other> Eq(const IxCol<Other, T>&) const { return {}; }
};
template<typename T> struct CanBeLookupTable : std::false_type {};
template<typename Row, typename Cols, typename IxCols> struct Table {
	Table(const char*, Cols, IxCols) {}
	std::string into_sql() const { return {}; }
	template<typename RightRow, typename RightCols, typename RightIxCols, typename On>
	Table<RightRow, RightCols, RightIxCols> RightSemijoin(const Table<RightRow, RightCols, RightIxCols>& right, On) const
	{
		static_assert(CanBeLookupTable<Table>::value && CanBeLookupTable<Table<RightRow, RightCols, RightIxCols>>::value);
		static_assert(std::is_same_v<std::invoke_result_t<On, const IxCols&, const RightIxCols&>, IxJoin<Row, RightRow>>);
		return right;
	}
};
namespace detail {
template<typename T> std::string literal_sql(const T&) { return {}; }
}
}
