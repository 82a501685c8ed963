;; A module whose reducers try to take more than their share. The test appends the data: the length of the module's
;; definition at 16, the definition itself from 4096 on, which names the reducers in the order of the list below.
(module
  (import "spacetime_10.0" "bytes_sink_write" (func $sink_write (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "bytes_source_read" (func $source_read (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "table_id_from_name" (func $table_id (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "row_iter_bsatn_advance" (func $advance (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "identity" (func $identity (param i32)))
  (import "spacetime_10.0" "console_log" (func $log (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (memory (export "memory") 2)
  (type $none (func))
  (table 2 funcref)
  (elem (i32.const 0) $forever $self)
  (func $forever (loop (br 0)))
  (func $self (call $self))
  (func $wide (param i64 i64 i64 i64 i64 i64 i64 i64) (result i64)
    (i64.add (i64.const 1) (call $wide (local.get 7) (local.get 6) (local.get 5) (local.get 4)
      (local.get 3) (local.get 2) (local.get 1) (local.get 0))))
  (func (export "__describe_module__") (param i32)
    (drop (call $sink_write (local.get 0) (i32.const 4096) (i32.const 16))))
  (func (export "__call_reducer__")
        (param $id i32) (param i64 i64 i64 i64 i64 i64 i64) (param $args i32) (param $sink i32) (result i32)
    (local $n i32)
    ;; 0 nothing
    (if (i32.eq (local.get $id) (i32.const 1)) (then (loop (br 0)))) ;; loop
    (if (i32.eq (local.get $id) (i32.const 2)) (then (call $self))) ;; recursion
    (if (i32.eq (local.get $id) (i32.const 3)) (then (call_indirect (type $none) (i32.const 1)))) ;; recursion_indirect
    (if (i32.eq (local.get $id) (i32.const 4)) (then ;; recursion_wide
      (drop (call $wide (i64.const 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4) (i64.const 5) (i64.const 6) (i64.const 7)))))
    (if (i32.eq (local.get $id) (i32.const 5)) (then ;; bomb: takes memory for as long as there is some, and writes to it
      (loop $more
        (local.set $n (memory.grow (i32.const 16)))
        (if (i32.ne (local.get $n) (i32.const -1)) (then
          (memory.fill (i32.shl (local.get $n) (i32.const 16)) (i32.const 170) (i32.const 1048576))
          (br $more))))
      (return (i32.const 0))))
    (if (i32.eq (local.get $id) (i32.const 6)) (then ;; fill: much work in few instructions
      (loop (memory.fill (i32.const 65536) (i32.const 0) (i32.const 65536)) (br 0))))
    (if (i32.eq (local.get $id) (i32.const 7)) (then ;; pointer: arguments behind the end of memory
      (return (call $table_id (i32.const -16) (i32.const 64) (i32.const 64)))))
    (if (i32.eq (local.get $id) (i32.const 8)) (then ;; pointer_out: a result to be written behind the end of memory
      (call $identity (i32.const -2))))
    (if (i32.eq (local.get $id) (i32.const 9)) (then ;; handle: an iterator that does not exist
      (return (call $advance (i32.const 12345) (i32.const 128) (i32.const 64)))))
    (if (i32.eq (local.get $id) (i32.const 10)) (then ;; handle_source: a source that does not exist
      (return (call $source_read (i32.const 777) (i32.const 128) (i32.const 64)))))
    (if (i32.eq (local.get $id) (i32.const 11)) (then ;; log: lines of 64 KiB without end
      (loop (call $log (i32.const 2) (i32.const 4096) (i32.const 0) (i32.const 4096) (i32.const 0) (i32.const 0) (i32.const 65536) (i32.const 65536)) (br 0))))
    (if (i32.eq (local.get $id) (i32.const 12)) (then ;; sink: an error text without end
      (i32.store (i32.const 64) (i32.const 65536))
      (loop (drop (call $sink_write (local.get $sink) (i32.const 65536) (i32.const 64))) (br 0))))
    (if (i32.eq (local.get $id) (i32.const 13)) (then (unreachable))) ;; trap
    (i32.const 0)))
