//go:build v8

// Making, entering, bounding and ending isolates.

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <algorithm>
#include <mutex>

#include "engine.h"

namespace stdb {

std::vector<Function> functions;
std::vector<SysModule> sys_modules;
std::string polyfill, prelude, resource, symbol_text;

const char* const hook_names[HOOKS] = {"__describe_module__", "__call_reducer__", "__call_view__", "__call_view_anon__",
                                       "__call_procedure__", "__call_http_handler__", "__get_error_constructor__",
                                       "__sender_error_class__"};

static std::unique_ptr<v8::Platform> platform;

// current is the instance whose JavaScript runs on this thread.
static thread_local v8_instance* current;

bool Buffers::Take(size_t n) {
  size_t before = used_.load(std::memory_order_relaxed);
  do {
    if (!Fits(n)) return false;
  } while (!used_.compare_exchange_weak(before, before + n));
  return true;
}

void* Buffers::Allocate(size_t n) {
  if (!Take(n)) return nullptr;
  void* p = calloc(1, n ? n : 1);
  if (!p) used_ -= n;
  return p;
}

void* Buffers::AllocateUninitialized(size_t n) {
  if (!Take(n)) return nullptr;
  void* p = malloc(n ? n : 1);
  if (!p) used_ -= n;
  return p;
}

void Buffers::Free(void* p, size_t n) {
  free(p);
  used_ -= n;
}

// End is what becomes of the end of the process: that of the call. The isolate is left as it is: nothing may run in it any
// more. Disposable says that it can be thrown away.
static void End(bool disposable, const char* location, const char* message) {
  v8_instance* in = current;
  if (!in || !in->escape) return;  // V8 ends the process
  in->crashed = in->stopped = true;
  in->disposable = disposable;
  in->crash = std::string(location ? location : "") + (message && *message ? std::string(": ") + message : std::string());
  longjmp(*in->escape, 1);
}

#if V8_MAJOR_VERSION >= 11
static void OutOfMemory(const char* location, const v8::OOMDetails&) {
#else
static void OutOfMemory(const char* location, bool) {
#endif
  if (current) current->full = true;
  End(current && !current->collecting, location, "out of memory");  // between collections nothing is half done
}

}  // namespace stdb

// V8_Fatal stands in for V8's own function of that name, which would end the process whatever is wrong.
[[noreturn]] __attribute__((visibility("default"))) void V8_Fatal(const char* format, ...) {
  char text[256];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  // A size that is out of the question is found before anything is begun.
  stdb::End(strstr(text, "invalid size") != nullptr, text, nullptr);
  fprintf(stderr, "V8: %s\n", text);
  abort();
}

namespace stdb {

static void Broken(const char* location, const char* message) { End(false, location, message); }

// Poll runs on the instance's thread between two steps of JavaScript.
static void Poll(v8::Isolate* isolate, void* data) {
  v8_instance* in = static_cast<v8_instance*>(data);
  in->waiting = 0;
  if (!in->stopped && !in->full && !v8GoPoll(in->handle)) return;
  if (!in->stopped) {
    in->stopped = true;
    v8::HandleScope scope(isolate);
    Capture(in, 1024);
  }
  isolate->TerminateExecution();
}

// min_spare is what a call may at least use beyond the limit until it ends at its next step. What needs more than that and the
// limit itself before is a reason for V8 to end the process.
static const size_t min_spare = size_t(256) << 20;

// NearLimit is called when the heap is nearly full, and says what its limit is to be.
static size_t NearLimit(void* data, size_t limit, size_t initial) {
  v8_instance* in = static_cast<v8_instance*>(data);
  size_t all = initial + std::max(initial, min_spare);
  if (limit >= all) End(!in->collecting, "Reached heap limit", nullptr);
  in->full = true;
  in->isolate->RequestInterrupt(Poll, in);
  return all;
}

static void Measure(v8::Isolate* isolate, v8_instance* in) {
  v8::HeapStatistics stats;
  isolate->GetHeapStatistics(&stats);
  in->buffers->heap.store(stats.used_heap_size(), std::memory_order_relaxed);
}

// patience is how many interrupts may wait for a step of JavaScript.
static const int patience = 50;

// Collecting runs before garbage is collected, which is where functions of the engine's own can be ended that take no step of
// JavaScript for long.
static void Collecting(v8::Isolate*, v8::GCType, v8::GCCallbackFlags, void* data) {
  v8_instance* in = static_cast<v8_instance*>(data);
  if (in->waiting > patience && (in->full || in->stopped || v8GoPoll(in->handle)))
    End(true, "a function of the engine takes too long", nullptr);
  in->collecting = true;
}

static void Collected(v8::Isolate* isolate, v8::GCType, v8::GCCallbackFlags, void* data) {
  static_cast<v8_instance*>(data)->collecting = false;
  Measure(isolate, static_cast<v8_instance*>(data));
}

// RespectStack lowers the depth of recursion where the thread's stack is smaller than V8 takes for granted.
static void RespectStack(v8::Isolate* isolate) {
  static thread_local char* low;
  const size_t want = 984 << 10, reserve = 256 << 10;
  if (!low) {
    pthread_attr_t attr;
    void* base = nullptr;
    size_t size = 0;
    if (pthread_getattr_np(pthread_self(), &attr) == 0) {
      pthread_attr_getstack(&attr, &base, &size);
      pthread_attr_destroy(&attr);
    }
    low = static_cast<char*>(base) + 1;
  }
  char* here = static_cast<char*>(__builtin_frame_address(0));
  if (low + want + reserve > here) isolate->SetStackLimit(reinterpret_cast<uintptr_t>(low + reserve));
}

static __attribute__((noinline)) void Inside(v8_instance* in, v8_result* r, Body* body, void* data) {
  v8::HandleScope handles(in->isolate);
  v8::Local<v8::Context> context = in->handles->context.Get(in->isolate);
  v8::Context::Scope scope(context);
  body(in, context, data, r);
}

static void Dispose(v8_instance* in) {
  std::lock_guard<std::mutex> lock(in->alive);
  v8::platform::NotifyIsolateShutdown(platform.get(), in->isolate);
  in->isolate->Dispose();
  in->isolate = nullptr;
}

static void Run(v8_instance* in, v8_result* r, Body* body, void* data) {
  jmp_buf here;
  jmp_buf* const outer = in->escape;
  v8_instance* const before = current;
  v8::Locker locker(in->isolate);
  v8::Isolate::Scope scope(in->isolate);
  RespectStack(in->isolate);
  if (in->depth == 0) in->waiting = 0;
  in->escape = &here;
  current = in;
  in->depth++;
  if (setjmp(here) == 0) {
    Inside(in, r, body, data);
  } else {
    r->outcome = V8_CRASHED;
    SetText(in, in->crash, r);
  }
  in->depth--;
  in->escape = outer;
  current = before;
}

void Enter(v8_instance* in, v8_result* r, Body* body, void* data) {
  memset(r, 0, sizeof *r);
  Run(in, r, body, data);
  // The isolate may hold locks of this thread, which another one would wait for.
  if (in->crashed && in->disposable && in->depth == 0) Dispose(in);
}

}  // namespace stdb

using namespace stdb;

const char* v8_version(void) { return v8::V8::GetVersion(); }

void v8_begin(void) {
  static std::once_flag once;
  std::call_once(once, [] {
    platform = v8::platform::NewDefaultPlatform();
    v8::V8::InitializePlatform(platform.get());
    v8::V8::Initialize();
  });
}

void v8_set_scripts(v8_text p, v8_text q, v8_text name, v8_text symbol) {
  polyfill.assign(p.p, p.n);
  prelude.assign(q.p, q.n);
  resource.assign(name.p, name.n);
  symbol_text.assign(symbol.p, symbol.n);
}

v8_instance* v8_new(uintptr_t handle, uint64_t memory) {
  v8_instance* in = new v8_instance();
  in->handle = handle;
  in->buffers = std::make_shared<Buffers>(memory);
  v8::Isolate::CreateParams params;
  params.array_buffer_allocator_shared = in->buffers;
  params.constraints.ConfigureDefaultsFromHeapSize(0, memory);
  v8::Isolate* isolate = v8::Isolate::New(params);
  in->isolate = isolate;
  isolate->SetData(0, in);
  {
    v8::Locker locker(isolate);
    v8::Isolate::Scope scope(isolate);
    v8::HandleScope handles(isolate);
    isolate->SetOOMErrorHandler(OutOfMemory);
    isolate->SetFatalErrorHandler(Broken);
    isolate->AddNearHeapLimitCallback(NearLimit, in);
    isolate->AddGCPrologueCallback(Collecting, in);
    isolate->AddGCEpilogueCallback(Collected, in);
    isolate->SetAllowAtomicsWait(false);
    isolate->SetMicrotasksPolicy(v8::MicrotasksPolicy::kExplicit);
    isolate->SetCaptureStackTraceForUncaughtExceptions(true, 1024, v8::StackTrace::kDetailed);
    in->handles = new Handles();
    in->handles->modules.resize(sys_modules.size());
    in->handles->context.Reset(isolate, v8::Context::New(isolate));
    Measure(isolate, in);
  }
  return in;
}

void v8_close(v8_instance* in) {
  if (!in->crashed) {
    {
      v8::Locker locker(in->isolate);
      v8::Isolate::Scope scope(in->isolate);
      delete in->handles;
    }
    Dispose(in);
  }
  free(in->scratch);
  delete in;
}

void v8_interrupt(v8_instance* in) {
  in->waiting++;
  std::lock_guard<std::mutex> lock(in->alive);
  if (in->isolate) in->isolate->RequestInterrupt(Poll, in);
}

char* v8_buffer(v8_instance* in, size_t n) {
  if (n > in->room) {
    char* p = static_cast<char*>(realloc(in->scratch, n));
    if (!p) return nullptr;
    in->scratch = p;
    in->room = n;
  }
  return in->scratch;
}

void v8_stack(v8_instance* in, int max, v8_result* r) {
  memset(r, 0, sizeof *r);
  v8::HandleScope handles(in->isolate);
  Capture(in, max);
  r->frames = in->frames.data();
  r->frame_count = static_cast<int>(in->frames.size());
}

uint64_t v8_memory(v8_instance* in) { return in->buffers->used() + in->buffers->heap.load(std::memory_order_relaxed); }

void v8_collect(v8_instance* in) {
  v8_result r;
  Enter(in, &r, [](v8_instance* in, v8::Local<v8::Context>, void*, v8_result*) {
    in->isolate->LowMemoryNotification();
    Measure(in->isolate, in);
  }, nullptr);
}

int v8_major(v8_instance* in) { return in->major; }

int v8_full(v8_instance* in) { return in->full; }
