// What the C++ files of the shim share.
#ifndef STDB_V8_ENGINE_H
#define STDB_V8_ENGINE_H

#include <libplatform/libplatform.h>
#include <setjmp.h>
#include <v8.h>

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "shim.h"

extern "C" {
// Functions of the Go side.
void v8GoHost(uintptr_t handle, int function, v8_arg* args, v8_answer* answer);
int v8GoPoll(uintptr_t handle);
void v8GoUnknownModule(v8_instance* in, char* spec, size_t n, v8_answer* answer);
}

namespace stdb {

// A function that programs may import.
struct Function {
  std::string name, signature;
  int arity, major;
  std::vector<int> registers;  // of a register_hooks: numbers of hooks
};

struct SysModule {
  std::string spec;
  int major;
  bool hooks;  // exports the symbol moduleHooks
  int first, end;
};

extern std::vector<Function> functions;
extern std::vector<SysModule> sys_modules;
extern std::string polyfill, prelude, resource, symbol_text;

// Hooks by number, as in names.
enum Hook { DESCRIBE, REDUCER, VIEW, VIEW_ANON, PROCEDURE, HANDLER, ERROR_CLASS, SENDER_ERROR, HOOKS };
extern const char* const hook_names[HOOKS];

// Buffers allocates what array buffers hold, which V8 does not count to its heap, and refuses what would exceed the limit
// for both together.
class Buffers : public v8::ArrayBuffer::Allocator {
 public:
  explicit Buffers(size_t limit) : limit_(limit) {}
  void* Allocate(size_t n) override;
  void* AllocateUninitialized(size_t n) override;
  void Free(void* p, size_t n) override;
  bool Fits(size_t n) const {
    return n <= limit_ && used() + heap.load(std::memory_order_relaxed) <= limit_ - n;
  }
  size_t used() const { return used_.load(std::memory_order_relaxed); }
  std::atomic<size_t> heap{0};  // the size of V8's heap after the last collection

 private:
  bool Take(size_t n);
  size_t limit_;
  std::atomic<size_t> used_{0};
};

// What must be let go before the isolate, and is forgotten with a broken one.
struct Handles {
  v8::Global<v8::Context> context;
  v8::Global<v8::Symbol> symbol;
  v8::Global<v8::Module> program;
  v8::Global<v8::Function> nothing;  // () => {}
  v8::Global<v8::Value> receiver;
  v8::Global<v8::Value> hooks[HOOKS];  // empty: not there
  std::vector<v8::Global<v8::Module>> modules;  // by number; empty: not imported
};

}  // namespace stdb

struct v8_instance {
  uintptr_t handle;
  v8::Isolate* isolate = nullptr;  // null: broken and thrown away
  std::mutex alive;                // held while isolate becomes null
  std::shared_ptr<stdb::Buffers> buffers;
  stdb::Handles* handles = nullptr;
  int major = 0;               // 0: the hooks are not known yet
  int depth = 0;               // calls under way
  bool stopped = false;        // the running call ends by force
  std::atomic<bool> full{false};
  std::atomic<int> waiting{0};  // interrupts that no step of JavaScript has seen
  bool collecting = false;     // garbage
  bool crashed = false;        // V8 wanted to end the process
  bool disposable = false;     // all the same the isolate can be thrown away
  std::string crash;
  jmp_buf* escape = nullptr;   // of the innermost call

  // What results point to.
  std::string text, data, more, cache;
  std::vector<v8_frame> frames;
  std::deque<std::string> names;
  char* scratch = nullptr;
  size_t room = 0;
};

namespace stdb {

inline v8_instance* InstanceOf(v8::Isolate* isolate) { return static_cast<v8_instance*>(isolate->GetData(0)); }

v8::Local<v8::String> Str(v8::Isolate* isolate, const char* p, size_t n);
v8::Local<v8::String> Str(v8::Isolate* isolate, const std::string& s);
std::string Utf8(v8::Isolate* isolate, v8::Local<v8::String> s);
const char* Kind(v8::Local<v8::Value> v);

void ThrowType(v8::Isolate* isolate, const std::string& text);
void ThrowRange(v8::Isolate* isolate, const std::string& text);
void ThrowMismatch(v8::Isolate* isolate, const std::string& want, v8::Local<v8::Value> got);

// Bytes and View copy bytes into a buffer of their own, or throw.
v8::MaybeLocal<v8::Value> Bytes(v8::Isolate* isolate, const char* p, size_t n);
v8::MaybeLocal<v8::Value> View(v8::Isolate* isolate, const char* p, size_t n);
// Room tells whether a buffer of n bytes can be had, or throws. V8 would take a buffer of the host's that cannot for the end.
bool Room(v8::Isolate* isolate, size_t n);
bool CopyBytes(v8::Local<v8::Value> v, std::string* out);  // of a Uint8Array; false if it is none

// Capture keeps the running frames for results.
void Capture(v8_instance* in, int max);
void KeepFrames(v8_instance* in, v8::Local<v8::StackTrace> trace);

// Terminate ends the running call: no catch or finally sees it.
void Terminate(v8_instance* in);

// Describe makes a result of an exception; without a message it makes one.
void Describe(v8_instance* in, v8::Local<v8::Value> e, v8::Local<v8::Message> message, v8_result* r);
// Fail makes a result of what a TryCatch has caught.
void Fail(v8_instance* in, v8::TryCatch* caught, v8_result* r);
bool Stopped(v8_instance* in, v8_result* r);
void Refuse(v8_instance* in, const std::string& text, v8_result* r);
void SetText(v8_instance* in, std::string text, v8_result* r);

v8::MaybeLocal<v8::Module> ResolveImport(v8::Local<v8::Context> context, v8::Local<v8::String> specifier,
                                         v8::Local<v8::FixedArray> attributes, v8::Local<v8::Module> referrer);
bool RunScripts(v8_instance* in, v8::Local<v8::Context> context);
bool DiscoverHooks(v8_instance* in, v8::Local<v8::Context> context, v8::Local<v8::Object> ns, v8::TryCatch* caught, v8_result* r);

// Enter runs body inside the isolate. What V8 takes for the end of the process ends the call instead.
typedef void Body(v8_instance* in, v8::Local<v8::Context> context, void* data, v8_result* r);
void Enter(v8_instance* in, v8_result* r, Body* body, void* data);

}  // namespace stdb
#endif
