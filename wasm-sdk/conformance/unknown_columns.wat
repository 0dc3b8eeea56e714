;; Columns of a later minor version and of the plugin's own: they are passed over by their size.
(module
  (memory (export "memory") 20)
  (func (export "mf_abi_v1"))
  (func (export "mf_input") (param i32) (result i32) (i32.const 65536))
  (func (export "mf_check") (param i32) (result i64) (i64.const -3))
  (data (i32.const 64) "MFR1\01\00\00\00\04\00\00\00\00\00\00\00\01\00\03\00\08\00\00\00\00\00\00\00\00\00\00\00\02\00\01\00\08\00\00\00\03\00\00\00\00\00\00\00\84\03\4d\00\08\00\00\00\01\00\00\00\00\00\00\00\00\04\05\00\10\00\00\00\00\00\00\00\03\00\00\00own\00\00\00\00\00")
  (func (export "mf_parse") (param i32) (result i64)
    (i64.const 274877907032))
)
