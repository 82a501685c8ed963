// The official SDK's side of the differential test: peer.mjs PACKAGE META reads a
// case per line and answers each with a line. It converts and never compares.
import { createInterface } from 'node:readline';
import { fromJSON, toJSON } from './values.mjs';

const [pack, meta] = process.argv.slice(2);
const sdk = await import(pack);
const { AlgebraicType, BinaryReader, BinaryWriter, Identity, ConnectionId, Uuid, Timestamp, TimeDuration } = sdk;
const typeOfTypes = (await import(meta)).AlgebraicType.algebraicType;

const hex = bytes => Buffer.from(bytes).toString('hex');
const reader = text => new BinaryReader(new Uint8Array(Buffer.from(text, 'hex')));

function encode(type, value, typespace) {
  const writer = new BinaryWriter(16);
  AlgebraicType.serializeValue(writer, type, value, typespace);
  return hex(writer.getBuffer());
}

// sdkType makes the SDK's form of a type from its SATS-JSON, sdkTypeJSON goes back.
function sdkType(json) {
  const [tag] = Object.keys(json);
  const inner = list => list.map(e => ({ name: e.name.some, algebraicType: sdkType(e.algebraic_type) }));
  switch (tag) {
    case 'Ref': return AlgebraicType.Ref(json.Ref);
    case 'Array': return AlgebraicType.Array(sdkType(json.Array));
    case 'Product': return AlgebraicType.Product({ elements: inner(json.Product.elements) });
    case 'Sum': return AlgebraicType.Sum({ variants: inner(json.Sum.variants) });
  }
  return AlgebraicType[tag];
}

function sdkTypeJSON(type) {
  const inner = list => list.map(e => ({ name: e.name === undefined ? { none: [] } : { some: e.name }, algebraic_type: sdkTypeJSON(e.algebraicType) }));
  switch (type.tag) {
    case 'Ref': return { Ref: type.value };
    case 'Array': return { Array: sdkTypeJSON(type.value) };
    case 'Product': return { Product: { elements: inner(type.value.elements) } };
    case 'Sum': return { Sum: { variants: inner(type.value.variants) } };
  }
  return { [type.tag]: [] };
}

const attempt = f => {
  try {
    return f();
  } catch (e) {
    return 'error: ' + (e?.stack ?? e);
  }
};

function value(c) {
  const typespace = { types: c.typespace.map(sdkType) };
  const type = sdkType(c.type);
  const r = reader(c.bsatn);
  const decoded = AlgebraicType.deserializeValue(r, type, typespace);
  return {
    left: r.remaining,
    again: attempt(() => encode(type, decoded, typespace)),
    fromJSON: attempt(() => encode(type, fromJSON(sdk, type, typespace.types, c.json), typespace)),
    json: attempt(() => toJSON(type, typespace.types, decoded)),
  };
}

function typ(c) {
  return {
    bsatn: attempt(() => encode(typeOfTypes, sdkType(c.type))),
    json: attempt(() => JSON.stringify(sdkTypeJSON(AlgebraicType.deserializeValue(reader(c.bsatn), typeOfTypes)))),
  };
}

// texts of special values, and what parsing them gives
const texts = {
  identity: n => new Identity(n).toHexString(),
  connection_id: n => new ConnectionId(n).toHexString(),
  uuid: n => new Uuid(n).toString(),
  timestamp: n => new Timestamp(n).toISOString?.() ?? '',
  duration: n => new TimeDuration(n).toString(),
};
const parsed = {
  identity: s => encode(AlgebraicType.U256, Identity.fromString(s).__identity__),
  connection_id: s => encode(AlgebraicType.U128, ConnectionId.fromString(s).__connection_id__),
  uuid: s => encode(AlgebraicType.U128, Uuid.parse(s).asBigInt()),
};
const numbers = { identity: 'readU256', connection_id: 'readU128', uuid: 'readU128', timestamp: 'readI64', duration: 'readI64' };

function text(c) {
  const answer = { text: attempt(() => texts[c.what](reader(c.bsatn)[numbers[c.what]]())) };
  if (parsed[c.what]) answer.bsatn = attempt(() => parsed[c.what](c.text));
  return answer;
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const c = JSON.parse(line);
  const answer = attempt(() => ({ value, type: typ, text })[c.kind](c));
  process.stdout.write(JSON.stringify(typeof answer === 'string' ? { failed: answer } : answer) + '\n');
}
