/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * The kernel as these programs see it: only the types and members that they read. Offsets here mean nothing; the loader has
 * them relocated to the running kernel's (CO-RE), and the bcc backend brings its own copy of these structures, made
 * from the kernel's BTF (metaflow_collector_ebpf/headers.py reads the part between the two marks). */
#ifndef MF_KERNEL_H
#define MF_KERNEL_H

#ifndef MF_BCC
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef int s32;
typedef unsigned long long u64;
typedef long long s64;
#endif

#ifndef MF_BCC
#pragma clang attribute push (__attribute__((preserve_access_index)), apply_to = record)
/* structures: begin */
struct ns_common { u32 inum; };
struct net { struct ns_common ns; };
typedef struct { struct net *net; } possible_net_t;
struct in6_addr { u8 bytes[16]; };
struct sock_common {
	u32 skc_daddr;
	u32 skc_rcv_saddr;
	u16 skc_dport;
	u16 skc_num;
	u16 skc_family;
	u8 skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
};
struct sock {
	struct sock_common __sk_common;
	u16 sk_type;
	struct socket *sk_socket;
	u32 sk_max_ack_backlog;
};
struct inet_sock { u16 inet_sport; };
struct tcp_sock { u32 copied_seq; u32 write_seq; u32 rcv_nxt; u32 snd_una; u32 srtt_us; };
struct socket { u16 type; struct sock *sk; };
struct count { s64 counter; };
struct file_ref { struct count refcnt; };
struct file { void *f_op; void *private_data; struct count f_count; struct file_ref f_ref; };
/* any two words in a row, for the first of them */
struct list_head { struct list_head *next; };
struct fdtable { u32 max_fds; struct file **fd; };
struct files_struct { struct fdtable *fdt; };
struct thread_struct { u64 fsbase; };
struct task_struct { struct files_struct *files; s32 pid; s32 tgid; struct task_struct *group_leader; u64 start_boottime; u64 real_start_time; char comm[16]; struct thread_struct thread; };
/* of kernels with io_uring; a request holds what it is about in a structure of its operation, which begins where it begins */
struct io_kiocb { struct file *file; u8 opcode; };
struct io_sr_msg { void *buf; u32 done_io; u32 msg_flags; };
struct io_rw { u64 addr; };
struct io_accept { u32 file_slot; };
/* structures: end */
#pragma clang attribute pop
#endif

/* what user space hands to system calls: fixed by the ABI, never relocated */
struct iovec { u64 base; u64 len; };
struct user_msghdr { u64 name; s32 namelen; u32 pad; u64 iov; u64 iovlen; u64 control; u64 controllen; u32 flags; u32 pad2; };
struct user_mmsghdr { struct user_msghdr head; u32 len; u32 pad; };
struct user_sockaddr { u16 family; u16 port; u32 v4; u8 v6[16]; };

/* arguments of tracepoints: fixed by their format files; deliberately plain (a relocated context pointer is refused) */
struct sys_enter_args { u64 common; s64 id; u64 args[6]; };
struct sys_exit_args { u64 common; s64 id; s64 ret; };
struct sock_state_args { u64 common; const void *sk; s32 oldstate; s32 newstate; };
struct io_uring_args { u64 common; const void *ring, *request; u64 user_data; s32 result; u32 flags; };
struct retransmit_args { u64 common; const void *skb; const void *sk; };

/* registers at a user probe */
#ifndef MF_BCC
#if defined(__TARGET_ARCH_x86)
struct pt_regs { u64 r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss; };
#elif defined(__TARGET_ARCH_arm64)
struct pt_regs { u64 regs[31]; u64 sp, pc, pstate, orig_x0; };
#endif
#endif
#if defined(__TARGET_ARCH_arm64)
#define ARG1(c) ((c)->regs[0])
#define ARG2(c) ((c)->regs[1])
#define ARG3(c) ((c)->regs[2])
#define ARG4(c) ((c)->regs[3])
#define RESULT(c) ((c)->regs[0])
/* arguments of a system call, read at its return */
#define CALL_FD(c) ((c)->orig_x0)
#define CALL_2(c) ((c)->regs[1])
#define CALL_3(c) ((c)->regs[2])
#define CALL_4(c) ((c)->regs[3])
#define CALL_5(c) ((c)->regs[4])
#else
#define ARG1(c) ((c)->di)
#define ARG2(c) ((c)->si)
#define ARG3(c) ((c)->dx)
#define ARG4(c) ((c)->cx)
#define RESULT(c) ((c)->ax)
#define CALL_FD(c) ((c)->di)
#define CALL_2(c) ((c)->si)
#define CALL_3(c) ((c)->dx)
#define CALL_4(c) ((c)->r10)
#define CALL_5(c) ((c)->r8)
#endif
#endif
