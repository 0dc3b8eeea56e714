;; mf_configure refuses whatever it is told.
(module
  (memory (export "memory") 20)
  (func (export "mf_abi_v1"))
  (func (export "mf_input") (param i32) (result i32) (i32.const 65536))
  (func (export "mf_check") (param i32) (result i64) (i64.const -3))
  (data (i32.const 64) "no such option: expected none\0a")
  (func (export "mf_configure") (param i32) (result i64) (select (i64.const 274877906974) (i64.const 274877906944) (local.get 0)))
  (func (export "mf_parse") (param i32) (result i64)
    (i64.const -4))
)
