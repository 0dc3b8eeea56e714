/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * What happens in nobody's name (states of connections, retransmissions), and processes that begin and end. */
#ifndef MF_LIFE_H
#define MF_LIFE_H

#define TCP_CLOSE 7

INLINE int state_changed(const void *pointer, s32 state)
{
	u32 zero = 0;
	struct socket_key key = { .sk = (u64)pointer };
	struct sock *sk = (struct sock *)pointer;
	struct socket *owner = 0;
	struct connection *c;
	struct config *conf;
	struct scratch *s;

	if (state != TCP_CLOSE) return 0;
	c = MAP_GET(connections, &key);
	if (!c) return 0;
	/* while a process holds the socket it may still read what has arrived */
	PEEK(owner, sk->sk_socket);
	if (owner) return 0;
	conf = configuration();
	s = MAP_GET(scratches, &zero);
	if (conf && s && c->pid && ports_pass(conf, c)) {
		answered(c, 0, 0, bpf_ktime_get_ns());
		emit_close(conf, s, c, (1 << IN) | (1 << OUT));
	}
	MAP_DELETE(connections, &key);
	return 0;
}

INLINE int retransmitted(const void *pointer)
{
	u32 zero = 0, sequence = 0;
	struct socket_key key = { .sk = (u64)pointer };
	struct sock *sk = (struct sock *)pointer;
	struct connection *c = MAP_GET(connections, &key);
	struct config *conf = configuration();
	struct scratch *s = MAP_GET(scratches, &zero);

	count(COUNT_RETRANSMITS, 1);
	if (!c || !conf || !s || !c->pid || !ports_pass(conf, c)) return 0;
	PEEK(sequence, ((struct tcp_sock *)sk)->snd_una);
	emit_event(conf, s, c, KIND_RETRANSMIT, OUT, sequence, rtt_of(sk));
	return 0;
}

/* Operations of io_uring on sockets (linux/io_uring.h): they make no system calls. What they move is not looked into; that they are there is told. */
#define IO_URING_ON_SOCKETS (1ULL << 9 | 1ULL << 10 | 1ULL << 13 | 1ULL << 16 | 1ULL << 26 | 1ULL << 27 | 1ULL << 47 | 1ULL << 48)

INLINE int io_uring_submitted(u8 operation)
{
	u32 pid = bpf_get_current_pid_tgid() >> 32;
	struct config *conf = configuration();
	u64 *users, one = 1;

	if (operation > 63 || !(IO_URING_ON_SOCKETS >> operation & 1) || !conf || !process_passes(conf, pid)) return 0;
	count(COUNT_IO_URING, 1);
	users = MAP_GET(io_uring_users, &pid);
	if (users) ++*users;
	else MAP_PUT(io_uring_users, &pid, &one);
	return 0;
}

INLINE int process_changed(u32 kind)
{
	u64 who = bpf_get_current_pid_tgid();
	struct config *conf = configuration();
	struct process_event event = { .kind = kind, .pid = who >> 32, .time_ns = bpf_ktime_get_ns() };

	if (!conf) return 0;
	if (kind == PROCESS_EXIT) {
#ifdef MF_BCC
		MAP_DELETE(threads, &who);
#endif
		if ((u32)who != who >> 32) return 0;
	}
	if (RING_OUTPUT(processes, &event, sizeof(event), BPF_RB_NO_WAKEUP)) count(COUNT_PROCESS_FULL, 1);
	return 0;
}
#endif
