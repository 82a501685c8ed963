//go:build v8

// What a module finds: the sys modules, their functions, and the scripts that run before it.

#include <string.h>

#include "engine.h"

namespace stdb {

using v8::Context;
using v8::FunctionCallbackInfo;
using v8::Isolate;
using v8::Local;
using v8::MaybeLocal;
using v8::Object;
using v8::String;
using v8::Value;

// Hooks

// HookFunction reads a property that must be a function, or throws.
static MaybeLocal<v8::Function> HookFunction(v8_instance* in, Local<Context> context, Local<Object> object, const char* name) {
  Local<Value> f;
  if (!object->Get(context, Str(in->isolate, name)).ToLocal(&f)) return {};
  if (!f->IsFunction()) {
    ThrowType(in->isolate, std::string("Expected module function hook `") + name + "`, got " + Kind(f));
    return {};
  }
  return f.As<v8::Function>();
}

// RegisterHooks is the function of version 1 by which a module gives its hooks, at most once each.
static void RegisterHooks(v8_instance* in, const Function& f, const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = in->isolate;
  Local<Context> context = isolate->GetCurrentContext();
  if (!info[0]->IsObject()) return ThrowMismatch(isolate, "an object of hooks", info[0]);
  if (in->major == 2) return ThrowType(isolate, "cannot call `register_hooks` from different versions");
  for (int hook : f.registers)
    if (!in->handles->hooks[hook].IsEmpty()) return ThrowType(isolate, "cannot call `register_hooks` multiple times");
  Local<v8::Function> found[HOOKS];
  for (int hook : f.registers)
    if (!HookFunction(in, context, info[0].As<Object>(), hook_names[hook]).ToLocal(&found[hook])) return;
  for (int hook : f.registers) in->handles->hooks[hook].Reset(isolate, found[hook]);
}

// SchemaHooks calls the function that the schema keeps under the symbol moduleHooks, and keeps the hooks that it returns.
static bool SchemaHooks(v8_instance* in, Local<Context> context, Local<Object> schema, Local<Object> ns, v8::TryCatch* caught,
                        v8_result* r) {
  Isolate* isolate = in->isolate;
  Local<Value> f, v, handler, arg = ns;
  if (!schema->Get(context, in->handles->symbol.Get(isolate)).ToLocal(&f)) return Fail(in, caught, r), false;
  if (!f->IsFunction()) return Refuse(in, std::string("TypeError: Expected hooks function, got ") + Kind(f), r), false;
  if (!f.As<v8::Function>()->Call(context, schema, 1, &arg).ToLocal(&v)) return Fail(in, caught, r), false;
  if (!v->IsObject()) return Refuse(in, std::string("TypeError: Expected an object of hooks, got ") + Kind(v), r), false;
  Local<Object> object = v.As<Object>();
  in->handles->receiver.Reset(isolate, v);
  for (int hook : {DESCRIBE, ERROR_CLASS, SENDER_ERROR, REDUCER, VIEW, VIEW_ANON, PROCEDURE}) {
    Local<v8::Function> h;
    if (!HookFunction(in, context, object, hook_names[hook]).ToLocal(&h)) return Fail(in, caught, r), false;
    in->handles->hooks[hook].Reset(isolate, h);
  }
  if (!object->Get(context, Str(isolate, hook_names[HANDLER])).ToLocal(&handler)) return Fail(in, caught, r), false;
  if (!handler->IsNullOrUndefined()) in->handles->hooks[HANDLER].Reset(isolate, handler);
  in->major = 2;
  return true;
}

// DiscoverHooks finds the hooks after the module's evaluation, spec 04 §2.3.
bool DiscoverHooks(v8_instance* in, Local<Context> context, Local<Object> ns, v8::TryCatch* caught, v8_result* r) {
  Handles* h = in->handles;
  h->receiver.Reset(in->isolate, v8::Undefined(in->isolate));
  if (!h->hooks[DESCRIBE].IsEmpty()) {
    in->major = 1;
    return true;
  }
  Local<Value> schema;
  if (!ns->Get(context, Str(in->isolate, "default")).ToLocal(&schema)) return Fail(in, caught, r), false;
  if (schema->IsNullOrUndefined()) return Refuse(in, "must export schema as default export", r), false;
  if (!schema->IsObject()) return Refuse(in, "default export is not a Schema object", r), false;
  for (int hook = 0; hook < HOOKS; hook++)
    if (!h->hooks[hook].IsEmpty())
      return Refuse(in, "TypeError: cannot call `register_hooks` from different versions", r), false;
  return SchemaHooks(in, context, schema.As<Object>(), ns, caught, r);
}

// Arguments of host functions

// Small holds bytes that lie in no buffer, and short texts.
struct Small {
  char bytes[128];
  std::string rest;
};

static bool U32(Isolate* isolate, Local<Value> v, uint64_t* out) {
  if (v->IsUint32()) {
    *out = v.As<v8::Uint32>()->Value();
    return true;
  }
  ThrowMismatch(isolate, "u32", v);
  return false;
}

// MaxText bounds the texts that host functions take.
const size_t MaxText = size_t(64) << 20;

static bool ReadText(Isolate* isolate, Local<String> s, v8_arg* arg, Small* small) {
  size_t n = s->Utf8Length(isolate);
  if (n > MaxText) return ThrowRange(isolate, "the text is too long"), false;
  char* p = small->bytes;
  if (n > sizeof small->bytes) {
    small->rest.resize(n);
    p = &small->rest[0];
  }
  s->WriteUtf8(isolate, p, static_cast<int>(n), nullptr, String::NO_NULL_TERMINATION | String::REPLACE_INVALID_UTF8);
  arg->p = p;
  arg->n = n;
  return true;
}

static bool ReadBytes(Isolate* isolate, Local<Value> v, v8_arg* arg, Small* small, const char* want) {
  if (!v->IsUint8Array()) return ThrowMismatch(isolate, want, v), false;
  Local<v8::Uint8Array> array = v.As<v8::Uint8Array>();
  arg->n = array->ByteLength();
  if (array->HasBuffer() || arg->n > sizeof small->bytes) {
    Local<v8::ArrayBuffer> buffer = array->Buffer();
    if (buffer->WasDetached()) return ThrowMismatch(isolate, want, v), false;
    arg->p = static_cast<char*>(buffer->Data()) + array->ByteOffset();
  } else {  // small arrays have no buffer until somebody asks
    array->CopyContents(small->bytes, arg->n);
    arg->p = small->bytes;
  }
  return true;
}

static bool ReadBuffer(Isolate* isolate, Local<Value> v, v8_arg* arg) {
  if (!v->IsArrayBuffer() || v.As<v8::ArrayBuffer>()->WasDetached()) return ThrowMismatch(isolate, "ArrayBuffer", v), false;
  arg->p = static_cast<char*>(v.As<v8::ArrayBuffer>()->Data());
  arg->n = v.As<v8::ArrayBuffer>()->ByteLength();
  return true;
}

static bool ReadU128(Isolate* isolate, Local<Value> v, v8_arg* arg) {
  if (!v->IsBigInt()) return ThrowMismatch(isolate, "u128", v), false;
  int negative = 0, n = 4;
  uint64_t words[4] = {};
  v.As<v8::BigInt>()->ToWordsArray(&negative, &n, words);
  if (negative) return ThrowType(isolate, "Value underflowed `u128`"), false;
  if (n > 2) return ThrowType(isolate, "Value overflowed `u128`"), false;
  arg->num = words[0];
  arg->high = words[1];
  return true;
}

static bool ReadArg(Isolate* isolate, char kind, Local<Value> v, v8_arg* args, int i, Small* small) {
  v8_arg* arg = &args[i];
  switch (kind) {
    case 'u':
      return U32(isolate, v, &arg->num);
    case 'h':
      if (!U32(isolate, v, &arg->num)) return false;
      if (arg->num > 0xffff) return ThrowType(isolate, "Value overflowed `u16`"), false;
      return true;
    case 's':
      if (!v->IsString()) return ThrowMismatch(isolate, "string", v), false;
      return ReadText(isolate, v.As<String>(), arg, small);
    case 'b':
      return ReadBytes(isolate, v, arg, small, "Uint8Array");
    case 'B':
      return ReadBuffer(isolate, v, arg);
    case 'p':
      if (!U32(isolate, v, &arg->num)) return false;
      if (arg->num > args[i - 1].n) return ThrowRange(isolate, "length argument was out of bounds for `ArrayBuffer`"), false;
      return true;
    case 'c':
      return ReadU128(isolate, v, arg);
    default:  // t
      if (!v->IsString()) return ReadBytes(isolate, v, arg, small, "Uint8Array or string");
      return ReadText(isolate, v.As<String>(), arg, small);
  }
}

// Answers of host functions

// Sealed makes {name: v, …}, to which nothing can be added.
static Local<Object> Sealed(Isolate* isolate, Local<Context> context, const char* name, Local<Value> v, const char* name2 = nullptr,
                            Local<Value> v2 = Local<Value>()) {
  Local<Object> o = Object::New(isolate);
  o->CreateDataProperty(context, Str(isolate, name), v).FromMaybe(false);
  if (name2) o->CreateDataProperty(context, Str(isolate, name2), v2).FromMaybe(false);
  o->SetIntegrityLevel(context, v8::IntegrityLevel::kSealed).FromMaybe(false);
  return o;
}

// ThrowErrno throws as the major version of the called function has it. Of version 2 that is an instance of the class that
// the module has for the number, and an Error while its hooks are not known.
static void ThrowErrno(v8_instance* in, Local<Context> context, int major, const v8_answer& a) {
  Isolate* isolate = in->isolate;
  Local<Value> number = v8::Integer::New(isolate, static_cast<int32_t>(a.num)), text = Str(isolate, a.p, a.n), cls, e;
  if (major == 1) {
    isolate->ThrowException(a.own_text ? Sealed(isolate, context, "__code_error__", number, "__error_message__", text)
                                       : Sealed(isolate, context, "__code_error__", number));
    return;
  }
  const v8::Global<Value>& hook = in->handles->hooks[ERROR_CLASS];
  if (hook.IsEmpty()) {
    isolate->ThrowException(v8::Exception::Error(text.As<String>()));
    return;
  }
  if (!hook.Get(isolate).As<v8::Function>()->Call(context, v8::Undefined(isolate), 1, &number).ToLocal(&cls)) return;
  if (!cls->IsFunction()) return ThrowMismatch(isolate, "an error constructor", cls);
  if (cls.As<v8::Function>()->NewInstance(context, 1, &text).ToLocal(&e)) isolate->ThrowException(e);
}

static void Answer(v8_instance* in, int major, const v8_answer& a, v8::ReturnValue<Value> ret) {
  Isolate* isolate = in->isolate;
  Local<Context> context = isolate->GetCurrentContext();
  switch (a.kind) {
    case V8_UNDEFINED:
      return;
    case V8_NULL:
      return ret.SetNull();
    case V8_INT: {
      int64_t n = static_cast<int64_t>(a.num);
      if (n == static_cast<int32_t>(n)) return ret.Set(static_cast<int32_t>(n));
      return ret.Set(static_cast<double>(n));
    }
    case V8_BIG_UINT:
      return ret.Set(v8::BigInt::NewFromUnsigned(isolate, a.num));
    case V8_BIG_INT:
      return ret.Set(v8::BigInt::New(isolate, static_cast<int64_t>(a.num)));
    case V8_WIDE:
    case V8_IDENTITY: {
      uint64_t words[4];
      memcpy(words, a.p, sizeof words);  // the machines that this is built for are little-endian, as the bytes are
      Local<v8::BigInt> v;
      if (!v8::BigInt::NewFromWords(context, 0, 4, words).ToLocal(&v)) return;
      if (a.kind == V8_WIDE) return ret.Set(v);
      return ret.Set(Sealed(isolate, context, "__identity__", v));
    }
    case V8_BYTES: {
      Local<Value> bytes;
      if (Bytes(isolate, a.p, a.n).ToLocal(&bytes)) ret.Set(bytes);
      return;
    }
    case V8_TEXT:
      return ret.Set(Str(isolate, a.p, a.n));
    case V8_ROWS: {
      Local<Value> pair[] = {v8::Boolean::New(isolate, a.num != 0), Local<Value>()};
      if (Bytes(isolate, a.p, a.n).ToLocal(&pair[1])) ret.Set(v8::Array::New(isolate, pair, 2));
      return;
    }
    case V8_PAIR: {
      Local<Value> pair[2];
      if (Bytes(isolate, a.p, a.n).ToLocal(&pair[0]) && Bytes(isolate, a.p + a.n, a.m).ToLocal(&pair[1]))
        ret.Set(v8::Array::New(isolate, pair, 2));
      return;
    }
    case V8_ERRNO:
      return ThrowErrno(in, context, major, a);
    case V8_TOO_SMALL:
      isolate->ThrowException(
          Sealed(isolate, context, "__buffer_too_small__", v8::Number::New(isolate, static_cast<double>(a.num))));
      return;
    case V8_TYPE_ERROR:
      return ThrowType(isolate, std::string(a.p, a.n));
    case V8_RANGE_ERROR:
      return ThrowRange(isolate, std::string(a.p, a.n));
    default:
      return Terminate(in);
  }
}

// MaxArgs is the longest signature.
const int MaxArgs = 6;

static void HostFunction(const FunctionCallbackInfo<Value>& info) {
  v8_instance* in = InstanceOf(info.GetIsolate());
  if (in->stopped || in->full) return Terminate(in);
  int number = info.Data().As<v8::Int32>()->Value();
  const Function& f = functions[number];
  if (!f.registers.empty()) return RegisterHooks(in, f, info);
  v8_arg args[MaxArgs] = {};
  Small small[2];  // no signature has more texts and arrays, but for a range of three
  Small third;
  int smalls = 0;
  for (size_t i = 0; i < f.signature.size(); i++) {
    char kind = f.signature[i];
    Small* room = nullptr;
    if (kind == 's' || kind == 'b' || kind == 't') room = smalls < 2 ? &small[smalls++] : &third;
    if (!ReadArg(in->isolate, kind, info[static_cast<int>(i)], args, static_cast<int>(i), room)) return;
  }
  v8_answer answer;
  memset(&answer, 0, sizeof answer);
  v8GoHost(in->handle, number, args, &answer);
  if (in->crashed) longjmp(*in->escape, 1);  // a call inside this one broke the isolate
  Answer(in, f.major, answer, info.GetReturnValue());
}

// Modules

// FillModule gives a sys module's exports their values.
static MaybeLocal<Value> FillModule(Local<Context> context, Local<v8::Module> module) {
  Isolate* isolate = context->GetIsolate();
  v8_instance* in = InstanceOf(isolate);
  for (size_t m = 0; m < sys_modules.size(); m++) {
    if (in->handles->modules[m].IsEmpty() || in->handles->modules[m].Get(isolate) != module) continue;
    const SysModule& sys = sys_modules[m];
    for (int i = sys.first; i < sys.end; i++) {
      Local<v8::Function> f;
      if (!v8::Function::New(context, HostFunction, v8::Integer::New(isolate, i), functions[i].arity, v8::ConstructorBehavior::kThrow)
               .ToLocal(&f) ||
          module->SetSyntheticModuleExport(isolate, Str(isolate, functions[i].name), f).IsNothing())
        return {};
    }
    if (sys.hooks &&
        module->SetSyntheticModuleExport(isolate, Str(isolate, "moduleHooks"), in->handles->symbol.Get(isolate)).IsNothing())
      return {};
  }
  Local<v8::Promise::Resolver> done;
  if (!v8::Promise::Resolver::New(context).ToLocal(&done) || done->Resolve(context, v8::Undefined(isolate)).IsNothing()) return {};
  return done->GetPromise();
}

MaybeLocal<v8::Module> ResolveImport(Local<Context> context, Local<String> specifier, Local<v8::FixedArray>, Local<v8::Module>) {
  Isolate* isolate = context->GetIsolate();
  v8_instance* in = InstanceOf(isolate);
  std::string name = Utf8(isolate, specifier);
  for (size_t m = 0; m < sys_modules.size(); m++) {
    const SysModule& sys = sys_modules[m];
    if (sys.spec != name) continue;
    v8::Global<v8::Module>& kept = in->handles->modules[m];
    if (kept.IsEmpty()) {
      std::vector<Local<String>> exports;
      for (int i = sys.first; i < sys.end; i++) exports.push_back(Str(isolate, functions[i].name));
      if (sys.hooks) exports.push_back(Str(isolate, "moduleHooks"));
      kept.Reset(isolate, v8::Module::CreateSyntheticModule(isolate, specifier, exports, FillModule));
    }
    return kept.Get(isolate);
  }
  v8_answer answer;
  memset(&answer, 0, sizeof answer);
  v8GoUnknownModule(in, &name[0], name.size(), &answer);
  ThrowType(isolate, std::string(answer.p, answer.n));
  return {};
}

// Scripts

// ValidUtf8 tells whether bytes are UTF-8 without surrogates and overlong forms.
static bool ValidUtf8(const uint8_t* p, size_t n) {
  for (size_t i = 0; i < n;) {
    uint8_t b = p[i];
    size_t len = b < 0x80 ? 1 : b >= 0xc2 && b < 0xe0 ? 2 : b >= 0xe0 && b < 0xf0 ? 3 : b >= 0xf0 && b < 0xf5 ? 4 : 0;
    if (len == 0 || i + len > n) return false;
    for (size_t k = 1; k < len; k++)
      if ((p[i + k] & 0xc0) != 0x80) return false;
    if ((b == 0xe0 && p[i + 1] < 0xa0) || (b == 0xed && p[i + 1] > 0x9f) || (b == 0xf0 && p[i + 1] < 0x90) ||
        (b == 0xf4 && p[i + 1] > 0x8f))
      return false;
    i += len;
  }
  return true;
}

// Encode is TextEncoder's encode for a string.
static void Encode(const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  Local<String> s;
  if (!info[0]->ToString(isolate->GetCurrentContext()).ToLocal(&s)) return;
  size_t n = s->Utf8Length(isolate);
  if (!Room(isolate, n)) return;
  std::unique_ptr<v8::BackingStore> store = v8::ArrayBuffer::NewBackingStore(isolate, n);
  s->WriteUtf8(isolate, static_cast<char*>(store->Data()), static_cast<int>(n), nullptr,
               String::NO_NULL_TERMINATION | String::REPLACE_INVALID_UTF8);
  info.GetReturnValue().Set(v8::Uint8Array::New(v8::ArrayBuffer::New(isolate, std::move(store)), 0, n));
}

// Decode is TextDecoder's decode.
static void Decode(const FunctionCallbackInfo<Value>& info) {
  Isolate* isolate = info.GetIsolate();
  const uint8_t* p = nullptr;
  size_t n = 0;
  if (info[0]->IsArrayBufferView()) {
    Local<v8::ArrayBufferView> view = info[0].As<v8::ArrayBufferView>();
    p = static_cast<uint8_t*>(view->Buffer()->Data()) + view->ByteOffset();
    n = view->ByteLength();
  } else if (info[0]->IsArrayBuffer()) {
    p = static_cast<uint8_t*>(info[0].As<v8::ArrayBuffer>()->Data());
    n = info[0].As<v8::ArrayBuffer>()->ByteLength();
  } else if (info[0]->IsSharedArrayBuffer()) {
    p = static_cast<uint8_t*>(info[0].As<v8::SharedArrayBuffer>()->Data());
    n = info[0].As<v8::SharedArrayBuffer>()->ByteLength();
  } else {
    return ThrowMismatch(isolate, "ArrayBuffer or ArrayBufferView", info[0]);
  }
  if (info[1]->IsTrue() && !ValidUtf8(p, n)) return ThrowType(isolate, "The encoded data was not valid utf-8");
  Local<String> s;
  if (n > static_cast<size_t>(String::kMaxLength) ||
      !String::NewFromUtf8(isolate, reinterpret_cast<const char*>(p), v8::NewStringType::kNormal, static_cast<int>(n)).ToLocal(&s))
    return ThrowRange(isolate, "the text is too long");
  info.GetReturnValue().Set(s);
}

// AsUintN is BigInt.asUintN, which the prelude asks for only where the engine's own is wrong.
static void AsUintN(const FunctionCallbackInfo<Value>& info) { ThrowType(info.GetIsolate(), "BigInt.asUintN is wrong"); }

// Detach takes the memory of an ArrayBuffer away.
static void Detach(const FunctionCallbackInfo<Value>& info) {
  if (info[0]->IsArrayBuffer() && info[0].As<v8::ArrayBuffer>()->IsDetachable()) info[0].As<v8::ArrayBuffer>()->Detach();
}

static void IsDetached(const FunctionCallbackInfo<Value>& info) {
  if (!info[0]->IsArrayBuffer()) return ThrowMismatch(info.GetIsolate(), "ArrayBuffer", info[0]);
  info.GetReturnValue().Set(info[0].As<v8::ArrayBuffer>()->WasDetached());
}

// RunScript evaluates a script, whose value is a function, and calls it with host functions.
static bool RunScript(Local<Context> context, const std::string& text, const char* name, std::vector<v8::FunctionCallback> natives) {
  Isolate* isolate = context->GetIsolate();
  v8::ScriptOrigin origin(isolate, Str(isolate, name, strlen(name)));
  v8::ScriptCompiler::Source source(Str(isolate, text), origin);
  Local<v8::Script> script;
  Local<Value> f, ignored;
  std::vector<Local<Value>> args;
  for (v8::FunctionCallback native : natives) {
    Local<v8::Function> n;
    if (!v8::Function::New(context, native, Local<Value>(), 2, v8::ConstructorBehavior::kThrow).ToLocal(&n)) return false;
    args.push_back(n);
  }
  return v8::ScriptCompiler::Compile(context, &source).ToLocal(&script) && script->Run(context).ToLocal(&f) &&
         f.As<v8::Function>()->Call(context, v8::Undefined(isolate), static_cast<int>(args.size()), args.data()).ToLocal(&ignored);
}

bool RunScripts(v8_instance* in, Local<Context> context) {
  Isolate* isolate = in->isolate;
  in->handles->symbol.Reset(isolate, v8::Symbol::New(isolate, Str(isolate, symbol_text)));
  v8::ScriptCompiler::Source source(Str(isolate, "() => {}"));
  Local<v8::Script> script;
  Local<Value> nothing;
  if (!v8::ScriptCompiler::Compile(context, &source).ToLocal(&script) || !script->Run(context).ToLocal(&nothing)) return false;
  in->handles->nothing.Reset(isolate, nothing.As<v8::Function>());
  return RunScript(context, polyfill, "spacetimedb_polyfill", {Detach, IsDetached}) &&
         RunScript(context, prelude, "spacetimedb_prelude", {Encode, Decode, AsUintN});
}

}  // namespace stdb

using namespace stdb;

void v8_add_module(const char* spec, int major, int hooks) {
  int n = static_cast<int>(functions.size());
  sys_modules.push_back({spec, major, hooks != 0, n, n});
}

void v8_add_function(const char* name, const char* signature, int arity) {
  Function f = {name, signature, arity, sys_modules.back().major, {}};
  if (signature[0] == 'R') {
    for (int hook = 0; hook < HOOKS; hook++)
      if (strstr(signature, (std::string(" ") + hook_names[hook] + " ").c_str())) f.registers.push_back(hook);
    f.signature.clear();
  }
  functions.push_back(f);
  sys_modules.back().end = static_cast<int>(functions.size());
}
