;; The result has no byte.
(module
  (memory (export "memory") 20)
  (func (export "mf_abi_v1"))
  (func (export "mf_input") (param i32) (result i32) (i32.const 65536))
  (func (export "mf_check") (param i32) (result i64) (i64.const -3))
  (func (export "mf_parse") (param i32) (result i64)
    (i64.const 274877906944))
)
