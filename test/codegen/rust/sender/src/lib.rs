// A module that calls reducers of the module beside it through outboxes.
mod remote_bindings;

use remote_bindings::people;
use spacetimedb::{ReducerContext, Table};

#[spacetimedb::table(accessor = addition, outbox(people::add))]
pub struct Addition {
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[target]
    to: people::Identity,
    points: i64,
    #[param(name = score)]
    how_many: i32,
    name: String,
}

#[spacetimedb::table(accessor = removal, outbox(remote_bindings::people::remove))]
pub struct Removal {
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[target]
    to: people::Identity,
    name: String,
}

#[spacetimedb::reducer]
pub fn add_there(ctx: &ReducerContext, to: spacetimedb::Identity, name: String) {
    ctx.db.addition().insert(Addition { id: 0, to: to.into(), points: 1, how_many: 7, name });
}
