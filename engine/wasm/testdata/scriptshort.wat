;; As script.wat, but the export __call_http_handler__ has the form without a sender.
(module
  (import "spacetime_10.0" "table_id_from_name" (func $table_id (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "datastore_table_row_count" (func $row_count (param i32 i32) (result i32)))
  (import "spacetime_10.0" "datastore_table_scan_bsatn" (func $scan (param i32 i32) (result i32)))
  (import "spacetime_10.0" "row_iter_bsatn_advance" (func $advance (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "row_iter_bsatn_close" (func $close (param i32) (result i32)))
  (import "spacetime_10.0" "datastore_insert_bsatn" (func $insert (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "bytes_source_read" (func $read (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "bytes_sink_write" (func $write (param i32 i32 i32) (result i32)))
  (import "spacetime_10.0" "console_log" (func $log (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "spacetime_10.0" "console_timer_start" (func $timer_start (param i32 i32) (result i32)))
  (import "spacetime_10.0" "console_timer_end" (func $timer_end (param i32) (result i32)))
  (import "spacetime_10.0" "volatile_nonatomic_schedule_immediate" (func $schedule (param i32 i32 i32 i32)))
  (import "spacetime_10.2" "get_jwt" (func $get_jwt (param i32 i32) (result i32)))
  (import "spacetime_10.3" "procedure_sleep_until" (func $sleep (param i64) (result i64)))
  (import "spacetime_10.3" "procedure_start_mut_tx" (func $start (param i32) (result i32)))
  (import "spacetime_10.3" "procedure_commit_mut_tx" (func $commit (result i32)))
  (import "spacetime_10.3" "procedure_abort_mut_tx" (func $abort (result i32)))
  (import "spacetime_10.3" "procedure_http_request" (func $http (param i32 i32 i32 i32 i32) (result i32)))
  (import "spacetime_10.5" "datastore_clear" (func $clear (param i32 i32) (result i32)))
  (import "spacetime_10.6" "env_get" (func $env_get (param i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (data (i32.const 0x110) "later")
  (data (i32.const 0x120) "hi")
  (data (i32.const 0x130) "\01") ;; connection 1
  (global $iter (mut i32) (i32.const 0)) ;; outlives calls
  ;; of the running call
  (global $sink (mut i32) (i32.const 0))
  (global $body_sink (mut i32) (i32.const 0))
  (global $sender (mut i32) (i32.const 0))
  (global $body (mut i32) (i32.const 0))
  (global $token (mut i32) (i32.const 0))
  (global $depth (mut i32) (i32.const 0))

  ;; 0x100: small results. 0x8000: what is to be said. Scripts stand at 0x1000 and, of views inside a commit, at 0x4000.

  ;; say logs a status and n bytes behind it.
  (func $say (param $status i32) (param $n i32)
    (i32.store8 (i32.const 0x8000) (i32.add (i32.const 64) (local.get $status)))
    (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)
               (i32.const 0x8000) (i32.add (i32.const 1) (local.get $n))))
  ;; take reads a source to its end, and returns how much that was.
  (func $take (param $source i32) (param $at i32) (result i32)
    (if (i32.eqz (local.get $source)) (then (return (i32.const 0))))
    (i32.store (i32.const 0x104) (i32.const 0x3000))
    (if (i32.ne (call $read (local.get $source) (local.get $at) (i32.const 0x104)) (i32.const -1)) (then (unreachable)))
    (i32.load (i32.const 0x104)))
  (func $put (param $sink i32) (param $at i32) (param $n i32)
    (i32.store (i32.const 0x104) (local.get $n))
    (if (call $write (local.get $sink) (local.get $at) (i32.const 0x104)) (then (unreachable))))

  (func $run (param $source i32) (param $at i32) (result i32)
    (local $end i32) (local $op i32) (local $n i32) (local $s i32) (local $code i32)
    (local.set $end (i32.add (local.get $at) (call $take (local.get $source) (local.get $at))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
      (local.set $op (i32.load8_u (local.get $at)))
      (local.set $n (i32.load8_u (i32.add (local.get $at) (i32.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 2)))
      (block $step
        (if (i32.eq (local.get $op) (i32.const 0x74)) (then ;; t
          (call $say (call $table_id (local.get $at) (local.get $n) (i32.const 0x100)) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x6e)) (then ;; n
          (local.set $s (call $row_count (i32.const 4096) (i32.const 0x100)))
          (i32.store8 (i32.const 0x8001) (i32.add (i32.const 48) (i32.load (i32.const 0x100))))
          (call $say (local.get $s) (i32.eqz (local.get $s))) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x73)) (then ;; s
          (local.set $s (call $scan (i32.const 4096) (i32.const 0x100)))
          (if (i32.eqz (local.get $s)) (then (global.set $iter (i32.load (i32.const 0x100)))))
          (call $say (local.get $s) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x61)) (then ;; a
          (i32.store (i32.const 0x100) (i32.const 0x1000))
          (local.set $s (call $advance (global.get $iter) (i32.const 0x8001) (i32.const 0x100)))
          (if (i32.eq (local.get $s) (i32.const -1)) (then (local.set $s (i32.const 0))))
          (call $say (local.get $s) (if (result i32) (local.get $s) (then (i32.const 0)) (else (i32.load (i32.const 0x100)))))
          (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x63)) (then ;; c
          (call $say (call $close (global.get $iter)) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x69)) (then ;; i
          (i32.store (i32.const 0x100) (local.get $n))
          (call $say (call $insert (i32.const 4096) (local.get $at) (i32.const 0x100)) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x78)) (then ;; x
          (call $say (call $clear (i32.const 4096) (i32.const 0x100)) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x6a)) (then ;; j
          (local.set $s (call $get_jwt (i32.const 0x130) (i32.const 0x100)))
          (call $say (local.get $s) (if (result i32) (local.get $s) (then (i32.const 0))
            (else (call $take (i32.load (i32.const 0x100)) (i32.const 0x8001))))) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x65)) (then ;; e
          (local.set $s (call $env_get (local.get $at) (local.get $n) (i32.const 0x100)))
          (if (local.get $s) (then (call $say (local.get $s) (i32.const 0)) (br $step)))
          (if (i32.eqz (i32.load (i32.const 0x100))) (then
            (i32.store8 (i32.const 0x8001) (i32.const 45)) (call $say (i32.const 0) (i32.const 1)) (br $step)))
          (call $say (i32.const 0) (call $take (i32.load (i32.const 0x100)) (i32.const 0x8001))) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x7a)) (then ;; z
          (drop (call $sleep (i64.load (local.get $at)))) (call $say (i32.const 0) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x62)) (then ;; b
          (call $say (call $start (i32.const 0x100)) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x6b)) (then ;; k
          (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
          (local.set $s (call $commit))
          (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))
          (call $say (local.get $s) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x72)) (then ;; r
          (call $say (call $abort) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x68)) (then ;; h
          (local.set $s (call $http (local.get $at) (local.get $n) (i32.const 0x120) (i32.const 2) (i32.const 0x100)))
          (if (i32.eqz (local.get $s)) (then
            (local.set $op (i32.load (i32.const 0x100)))
            (local.set $code (i32.load (i32.const 0x104))) ;; the body's source, for the moment
            (local.set $op (call $take (local.get $op) (i32.const 0x8001)))
            (call $say (i32.const 0) (i32.add (local.get $op)
              (call $take (local.get $code) (i32.add (i32.const 0x8001) (local.get $op)))))
            (local.set $code (i32.const 0))
            (br $step)))
          (if (i32.eq (local.get $s) (i32.const 21)) (then ;; a BSATN string: 4 bytes of length first
            (local.set $op (i32.sub (call $take (i32.load (i32.const 0x100)) (i32.const 0x8001)) (i32.const 4)))
            (if (i32.ne (i32.load (i32.const 0x8001)) (local.get $op)) (then (unreachable)))
            (memory.copy (i32.const 0x8001) (i32.const 0x8005) (local.get $op))
            (call $say (local.get $s) (local.get $op)) (br $step)))
          (call $say (local.get $s) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x6d)) (then ;; m
          (call $say (call $timer_end (call $timer_start (i32.const 0x110) (i32.const 5))) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x71)) (then ;; q
          (call $schedule (i32.const 0x110) (i32.const 5) (local.get $at) (local.get $n))
          (call $say (i32.const 0) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x6c)) (then ;; l
          (call $log (i32.const 2) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const -1)
                     (local.get $at) (local.get $n)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x6f)) (then (loop (br 0)))) ;; o
        (if (i32.eq (local.get $op) (i32.const 0x77)) (then ;; w
          (loop (drop (call $row_count (i32.const 4096) (i32.const 0x100))) (br 0))))
        (if (i32.eq (local.get $op) (i32.const 0x66)) (then ;; f
          (loop (drop (call $scan (i32.const 4096) (i32.const 0x100))) (br 0))))
        (if (i32.eq (local.get $op) (i32.const 0x75)) (then ;; u
          (call $put (global.get $sink) (local.get $at) (local.get $n))
          (return (i32.const 1))))
        (if (i32.eq (local.get $op) (i32.const 0x76)) (then ;; v
          (call $put (global.get $sink) (local.get $at) (local.get $n))
          (call $say (i32.const 0) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x51)) (then ;; Q
          (i32.store8 (i32.const 0x200) (i32.const 1))
          (i32.store (i32.const 0x201) (local.get $n))
          (call $put (global.get $sink) (i32.const 0x200) (i32.const 5))
          (call $put (global.get $sink) (local.get $at) (local.get $n))
          (local.set $code (i32.const 2))
          (call $say (i32.const 0) (i32.const 0)) (br $step)))
        ;; Of this guest only: V gives rows behind a header, R returns the code of the operand at once.
        (if (i32.eq (local.get $op) (i32.const 0x56)) (then ;; V
          (i32.store8 (i32.const 0x200) (i32.const 0))
          (call $put (global.get $sink) (i32.const 0x200) (i32.const 1))
          (call $put (global.get $sink) (local.get $at) (local.get $n))
          (local.set $code (i32.const 2)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x52)) (then (return (i32.load8_s (local.get $at))))) ;; R
        (if (i32.eq (local.get $op) (i32.const 0x64)) (then ;; d
          (call $put (global.get $body_sink) (local.get $at) (local.get $n))
          (call $say (i32.const 0) (i32.const 0)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x53)) (then ;; S
          (i32.store8 (i32.const 0x8001) (global.get $sender)) (call $say (i32.const 0) (i32.const 1)) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x42)) (then ;; B
          (call $say (i32.const 0) (call $take (global.get $body) (i32.const 0x8001))) (br $step)))
        (if (i32.eq (local.get $op) (i32.const 0x4a)) (then ;; J
          (call $say (i32.const 0) (call $take (global.get $token) (i32.const 0x8001))) (br $step)))
        (unreachable)) ;; p, and what is no operation
      (local.set $at (i32.add (local.get $at) (local.get $n)))
      (br $next)))
    (local.get $code))

  ;; view runs a script with a sink of its own, as the procedure whose commit this may be goes on with its own.
  (func $view (param $args i32) (param $sender i64) (param $sink i32) (result i32)
    (local $outer i32) (local $outer_sender i32) (local $code i32)
    (local.set $outer (global.get $sink)) (local.set $outer_sender (global.get $sender))
    (global.set $sink (local.get $sink)) (global.set $sender (i32.wrap_i64 (local.get $sender)))
    (local.set $code (call $run (local.get $args) (select (i32.const 0x4000) (i32.const 0x1000) (global.get $depth))))
    (global.set $sink (local.get $outer)) (global.set $sender (local.get $outer_sender))
    (local.get $code))

  (func (export "__describe_module__") (param i32))
  (func $reducer (export "__call_reducer__")
        (param i32) (param $sender i64) (param i64 i64 i64 i64 i64 i64) (param $args i32) (param $sink i32) (result i32)
    (global.set $sink (local.get $sink)) (global.set $sender (i32.wrap_i64 (local.get $sender)))
    (call $run (local.get $args) (i32.const 0x1000)))
  (export "__call_procedure__" (func $reducer))
  (func (export "__call_view__") (param i32 i64 i64 i64 i64 i32 i32) (result i32)
    (call $view (local.get 5) (local.get 1) (local.get 6)))
  (func (export "__call_view_anon__") (param i32 i32 i32) (result i32)
    (call $view (local.get 1) (i64.const 0) (local.get 2)))
  (func (export "__call_http_handler__")
        (param i32 i64) (param $request i32) (param $body i32) (param $sink i32) (param $body_sink i32) (result i32)
    (global.set $sender (i32.const 0)) (global.set $token (i32.const 0))
    (global.set $body (local.get $body)) (global.set $sink (local.get $sink)) (global.set $body_sink (local.get $body_sink))
    (call $run (local.get $request) (i32.const 0x1000))))
