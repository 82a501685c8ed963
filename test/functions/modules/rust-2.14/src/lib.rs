//! Views, procedures, HTTP handlers and the environment, for the newest SDK.
use spacetimedb::http::{Body, HandlerContext, Request, Response, Router};
use spacetimedb::{
    http, procedure, reducer, table, view, AnonymousViewContext, Identity, ProcedureContext, Query, ReducerContext, SpacetimeType, Table, ViewContext,
};
use std::collections::BTreeMap;
use std::time::Duration;

#[table(accessor = book, public)]
#[derive(Clone)]
pub struct Book {
    #[primary_key]
    #[auto_inc]
    id: u64,
    #[index(btree)]
    owner: Identity,
    title: String,
    #[index(btree)]
    year: u32,
}

/// A row of a view that is no table's.
#[derive(SpacetimeType)]
pub struct Shelf {
    year: u32,
    books: u32,
}

/// A row of a view.
#[derive(SpacetimeType)]
pub struct Sign {
    text: String,
}

#[spacetimedb::env]
pub struct Env {
    pub GREETING: Option<String>,
}

#[reducer]
pub fn add_book(ctx: &ReducerContext, title: String, year: u32) {
    ctx.db.book().insert(Book { id: 0, owner: ctx.sender(), title, year });
}

#[reducer]
pub fn remove_book(ctx: &ReducerContext, id: u64) -> Result<(), String> {
    if ctx.db.book().id().delete(id) {
        Ok(())
    } else {
        Err(format!("no book {id}"))
    }
}

#[view(accessor = my_books, public)]
fn my_books(ctx: &ViewContext) -> Vec<Book> {
    ctx.db.book().owner().filter(ctx.sender()).collect()
}

#[view(accessor = newest_book, public)]
fn newest_book(ctx: &AnonymousViewContext) -> Option<Book> {
    ctx.db.book().year().filter(0u32..).max_by_key(|b| (b.year, b.id))
}

#[view(accessor = shelf, public)]
fn shelf(ctx: &AnonymousViewContext) -> Vec<Shelf> {
    let mut years = BTreeMap::new();
    for b in ctx.db.book().year().filter(0u32..) {
        *years.entry(b.year).or_insert(0) += 1;
    }
    years.into_iter().map(|(year, books)| Shelf { year, books }).collect()
}

#[view(accessor = old_books, public)]
fn old_books(ctx: &AnonymousViewContext) -> impl Query<Book> {
    ctx.from.book().r#where(|b| b.year.lt(1900u32))
}

#[view(accessor = books_of, public)]
fn books_of(ctx: &AnonymousViewContext, year: u32) -> Vec<Book> {
    ctx.db.book().year().filter(year).collect()
}

/// Depends on the environment alone.
#[view(accessor = sign, public)]
fn sign(ctx: &AnonymousViewContext) -> Option<Sign> {
    ctx.env.GREETING().map(|text| Sign { text })
}

/// Fails as soon as there is a book of the year 666.
#[view(accessor = fragile, public)]
fn fragile(ctx: &AnonymousViewContext) -> Vec<Shelf> {
    if ctx.db.book().year().filter(666u32).next().is_some() {
        panic!("this year is cursed");
    }
    Vec::new()
}

#[procedure]
fn sum(_ctx: &mut ProcedureContext, a: u32, b: u32) -> u64 {
    u64::from(a) + u64::from(b)
}

/// Adds two books in a transaction each. Without a title the second is taken back.
#[procedure]
fn add_two(ctx: &mut ProcedureContext, first: String, second: String) -> u64 {
    let sender = ctx.sender();
    ctx.with_tx(|tx| {
        tx.db.book().insert(Book { id: 0, owner: sender, title: first.clone(), year: 2001 });
    });
    let _ = ctx.try_with_tx(|tx| {
        tx.db.book().insert(Book { id: 0, owner: sender, title: second.clone(), year: 2002 });
        if second.is_empty() {
            Err("no title")
        } else {
            Ok(())
        }
    });
    ctx.with_tx(|tx| tx.db.book().count())
}

/// Adds a book of the cursed year.
#[procedure]
fn curse(ctx: &mut ProcedureContext) -> u64 {
    let sender = ctx.sender();
    ctx.with_tx(|tx| {
        tx.db.book().insert(Book { id: 0, owner: sender, title: "cursed".into(), year: 666 });
    });
    1
}

/// Returns how many microseconds it has slept.
#[procedure]
fn nap(ctx: &mut ProcedureContext, millis: u32) -> u64 {
    let before = ctx.timestamp;
    ctx.sleep_until(before + Duration::from_millis(millis.into()));
    ctx.timestamp.duration_since(before).unwrap().as_micros() as u64
}

#[procedure]
fn fetch(ctx: &mut ProcedureContext, url: String) -> String {
    let request = http::Request::builder().method("POST").uri(url).header("x-from", "module").body("ping").unwrap();
    match ctx.http.send(request) {
        Ok(response) => {
            let (parts, body) = response.into_parts();
            let kind = parts.headers.get("x-kind").map_or("none", |v| v.to_str().unwrap());
            format!("{} {kind} {}", parts.status.as_u16(), body.into_string_lossy())
        }
        Err(e) => format!("error: {e}"),
    }
}

#[procedure]
fn fail(_ctx: &mut ProcedureContext) -> u64 {
    panic!("the kettle boils");
}

#[procedure]
fn greet(ctx: &mut ProcedureContext) -> String {
    ctx.env.GREETING().unwrap_or_else(|| "none".into())
}

#[http::handler]
fn hello(ctx: &mut HandlerContext, req: Request) -> Response {
    let books = ctx.with_tx(|tx| tx.db.book().count());
    let who = req.headers().get("x-who").map_or("nobody", |v| v.to_str().unwrap()).to_string();
    let text = format!("{} {} {who} {books}", req.method(), req.uri());
    http::Response::builder().header("x-kind", "greeting").body(Body::from_bytes(text)).unwrap()
}

#[http::handler]
fn post_book(ctx: &mut HandlerContext, req: Request) -> Response {
    let title = req.into_body().into_string_lossy();
    if title.is_empty() {
        panic!("a book needs a title");
    }
    let sender = ctx.sender();
    ctx.with_tx(|tx| {
        tx.db.book().insert(Book { id: 0, owner: sender, title: title.clone(), year: 2003 });
    });
    http::Response::builder().status(201).body(Body::from_bytes(format!("added {title}"))).unwrap()
}

#[http::router]
fn routes() -> Router {
    Router::new().get("/hello", hello).post("/books", post_book)
}
