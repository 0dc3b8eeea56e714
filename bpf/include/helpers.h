/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * The helper functions of the kernel that these programs call, by their numbers (linux/bpf.h, enum bpf_func_id), and the
 * few constants that go with them. */
#ifndef MF_HELPERS_H
#define MF_HELPERS_H

#define SEC(name) __attribute__((section(name), used))
#define INLINE static inline __attribute__((always_inline))

static void *(*bpf_map_lookup_elem)(void *map, const void *key) = (void *)1;
static long (*bpf_map_update_elem)(void *map, const void *key, const void *value, u64 flags) = (void *)2;
static long (*bpf_map_delete_elem)(void *map, const void *key) = (void *)3;
static u64 (*bpf_ktime_get_ns)(void) = (void *)5;
static u32 (*bpf_get_smp_processor_id)(void) = (void *)8;
static u64 (*bpf_get_current_pid_tgid)(void) = (void *)14;
static u64 (*bpf_get_current_uid_gid)(void) = (void *)15;
static long (*bpf_get_current_comm)(void *buffer, u32 size) = (void *)16;
#define COMM_TO(to, task) (((u64 *)(to))[0] = *(u64 *)&(task)->comm[0], ((u64 *)(to))[1] = *(u64 *)&(task)->comm[8])
static struct task_struct *(*bpf_get_current_task_btf)(void) = (void *)158;
static u64 (*bpf_get_current_cgroup_id)(void) = (void *)80;
static void *(*bpf_task_storage_get)(void *map, struct task_struct *task, void *value, u64 flags) = (void *)156;
static long (*bpf_task_pt_regs)(struct task_struct *task) = (void *)175;
static long (*bpf_probe_read_user)(void *to, u32 size, const void *from) = (void *)112;
static long (*bpf_probe_read_kernel)(void *to, u32 size, const void *from) = (void *)113;
static long (*bpf_ringbuf_output)(void *ring, void *data, u64 size, u64 flags) = (void *)130;

static long (*bpf_loop)(u32 turns, void *turn, void *state, u64 flags) = (void *)181;

/* A turn of a loop is a function beside the program in its section, which the verifier walks through once for all turns. It returns
 * 1 to end the loop. */
#define TURN(place, name) static __attribute__((noinline, section(place))) long name
#define REPEAT(most, turn, state) bpf_loop(most, turn, state, 0)

#define BPF_ANY 0
#define BPF_NOEXIST 1
#define BPF_RB_NO_WAKEUP 1
#define BPF_RB_FORCE_WAKEUP 2
#define BPF_LOCAL_STORAGE_GET_F_CREATE 1

/* maps in the form that loaders read from the object's BTF */
#define MAP_HASH 1
#define MAP_ARRAY 2
#define MAP_PERCPU_ARRAY 6
#define MAP_LRU_HASH 9
#define MAP_RINGBUF 27
#define MAP_TASK_STORAGE 29
#define MAP(name, kind, entries, key_type, value_type)                                                                  \
	struct {                                                                                                        \
		int (*type)[kind];                                                                                      \
		int (*max_entries)[entries];                                                                            \
		key_type *key;                                                                                          \
		value_type *value;                                                                                      \
	} name SEC(".maps")
/* an array that begins at a page (BPF_F_MMAPABLE, Linux 5.5) */
#define PAGES(name, entries, key_type, value_type)                                                                      \
	struct {                                                                                                        \
		int (*type)[MAP_ARRAY];                                                                                 \
		int (*map_flags)[1024];                                                                                 \
		int (*max_entries)[entries];                                                                            \
		key_type *key;                                                                                          \
		value_type *value;                                                                                      \
	} name SEC(".maps")
#define RING(name, bytes)                                                                                              \
	struct {                                                                                                        \
		int (*type)[MAP_RINGBUF];                                                                               \
		int (*max_entries)[bytes];                                                                              \
	} name SEC(".maps")

/* a value that hangs on each thread, and goes with it */
#define STORAGE(name, value_type)                                                                                      \
	struct {                                                                                                        \
		int (*type)[MAP_TASK_STORAGE];                                                                          \
		int (*map_flags)[1]; /* BPF_F_NO_PREALLOC, as the kernel demands */                                     \
		s32 *key;                                                                                               \
		value_type *value;                                                                                      \
	} name SEC(".maps")

#define MAP_GET(name, key) bpf_map_lookup_elem(&name, key)
#define MAP_PUT(name, key, value) bpf_map_update_elem(&name, key, value, BPF_ANY)
#define MAP_DELETE(name, key) bpf_map_delete_elem(&name, key)
#define RING_OUTPUT(name, data, size, flags) bpf_ringbuf_output(&name, data, size, flags)

/* reads of the kernel's memory, relocated by CO-RE */
#define PEEK(to, from) bpf_probe_read_kernel(&(to), sizeof(to), &(from))
/* what the verifier can follow from the current task on is read without a call; a bad pointer gives 0 there too */
#define CURRENT_TASK() bpf_get_current_task_btf()
#define WHO(task) ((u64)(u32)(task)->tgid << 32 | (u32)(task)->pid)
#define FOLLOW(to, from) ((to) = (from))
#define REGISTERS_OF(task) ((struct pt_regs *)bpf_task_pt_regs(task))
/* Members of a structure whose address is only a number are read without a call too where the kernel has bpf_rdonly_cast (since
 * 6.2). The loader puts its number in place of the one here, and says in place of the other whether it is there. */
static void *(*cast_call)(const void *address, u32 type) = (void *)0x7fff0001;
static u64 (*can_cast_call)(void) = (void *)0x7fff0002;
#define CAN_CAST() can_cast_call()
#define CAST(address, type) ((type *)cast_call(address, __builtin_btf_type_id(*(type *)0, 1 /* in the running kernel */)))
#define OFFSET(type, member) __builtin_preserve_field_info(((struct type *)0)->member, 0 /* BPF_FIELD_BYTE_OFFSET */)
#define HAS_MEMBER(expression) __builtin_preserve_field_info(expression, 2 /* BPF_FIELD_EXISTS */)
#define HAS_F_REF HAS_MEMBER(((struct file *)0)->f_ref)
#define HAS_START_BOOTTIME HAS_MEMBER(((struct task_struct *)0)->start_boottime)
#endif
