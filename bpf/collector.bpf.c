// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* The kernel side of collector-ebpf: one program for each point it is attached to. Which program goes where stands in
 * metaflow_collector_ebpf/points.py. Loaded as a CO-RE object; the bcc backend compiles the same text with MF_BCC. */
#include "kernel.h"
#ifndef MF_BCC
#include "helpers.h"
#define ATOMIC_NEXT(at) __sync_fetch_and_add(at, 1)
#define ATOMIC_BACK(at) __sync_fetch_and_add(at, -1)
#define CLAIM(at) __sync_lock_test_and_set(at, 1)
#define CLAIM_64(at, from, to) __sync_bool_compare_and_swap(at, from, to)
#define OPAQUE(a, b) asm volatile("" : "+r"(a), "+r"(b))
#define PROGRAM(section, name) SEC(section) int name
#endif
#include "types.h"
#include "maps.h"
#include "sockets.h"
#include "threads.h"
#include "routines.h"
#include "emit.h"
#include "calls.h"
#include "ring.h"
#include "life.h"
#include "tls.h"
#include "go.h"

#ifndef MF_BCC
char LICENSE[] SEC("license") = "Dual BSD/GPL";
#endif
_Static_assert(sizeof(struct record) == HEADER && sizeof(struct about) == ABOUT_SIZE, "src/expand.rs knows these by their offsets");
_Static_assert(sizeof(struct connection) == 192, "three lines of the cache");

/* Calls that send are looked at when they begin, for the time; all when they return. */
PROGRAM("tracepoint/send", enter_send_call)(void *ctx) { return enter_send(); }

/* What a call is by its number. Numbers are told apart by their low six bits alone; taken out of these words without a branch,
 * so that the verifier need not follow each call by itself. */
#if defined(__TARGET_ARCH_arm64)
enum { READV = 65, WRITE = 64, WRITEV = 66, SENDFILE = 71, SENDTO = 206, RECVFROM = 207, SENDMSG = 211, RECVMSG = 212, RECVMMSG = 243, SENDMMSG = 269 };
#else
enum { WRITE = 1, READV = 19, WRITEV = 20, SENDFILE = 40, SENDTO = 44, RECVFROM = 45, SENDMSG = 46, RECVMSG = 47, RECVMMSG = 299, SENDMMSG = 307 };
#endif
#define BIT(number) (1ULL << ((number) & 63))
#define AMONG(number, bits) ((u64)(bits) >> ((number) & 63) & 1)
#define SENDS (BIT(WRITE) | BIT(WRITEV) | BIT(SENDFILE) | BIT(SENDTO) | BIT(SENDMSG) | BIT(SENDMMSG))

/* declared here, and written behind the programs that they belong to: a program begins its section */
TURN("tracepoint/vector", next_part)(u64, void *);
TURN("tracepoint/messages", next_part_of_message)(u64, void *);
TURN("tracepoint/messages", next_message)(u64, void *);

INLINE int leave_call(u32 number, u64 kind, s64 moved, int flags_at, turn_t turn)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task), fd = 0, buffer = 0, third = 0, flags = 0, name = 0;
	u32 zero = 0;
	struct config *conf = configuration();
	struct scratch *s = MAP_GET(scratches, &zero);
	struct pt_regs *call;

	if (moved < 0 || !conf || !s || !process_passes(conf, who)) return 0;
	call = registers(task);
	FOLLOW(fd, CALL_FD(call));
	if (!socket_at(conf, task, fd, &s->call.at)) return 0;
	FOLLOW(buffer, CALL_2(call));
	FOLLOW(third, CALL_3(call));
	if (flags_at == 3) flags = third * AMONG(number, BIT(RECVMSG));
	if (flags_at == 4) {
		FOLLOW(flags, CALL_4(call));
		FOLLOW(name, CALL_5(call));
		flags *= AMONG(number, BIT(RECVFROM) | BIT(RECVMMSG));
		name *= AMONG(number, BIT(RECVFROM) | BIT(SENDTO));
	}
	if (flags & MSG_NOT_DATA) return 0;
	return leave(conf, s, task, who, kind, AMONG(number, SENDS), buffer, third, name, moved, turn);
}

