import * as s10 from "spacetime:sys@1.0";
import * as s11 from "spacetime:sys@1.1";
import * as s12 from "spacetime:sys@1.2";
import * as s13 from "spacetime:sys@1.3";
// Version 1 has neither an environment nor a function that clears a table.
const sys = { ...s13, ...s12, ...s11, ...s10 };
const errno = (e) => e?.__code_error__;
const text = (e) => e.__error_message__;
const advance = (it) => sys.row_iter_bsatn_advance(it, 1000)[1];
const insert = (row) => sys.datastore_insert_bsatn(4096, row);
class Failure extends Error {}
