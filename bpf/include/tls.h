/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * TLS libraries: plain text at their read and write functions. No structure of a library is looked into: which socket a
 * session stands on is told by the system calls that its functions make, and where they make none (bytes handed over in
 * memory: asyncio, Node.js) by the TLS socket that the thread read last. */
#ifndef MF_TLS_H
#define MF_TLS_H

INLINE void count_load(u32 pid)
{
	struct tls_load *load = MAP_GET(tls_loads, &pid);
	if (load) {
		load->calls++;
	} else {
		struct tls_load first = { .calls = 1 };
		MAP_PUT(tls_loads, &pid, &first);
	}
}

INLINE int tls_enter(u8 source, u8 handshake, u64 session, u64 buffer, u64 length, u64 result)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task);
	struct config *conf = configuration();
	struct thread *thread;
	struct tls_call *call;
	u32 pid = who >> 32;

	if (!conf || !process_passes(conf, who)) return 0;
	count_load(pid);
	thread = thread_of(task, who, 1);
	if (!thread) {
		count(COUNT_CALLS_FULL, 1);
		return 0;
	}
	call = &thread->tls;
	call->time = bpf_ktime_get_ns();
	call->session = session;
	call->buffer = buffer;
	call->length = length;
	call->result = result;
	call->source = source;
	call->handshake = handshake;
	call->seen = 0;
	call->running = 1;
	return 0;
}

/* The socket of a session that makes no system calls of its own. */
INLINE struct tls_session *session_of(struct tls_key *key, struct tls_call *call, struct thread *thread, u8 direction)
{
	struct tls_session *known = MAP_GET(tls_sessions, key), fresh = {};
	if (call->seen) return known;
	/* a session that read from memory goes on reading from memory; one known by system calls has buffered bytes left */
	if (known && known->by_call) return known;
	if (!thread->tls_sk) return known;
	if (known && direction == OUT) { /* what is sent goes out later, by another call */
		known->write_seq = sequence_of(known->sk, OUT);
		return known;
	}
	fresh.sk = (struct sock *)thread->tls_sk;
	fresh.read_seq = thread->tls_seq;
	fresh.write_seq = sequence_of(fresh.sk, OUT);
	MAP_PUT(tls_sessions, key, &fresh);
	return MAP_GET(tls_sessions, key);
}

INLINE struct tls_scratch *claim(void)
{
	for (u32 i = 0; i < TLS_SCRATCHES; i++) {
		u32 index = i;
		struct tls_scratch *slot = MAP_GET(tls_scratches, &index);
		if (slot && !CLAIM(&slot->busy)) return slot;
	}
	return 0;
}

INLINE int tls_emit(struct config *conf, struct task_struct *task, struct tls_call *call, struct tls_session *session, u64 who, u8 direction, u32 wire)
{
	struct thread *thread = thread_of(task, who, 1);
	struct worker by = { .state = thread, .who = who };
	struct peer nobody = {};
	struct held at = {};
	struct connection *c;
	struct tls_scratch *slot;
	struct scratch *s;
	u64 now = bpf_ktime_get_ns();
	u8 flags = FLAG_PLAINTEXT;

	hold(session->sk, &at);
	c = connection_of(conf, &at, &nobody, now);
	if (!c || !thread || !ports_pass(conf, c)) return 0;
	slot = claim();
	if (!slot) {
		count(COUNT_CALLS_FULL, 1);
		return 0;
	}
	s = &slot->s;
	c->tls = 1;
	find_worker(conf, &by, c, direction, &flags);
	s->head.trace_id = trace_of(conf, by.state, by.who, c, direction, now, &flags);
	s->head.time_ns = direction == OUT ? call->time : now;
	s->head.enter_ns = call->time;
	s->head.source = call->source;
	s->head.tcp_seq = direction == OUT ? session->write_seq : session->read_seq;
	s->head.rtt_us = rtt_of(session->sk);
	used_by(c, task, who);
	emit(conf, s, c, KIND_DATA, direction, flags, wire, copy_buffer(conf, s, call->buffer, wire));
	slot->busy = 0;
	return 0;
}

INLINE int tls_leave(s64 result, u8 direction)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task);
	struct thread *thread = thread_of(task, who, 0);
	struct tls_call call;
	struct config *conf = configuration();
	struct tls_key key = {};
	struct tls_session *session;

	if (!thread || !thread->tls.running) return 0;
	thread->tls.running = 0;
	call = thread->tls;
	if (!conf) return 0;
	key.session = call.session;
	key.pid = who >> 32;
	session = session_of(&key, &call, thread, direction);
	if (call.handshake) return 0;
	count(COUNT_TLS_CALLS, 1);
	if (call.result) { /* the _ex forms answer 1 and put the number elsewhere */
		u64 length = 0;
		if (result != 1) return 0;
		bpf_probe_read_user(&length, sizeof(length), (void *)call.result);
		result = length;
	}
	if (result <= 0 || result > 0x7fffffff) return 0;
	if (!session || !session->sk) {
		count(COUNT_TLS_NO_SOCKET, 1);
		return 0;
	}
	return tls_emit(conf, task, &call, session, who, direction, result);
}
#endif
