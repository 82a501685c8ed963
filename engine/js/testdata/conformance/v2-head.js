import * as s20 from "spacetime:sys@2.0";
import * as s21 from "spacetime:sys@2.1";
import * as s22 from "spacetime:sys@2.2";
const sys = { ...s20, ...s21, ...s22 };
class HostError extends Error {
  constructor(code, message) {
    super(message);
    this.code = code;
  }
}
const errno = (e) => (e instanceof HostError ? e.code : undefined);
const text = (e) => e.message;
const buffer = new ArrayBuffer(1000);
const advance = (it) => new Uint8Array(buffer, 0, Math.abs(sys.row_iter_bsatn_advance(it, buffer)));
const insert = (row) => sys.datastore_insert_bsatn(4096, row.slice().buffer, row.length);
class Failure extends Error {}
