//! The money-transfer benchmark.
use spacetimedb::{ReducerContext, Table};

#[spacetimedb::table(accessor = accounts, public)]
pub struct Account {
    #[primary_key]
    id: u32,
    balance: i64,
}

/// Fills the table, unless somebody has.
#[spacetimedb::reducer]
pub fn seed(ctx: &ReducerContext, n: u32) {
    if ctx.db.accounts().count() == 0 {
        for id in 0..n {
            ctx.db.accounts().insert(Account { id, balance: 1_000_000 });
        }
    }
}

/// Moves money from one account to another.
#[spacetimedb::reducer]
pub fn transfer(ctx: &ReducerContext, from: u32, to: u32, amount: i64) -> Result<(), String> {
    let accounts = ctx.db.accounts().id();
    let mut a = accounts.find(from).ok_or("no such account")?;
    let mut b = accounts.find(to).ok_or("no such account")?;
    if a.balance < amount {
        return Err("insufficient funds".into());
    }
    a.balance -= amount;
    b.balance += amount;
    accounts.update(a);
    accounts.update(b);
    Ok(())
}

/// Does nothing: what a call costs by itself.
#[spacetimedb::reducer]
pub fn empty(_ctx: &ReducerContext) {}
