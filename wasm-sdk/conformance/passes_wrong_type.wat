;; Column 15 (passes) as u32.
(module
  (memory (export "memory") 20)
  (func (export "mf_abi_v1"))
  (func (export "mf_input") (param i32) (result i32) (i32.const 65536))
  (func (export "mf_check") (param i32) (result i64) (i64.const -3))
  (data (i32.const 64) "MFR1\01\00\00\00\03\00\00\00\00\00\00\00\01\00\03\00\08\00\00\00\00\00\00\00\00\00\00\00\02\00\01\00\08\00\00\00\02\00\00\00\00\00\00\00\0f\00\03\00\08\00\00\00\00\10\00\00\00\00\00\00")
  (func (export "mf_parse") (param i32) (result i64)
    (i64.const 274877907008))
)
