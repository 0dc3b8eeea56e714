/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * Go's crypto/tls, at (*Conn).Read and (*Conn).Write. Arguments are in registers (ABIInternal, Go 1.17 and later), and so is the
 * goroutine, which may go on in another thread: a call is known by it. Stacks move when they grow, so the probe at the
 * return stands on the return instructions, never on the return address. */
#ifndef MF_GO_H
#define MF_GO_H

#if defined(__TARGET_ARCH_arm64)
#define GO_1(c) ((c)->regs[0])
#define GO_2(c) ((c)->regs[1])
#define GO_ROUTINE(c) ((c)->regs[28])
#else
#define GO_1(c) ((c)->ax)
#define GO_2(c) ((c)->bx)
#define GO_ROUTINE(c) ((c)->r14)
#endif

/* tls.Conn{conn net.Conn}, an interface {type, data} -> net.TCPConn{fd *netFD} -> netFD{pfd poll.FD{fdmu 16 bytes, Sysfd int}} */
INLINE u64 go_descriptor(u64 connection)
{
	u64 data = 0, net = 0, fd = 0;
	if (bpf_probe_read_user(&data, sizeof(data), (void *)(connection + 8))) return ~0ULL;
	if (bpf_probe_read_user(&net, sizeof(net), (void *)data)) return ~0ULL;
	if (bpf_probe_read_user(&fd, sizeof(fd), (void *)(net + 16))) return ~0ULL;
	return fd;
}

INLINE int go_enter(u64 routine, u64 connection, u64 buffer, u8 direction)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task), fd;
	struct config *conf = configuration();
	struct go_key key = { .routine = routine, .pid = who >> 32, .direction = direction };
	struct go_call call = {};
	struct held at = {};

	if (!conf || !process_passes(conf, who)) return 0;
	fd = go_descriptor(connection);
	/* something else than a TCP connection may stand under a TLS one: then there is no socket by that number, or no TCP */
	if (fd > 0x7fffffff || !socket_at(conf, task, fd, &at) || at.protocol != TCP) {
		count(COUNT_TLS_NO_SOCKET, 1);
		return 0;
	}
	call.time = bpf_ktime_get_ns();
	call.buffer = buffer;
	call.sk = at.sk;
	call.seq = sequence_of(at.sk, direction);
	if (MAP_PUT(go_calls, &key, &call)) count(COUNT_CALLS_FULL, 1);
	return 0;
}

INLINE int go_leave(u64 routine, s64 result, u8 direction)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task);
	struct config *conf = configuration();
	struct go_key key = { .routine = routine, .pid = who >> 32, .direction = direction };
	struct go_call *found = MAP_GET(go_calls, &key);
	struct tls_session session = {};
	struct tls_call call = {};

	if (!found) return 0;
	call.time = found->time;
	call.buffer = found->buffer;
	call.source = SOURCE_GO;
	session.sk = found->sk;
	session.write_seq = session.read_seq = found->seq;
	MAP_DELETE(go_calls, &key);
	if (!conf) return 0;
	count_load(who >> 32);
	count(COUNT_TLS_CALLS, 1);
	if (result <= 0 || result > 0x7fffffff) return 0;
	return tls_emit(conf, task, &call, &session, who, direction, result);
}

/* net/http's client, before it hands a request to the goroutines of a connection: it is the one that asks. */
INLINE int go_asks(u64 connection)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task), g, number, fd;
	u32 pid = who >> 32;
	struct config *conf = configuration();
	struct runtime *is = MAP_GET(coroutine_processes, &pid);
	struct routine_key key = { .pid = pid };
	struct peer nobody = {};
	struct held at = {};
	struct connection *c;

	if (!conf || !is || !is->number || !process_passes(conf, pid)) return 0;
	g = running_routine(is);
	number = number_at(g, is->number);
	if (!number) return 0;
	/* persistConn{..., conn net.Conn, tlsState *tls.ConnectionState}: a *tls.Conn where there is a state, else a *net.TCPConn */
	if (number_at(connection, is->connection + 16)) fd = go_descriptor(number_at(connection, is->connection + 8));
	else fd = go_descriptor(connection + is->connection);
	if (fd > 0x7fffffff || !socket_at(conf, task, fd, &at) || at.protocol != TCP) {
		count(COUNT_ASKER_NO_SOCKET, 1);
		return 0;
	}
	c = connection_of(conf, &at, &nobody, bpf_ktime_get_ns());
	if (!c || !ports_pass(conf, c)) return 0;
	key.number = number;
	key.generation = is->generation;
	if (!state_of(is, &key, g, 1)) return 0;
	c->asker = number;
	return 0;
}
#endif
