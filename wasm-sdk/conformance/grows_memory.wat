;; Grows by a page in each call and answers from the new page: the memory's base may move.
(module
  (memory (export "memory") 20)
  (func (export "mf_abi_v1"))
  (func (export "mf_input") (param i32) (result i32) (i32.const 65536))
  (func (export "mf_check") (param i32) (result i64) (i64.const -3))
  (data (i32.const 64) "MFR1\01\00\00\00\02\00\00\00\00\00\00\00\01\00\03\00\08\00\00\00\00\00\00\00\00\00\00\00\02\00\01\00\08\00\00\00\03\00\00\00\00\00\00\00")
  (func (export "mf_parse") (param i32) (result i64)
    (local $at i32)
    (local.set $at (i32.shl (memory.grow (i32.const 1)) (i32.const 16)))
    (if (i32.lt_s (local.get $at) (i32.const 0)) (then (return (i64.const -2))))
    (memory.copy (local.get $at) (i32.const 64) (i32.const 48))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.const 48)))
)
