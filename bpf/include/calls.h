/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * System calls on sockets: what is made of them at their return. */
#ifndef MF_CALLS_H
#define MF_CALLS_H

#define EINPROGRESS 115
#define TLS_RECORD_HEADER 5

/* What the configuration leaves out. The collector itself always is. */
INLINE int process_passes(struct config *conf, u32 pid)
{
	if (pid == conf->self) return 0;
	if (conf->check_processes) {
		u32 *rule = MAP_GET(process_rules, &pid);
		u32 is = rule ? *rule : 0;
		if (!is && conf->check_names) { /* user space has not seen it yet */
			struct name name = {};
			bpf_get_current_comm(&name, sizeof(name));
			rule = MAP_GET(name_rules, &name);
			is = rule ? *rule : 0;
		}
		if (is == RULE_DENY || (conf->only_processes && is != RULE_ALLOW)) return 0;
	}
	if (conf->check_cgroups) {
		u64 group = bpf_get_current_cgroup_id();
		u32 *rule = MAP_GET(cgroup_rules, &group);
		u32 is = rule ? *rule : 0;
		if (is == RULE_DENY || (conf->only_cgroups && is != RULE_ALLOW)) return 0;
	}
	return 1;
}

INLINE int ports_pass(struct config *conf, struct connection *c)
{
	u32 near, far, *near_rule, *far_rule, near_is, far_is;
	if (!conf->check_ports) return 1;
	near = c->local_port;
	far = c->remote_port;
	near_rule = MAP_GET(port_rules, &near);
	far_rule = MAP_GET(port_rules, &far);
	near_is = near_rule ? *near_rule : 0;
	far_is = far_rule ? *far_rule : 0;
	if (near_is == RULE_DENY || far_is == RULE_DENY || (conf->only_ports && near_is != RULE_ALLOW && far_is != RULE_ALLOW)) {
		count(COUNT_FILTERED, 1);
		return 0;
	}
	return 1;
}

/* The socket that a call of this thread is about. */
INLINE struct sock *socket_at(struct config *conf, u64 fd, struct held *to)
{
	return socket_of(conf, file_of(fd), to);
}

/* A call that sends begins: its time is that of the bytes. Nothing else need be known before it returns. */
INLINE int enter_send(u64 fd)
{
	u64 who = bpf_get_current_pid_tgid();
	struct thread *thread = thread_of(who, 0);
	struct held at = {};

	if (!thread) { /* most threads never send */
		struct config *conf = configuration();
		if (!conf || who >> 32 == conf->self || !socket_at(conf, fd, &at)) return 0;
		thread = thread_of(who, 1);
		if (!thread) {
			count(COUNT_CALLS_FULL, 1);
			return 0;
		}
	}
	thread->began = bpf_ktime_get_ns();
	return 0;
}

enum { VERDICT_PLAIN, VERDICT_HANDSHAKE, VERDICT_CIPHERTEXT };

/* Whether these bytes are a TLS connection's. Libraries read a record's header (5 bytes) and its body apart. */
INLINE int tls_verdict(struct connection *c, u8 *d, u32 captured, u32 wire, u8 direction)
{
	if (c->protocol != TCP) return VERDICT_PLAIN;
	direction &= 1;
	if (c->handshake[direction]) {
		u32 left = c->handshake[direction];
		c->handshake[direction] = left > wire ? left - wire : 0;
		return VERDICT_HANDSHAKE;
	}
	if (captured >= TLS_RECORD_HEADER && d[0] >= 0x14 && d[0] <= 0x17 && d[1] == 3 && d[2] <= 4) {
		u32 length = ((u32)d[3] << 8) | d[4];
		int hello = d[0] == 0x16 && (wire == TLS_RECORD_HEADER || d[5] == 1);
		if (length && length <= 18432 && (c->tls || hello || !c->plain)) {
			c->tls = 1;
			if (d[0] == 0x17) return VERDICT_CIPHERTEXT; /* changes of cipher and alerts tell how a handshake ended */
			if (wire == TLS_RECORD_HEADER) c->handshake[direction] = length;
			return VERDICT_HANDSHAKE;
		}
	}
	if (c->tls) return VERDICT_CIPHERTEXT;
	c->plain = 1;
	return VERDICT_PLAIN;
}

