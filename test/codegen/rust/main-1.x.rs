// A client of the module beside it, with the official Rust SDK 1.12.
mod alltypes;
mod client;
mod empty;
mod hard;
mod module_bindings;
mod odd;

use client::{everything, hex, Log};
use module_bindings::*;
use spacetimedb_sdk::__codegen::{__lib::bsatn, __ws::CallReducerFlags};
use spacetimedb_sdk::{DbContext, Event, Status, SubscriptionHandle as _, Table, TableWithPrimaryKey};

fn total(ctx: &impl RemoteDbContext) -> u64 {
    ctx.db().person().count()
}

fn main() {
    let mut args = std::env::args().skip(1);
    let (uri, database, golden) = (args.next().unwrap(), args.next().unwrap(), args.next().unwrap());

    let mut all = bsatn::to_vec(&everything()).unwrap();
    all.push(1);
    assert_eq!(hex(&all), golden, "the bytes of set_all");

    let log = Log::new();
    let (connected, failed, gone) = (log.sender(), log.sender(), log.sender());
    let conn = DbConnection::builder()
        .with_uri(uri)
        .with_module_name(database)
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

    conn.run_threaded();
    log.expect(&["connected"]);

    let (applied, refused) = (log.sender(), log.sender());
    let query = conn
        .subscription_builder()
        .on_applied(move |ctx: &SubscriptionEventContext| applied.send(format!("applied {}", total(ctx))).unwrap())
        .on_error(move |_ctx: &ErrorContext, error| refused.send(format!("refused {error}")).unwrap())
        .add_query(|q| q.from.person().filter(|p| p.score.gt(0)).build())
        .add_query(|q| q.from.everybody().build());
    let subscription = query.subscribe();
    log.expect(&["applied 0"]);
    assert!(subscription.is_active());
    let applied = log.sender();
    conn.subscription_builder()
        .on_applied(move |_| applied.send("call applied".into()).unwrap())
        .subscribe("SELECT * FROM people_of(5, 'it''s')");
    log.expect(&["call applied"]);

    let s = log.sender();
    conn.reducers.on_add(move |ctx: &ReducerEventContext, name: &String, score: &i32| {
        s.send(format!("on_add {name} {score} {}", matches!(ctx.event.status, Status::Committed))).unwrap()
    });
    let s = log.sender();
    let on_rename = conn.reducers.on_rename(move |ctx, old, new| s.send(format!("on_rename {old} {new} {:?}", ctx.event.status)).unwrap());
    conn.reducers.add("it's".into(), 7).unwrap();
    let own = r#"Add { name: "it's", score: 7 }"#;
    log.expect(&[&format!("insert it's 1 by {own} true"), "view insert it's", "call insert it's", "on_add it's 7 true"]);

    conn.reducers.add("it's".into(), 8).unwrap();
    log.expect(&["on_add it's 8 false"]);

    conn.reducers.rename("it's".into(), "Ada".into()).unwrap();
    log.expect(&["update it's to Ada", "view update it's to Ada", "on_rename it's Ada Committed"]);
    let ada = conn.db.person().name().find(&"Ada".to_string()).expect("Ada by her name");
    assert_eq!(conn.db.person().id().find(&ada.id), Some(ada.clone()));
    assert_eq!(ada.owner, conn.identity());
    assert_eq!(conn.db.person().iter().count() as u64, total(&conn));

    conn.reducers.rename("Bob".into(), "Eve".into()).unwrap();
    log.expect(&[r#"on_rename Bob Eve Failed("nobody is called Bob")"#]);
    conn.reducers.remove_on_rename(on_rename);
    conn.set_reducer_flags.rename(CallReducerFlags::FullUpdate);

    let s = log.sender();
    conn.procedures.double_then(21, move |_ctx: &ProcedureEventContext, result| s.send(format!("double {result:?}")).unwrap());
    log.expect(&["double Ok(42)"]);

    // Long enough that the server compresses it, in the way that this SDK asks for: brotli.
    let long = "brotli ".repeat(3000);
    conn.reducers.add(long.clone(), 9).unwrap();
    let own = format!("Add {{ name: {long:?}, score: 9 }}");
    log.expect(&[&format!("insert {long} 2 by {own} true"), &format!("view insert {long}"), &format!("on_add {long} 9 true")]);
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
