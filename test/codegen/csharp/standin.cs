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
    public struct Identity { }
    public struct ConnectionId { }
    public struct Timestamp { }
    public struct TimeDuration { }
    public struct Uuid { }
    public struct I128 { }
    public struct U128 { }
    public struct I256 { }
    public struct U256 { }
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
    public interface IDbConnection { }

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

    public abstract class RemoteBase<Connection>
    {
        protected readonly Connection conn;
        protected RemoteBase(Connection conn) { this.conn = conn; }
    }

    public abstract class RemoteTableHandle<Context, Row> : RemoteBase<IDbConnection>, IRemoteTableHandle
        where Context : class, IEventContext
        where Row : class, IStructuralReadWrite, new()
    {
        protected RemoteTableHandle(IDbConnection conn) : base(conn) { }
        public abstract string RemoteTableName { get; }
        protected virtual object GetPrimaryKey(Row row) => null;
        public int Count => 0;

        public abstract class IndexBase<Key>
        {
            protected abstract Key GetKey(Row row);
        }

        public abstract class UniqueIndexBase<Key> : IndexBase<Key>
        {
            protected UniqueIndexBase(RemoteTableHandle<Context, Row> table) { }
            public Row Find(Key value) => null;
        }

        public abstract class BTreeIndexBase<Key> : IndexBase<Key>
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
