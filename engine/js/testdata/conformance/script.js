const bytes = (s) => new TextEncoder().encode(s);
const string = (b) => new TextDecoder().decode(b);
const say = (status, data = "") => sys.console_log(2, String.fromCharCode(64 + status) + data);
let iterator = 0;

// Each operation returns what is to be said of its success.
const operations = {
  t: (o) => void sys.table_id_from_name(string(o)),
  n: () => String(sys.datastore_table_row_count(4096)),
  s: () => void (iterator = sys.datastore_table_scan_bsatn(4096)),
  a: () => string(advance(iterator)),
  c: () => sys.row_iter_bsatn_close(iterator),
  i: (o) => void insert(o),
  x: sys.datastore_clear && (() => void sys.datastore_clear(4096)),
  j: () => string(sys.get_jwt_payload(1n)),
  e: sys.env_get && ((o) => sys.env_get(string(o)) ?? "-"),
  b: () => void sys.procedure_start_mut_tx(),
  k: () => sys.procedure_commit_mut_tx(),
  r: () => sys.procedure_abort_mut_tx(),
  h: (o) => {
    const [response, body] = sys.procedure_http_request(o, o.length % 2 ? "hi" : bytes("hi"));
    return string(response) + string(body);
  },
  m: () => sys.console_timer_end(sys.console_timer_start("later")),
  q: (o) => sys.volatile_nonatomic_schedule_immediate("later", o),
  v: (o, call) => void (call.result = o),
  Q: (o, call) => void (call.query = o),
  d: (o, call) => void (call.answer = o),
  S: (_, call) => String.fromCharCode(Number(call.sender & 255n)),
  B: (_, call) => string(call.body),
  J: (_, call) => string(call.token),
};

function run(script, call) {
  for (let at = 0; at < script.length; ) {
    const op = String.fromCharCode(script[at]);
    const operand = script.slice(at + 2, at + 2 + script[at + 1]);
    at += 2 + operand.length;
    switch (op) {
      case "l":
        sys.console_log(2, string(operand));
        continue;
      case "o":
        for (;;);
      case "w":
        for (;;) {
          try {
            sys.datastore_table_row_count(4096);
          } catch {}
        }
      case "f":
        for (;;) sys.datastore_table_scan_bsatn(4096);
      case "p":
        throw new Error("panic");
      case "u":
        throw new Failure(string(operand));
    }
    if (!operations[op]) {
      sys.console_log(2, "?");
      continue;
    }
    try {
      say(0, operations[op](operand, call));
    } catch (e) {
      const n = errno(e);
      if (n !== undefined) say(n, n === 21 ? text(e) : "");
      else if (e instanceof TypeError && op === "h") say(3);
      else if (e instanceof TypeError && op === "k") sys.console_log(2, "T");
      else throw e;
    }
  }
  return call;
}

const view = (args, sender) => {
  const { result = new Uint8Array(), query } = run(args, { sender });
  return query ? { data: new Uint8Array([1, query.length, 0, 0, 0, ...query]) } : { data: new Uint8Array([0, ...result]) };
};
const procedure = (id, sender, conn, time, args) => run(args, { sender }).result ?? new Uint8Array();
