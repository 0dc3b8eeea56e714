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
	c = known_connection(&key);
	if (!c) return 0;
	/* while a process holds the socket it may still read what has arrived */
	PEEK(owner, sk->sk_socket);
	if (owner) return 0;
	conf = configuration();
	s = MAP_GET(scratches, &zero);
	if (conf && s && c->about.pid && ports_pass(conf, c)) {
		answered(c, 0, 0, bpf_ktime_get_ns());
		emit_close(conf, s, c, (1 << IN) | (1 << OUT));
	}
	forget_connection(c);
	return 0;
}

INLINE int retransmitted(const void *pointer)
{
	u32 zero = 0, sequence = 0;
	struct socket_key key = { .sk = (u64)pointer };
	struct sock *sk = (struct sock *)pointer;
	struct connection *c = known_connection(&key);
	struct config *conf = configuration();
	struct scratch *s = MAP_GET(scratches, &zero);

	count(COUNT_RETRANSMITS, 1);
	if (!c || !conf || !s || !c->about.pid || !ports_pass(conf, c)) return 0;
	PEEK(sequence, ((struct tcp_sock *)sk)->snd_una);
	emit_event(conf, s, c, KIND_RETRANSMIT, OUT, sequence, rtt_of(sk));
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
