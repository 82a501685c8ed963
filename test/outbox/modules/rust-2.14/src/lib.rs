//! A module whose databases write letters to each other, for the newest SDK.
mod post;

use spacetimedb::{reducer, table, Identity, ReducerContext, Table};

#[table(accessor = letter, outbox(post::receive))]
#[derive(Clone)]
pub struct Letter {
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[target]
    to: post::Identity,
    #[param(name = n)]
    number: u64,
    text: String,
}

#[table(accessor = sent, public)]
pub struct Sent {
    #[primary_key]
    #[auto_inc]
    id: u64,
    to: Identity,
    n: u64,
    text: String,
}

#[table(accessor = got, public)]
pub struct Got {
    #[primary_key]
    #[auto_inc]
    id: u64,
    sender: Identity,
    n: u64,
    text: String,
}

#[table(accessor = outcome, public)]
pub struct Outcome {
    #[primary_key]
    #[auto_inc]
    id: u64,
    n: u64,
    failure: String,
}

#[reducer]
pub fn send(ctx: &ReducerContext, to: Identity, n: u64, text: String) -> Result<(), String> {
    ctx.db.sent().insert(Sent { id: 0, to, n, text: text.clone() });
    let torn = text == "torn up";
    ctx.db.letter().insert(Letter { id: 0, to: post::Identity(to), number: n, text });
    if torn {
        return Err("torn up".into());
    }
    Ok(())
}

#[reducer]
pub fn receive(ctx: &ReducerContext, n: u64, text: String) -> Result<(), String> {
    ctx.db.got().insert(Got { id: 0, sender: ctx.sender(), n, text: text.clone() });
    match text.as_str() {
        "refuse" => Err("refused".into()),
        "panic" => panic!("in the receiver"),
        _ => Ok(()),
    }
}

#[reducer(on_result(letter))]
pub fn answered(ctx: &ReducerContext, row: Letter, result: Result<(), String>) -> Result<(), String> {
    ctx.db.outcome().insert(Outcome { id: 0, n: row.number, failure: result.err().unwrap_or_default() });
    if row.text == "bad callback" {
        return Err("no, thanks".into());
    }
    Ok(())
}
