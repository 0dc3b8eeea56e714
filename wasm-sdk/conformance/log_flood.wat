;; Writes 10000 lines to the log, some from outside of its memory.
(module
  (import "metaflow_v1" "log" (func $f (param i32 i32 i32)))
  (memory (export "memory") 20)
  (func (export "mf_abi_v1"))
  (func (export "mf_input") (param i32) (result i32) (i32.const 65536))
  (func (export "mf_check") (param i32) (result i64) (i64.const -3))
  (data (i32.const 8) "hello\0aworld")
  (data (i32.const 64) "MFR1\00\00\00\00\00\00\00\00\00\00\00\00")
  (func (export "mf_parse") (param i32) (result i64)
    (local $n i32)
    (loop $again
      (call $f (local.get $n) (i32.const 8) (i32.const 11))
      (call $f (i32.const 1) (i32.const -16) (i32.const -1))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $n) (i32.const 5000))))
    (i64.const 274877906960))
)
