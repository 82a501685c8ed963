;; A module that never finishes to describe itself.
(module
  (import "spacetime_10.0" "bytes_sink_write" (func $sink_write (param i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "__describe_module__") (param i32) (loop (br 0)))
  (func (export "__call_reducer__") (param i32 i64 i64 i64 i64 i64 i64 i64 i32 i32) (result i32) (i32.const 0)))
