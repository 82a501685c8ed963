// Stands for the client SDK of C# where that cannot be had: the names, bases,
// constraints and signatures that bindings for 2.8.3 use of it, without a content. What
// the SDK's source generator adds to types is added by older.py.
using System;
using System.Collections.Generic;

namespace SpacetimeDB.BSATN
{
    public interface IStructuralReadWrite { }
}

namespace SpacetimeDB.ClientApi
{
    public class ServerMessage { }
}

namespace SpacetimeDB
{
    using BSATN;

    public class TypeAttribute : Attribute { }
    public class TaggedEnum<T> : IStructuralReadWrite { }

    public struct Unit { }
    public struct Identity : IEquatable<Identity>, IComparable<Identity>
    {
        public bool Equals(Identity other) => true;
        public int CompareTo(Identity other) => 0;
    }
    public struct ConnectionId : IEquatable<ConnectionId>, IComparable<ConnectionId>
    {
        public bool Equals(ConnectionId other) => true;
        public int CompareTo(ConnectionId other) => 0;
    }
    public struct Timestamp : IEquatable<Timestamp>, IComparable<Timestamp>
    {
        public bool Equals(Timestamp other) => true;
        public int CompareTo(Timestamp other) => 0;
    }
    public struct TimeDuration : IEquatable<TimeDuration> { public bool Equals(TimeDuration other) => true; }
    public struct Uuid : IEquatable<Uuid>, IComparable<Uuid>
    {
        public bool Equals(Uuid other) => true;
        public int CompareTo(Uuid other) => 0;
    }
    public struct I128 : IEquatable<I128>, IComparable<I128>
    {
        public bool Equals(I128 other) => true;
        public int CompareTo(I128 other) => 0;
    }
    public struct U128 : IEquatable<U128>, IComparable<U128>
    {
        public bool Equals(U128 other) => true;
        public int CompareTo(U128 other) => 0;
    }
    public struct I256 : IEquatable<I256>, IComparable<I256>
    {
        public bool Equals(I256 other) => true;
        public int CompareTo(I256 other) => 0;
    }
    public struct U256 : IEquatable<U256>, IComparable<U256>
    {
        public bool Equals(U256 other) => true;
        public int CompareTo(U256 other) => 0;
    }
    public class ScheduleAt { }
    public class Result<T, E> { }

    public class Status
    {
        public class Failed : Status { public string Failed_; }
        public class OutOfEnergy : Status { }
    }

    public class Event<R> { }
    public class ReducerEvent<R> { public Status Status; }
    public class ProcedureEvent { }

    public interface IEventContext { }
    public interface IReducerEventContext { }
    public interface ISubscriptionEventContext { }
    public interface IProcedureEventContext { }
    public interface IErrorContext { Exception Event { get; } }
    public interface IDbConnection
    {
        void InternalCallReducer<Args>(Args args) where Args : IReducerArgs, new();
        void InternalCallProcedure<Args, Value>(Args args, ProcedureCallback<Value> callback)
            where Args : IProcedureArgs, new()
            where Value : IStructuralReadWrite, new();
    }

    public interface IReducerArgs : IStructuralReadWrite { string ReducerName { get; } }
    public interface IProcedureArgs : IStructuralReadWrite { string ProcedureName { get; } }

    public interface IDbContext<DbView, RemoteReducers, Builder, RemoteProcedures>
    {
        DbView Db { get; }
        RemoteReducers Reducers { get; }
        RemoteProcedures Procedures { get; }
        bool IsActive { get; }
        void Disconnect();
        Builder SubscriptionBuilder();
        Identity Identity { get; }
        ConnectionId ConnectionId { get; }
    }

    public interface IRemoteTableHandle { }

    public abstract class RemoteTablesBase
    {
        protected void AddTable(IRemoteTableHandle table) { }
    }

    public abstract class RemoteBase
    {
        protected readonly IDbConnection conn;
        protected RemoteBase(IDbConnection conn) { this.conn = conn; }
    }

