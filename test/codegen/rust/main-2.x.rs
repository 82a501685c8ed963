// A client of the module beside it, with the official Rust SDK 2.x.
mod alltypes;
mod client;
mod empty;
mod hard;
mod module_bindings;
mod odd;

use client::{everything, hex, Log};
use module_bindings::*;
use spacetimedb_sdk::__codegen::Reducer as _;
use spacetimedb_sdk::{DbContext, Event, EventTable, Status, SubscriptionHandle as _, Table, TableWithPrimaryKey};

fn total(ctx: &impl RemoteDbContext) -> u64 {
    ctx.db().person().count()
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (uri, database, golden) = (args.next().unwrap(), args.next().unwrap(), args.next().unwrap());

    let all = alltypes::Reducer::SetAll { all: everything(), delete: true };
    assert_eq!(hex(&all.args_bsatn().unwrap()), golden, "the bytes of set_all");

    let log = Log::new();
    let (connected, failed, gone) = (log.sender(), log.sender(), log.sender());
    let conn = DbConnection::builder()
        .with_uri(uri)
        .with_database_name(database)
        .on_connect(move |ctx: &DbConnection, identity, token| {
            assert_eq!(ctx.identity(), identity);
            assert!(!token.is_empty());
            connected.send("connected".into()).unwrap();
        })
        .on_connect_error(move |_ctx: &ErrorContext, error| failed.send(format!("error {error}")).unwrap())
        .on_disconnect(move |_ctx: &ErrorContext, _error| gone.send("disconnected".into()).unwrap())
        .build()
        .expect("a connection");

    let s = log.sender();
    conn.db.person().on_insert(move |ctx: &EventContext, p: &Person| {
        let why = match &ctx.event {
            Event::Reducer(r) => format!("{:?} {}", r.reducer, matches!(r.status, Status::Committed)),
            _ => "other".into(),
        };
        s.send(format!("insert {} {} by {why}", p.name, ctx.db.person().count())).unwrap()
    });
    let s = log.sender();
    conn.db.person().on_update(move |_ctx, old, new| s.send(format!("update {} to {}", old.name, new.name)).unwrap());
    let s = log.sender();
    let on_delete = conn.db.person().on_delete(move |_ctx, p| s.send(format!("delete {}", p.name)).unwrap());
    let s = log.sender();
    conn.db.everybody().on_insert(move |_ctx, p| s.send(format!("view insert {}", p.name)).unwrap());
    let s = log.sender();
    conn.db.everybody().on_update(move |_ctx, old, new| s.send(format!("view update {} to {}", old.name, new.name)).unwrap());
    let s = log.sender();
    conn.db.people_of().on_insert(move |_ctx, p| s.send(format!("call insert {}", p.name)).unwrap());
    let s = log.sender();
    conn.db.shout().on_insert(move |ctx: &EventContext, e| s.send(format!("shout {} {}", e.text, ctx.db.shout().count())).unwrap());

    conn.run_threaded();
    log.expect(&["connected"]);

    let (applied, refused) = (log.sender(), log.sender());
    let query = conn
        .subscription_builder()
        .on_applied(move |ctx: &SubscriptionEventContext| applied.send(format!("applied {}", total(ctx))).unwrap())
        .on_error(move |_ctx: &ErrorContext, error| refused.send(format!("refused {error}")).unwrap())
        .add_query(|q| q.from.person().filter(|p| p.score.gt(0)))
        .add_query(|q| q.from.everybody())
        .add_query(|q| q.from.shout());
    #[cfg(feature = "view_calls")]
    let query = {
        use spacetimedb_sdk::__codegen::__query_builder::Query;
        query.add_query(|q| {
            assert_eq!(q.from.people_of(42, "it's".into()).into_sql(), r#"SELECT * FROM "people_of"(42, 'it''s')"#);
            q.from.people_of(5, "it's".into())
        })
    };
    let subscription = query.subscribe();
    log.expect(&["applied 0"]);
    assert!(subscription.is_active());
    // Without the typed form the call is text.
    #[cfg(not(feature = "view_calls"))]
    {
        let applied = log.sender();
        conn.subscription_builder()
            .on_applied(move |_| applied.send("call applied".into()).unwrap())
            .subscribe("SELECT * FROM people_of(5, 'it''s')");
        log.expect(&["call applied"]);
    }

    let s = log.sender();
    conn.reducers
        .add_then("it's".into(), 7, move |ctx: &ReducerEventContext, result| s.send(format!("added {result:?} {:?}", ctx.event.reducer)).unwrap())
        .unwrap();
    let own = r#"Add { name: "it's", score: 7 }"#;
    log.expect(&[&format!("insert it's 1 by {own} true"), "view insert it's", "call insert it's", &format!("added Ok(Ok(())) {own}")]);

    let s = log.sender();
    conn.reducers.add_then("it's".into(), 8, move |_ctx, result| s.send(format!("again {}", matches!(result, Ok(Err(_))))).unwrap()).unwrap();
    log.expect(&["again true"]);

    conn.reducers.rename("it's".into(), "Ada".into()).unwrap();
    log.expect(&["update it's to Ada", "view update it's to Ada"]);
    let ada = conn.db.person().name().find(&"Ada".to_string()).expect("Ada by her name");
    assert_eq!(conn.db.person().id().find(&ada.id), Some(ada.clone()));
    assert_eq!(ada.owner, conn.identity());
    assert_eq!(conn.db.person().iter().count() as u64, total(&conn));

    let s = log.sender();
    conn.reducers
        .rename_then("Bob".into(), "Eve".into(), move |_ctx, result| s.send(format!("renamed {result:?}")).unwrap())
        .unwrap();
    log.expect(&[r#"renamed Ok(Err("nobody is called Bob"))"#]);

    conn.reducers.shout("hello".into()).unwrap();
    log.expect(&["shout hello 0"]);

    let s = log.sender();
    conn.procedures.double_then(21, move |_ctx: &ProcedureEventContext, result| s.send(format!("double {result:?}")).unwrap());
    log.expect(&["double Ok(42)"]);

    // Long enough that the server compresses it, in the way that this SDK asks for: brotli.
    let long = "brotli ".repeat(3000);
    conn.reducers.add(long.clone(), 9).unwrap();
    let own = format!("Add {{ name: {long:?}, score: 9 }}");
    log.expect(&[&format!("insert {long} 2 by {own} true"), &format!("view insert {long}")]);
    assert_eq!(conn.db.person().name().find(&long).map(|p| p.score), Some(9));
    conn.reducers.remove(long.clone()).unwrap();
    log.expect(&[&format!("delete {long}")]);

    conn.reducers.remove("Ada".into()).unwrap();
    log.expect(&["delete Ada"]);
    conn.db.person().remove_on_delete(on_delete);
    assert_eq!(total(&conn), 0);

    let s = log.sender();
    subscription.unsubscribe_then(Box::new(move |_ctx| s.send("unsubscribed".into()).unwrap())).unwrap();
    log.expect(&["unsubscribed"]);
    conn.disconnect().unwrap();
    log.expect(&["disconnected"]);
    log.finish();
    println!("all as expected");
}
