;; A module whose reducers behave in all the ways a host has to survive. The reducer's id chooses the way.
(module
  (import "spacetime_10.0" "bytes_sink_write" (func $sink_write (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "bytes_source_read" (func $source_read (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "table_id_from_name" (func $table_id (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "console_log" (func $log (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "spacetime_10.0" "identity" (func $identity (param i32)))
  (memory (export "memory") 1)
  (table 4 funcref)
  (elem (i32.const 0) $forever $self)
  (type $none (func))
  (global $calls (mut i32) (i32.const 0))
  (data (i32.const 16) "\02\00\00\00")
  (data (i32.const 32) "\04\00\00\00nope")
  (data (i32.const 48) "\03\00\00\00\ffok")

  (func $forever (loop (br 0)))
  (func $self (call $self))
  (func $ping (param i32) (result i32) (i32.add (i32.const 1) (call $pong (local.get 0))))
  (func $pong (param i32) (result i32) (i32.add (i32.const 1) (call $ping (local.get 0))))
  (func $fib (export "fib") (param i32) (result i32)
    (if (result i32) (i32.lt_s (local.get 0) (i32.const 2))
      (then (local.get 0))
      (else (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1)))
                     (call $fib (i32.sub (local.get 0) (i32.const 2)))))))
  (func $add (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
  (func (export "sum") (param $n i32) (result i32) (local $s i32)
    (loop $l
      (local.set $s (call $add (local.get $s) (local.get $n)))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $l (local.get $n)))
    (local.get $s))
  (func (export "sort") (param $n i32) (local $i i32) (local $j i32) (local $v i32)
    ;; insertion sort of n numbers at 4096, after filling them in descending order
    (loop $fill
      (i32.store (i32.add (i32.const 4096) (i32.shl (local.get $i) (i32.const 2))) (i32.sub (local.get $n) (local.get $i)))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (local.get $n))))
    (local.set $i (i32.const 1))
    (block $done (loop $outer
      (br_if $done (i32.ge_u (local.get $i) (local.get $n)))
      (local.set $v (i32.load (i32.add (i32.const 4096) (i32.shl (local.get $i) (i32.const 2)))))
      (local.set $j (local.get $i))
      (block $placed (loop $inner
        (br_if $placed (i32.eqz (local.get $j)))
        (br_if $placed (i32.le_u (i32.load (i32.add (i32.const 4092) (i32.shl (local.get $j) (i32.const 2)))) (local.get $v)))
        (i32.store (i32.add (i32.const 4096) (i32.shl (local.get $j) (i32.const 2)))
                   (i32.load (i32.add (i32.const 4092) (i32.shl (local.get $j) (i32.const 2)))))
        (local.set $j (i32.sub (local.get $j) (i32.const 1)))
        (br $inner)))
      (i32.store (i32.add (i32.const 4096) (i32.shl (local.get $j) (i32.const 2))) (local.get $v))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $outer))))
  (func (export "identities") (param $n i32)
    (loop $l
      (call $identity (i32.const 4096))
      (br_if $l (local.tee $n (i32.sub (local.get $n) (i32.const 1))))))

  (func (export "__describe_module__") (param i32)
    (drop (call $sink_write (local.get 0) (i32.const 16) (i32.const 32))))
  (func (export "__call_reducer__")
        (param $id i32) (param i64 i64 i64 i64 i64 i64 i64) (param $args i32) (param $sink i32) (result i32)
    (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
    (if (i32.eq (local.get $id) (i32.const 1)) (then ;; user error
      (drop (call $sink_write (local.get $sink) (i32.const 36) (i32.const 32)))
      (return (i32.const 1))))
    (if (i32.eq (local.get $id) (i32.const 2)) (then (return (i32.const 7)))) ;; meaningless result
    (if (i32.eq (local.get $id) (i32.const 3)) (then (unreachable)))
    (if (i32.eq (local.get $id) (i32.const 4)) (then (loop (br 0)))) ;; endless loop
    (if (i32.eq (local.get $id) (i32.const 5)) (then (call $self))) ;; runaway recursion
    (if (i32.eq (local.get $id) (i32.const 6)) (then ;; memory bomb
      (loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (return (i32.const 0))))
    (if (i32.eq (local.get $id) (i32.const 7)) (then (return (call $table_id (i32.const 0) (i32.const 0) (i32.const 64)))))
    (if (i32.eq (local.get $id) (i32.const 8)) (then (call_indirect (type $none) (i32.const 0)))) ;; endless, called indirectly
    (if (i32.eq (local.get $id) (i32.const 9)) (then (return (call $ping (i32.const 0))))) ;; recursion of two
    (if (i32.eq (local.get $id) (i32.const 10)) (then ;; endless work in few instructions
      (loop (memory.fill (i32.const 1024) (i32.const 0) (local.get $id)) (memory.fill (i32.const 0) (i32.const 0) (i32.shl (memory.size) (i32.const 16))) (br 0))))
    (if (i32.eq (local.get $id) (i32.const 11)) (then ;; text that is not UTF-8
      (drop (call $sink_write (local.get $sink) (i32.const 52) (i32.const 48)))
      (return (i32.const 1))))
    (if (i32.eq (local.get $id) (i32.const 12)) (then (return (global.get $calls)))) ;; globals stay
    (if (i32.eq (local.get $id) (i32.const 13)) (then ;; endless logging
      (loop (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1) (i32.const 36) (i32.const 4)) (br 0))))
    (if (i32.eq (local.get $id) (i32.const 14)) (then ;; a sink without end
      (i32.store (i32.const 64) (i32.const 60000))
      (loop (drop (call $sink_write (local.get $sink) (i32.const 1024) (i32.const 64))) (br 0))))
    (if (i32.eq (local.get $id) (i32.const 15)) (then ;; a pointer behind the end
      (return (call $table_id (i32.const 65530) (i32.const 7) (i32.const 64)))))
    (i32.const 0)))
