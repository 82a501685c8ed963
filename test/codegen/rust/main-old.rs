// Releases before 1.12 have no query builder: their bindings are compiled only.
mod alltypes;
mod empty;
mod module_bindings;
mod odd;

fn main() {}
