;; Reads behind its memory.
(module
  (memory (export "memory") 20)
  (func (export "mf_abi_v1"))
  (func (export "mf_input") (param i32) (result i32) (i32.const 65536))
  (func (export "mf_check") (param i32) (result i64) (i64.const -3))
  (func (export "mf_parse") (param i32) (result i64)
    (drop (i32.load (i32.const 0x7ffffff0))) (i64.const 0))
)