PROGRAM("tracepoint/buffer", leave_buffer)(struct sys_exit_args *ctx) { return leave_call(ctx->id, CALL_BUFFER, ctx->ret, 4, 0); }
PROGRAM("tracepoint/vector", leave_vector)(struct sys_exit_args *ctx)
{ return leave_call(ctx->id, CALL_VECTOR + AMONG(ctx->id, BIT(RECVMSG) | BIT(SENDMSG)), ctx->ret, 3, next_part); }
PROGRAM("tracepoint/messages", leave_messages_call)(struct sys_exit_args *ctx)
{ return leave_call(ctx->id, CALL_MESSAGES, ctx->ret, 4, next_message); }
TURN("tracepoint/vector", next_part)(u64 index, void *state) { return gather(index, state); }
TURN("tracepoint/messages", next_part_of_message)(u64 index, void *state) { return gather(index, state); }
TURN("tracepoint/messages", next_message)(u64 index, void *state) { return one_message(index, state, next_part_of_message); }
PROGRAM("tracepoint/file", leave_file)(struct sys_exit_args *ctx)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task), from = 0, to = 0;
	u32 zero = 0;
	struct config *conf = configuration();
	struct scratch *s = MAP_GET(scratches, &zero);
	u8 direction = OUT;
	struct pt_regs *call;

	if (ctx->ret <= 0 || !conf || !s || !process_passes(conf, who)) return 0;
	call = registers(task);
	FOLLOW(from, CALL_FD(call));
	FOLLOW(to, CALL_3(call));
	/* splice(2): either of the two may be a socket */
	if ((u32)ctx->id != SENDFILE) {
		if (socket_at(conf, task, to, &s->call.at)) from = to;
		else direction = IN;
	}
	if (!socket_at(conf, task, from, &s->call.at)) return 0;
	return leave(conf, s, task, who, CALL_FILE, direction, 0, 1, 0, ctx->ret, 0);
}
PROGRAM("tracepoint/connect", leave_connect)(struct sys_exit_args *ctx)
{ return ctx->ret && ctx->ret != -EINPROGRESS ? 0 : leave_opened(ROLE_CLIENT, 0); }
PROGRAM("tracepoint/accept", leave_accept)(struct sys_exit_args *ctx) { return ctx->ret < 0 ? 0 : leave_opened(ROLE_SERVER, ctx->ret); }
PROGRAM("tracepoint/close", enter_close_call)(struct sys_enter_args *ctx)
{ return enter_close(ctx->args[0], (1 << IN) | (1 << OUT), 1); }
PROGRAM("tracepoint/shutdown", enter_shutdown)(struct sys_enter_args *ctx)
{
	u64 how = ctx->args[1]; /* 0 reading, 1 writing, 2 both: one bit more is the directions */
	return how > 2 ? 0 : enter_close(ctx->args[0], how + 1, 0);
}

PROGRAM("tracepoint/state", sock_state)(struct sock_state_args *ctx) { return state_changed(ctx->sk, ctx->newstate); }
PROGRAM("tracepoint/retransmit", tcp_retransmit)(struct retransmit_args *ctx) { return retransmitted(ctx->sk); }
PROGRAM("tracepoint/io_uring", io_uring_complete)(struct io_uring_args *ctx) { return io_uring_completed(ctx->request, ctx->result, ctx->flags); }
PROGRAM("tracepoint/exec", process_exec)(void *ctx) { return process_changed(PROCESS_EXEC); }
PROGRAM("tracepoint/exit", process_exit)(void *ctx) { return process_changed(PROCESS_EXIT); }

PROGRAM("uprobe/openssl", openssl_enter)(struct pt_regs *ctx)
{ return tls_enter(SOURCE_OPENSSL, 0, ARG1(ctx), ARG2(ctx), ARG3(ctx), 0); }
PROGRAM("uprobe/openssl_ex", openssl_ex_enter)(struct pt_regs *ctx)
{ return tls_enter(SOURCE_OPENSSL, 0, ARG1(ctx), ARG2(ctx), ARG3(ctx), ARG4(ctx)); }
PROGRAM("uprobe/gnutls", gnutls_enter)(struct pt_regs *ctx)
{ return tls_enter(SOURCE_GNUTLS, 0, ARG1(ctx), ARG2(ctx), ARG3(ctx), 0); }
PROGRAM("uprobe/handshake", handshake_enter)(struct pt_regs *ctx) { return tls_enter(SOURCE_OPENSSL, 1, ARG1(ctx), 0, 0, 0); }
/* an int where OpenSSL answers, a long where GnuTLS does: errors are negative in the low half of both */
PROGRAM("uprobe/read_leave", tls_read_leave)(struct pt_regs *ctx) { return tls_leave((s32)RESULT(ctx), IN); }
PROGRAM("uprobe/write_leave", tls_write_leave)(struct pt_regs *ctx) { return tls_leave((s32)RESULT(ctx), OUT); }
PROGRAM("uprobe/go_write", go_write_enter)(struct pt_regs *ctx) { return go_enter(GO_ROUTINE(ctx), GO_1(ctx), GO_2(ctx), OUT); }
PROGRAM("uprobe/go_read", go_read_enter)(struct pt_regs *ctx) { return go_enter(GO_ROUTINE(ctx), GO_1(ctx), GO_2(ctx), IN); }
PROGRAM("uprobe/go_write_leave", go_write_leave)(struct pt_regs *ctx) { return go_leave(GO_ROUTINE(ctx), GO_1(ctx), OUT); }
PROGRAM("uprobe/go_asks", go_asks_enter)(struct pt_regs *ctx) { return go_asks(GO_1(ctx)); }
PROGRAM("uprobe/go_read_leave", go_read_leave)(struct pt_regs *ctx) { return go_leave(GO_ROUTINE(ctx), GO_1(ctx), IN); }