    public abstract class RemoteTableHandle<Context, Row> : RemoteBase, IRemoteTableHandle
        where Context : class, IEventContext
        where Row : class, IStructuralReadWrite, new()
    {
        protected RemoteTableHandle(IDbConnection conn) : base(conn) { }
        public abstract string RemoteTableName { get; }
        protected virtual object GetPrimaryKey(Row row) => null;
        public int Count => 0;

        public abstract class IndexBase<Key> where Key : IEquatable<Key>
        {
            protected abstract Key GetKey(Row row);
        }

        public abstract class UniqueIndexBase<Key> : IndexBase<Key> where Key : IEquatable<Key>
        {
            protected UniqueIndexBase(RemoteTableHandle<Context, Row> table) { }
            public Row Find(Key value) => null;
        }

        public abstract class NullableUniqueIndexBase<Key>
        {
            protected NullableUniqueIndexBase(RemoteTableHandle<Context, Row> table) { }
            protected abstract Key GetKey(Row row);
            public Row Find(Key value) => null;
        }

        public abstract class BTreeIndexBase<Key> : IndexBase<Key> where Key : IEquatable<Key>, IComparable<Key>
        {
            protected BTreeIndexBase(RemoteTableHandle<Context, Row> table) { }
            public IEnumerable<Row> Filter(Key value) => null;
        }
    }

    public abstract class RemoteEventTableHandle<Context, Row> : RemoteTableHandle<Context, Row>
        where Context : class, IEventContext
        where Row : class, IStructuralReadWrite, new()
    {
        protected RemoteEventTableHandle(IDbConnection conn) : base(conn) { }
    }

    public abstract class SubscriptionHandleBase<Context, Error>
        where Context : ISubscriptionEventContext
        where Error : IErrorContext
    {
        protected SubscriptionHandleBase(IDbConnection conn, Action<Context> applied, Action<Error, Exception> error, string[] queries) { }
    }

    public delegate void ProcedureCallback<T>(IProcedureEventContext ctx, ProcedureCallbackResult<T> result);

    public struct ProcedureCallbackResult<T>
    {
        public readonly bool IsSuccess;
        public readonly T Value;
        public readonly Exception Error;
        public static ProcedureCallbackResult<T> Success(T value) => default;
        public static ProcedureCallbackResult<T> Failure(Exception error) => default;
    }

    public interface IQuery<Row> { string ToSql(); }

    public struct Col<Row, T> { public Col(string table, string column) { } }
    public struct IxCol<Row, T> { public IxCol(string table, string column) { } }

    public class Table<Row, Cols, IxCols> : IQuery<Row>
    {
        public Table(string name, Cols cols, IxCols ixCols) { }
        public string ToSql() => null;
    }

    public abstract class DbConnectionBase<Connection, Tables, Reducer> : IDbConnection
        where Connection : DbConnectionBase<Connection, Tables, Reducer>, new()
        where Tables : RemoteTablesBase
    {
        public abstract Tables Db { get; }
        public bool IsActive => true;
        public void Disconnect() { }
        public Identity Identity => default;
        public ConnectionId ConnectionId => default;
        public void InternalCallReducer<Args>(Args args) where Args : IReducerArgs, new() { }
        public void InternalCallProcedure<Args, Value>(Args args, ProcedureCallback<Value> callback)
            where Args : IProcedureArgs, new()
            where Value : IStructuralReadWrite, new() { }
        protected abstract IEventContext ToEventContext(Event<Reducer> ev);
        protected abstract IReducerEventContext ToReducerEventContext(ReducerEvent<Reducer> ev);
        protected abstract ISubscriptionEventContext MakeSubscriptionEventContext();
        protected abstract IErrorContext ToErrorContext(Exception error);
        protected abstract IProcedureEventContext ToProcedureEventContext(ProcedureEvent ev);
        protected abstract bool Dispatch(IReducerEventContext context, Reducer reducer);
    }
}
