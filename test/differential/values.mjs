// SATS-JSON of the values that the SDKs work with; they have no such codec of
// their own. Numbers keep all their digits.

// Num is a number as it stood in the text.
class Num {
  constructor(text) {
    this.text = text;
  }
}

// parse is JSON.parse that keeps numbers as Num.
function parse(text) {
  let at = 0;
  const token = /\s*(?:([[\]{},:])|("(?:[^"\\]|\\.)*")|(-?\d[\d.eE+-]*)|(true|false|null))/y;
  const next = () => {
    token.lastIndex = at;
    const m = token.exec(text);
    if (!m) throw new Error(`bad JSON at ${at}: ${text.slice(at, at + 20)}`);
    at = token.lastIndex;
    return m;
  };
  const rest = m => {
    if (m[2] !== undefined) return JSON.parse(m[2]);
    if (m[3] !== undefined) return new Num(m[3]);
    if (m[4] !== undefined) return JSON.parse(m[4]);
    if (m[1] === '[') {
      const list = [];
      let t = next();
      while (t[1] !== ']') {
        if (t[1] === ',') t = next();
        list.push(rest(t));
        t = next();
      }
      return list;
    }
    const object = new Map();
    let t = next();
    while (t[1] !== '}') {
      if (t[1] === ',') t = next();
      const name = JSON.parse(t[2]);
      next(); // the colon
      object.set(name, rest(next()));
      t = next();
    }
    return object;
  };
  return rest(next());
}

const deref = (type, types) => {
  while (type.tag === 'Ref') type = types[type.value];
  return type;
};

const wide = new Set(['I64', 'U64', 'I128', 'U128']);
const names = variants => variants.map(v => v.name).join();
const isOption = type => names(type.value.variants) === 'some,none';
const isResult = type => names(type.value.variants) === 'ok,err';

const special = {
  __identity__: (sdk, n) => new sdk.Identity(n),
  __connection_id__: (sdk, n) => new sdk.ConnectionId(n),
  __uuid__: (sdk, n) => new sdk.Uuid(n),
  __timestamp_micros_since_unix_epoch__: (sdk, n) => new sdk.Timestamp(n),
  __time_duration_micros__: (sdk, n) => new sdk.TimeDuration(n),
};

const hexNumber = text => (text[0] === '-' ? -BigInt(text.slice(1)) : BigInt(text));

// fromJSON makes the SDK's value of a text in any of the output flavours.
export function fromJSON(sdk, type, types, text) {
  const make = (type, json) => {
    type = deref(type, types);
    switch (type.tag) {
      case 'Product': {
        const list = type.value.elements.map((e, i) => make(e.algebraicType, Array.isArray(json) ? json[i] : json.get(e.name)));
        const only = list.length === 1 && Object.hasOwn(special, type.value.elements[0].name) && special[type.value.elements[0].name];
        if (only) return only(sdk, list[0]);
        return Object.fromEntries(type.value.elements.map((e, i) => [e.name, list[i]]));
      }
      case 'Sum': {
        const variants = type.value.variants;
        const [index, inner] = Array.isArray(json)
          ? [Number(json[0].text), json[1]]
          : [variants.findIndex(v => v.name === [...json.keys()][0]), [...json.values()][0]];
        const { name, algebraicType } = variants[index];
        if (isOption(type)) return index === 0 ? make(algebraicType, inner) : undefined;
        if (isResult(type)) return { [name]: make(algebraicType, inner) };
        return { tag: name, value: make(algebraicType, inner) };
      }
      case 'Array': {
        const bytes = deref(type.value, types).tag === 'U8';
        if (bytes && typeof json === 'string') {
          const list = new Uint8Array(Buffer.from(json, 'hex'));
          return type.value.tag === 'U8' ? list : [...list];
        }
        return json.map(e => make(type.value, e));
      }
      case 'Bool':
      case 'String':
        return json;
      case 'U256':
      case 'I256':
        return hexNumber(json);
    }
    return wide.has(type.tag) ? BigInt(json.text) : Number(json.text);
  };
  return make(type, parse(text));
}

const wideHex = n => JSON.stringify((n < 0n ? '-0x' : '0x') + (n < 0n ? -n : n).toString(16));

// toJSON writes an SDK's value in the untyped flavour; floats as JavaScript does.
export function toJSON(type, types, value) {
  const write = (type, value) => {
    type = deref(type, types);
    switch (type.tag) {
      case 'Product':
        return '[' + type.value.elements.map(e => write(e.algebraicType, value[e.name])).join() + ']';
      case 'Sum': {
        const variants = type.value.variants;
        if (isOption(type)) return value === undefined ? '[1,[]]' : `[0,${write(variants[0].algebraicType, value)}]`;
        const tag = isResult(type) ? Object.keys(value)[0] : value.tag;
        const index = variants.findIndex(v => v.name === tag);
        return `[${index},${write(variants[index].algebraicType, isResult(type) ? value[tag] : value.value)}]`;
      }
      case 'Array':
        if (type.value.tag === 'U8') return JSON.stringify(Buffer.from(value).toString('hex'));
        return '[' + value.map(e => write(type.value, e)).join() + ']';
      case 'Bool':
      case 'String':
        return JSON.stringify(value);
      case 'U256':
      case 'I256':
        return wideHex(value);
      case 'F32':
      case 'F64':
        if (!Number.isFinite(value)) return 'null';
        return Object.is(value, -0) ? '-0.0' : String(value);
    }
    return String(value);
  };
  return write(type, value);
}
