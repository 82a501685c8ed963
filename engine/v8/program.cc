//go:build v8

// From the text of a module to its hooks, and calls of them.

#include <string.h>

#include "engine.h"

namespace stdb {

using v8::Context;
using v8::Isolate;
using v8::Local;
using v8::MaybeLocal;
using v8::Object;
using v8::String;
using v8::TryCatch;
using v8::Value;

// Values

Local<String> Str(Isolate* isolate, const char* p, size_t n) {
  Local<String> s;
  if (!String::NewFromUtf8(isolate, p, v8::NewStringType::kNormal, static_cast<int>(n)).ToLocal(&s)) return String::Empty(isolate);
  return s;
}

Local<String> Str(Isolate* isolate, const std::string& s) { return Str(isolate, s.data(), s.size()); }

std::string Utf8(Isolate* isolate, Local<String> s) {
  std::string out(s->Utf8Length(isolate), 0);
  s->WriteUtf8(isolate, &out[0], static_cast<int>(out.size()), nullptr,
               String::NO_NULL_TERMINATION | String::REPLACE_INVALID_UTF8);
  return out;
}

const char* Kind(Local<Value> v) {
  if (v->IsUndefined()) return "undefined";
  if (v->IsNull()) return "null";
  if (v->IsString()) return "a string";
  if (v->IsBigInt()) return "a bigint";
  if (v->IsBoolean()) return "a boolean";
  if (v->IsNumber()) return "a number";
  if (v->IsSymbol()) return "a symbol";
  if (v->IsFunction()) return "a function";
  return "an object";
}

void ThrowType(Isolate* isolate, const std::string& text) {
  isolate->ThrowException(v8::Exception::TypeError(Str(isolate, text)));
}

void ThrowRange(Isolate* isolate, const std::string& text) {
  isolate->ThrowException(v8::Exception::RangeError(Str(isolate, text)));
}

void ThrowMismatch(Isolate* isolate, const std::string& want, Local<Value> got) {
  ThrowType(isolate, "Expected " + want + ", got " + Kind(got));
}

bool Room(Isolate* isolate, size_t n) {
  Buffers* buffers = InstanceOf(isolate)->buffers.get();
  if (buffers->Fits(n)) return true;
  isolate->LowMemoryNotification();
  if (buffers->Fits(n)) return true;
  ThrowRange(isolate, "Array buffer allocation failed");
  return false;
}

static MaybeLocal<v8::ArrayBuffer> Buffer(Isolate* isolate, const char* p, size_t n) {
  if (!Room(isolate, n)) return {};
  Local<v8::ArrayBuffer> buffer = v8::ArrayBuffer::New(isolate, n);
  if (n) memcpy(buffer->Data(), p, n);
  return buffer;
}

MaybeLocal<Value> Bytes(Isolate* isolate, const char* p, size_t n) {
  Local<v8::ArrayBuffer> buffer;
  if (!Buffer(isolate, p, n).ToLocal(&buffer)) return {};
  return v8::Uint8Array::New(buffer, 0, n);
}

MaybeLocal<Value> View(Isolate* isolate, const char* p, size_t n) {
  Local<v8::ArrayBuffer> buffer;
  if (!Buffer(isolate, p, n).ToLocal(&buffer)) return {};
  return v8::DataView::New(buffer, 0, n);
}

bool CopyBytes(Local<Value> v, std::string* out) {
  if (!v->IsUint8Array()) return false;
  Local<v8::Uint8Array> array = v.As<v8::Uint8Array>();
  out->resize(array->ByteLength());
  array->CopyContents(&(*out)[0], out->size());
  return true;
}

// Results

void SetText(v8_instance* in, std::string text, v8_result* r) {
  in->text = std::move(text);
  r->text = {in->text.data(), in->text.size()};
}

static void SetFrames(v8_instance* in, v8_result* r) {
  r->frames = in->frames.data();
  r->frame_count = static_cast<int>(in->frames.size());
}

static v8_text Keep(v8_instance* in, Local<String> s) {
  if (s.IsEmpty() || s->Length() == 0) return {nullptr, 0};
  in->names.push_back(Utf8(in->isolate, s));
  return {in->names.back().data(), in->names.back().size()};
}

void KeepFrames(v8_instance* in, Local<v8::StackTrace> trace) {
  in->frames.clear();
  in->names.clear();
  if (trace.IsEmpty()) return;
  for (int i = 0; i < trace->GetFrameCount(); i++) {
    Local<v8::StackFrame> f = trace->GetFrame(in->isolate, i);
    v8_frame out = {};
    out.function = Keep(in, f->GetFunctionName());
    out.file = Keep(in, f->GetScriptNameOrSourceURL());
    out.line = f->GetLineNumber();
    out.column = f->GetColumn();
    out.constructor = f->IsConstructor();
    out.eval = f->IsEval();
    out.wasm = f->IsWasm();
    in->frames.push_back(out);
  }
}

void Capture(v8_instance* in, int max) {
  KeepFrames(in, v8::StackTrace::CurrentStackTrace(in->isolate, max, v8::StackTrace::kDetailed));
}

void Describe(v8_instance* in, Local<Value> e, Local<v8::Message> message, v8_result* r) {
  Isolate* isolate = in->isolate;
  r->outcome = V8_THROWN;
  if (message.IsEmpty()) message = v8::Exception::CreateMessage(isolate, e);
  SetText(in, Utf8(isolate, message->Get()), r);
  KeepFrames(in, message->GetStackTrace());
  Local<Context> context = isolate->GetCurrentContext();
  if (in->frames.empty() && message->GetScriptResourceName()->IsString()) {  // text that does not parse
    v8_frame f = {};
    f.file = Keep(in, message->GetScriptResourceName().As<String>());
    f.line = message->GetLineNumber(context).FromMaybe(0);
    f.column = message->GetStartColumn(context).FromMaybe(-1) + 1;
    if (f.line > 0) in->frames.push_back(f);
  }
  SetFrames(in, r);
}

bool Stopped(v8_instance* in, v8_result* r) {
  if (!in->stopped && !in->full) return false;
  r->outcome = V8_STOPPED;
  if (in->stopped) SetFrames(in, r);
  return true;
}

void Fail(v8_instance* in, TryCatch* caught, v8_result* r) {
  if (caught->HasTerminated()) in->stopped = true;
  if (Stopped(in, r)) return;
  Describe(in, caught->Exception(), caught->Message(), r);
}

void Refuse(v8_instance* in, const std::string& text, v8_result* r) {
  r->outcome = V8_REFUSED;
  SetText(in, text, r);
}

void Terminate(v8_instance* in) {
  Isolate* isolate = in->isolate;
  if (!in->stopped) {
    in->stopped = true;
    Capture(in, 1024);
  }
  isolate->TerminateExecution();
  // The engine looks at that when a function begins.
  Local<Value> ignored;
  if (in->handles->nothing.Get(isolate)->Call(isolate->GetCurrentContext(), v8::Undefined(isolate), 0, nullptr).ToLocal(&ignored)) return;
}

// Settle lets promises run at the end of a call from outside. What nobody handles is dropped (spec 04 §9.3).
static void Settle(v8_instance* in) {
  if (in->depth == 1 && !in->stopped) in->isolate->PerformMicrotaskCheckpoint();
}

// Programs

struct Program {
  const char* text;
  size_t n;
  const char* cache;
  size_t cache_len;
  int describe;
};

static MaybeLocal<v8::Module> Compile(v8_instance* in, const Program& p) {
  Isolate* isolate = in->isolate;
  Local<String> text;
  if (!String::NewFromUtf8(isolate, p.text, v8::NewStringType::kNormal, static_cast<int>(p.n)).ToLocal(&text)) {
    ThrowRange(isolate, "the program is too long");
    return {};
  }
  v8::ScriptOrigin origin(isolate, Str(isolate, resource), 0, 0, false, -1, Local<Value>(), false, false, true);
  v8::ScriptCompiler::CachedData* cached = nullptr;
  if (p.cache_len)
    cached = new v8::ScriptCompiler::CachedData(reinterpret_cast<const uint8_t*>(p.cache), static_cast<int>(p.cache_len));
  v8::ScriptCompiler::Source source(text, origin, cached);  // owns cached
  return v8::ScriptCompiler::CompileModule(
      isolate, &source, cached ? v8::ScriptCompiler::kConsumeCodeCache : v8::ScriptCompiler::kNoCompileOptions);
}

static void Check(v8_instance* in, Local<Context> context, void* data, v8_result* r) {
  TryCatch caught(in->isolate);
  Local<v8::Module> module;
  if (!Compile(in, *static_cast<Program*>(data)).ToLocal(&module) ||
      !module->InstantiateModule(context, ResolveImport).FromMaybe(false))
    Fail(in, &caught, r);
}

// DescribeModule asks the module for its definition.
static void DescribeModule(v8_instance* in, Local<Context> context, TryCatch* caught, v8_result* r) {
  Isolate* isolate = in->isolate;
  Local<Value> v;
  Local<v8::Function> hook = in->handles->hooks[DESCRIBE].Get(isolate).As<v8::Function>();
  if (!hook->Call(context, in->handles->receiver.Get(isolate), 0, nullptr).ToLocal(&v)) return Fail(in, caught, r);
  if (!CopyBytes(v, &in->data))
    return Refuse(in, "error getting module description: `__describe_module__` did not return a Uint8Array", r);
  r->data = {in->data.data(), in->data.size()};
}

static void Start(v8_instance* in, Local<Context> context, void* data, v8_result* r) {
  const Program& p = *static_cast<Program*>(data);
  Isolate* isolate = in->isolate;
  TryCatch caught(isolate);
  Local<v8::Module> module;
  Local<Value> v;
  if (!Compile(in, p).ToLocal(&module) || !module->InstantiateModule(context, ResolveImport).FromMaybe(false) || !module->Evaluate(context).ToLocal(&v))
    return Fail(in, &caught, r);
  Settle(in);
  if (Stopped(in, r)) return;
  Local<v8::Promise> promise = v.As<v8::Promise>();
  if (promise->State() == v8::Promise::kRejected) return Describe(in, promise->Result(), Local<v8::Message>(), r);
  if (promise->State() == v8::Promise::kPending) return Refuse(in, "TypeError: module has top-level await and is pending", r);
  if (!DiscoverHooks(in, context, module->GetModuleNamespace().As<Object>(), &caught, r)) return;
  if (p.describe) {
    DescribeModule(in, context, &caught, r);
    in->handles->program.Reset(isolate, module);
  }
  Settle(in);
  Stopped(in, r);
}

// Calls

static Local<Value> Wide(Local<Context> context, const uint64_t* words, int n) {
  Local<v8::BigInt> v;
  if (v8::BigInt::NewFromWords(context, 0, n, words).ToLocal(&v)) return v;
  return v8::BigInt::New(context->GetIsolate(), 0);
}

// ReducerResult reads what a reducer's hook returned, spec 04 §8.3. False: it has thrown.
static bool ReducerResult(v8_instance* in, Local<Context> context, Local<Value> v, v8_result* r) {
  Isolate* isolate = in->isolate;
  if (in->major == 2) {
    if (v->IsUndefined()) return true;
    ThrowType(isolate, "Reducer returned a value other than `undefined`");
    return false;
  }
  if (!v->IsObject()) {
    ThrowMismatch(isolate, "a reducer result with a tag", v);
    return false;
  }
  Local<Value> tag, text;
  if (!v.As<Object>()->Get(context, Str(isolate, "tag")).ToLocal(&tag)) return false;
  std::string name = tag->IsString() ? Utf8(isolate, tag.As<String>()) : "";
  if (name == "ok") return true;
  if (name != "err") {
    ThrowType(isolate, "Expected a reducer result with the tag ok or err");
    return false;
  }
  if (!v.As<Object>()->Get(context, Str(isolate, "value")).ToLocal(&text)) return false;
  if (!text->IsString()) {
    ThrowMismatch(isolate, "string", text);
    return false;
  }
  r->outcome = V8_USER_ERROR;
  SetText(in, Utf8(isolate, text.As<String>()), r);
  return true;
}

static bool WantBytes(v8_instance* in, Local<Value> v, std::string* out, v8_text* text) {
  if (!CopyBytes(v, out)) {
    ThrowMismatch(in->isolate, "Uint8Array", v);
    return false;
  }
  *text = {out->data(), out->size()};
  return true;
}

// ViewResult reads bytes alone, which version 1 may return, or the property data that begins with a header.
static bool ViewResult(v8_instance* in, Local<Context> context, Local<Value> v, v8_result* r) {
  if (in->major == 1 && v->IsUint8Array()) {
    r->bare = 1;
    return WantBytes(in, v, &in->data, &r->data);
  }
  if (!v->IsObject()) {
    ThrowMismatch(in->isolate, "a view result with data", v);
    return false;
  }
  Local<Value> data;
  if (!v.As<Object>()->Get(context, Str(in->isolate, "data")).ToLocal(&data)) return false;
  return WantBytes(in, data, &in->data, &r->data);
}

// HandlerResult reads [response, body]: an Array of exactly two.
static bool HandlerResult(v8_instance* in, Local<Context> context, Local<Value> v, v8_result* r) {
  if (!v->IsArray()) {
    ThrowMismatch(in->isolate, "an array of response and body", v);
    return false;
  }
  Local<v8::Array> pair = v.As<v8::Array>();
  if (pair->Length() != 2) {
    ThrowType(in->isolate, "Expected an array of exactly two elements, response and body");
    return false;
  }
  Local<Value> response, body;
  return pair->Get(context, 0).ToLocal(&response) && pair->Get(context, 1).ToLocal(&body) &&
         WantBytes(in, response, &in->data, &r->data) && WantBytes(in, body, &in->more, &r->more);
}

// SenderError tells whether e is of the module's class for errors of the caller, and reads its text. Empty: that threw.
static v8::Maybe<bool> SenderError(v8_instance* in, Local<Context> context, Local<Value> e, v8_result* r) {
  Isolate* isolate = in->isolate;
  bool is;
  Local<Value> message;
  Local<String> text;
  if (!e->InstanceOf(context, in->handles->hooks[SENDER_ERROR].Get(isolate).As<Object>()).To(&is)) return v8::Nothing<bool>();
  if (!is) return v8::Just(false);
  if (!e.As<Object>()->Get(context, Str(isolate, "message")).ToLocal(&message) || !message->ToString(context).ToLocal(&text))
    return v8::Nothing<bool>();
  r->outcome = V8_USER_ERROR;
  SetText(in, Utf8(isolate, text), r);
  return v8::Just(true);
}

// Failed classifies the exception that ended a hook, spec 04 §8.4.
static void Failed(v8_instance* in, Local<Context> context, TryCatch* caught, v8_result* r) {
  if (caught->HasTerminated()) in->stopped = true;
  Settle(in);
  if (Stopped(in, r)) return;
  Local<Value> e = caught->Exception();
  if (in->major == 2 && e->IsObject()) {
    TryCatch second(in->isolate);
    bool is;
    if (!SenderError(in, context, e, r).To(&is)) return Fail(in, &second, r);
    if (is) return;
  }
  Describe(in, e, caught->Message(), r);
}

struct CallBytes {
  const v8_call_args* call;
  const char *args, *body, *jwt;
  size_t args_len, body_len, jwt_len;
};

static void Call(v8_instance* in, Local<Context> context, void* data, v8_result* r) {
  const CallBytes& b = *static_cast<CallBytes*>(data);
  const v8_call_args& a = *b.call;
  static const Hook by_kind[] = {REDUCER, VIEW, VIEW_ANON, PROCEDURE, HANDLER};
  Isolate* isolate = in->isolate;
  const v8::Global<Value>& hook = in->handles->hooks[by_kind[a.hook]];
  if (hook.IsEmpty()) {
    r->outcome = V8_NO_HOOK;
    return;
  }
  TryCatch caught(isolate);
  Local<Value> f = hook.Get(isolate);
  if (!f->IsFunction()) {  // optional hooks are looked at when they are needed
    ThrowType(isolate, std::string("Expected module function hook `") + hook_names[by_kind[a.hook]] + "`, got " + Kind(f));
    return Failed(in, context, &caught, r);
  }
  Local<Value> args[6];
  int n = 0;
  args[n++] = v8::Integer::NewFromUnsigned(isolate, a.id);
  if (a.hook == V8_REDUCER || a.hook == V8_VIEW || a.hook == V8_PROCEDURE) args[n++] = Wide(context, a.sender, 4);
  if (a.hook == V8_REDUCER || a.hook == V8_PROCEDURE) args[n++] = Wide(context, a.conn, 2);
  if (a.hook != V8_VIEW && a.hook != V8_VIEW_ANON) args[n++] = v8::BigInt::New(isolate, a.time);
  bool given = (a.hook == V8_REDUCER && in->major == 2 ? View : Bytes)(isolate, b.args, b.args_len).ToLocal(&args[n++]);
  if (a.hook == V8_HANDLER) {  // packages before 2.14 ignore the last two
    given = given && Bytes(isolate, b.body, b.body_len).ToLocal(&args[n++]);
    args[n++] = Wide(context, a.sender, 4);
    given = given && Bytes(isolate, b.jwt, b.jwt_len).ToLocal(&args[n++]);
  }
  if (!given) return Failed(in, context, &caught, r);
  Local<Value> v;
  if (!f.As<v8::Function>()->Call(context, in->handles->receiver.Get(isolate), n, args).ToLocal(&v))
    return Failed(in, context, &caught, r);
  Settle(in);
  if (Stopped(in, r)) return;
  bool ok;
  switch (a.hook) {
    case V8_REDUCER:
      ok = ReducerResult(in, context, v, r);
      break;
    case V8_PROCEDURE:
      ok = WantBytes(in, v, &in->data, &r->data);
      break;
    case V8_HANDLER:
      ok = HandlerResult(in, context, v, r);
      break;
    default:
      ok = ViewResult(in, context, v, r);
  }
  if (!ok) Failed(in, context, &caught, r);
}

}  // namespace stdb

