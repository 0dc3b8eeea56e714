// SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
/* The kernel side of collector-ebpf: one program for each point it is attached to. Which program goes where stands in
 * metaflow_collector_ebpf/points.py. Loaded as a CO-RE object; the bcc backend compiles the same text with MF_BCC. */
#include "kernel.h"
#ifndef MF_BCC
#include "helpers.h"
#define ATOMIC_NEXT(at) __sync_fetch_and_add(at, 1)
#define ATOMIC_BACK(at) __sync_fetch_and_add(at, -1)
#define CLAIM(at) __sync_lock_test_and_set(at, 1)
#define OPAQUE(a, b) asm volatile("" : "+r"(a), "+r"(b))
#define PROGRAM(section, name) SEC(section) int name
#endif
#include "types.h"
#include "maps.h"
#include "sockets.h"
#include "threads.h"
#include "emit.h"
#include "calls.h"
#include "life.h"
#include "tls.h"

#ifndef MF_BCC
char LICENSE[] SEC("license") = "Dual BSD/GPL";
#endif
_Static_assert(sizeof(struct segment) == HEADER, "the record is what kernel-segments.md says");

#define MSG_PEEK 2

PROGRAM("tracepoint/leave", leave_call)(struct sys_exit_args *ctx) { return leave(GROUP_DATA, ctx->ret); }
PROGRAM("tracepoint/leave_messages", leave_messages_call)(struct sys_exit_args *ctx) { return leave(GROUP_MESSAGES, ctx->ret); }
PROGRAM("tracepoint/leave_opened", leave_opened_call)(struct sys_exit_args *ctx) { return leave(GROUP_OPENED, ctx->ret); }

PROGRAM("tracepoint/read", enter_read)(struct sys_enter_args *ctx)
{ return enter(CALL_BUFFER, IN, ctx->args[0], ctx->args[1], ctx->args[2], 0); }
PROGRAM("tracepoint/write", enter_write)(struct sys_enter_args *ctx)
{ return enter(CALL_BUFFER, OUT, ctx->args[0], ctx->args[1], ctx->args[2], 0); }
PROGRAM("tracepoint/recvfrom", enter_recvfrom)(struct sys_enter_args *ctx)
{ return ctx->args[3] & MSG_PEEK ? 0 : enter(CALL_BUFFER, IN, ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[4]); }
PROGRAM("tracepoint/sendto", enter_sendto)(struct sys_enter_args *ctx)
{ return enter(CALL_BUFFER, OUT, ctx->args[0], ctx->args[1], ctx->args[2], ctx->args[4]); }
PROGRAM("tracepoint/readv", enter_readv)(struct sys_enter_args *ctx)
{ return enter(CALL_VECTOR, IN, ctx->args[0], ctx->args[1], ctx->args[2], 0); }
PROGRAM("tracepoint/writev", enter_writev)(struct sys_enter_args *ctx)
{ return enter(CALL_VECTOR, OUT, ctx->args[0], ctx->args[1], ctx->args[2], 0); }
PROGRAM("tracepoint/recvmsg", enter_recvmsg)(struct sys_enter_args *ctx)
{ return ctx->args[2] & MSG_PEEK ? 0 : enter(CALL_MESSAGE, IN, ctx->args[0], ctx->args[1], 1, 0); }
PROGRAM("tracepoint/sendmsg", enter_sendmsg)(struct sys_enter_args *ctx)
{ return enter(CALL_MESSAGE, OUT, ctx->args[0], ctx->args[1], 1, 0); }
PROGRAM("tracepoint/recvmmsg", enter_recvmmsg)(struct sys_enter_args *ctx)
{ return ctx->args[3] & MSG_PEEK ? 0 : enter(CALL_MESSAGES, IN, ctx->args[0], ctx->args[1], ctx->args[2], 0); }
PROGRAM("tracepoint/sendmmsg", enter_sendmmsg)(struct sys_enter_args *ctx)
{ return enter(CALL_MESSAGES, OUT, ctx->args[0], ctx->args[1], ctx->args[2], 0); }
PROGRAM("tracepoint/sendfile", enter_sendfile)(struct sys_enter_args *ctx)
{ return enter(CALL_FILE, OUT, ctx->args[0], 0, 1, 0); }
PROGRAM("tracepoint/connect", enter_connect)(struct sys_enter_args *ctx)
{ return enter(CALL_CONNECT, OUT, ctx->args[0], 0, 1, 0); }
PROGRAM("tracepoint/accept", enter_accept)(struct sys_enter_args *ctx)
{ return enter(CALL_ACCEPT, IN, ctx->args[0], 0, 1, 0); }
PROGRAM("tracepoint/close", enter_close_call)(struct sys_enter_args *ctx)
{ return enter_close(ctx->args[0], (1 << IN) | (1 << OUT), 1); }
PROGRAM("tracepoint/shutdown", enter_shutdown)(struct sys_enter_args *ctx)
{
	u64 how = ctx->args[1]; /* 0 reading, 1 writing, 2 both: one bit more is the directions */
	return how > 2 ? 0 : enter_close(ctx->args[0], how + 1, 0);
}

PROGRAM("tracepoint/state", sock_state)(struct sock_state_args *ctx) { return state_changed(ctx->sk, ctx->newstate); }
PROGRAM("tracepoint/retransmit", tcp_retransmit)(struct retransmit_args *ctx) { return retransmitted(ctx->sk); }
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
