;; Its setup fails with a text.
(module
  (import "spacetime_10.0" "bytes_sink_write" (func $sink_write (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\0c\00\00\00no x to-day!")
  (func (export "__setup__") (param i32) (result i32)
    (drop (call $sink_write (local.get 0) (i32.const 20) (i32.const 16))) (i32.const 1))
  (func (export "__describe_module__") (param i32))
  (func (export "__call_reducer__") (param i32 i64 i64 i64 i64 i64 i64 i64 i32 i32) (result i32) (i32.const 0)))