/* The record of one data call or one datagram; the payload stands in the scratch already. */
INLINE void emit_data(struct config *conf, struct scratch *s, struct thread *thread, struct connection *c, struct call *call, u64 who, u32 wire,
		      u32 captured)
{
	u8 flags = 0, direction = call->direction & 1;
	int verdict = tls_verdict(c, s->data, captured, wire, direction);

	if (c->role == ROLE_UNKNOWN && c->protocol == UDP) c->role = direction == OUT ? ROLE_CLIENT : ROLE_SERVER;
	if (c->protocol == TCP && verdict != VERDICT_PLAIN) {
		if (direction == IN) { /* for libraries that are handed the bytes apart from the socket */
			thread->tls_sk = (u64)call->at.sk;
			thread->tls_seq = call->seq;
		}
		if (verdict == VERDICT_CIPHERTEXT) {
			count(COUNT_CIPHERTEXT, 1);
			return;
		}
		flags |= FLAG_CIPHERTEXT;
		s->head.trace_id = 0;
	} else {
		s->head.trace_id = trace_of(conf, thread, who, c, direction, call->time, &flags);
	}
	s->head.time_ns = s->head.enter_ns = call->time;
	s->head.source = SOURCE_SYSCALL;
	s->head.tcp_seq = call->seq;
	s->head.rtt_us = c->protocol == TCP ? rtt_of(call->at.sk) : 0;
	used_by(c, who);
	emit(conf, s, c, KIND_DATA, direction, flags, wire, captured);
}

INLINE void leave_messages(struct config *conf, struct scratch *s, struct thread *thread, struct call *call, u64 who, u32 messages)
{
	for (u32 i = 0; i < MESSAGES_MAX; i++) {
		struct user_mmsghdr m = {};
		struct peer peer = {};
		struct connection *c;
		u32 captured;
		if (i >= messages) return;
		if (bpf_probe_read_user(&m, sizeof(m), (void *)(call->buffer + i * sizeof(m)))) return;
		if (call->at.protocol == UDP && !call->at.ends.remote_port) peer_from_user(&peer, m.head.name);
		c = connection_of(conf, &call->at, &peer);
		if (!c || !ports_pass(conf, c)) return;
		captured = copy_vector(conf, s, m.head.iov, m.head.iovlen, m.len, MESSAGE_VECTORS_MAX);
		emit_data(conf, s, thread, c, call, who, m.len, captured);
	}
	if (messages > MESSAGES_MAX) count(COUNT_MESSAGES_CUT, messages - MESSAGES_MAX);
}

INLINE void leave_data(struct config *conf, struct scratch *s, struct thread *thread, struct call *call, u8 kind, u64 who, u32 wire)
{
	struct peer peer = {};
	struct connection *c;
	struct user_msghdr m = {};
	u64 name = call->name, vectors = call->buffer, entries = call->count;
	u32 captured = 0;

	if (kind == CALL_MESSAGE) {
		if (bpf_probe_read_user(&m, sizeof(m), (void *)call->buffer)) return;
		name = m.name;
		vectors = m.iov;
		entries = m.iovlen;
	}
	if (name && call->at.protocol == UDP && !call->at.ends.remote_port) peer_from_user(&peer, name);
	c = connection_of(conf, &call->at, &peer);
	if (!c || !ports_pass(conf, c)) return;
	if (!wire) { /* end of the stream */
		if (call->direction == IN && c->protocol == TCP && (call->count || kind == CALL_MESSAGE)) {
			used_by(c, who);
			emit_close(conf, s, c, 1 << IN);
		}
		return;
	}
	if (kind == CALL_BUFFER) captured = copy_buffer(conf, s, call->buffer, wire);
	else if (kind != CALL_FILE) captured = copy_vector(conf, s, vectors, entries, wire, VECTORS_MAX);
	emit_data(conf, s, thread, c, call, who, wire, captured);
}

/* A call inside a TLS library's call: its bytes are ciphertext. Tells which socket the session stands on; returns 1 when
 * nothing else is to be made of it. */
