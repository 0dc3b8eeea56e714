/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * System calls on sockets: what is remembered at the entry, and what is made of it at the return. */
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

INLINE int enter(u8 kind, u8 direction, u32 fd, u64 buffer, u64 entries, u64 name)
{
	u64 who = bpf_get_current_pid_tgid();
	struct config *conf = configuration();
	struct call call = {};
	struct sock *sk;

	if (!conf || !process_passes(conf, who >> 32)) return 0;
	sk = socket_of(file_of(fd));
	if (!sk) return 0;
	call.time = bpf_ktime_get_ns();
	call.sk = sk;
	call.buffer = buffer;
	call.count = entries;
	call.name = name;
	call.fd = fd;
	call.kind = kind;
	call.direction = direction;
	/* the sequence number that the first byte of this call has on the wire */
	if (kind < CALL_CONNECT && protocol_of(sk) == TCP) call.seq = sequence_of(sk, direction);
	if (MAP_PUT(calls, &who, &call)) count(COUNT_CALLS_FULL, 1);
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
			if (d[0] != 0x16) return VERDICT_CIPHERTEXT;
			if (wire == TLS_RECORD_HEADER) c->handshake[direction] = length;
			return VERDICT_HANDSHAKE;
		}
	}
	if (c->tls) return VERDICT_CIPHERTEXT;
	c->plain = 1;
	return VERDICT_PLAIN;
}

/* The record of one data call or one datagram; the payload stands in the scratch already. */
INLINE void emit_data(struct config *conf, struct scratch *s, struct connection *c, struct call *call, u64 who, u32 wire, u32 captured)
{
	u64 now = bpf_ktime_get_ns();
	u8 flags = 0, direction = call->direction & 1;
	int verdict = tls_verdict(c, s->data, captured, wire, direction);

	if (c->role == ROLE_UNKNOWN && c->protocol == UDP) c->role = direction == OUT ? ROLE_CLIENT : ROLE_SERVER;
	if (c->protocol == TCP && verdict != VERDICT_PLAIN) {
		if (direction == IN) { /* for libraries that are handed the bytes apart from the socket */
			struct thread *thread = MAP_GET(threads, &who);
			if (!thread) {
				struct thread fresh = { .direction = OUT };
				MAP_PUT(threads, &who, &fresh);
				thread = MAP_GET(threads, &who);
			}
			if (thread) {
				thread->tls_sk = (u64)call->sk;
				thread->tls_seq = call->seq;
			}
		}
		if (verdict == VERDICT_CIPHERTEXT) {
			count(COUNT_CIPHERTEXT, 1);
			return;
		}
		flags |= FLAG_CIPHERTEXT;
		s->head.trace_id = 0;
	} else {
		s->head.trace_id = trace_of(conf, who, c, direction, now, &flags);
	}
	s->head.time_ns = direction == OUT ? call->time : now;
	s->head.enter_ns = call->time;
	s->head.source = SOURCE_SYSCALL;
	s->head.tcp_seq = call->seq;
	s->head.rtt_us = c->protocol == TCP ? rtt_of(call->sk) : 0;
	used_by(c, who);
	emit(conf, s, c, KIND_DATA, direction, flags, wire, captured);
}

INLINE void leave_opened(struct config *conf, struct scratch *s, struct call *call, u64 who, s64 result)
{
	struct peer nobody = {};
	struct socket_key key = {};
	struct connection *c;
	u8 role = call->kind == CALL_ACCEPT ? ROLE_SERVER : ROLE_CLIENT;
	struct sock *sk = call->sk;

	if (call->kind == CALL_ACCEPT) sk = socket_of(file_of(result));
	if (!sk || protocol_of(sk) != TCP) return;
	key.sk = (u64)sk;
	c = new_connection(conf, &key, &nobody, role);
	if (!c || !ports_pass(conf, c)) return;
	used_by(c, who);
	emit_event(conf, s, c, KIND_OPEN, role == ROLE_SERVER ? IN : OUT, 0, rtt_of(sk));
}

INLINE void leave_messages(struct config *conf, struct scratch *s, struct call *call, u64 who, u32 messages)
{
	for (u32 i = 0; i < MESSAGES_MAX; i++) {
		struct user_mmsghdr m = {};
		struct peer peer = {};
		struct connection *c;
		u32 captured;
		if (i >= messages) return;
		if (bpf_probe_read_user(&m, sizeof(m), (void *)(call->buffer + i * sizeof(m)))) return;
		if (protocol_of(call->sk) == UDP && !remote_port_of(call->sk)) peer_from_user(&peer, m.head.name);
		c = connection_of(conf, call->sk, &peer);
		if (!c || !ports_pass(conf, c)) return;
		captured = copy_vector(conf, s, m.head.iov, m.head.iovlen, m.len, MESSAGE_VECTORS_MAX);
		emit_data(conf, s, c, call, who, m.len, captured);
		if (c->protocol == TCP) call->seq += m.len;
	}
	if (messages > MESSAGES_MAX) count(COUNT_MESSAGES_CUT, messages - MESSAGES_MAX);
}

