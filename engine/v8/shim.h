// The C interface between Go and V8. Everything here is called on the thread that runs the instance's call, except
// v8_interrupt. Pointers to bytes are good during the call only, those of a result until the next call of the instance.
#ifndef STDB_V8_SHIM_H
#define STDB_V8_SHIM_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct v8_instance v8_instance;

typedef struct {
  const char *p;
  size_t n;
} v8_text;

// One argument of a host function, as its signature says.
typedef struct {
  uint64_t num;  // of numbers
  char *p;       // of texts and bytes, in memory of the engine
  size_t n;
  uint64_t high;  // upper half of a number of 128 bits
} v8_arg;

// What a host function answers. Texts and bytes lie in memory that v8_buffer has given.
enum {
  V8_UNDEFINED,
  V8_NULL,
  V8_INT,         // num as int64_t
  V8_BIG_UINT,    // num
  V8_BIG_INT,     // num as int64_t
  V8_WIDE,        // p: 32 bytes, little-endian
  V8_IDENTITY,    // {__identity__}: likewise
  V8_BYTES,       // p, n
  V8_TEXT,        // p, n
  V8_ROWS,        // [num != 0, bytes p n]
  V8_PAIR,        // [bytes p n, bytes p+n m]
  V8_ERRNO,       // num; the text p, n if it has one of its own
  V8_TOO_SMALL,   // num: the size needed
  V8_TYPE_ERROR,  // p, n
  V8_RANGE_ERROR, // p, n
  V8_TERMINATE,   // the call ends by force
};

typedef struct {
  int kind;
  int own_text;  // of V8_ERRNO: the text is not the number's own
  uint64_t num;
  char *p;
  size_t n, m;
} v8_answer;

// How a call into the engine ended.
enum {
  V8_OK,          // data and more have what the hook gave
  V8_USER_ERROR,  // text
  V8_THROWN,      // text, frames
  V8_STOPPED,     // frames
  V8_NO_HOOK,     // the module has none for this
  V8_REFUSED,     // start only: text says what is wrong with the program
  V8_CRASHED,     // the engine found itself broken; text. Only v8_close may follow.
};

typedef struct {
  v8_text function, file;
  int line, column;
  int constructor, eval, wasm;
} v8_frame;

typedef struct {
  int outcome;
  v8_text text;
  v8_text data, more;  // bytes that a hook returned
  int bare;            // a view returned bytes without a header
  const v8_frame *frames;
  int frame_count;
} v8_result;

enum { V8_REDUCER, V8_VIEW, V8_VIEW_ANON, V8_PROCEDURE, V8_HANDLER };

typedef struct {
  int hook;
  uint32_t id;
  int64_t time;
  uint64_t sender[4], conn[2];
} v8_call_args;

// v8_version is the version of the engine.
const char *v8_version(void);

// v8_begin starts the engine. Once, before everything else.
void v8_begin(void);

// v8_add_module and v8_add_function say what programs may import. Functions are numbered in this order. Signatures have
// a letter for each argument: u unsigned 32 bits, h 16 bits, s text, b Uint8Array, B ArrayBuffer, p unsigned 32 bits that
// must not exceed the length of the ArrayBuffer before, c bigint of 128 bits, t text or Uint8Array. A signature of R and
// names, separated by spaces, is that of a register_hooks.
void v8_add_module(const char *spec, int major, int hooks);
void v8_add_function(const char *name, const char *signature, int arity);

// v8_set_scripts gives the scripts that run before a module.
void v8_set_scripts(v8_text polyfill, v8_text prelude, v8_text resource, v8_text symbol);

v8_instance *v8_new(uintptr_t handle, uint64_t memory);

// v8_check compiles a program and resolves its imports.
void v8_check(v8_instance *in, const char *text, size_t n, v8_result *r);

// v8_prepare runs the scripts that come before a module.
void v8_prepare(v8_instance *in, v8_result *r);

// v8_start evaluates a program and finds its hooks. Cache is what v8_cache gave for it, or empty; with describe it asks the
// module for its definition.
void v8_start(v8_instance *in, const char *text, size_t n, const char *cache, size_t cache_len, int describe, v8_result *r);

// v8_cache returns compiled code that makes the next start faster. It uses the memory of results.
v8_text v8_cache(v8_instance *in);

// v8_call calls a hook. Body and jwt are of handlers.
void v8_call(v8_instance *in, const v8_call_args *a, const char *args, size_t args_len, const char *body, size_t body_len,
             const char *jwt, size_t jwt_len, v8_result *r);

// v8_interrupt has v8GoPoll called on the instance's thread while JavaScript runs. Callable on any thread.
void v8_interrupt(v8_instance *in);

// v8_buffer returns n bytes that stay until the next v8_buffer.
char *v8_buffer(v8_instance *in, size_t n);

// v8_stack returns the running frames, innermost first, at most max.
void v8_stack(v8_instance *in, int max, v8_result *r);

// v8_memory is the size of the heap, as the last collection found it, and of buffers. Callable on any thread.
uint64_t v8_memory(v8_instance *in);

// v8_collect collects garbage.
void v8_collect(v8_instance *in);

int v8_major(v8_instance *in);  // of the interface that the module uses
int v8_full(v8_instance *in);   // the memory is used up

// v8_close throws the instance away.
void v8_close(v8_instance *in);

#ifdef __cplusplus
}
#endif
#endif