INLINE int nested_in_tls(struct tls_call *outer, struct call *call, u64 who, s64 result)
{
	struct tls_key key = {};
	struct tls_session session = {}, *known;
	u8 bit = 1 << (call->direction & 1);

	key.session = outer->session;
	key.pid = who >> 32;
	known = MAP_GET(tls_sessions, &key);
	if (known) session = *known;
	session.sk = call->at.sk;
	session.by_call = 1;
	/* the record begins at the first byte; where records without data (tickets, alerts) come before it, at the last header */
	if (!(outer->seen & bit) || (call->direction == IN && result == TLS_RECORD_HEADER)) {
		outer->seen |= bit;
		if (call->direction == OUT) session.write_seq = call->seq;
		else session.read_seq = call->seq;
	}
	MAP_PUT(tls_sessions, &key, &session);
	return !outer->handshake;
}

/* A call returned that moved bytes on a socket. Its arguments still stand in the thread's saved registers; one program for
 * each kind and direction, so that the verifier has less to walk through. */
INLINE int leave(u8 kind, u8 direction, u64 fd, u64 buffer, u64 entries, u64 name, s64 result)
{
	u64 who = bpf_get_current_pid_tgid(), began;
	u32 zero = 0;
	struct config *conf = configuration();
	struct thread *thread;
	struct scratch *s = MAP_GET(scratches, &zero);
	struct call *call;

	if (!conf || !s || !process_passes(conf, who >> 32)) return 0;
	call = &s->call;
	if (!socket_at(conf, fd, &call->at)) return 0;
	count(COUNT_CALLS, 1);
	thread = thread_of(who, 1);
	if (!thread) {
		count(COUNT_CALLS_FULL, 1);
		return 0;
	}
	began = thread->began;
	call->time = direction == OUT && began ? began : bpf_ktime_get_ns();
	thread->began = 0;
	call->buffer = buffer;
	call->count = entries;
	call->name = name;
	call->kind = kind;
	call->direction = direction;
	if (result > 0x7fffffff) result = 0x7fffffff;
	/* the sequence number that the first byte of this call has on the wire */
	call->seq = call->at.protocol == TCP && kind != CALL_MESSAGES ? sequence_before(&call->at, direction, result) : 0;
	if (thread->tls.running && kind <= CALL_MESSAGE && nested_in_tls(&thread->tls, call, who, result)) return 0;
	if (kind == CALL_MESSAGES) leave_messages(conf, s, thread, call, who, result);
	else leave_data(conf, s, thread, call, kind, who, result);
	return 0;
}

/* connect(2) or accept(2) gave a connection. */
INLINE int leave_opened(u8 role, u64 fd)
{
	u64 who = bpf_get_current_pid_tgid();
	u32 zero = 0;
	struct config *conf = configuration();
	struct peer nobody = {};
	struct socket_key key = {};
	struct held at = {};
	struct connection *c;
	struct scratch *s = MAP_GET(scratches, &zero);

	if (!conf || !s || !process_passes(conf, who >> 32)) return 0;
	if (!socket_at(conf, fd, &at) || at.protocol != TCP) return 0;
	count(COUNT_CALLS, 1);
	thread_of(who, 1);
	key.sk = (u64)at.sk;
	c = new_connection(conf, &at, &key, &nobody, role);
	if (!c || !ports_pass(conf, c)) return 0;
	used_by(c, who);
	emit_event(conf, s, c, KIND_OPEN, role == ROLE_SERVER ? IN : OUT, 0, rtt_of(at.sk));
	return 0;
}

/* close(2) of the last descriptor, shutdown(2). */
INLINE int enter_close(u32 fd, u8 which, int gone)
{
	u64 who = bpf_get_current_pid_tgid();
	u32 zero = 0;
	struct config *conf = configuration();
	struct socket_key key = {};
	struct held at = {};
	struct connection *c;
	struct scratch *s;
	struct file *file;
	u64 now;

	if (!conf) return 0;
	if (gone && fd == conf->magic && conf->magic) {
		conf->self = who >> 32;
		return 0;
	}
	if (!process_passes(conf, who >> 32)) return 0;
	file = file_of(fd);
	key.sk = (u64)socket_of(conf, file, &at);
	if (!key.sk) return 0;
	c = MAP_GET(connections, &key);
	if (!c || (gone && !is_last_reference(file))) return 0;
	s = MAP_GET(scratches, &zero);
	if (!s || !ports_pass(conf, c)) return 0;
	now = bpf_ktime_get_ns();
	answered(c, thread_of(who, 0), who, now);
	used_by(c, who);
	emit_close(conf, s, c, which);
	if (gone) MAP_DELETE(connections, &key);
	return 0;
}
#endif