using namespace stdb;

void v8_check(v8_instance* in, const char* text, size_t n, v8_result* r) {
  Program p = {text, n, nullptr, 0, 0};
  Enter(in, r, Check, &p);
}

void v8_prepare(v8_instance* in, v8_result* r) {
  Enter(in, r, [](v8_instance* in, Local<Context> context, void*, v8_result* r) {
    TryCatch caught(in->isolate);
    if (!RunScripts(in, context)) Fail(in, &caught, r);
  }, nullptr);
}

void v8_start(v8_instance* in, const char* text, size_t n, const char* cache, size_t cache_len, int describe, v8_result* r) {
  Program p = {text, n, cache, cache_len, describe};
  Enter(in, r, Start, &p);
}

v8_text v8_cache(v8_instance* in) {
  v8_result r;
  Enter(in, &r, [](v8_instance* in, Local<Context>, void*, v8_result*) {
    if (in->handles->program.IsEmpty()) return;
    std::unique_ptr<v8::ScriptCompiler::CachedData> code(
        v8::ScriptCompiler::CreateCodeCache(in->handles->program.Get(in->isolate)->GetUnboundModuleScript()));
    in->handles->program.Reset();
    if (code) in->cache.assign(reinterpret_cast<const char*>(code->data), code->length);
  }, nullptr);
  return {in->cache.data(), in->cache.size()};
}

void v8_call(v8_instance* in, const v8_call_args* a, const char* args, size_t args_len, const char* body, size_t body_len,
             const char* jwt, size_t jwt_len, v8_result* r) {
  CallBytes b = {a, args, body, jwt, args_len, body_len, jwt_len};
  Enter(in, r, Call, &b);
}