INLINE void leave_data(struct config *conf, struct scratch *s, struct call *call, u64 who, s64 result)
{
	struct peer peer = {};
	struct connection *c;
	struct user_msghdr m = {};
	u64 name = call->name, vectors = call->buffer, entries = call->count;
	u32 captured = 0, wire = result > 0x7fffffff ? 0x7fffffff : result;

	if (call->kind == CALL_MESSAGE) {
		if (bpf_probe_read_user(&m, sizeof(m), (void *)call->buffer)) return;
		name = m.name;
		vectors = m.iov;
		entries = m.iovlen;
	}
	if (name && protocol_of(call->sk) == UDP && !remote_port_of(call->sk)) peer_from_user(&peer, name);
	c = connection_of(conf, call->sk, &peer);
	if (!c || !ports_pass(conf, c)) return;
	if (!result) { /* end of the stream */
		if (call->direction == IN && c->protocol == TCP && call->count) {
			used_by(c, who);
			emit_close(conf, s, c, 1 << IN);
		}
		return;
	}
	if (call->kind == CALL_BUFFER) captured = copy_buffer(conf, s, call->buffer, wire);
	else if (call->kind != CALL_FILE) captured = copy_vector(conf, s, vectors, entries, wire, VECTORS_MAX);
	emit_data(conf, s, c, call, who, wire, captured);
}

/* A call inside a TLS library's call: its bytes are ciphertext. Tells which socket the session stands on; returns 1 when
 * nothing else is to be made of it. */
INLINE int nested_in_tls(struct call *call, u64 who, s64 result)
{
	struct tls_call *outer = MAP_GET(tls_calls, &who);
	struct tls_key key = {};
	struct tls_session session = {}, *known;
	u8 bit = 1 << (call->direction & 1);

	if (!outer || call->kind > CALL_MESSAGE) return 0;
	key.session = outer->session;
	key.pid = who >> 32;
	known = MAP_GET(tls_sessions, &key);
	if (known) session = *known;
	session.sk = call->sk;
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

enum { GROUP_DATA, GROUP_MESSAGES, GROUP_OPENED };

/* One program for each group of calls, so that the verifier has less to walk through and the hot one stays small. */
INLINE int leave(int group, s64 result)
{
	u64 who = bpf_get_current_pid_tgid();
	u32 zero = 0;
	struct call *found = MAP_GET(calls, &who), call;
	struct config *conf;
	struct scratch *s;

	if (!found) return 0;
	call = *found;
	MAP_DELETE(calls, &who);
	count(COUNT_CALLS, 1);
	if (result < 0 && !(group == GROUP_OPENED && call.kind == CALL_CONNECT && result == -EINPROGRESS)) return 0;
	conf = configuration();
	s = MAP_GET(scratches, &zero);
	if (!conf || !s) return 0;
	if (group == GROUP_OPENED) {
		leave_opened(conf, s, &call, who, result);
		return 0;
	}
	if (nested_in_tls(&call, who, result)) return 0;
	if (group == GROUP_MESSAGES) leave_messages(conf, s, &call, who, result);
	else leave_data(conf, s, &call, who, result);
	return 0;
}

/* close(2) of the last descriptor, shutdown(2). */
INLINE int enter_close(u32 fd, u8 which, int gone)
{
	u64 who = bpf_get_current_pid_tgid();
	u32 zero = 0;
	struct config *conf = configuration();
	struct socket_key key = {};
	struct connection *c;
	struct scratch *s;
	struct file *file;

	if (!conf) return 0;
	if (gone && fd == conf->magic && conf->magic) {
		conf->self = who >> 32;
		return 0;
	}
	if (!process_passes(conf, who >> 32)) return 0;
	file = file_of(fd);
	key.sk = (u64)socket_of(file);
	if (!key.sk) return 0;
	c = MAP_GET(connections, &key);
	if (!c || (gone && !is_last_reference(file))) return 0;
	s = MAP_GET(scratches, &zero);
	if (!s || !ports_pass(conf, c)) return 0;
	answered(c, bpf_ktime_get_ns());
	used_by(c, who);
	emit_close(conf, s, c, which);
	if (gone) MAP_DELETE(connections, &key);
	return 0;
}
#endif
