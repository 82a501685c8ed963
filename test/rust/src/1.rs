//! The module for crates 1.x: tables, index kinds, special types, lifecycle, a schedule.
use spacetimedb::{ConnectionId, Identity, ReducerContext, ScheduleAt, SpacetimeType, Table, TimeDuration, Timestamp};

#[derive(SpacetimeType, Clone, Debug, PartialEq)]
pub enum Shape {
    Point,
    Circle(f64),
}

#[derive(SpacetimeType, Clone, Debug, PartialEq)]
pub struct Place {
    x: i32,
    y: i32,
}

#[spacetimedb::table(name = item, public, index(name = by_kind_rank, btree(columns = [kind, rank])))]
pub struct Item {
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[unique]
    name: String,
    kind: u8,
    rank: i32,
    place: Place,
    shape: Shape,
    owner: Identity,
    made: Timestamp,
    note: Option<String>,
}

#[spacetimedb::table(name = visit, public)]
pub struct Visit {
    who: Identity,
    connection: Option<ConnectionId>,
    came: bool,
}

#[spacetimedb::table(name = timer, scheduled(tick))]
pub struct Timer {
    #[primary_key]
    #[auto_inc]
    id: u64,
    scheduled_at: ScheduleAt,
    text: String,
}

#[spacetimedb::table(name = tock, public)]
pub struct Tock {
    text: String,
}

#[cfg(feature = "unstable")]
#[spacetimedb::client_visibility_filter]
const OWN_VISITS: spacetimedb::Filter = spacetimedb::Filter::Sql("SELECT * FROM visit WHERE who = :sender");

#[spacetimedb::reducer(init)]
pub fn init(ctx: &ReducerContext) {
    ctx.db.tock().insert(Tock { text: "init".into() });
}

#[spacetimedb::reducer(client_connected)]
pub fn connected(ctx: &ReducerContext) {
    ctx.db.visit().insert(Visit { who: ctx.sender, connection: ctx.connection_id, came: true });
}

#[spacetimedb::reducer]
pub fn add(ctx: &ReducerContext, name: String, kind: u8, rank: i32) -> Result<(), String> {
    let row = ctx.db.item().try_insert(Item {
        id: 0,
        name,
        kind,
        rank,
        place: Place { x: rank, y: -rank },
        shape: if rank > 0 { Shape::Circle(rank as f64) } else { Shape::Point },
        owner: ctx.sender,
        made: ctx.timestamp,
        note: None,
    });
    let id = row.map_err(|e| format!("not added: {e}"))?.id;
    log::info!("item {id}");
    Ok(())
}

#[spacetimedb::reducer]
pub fn raise(ctx: &ReducerContext, name: String, by: i32) -> Result<(), String> {
    let mut row = ctx.db.item().name().find(&name).ok_or("no such item")?;
    row.rank += by;
    row.note = Some("raised".into());
    ctx.db.item().id().update(row);
    Ok(())
}

#[spacetimedb::reducer]
pub fn drop_kind(ctx: &ReducerContext, kind: u8, from: i32) {
    let n = ctx.db.item().by_kind_rank().delete((kind, from..));
    ctx.db.tock().insert(Tock { text: format!("dropped {n} of {} left {}", kind, ctx.db.item().count()) });
}

#[spacetimedb::reducer]
pub fn crash(_ctx: &ReducerContext) {
    let none: Option<u8> = None;
    none.expect("it was there a moment ago");
}

#[spacetimedb::reducer]
pub fn later(ctx: &ReducerContext, text: String) {
    let at = ctx.timestamp + TimeDuration::from_micros(20_000);
    ctx.db.timer().insert(Timer { id: 0, scheduled_at: ScheduleAt::Time(at), text });
}

#[spacetimedb::reducer]
pub fn tick(ctx: &ReducerContext, timer: Timer) {
    ctx.db.tock().insert(Tock { text: timer.text });
}
