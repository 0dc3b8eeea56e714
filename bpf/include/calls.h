/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * System calls on sockets: what is made of them at their return. */
#ifndef MF_CALLS_H
#define MF_CALLS_H

#define EINPROGRESS 115
#define TLS_RECORD_HEADER 5
#define MSG_NOT_DATA (2 | 0x2000) /* MSG_PEEK, MSG_ERRQUEUE */

/* What the configuration leaves out. The collector itself always is, but for a thread that looks whether it is seen. */
INLINE int process_passes(struct config *conf, u64 who)
{
	u32 pid = who >> 32;
	if (pid == conf->self) return (u32)who == conf->looking;
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
	near = c->about.local_port;
	far = c->about.remote_port;
	near_rule = MAP_GET(port_rules, &near);
	far_rule = MAP_GET(port_rules, &far);
	near_is = near_rule ? *near_rule : 0;
	far_is = far_rule ? *far_rule : 0;
	if (near_is == RULE_DENY || far_is == RULE_DENY || (conf->only_ports && near_is != RULE_ALLOW && far_is != RULE_ALLOW)) {
		if (conf->looking && conf->looking == (u32)bpf_get_current_pid_tgid()) return 1;
		count(COUNT_FILTERED, 1);
		return 0;
	}
	return 1;
}

/* The socket that a call of this thread is about. */
INLINE struct sock *socket_at(struct config *conf, struct task_struct *task, u64 fd, struct held *to)
{
	return socket_of(conf, file_of(task, fd), to);
}

/* The arguments of the call that returns: they still stand in the thread's saved registers. */
INLINE struct pt_regs *registers(struct task_struct *task)
{
	/* as a mere address, which the verifier need not look up among all names of the kernel */
	return CAN_CAST() ? CAST(REGISTERS_OF(task), struct pt_regs) : REGISTERS_OF(task);
}

INLINE struct begun *begun_of(u64 who)
{
	u32 at = who & (BEGUN - 1);
	return MAP_GET(begun, &at);
}

/* A call that sends begins: its time is that of the bytes. Nothing else need be known before it returns. */
INLINE int enter_send(void)
{
	u64 who = WHO(CURRENT_TASK());
	struct begun *begun = begun_of(who);

	if (!begun) return 0;
	begun->time = bpf_ktime_get_ns();
	begun->who = who;
	return 0;
}

INLINE u64 time_of(u64 who, u8 direction)
{
	struct begun *begun;
	if (direction == IN) return bpf_ktime_get_ns();
	begun = begun_of(who);
	if (!begun || begun->who != who) return bpf_ktime_get_ns();
	begun->who = 0;
	return begun->time;
}

enum { VERDICT_PLAIN, VERDICT_HANDSHAKE, VERDICT_CIPHERTEXT };

/* Whether these bytes are a TLS connection's. Libraries read a record's header (5 bytes) and its body apart. */
INLINE int tls_verdict(struct connection *c, u8 *d, u32 captured, u32 wire, u8 direction)
{
	if (c->about.protocol != TCP) return VERDICT_PLAIN;
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
INLINE void emit_data(struct config *conf, struct scratch *s, struct task_struct *task, struct thread *thread, struct connection *c,
		      struct call *call, u64 who, u32 wire, u32 captured)
{
	/* to the verifier a number read back is any number: it need not walk on from here for each way that led here */
	volatile u16 *copied = &s->head.cap_len;
	volatile u8 *way = &call->direction;
	u8 flags = 0, direction = *way & 1;
	int verdict;

	*copied = captured;
	captured = *copied;
	verdict = tls_verdict(c, s->data, captured, wire, direction);

	if (c->about.role == ROLE_UNKNOWN && c->about.protocol == UDP) {
		c->about.role = direction == OUT ? ROLE_CLIENT : ROLE_SERVER;
		c->about.version++;
	}
	if (c->about.protocol == TCP && verdict != VERDICT_PLAIN) {
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
		struct worker by = { .state = thread, .who = who };
		find_worker(conf, &by, c, direction, &flags);
		s->head.trace_id = trace_of(conf, by.state, by.who, c, direction, call->time, &flags);
	}
	s->head.time_ns = s->head.enter_ns = call->time;
	s->head.source = SOURCE_SYSCALL;
	s->head.tcp_seq = call->seq;
	s->head.rtt_us = c->about.protocol == TCP ? rtt_of(call->at.sk) : 0;
	used_by(c, task, who);
	emit(conf, s, c, KIND_DATA, direction, flags, wire, captured);
}

/* The messages of one sendmmsg or recvmmsg. */
struct several {
	struct config *conf;
	struct scratch *s;
	struct task_struct *task;
	struct thread *thread;
	u64 who, messages;
};

INLINE long one_message(u64 index, void *state, turn_t turn)
{
	struct several *all = state;
	struct call *call = &all->s->call;
	struct user_mmsghdr m = {};
	struct peer peer = {};
	struct connection *c;
	u32 captured;

	if (index >= all->messages) return 1;
	if (bpf_probe_read_user(&m, sizeof(m), (void *)(call->buffer + index * sizeof(m)))) return not_in_memory();
	if (call->at.protocol == UDP && !call->at.ends.remote_port) peer_from_user(&peer, m.head.name);
	c = connection_of(all->conf, &call->at, &peer, call->time);
	if (!c || !ports_pass(all->conf, c)) return 1;
	captured = copy_vector(all->conf, all->s, m.head.iov, m.head.iovlen, m.len, MESSAGE_VECTORS_MAX, turn);
	emit_data(all->conf, all->s, all->task, all->thread, c, call, all->who, m.len, captured);
	return 0;
}

INLINE void leave_data(struct config *conf, struct scratch *s, struct task_struct *task, struct thread *thread, struct call *call, u8 kind,
		       u64 who, u32 wire, turn_t turn)
{
	struct peer peer = {};
	struct connection *c;
	struct user_msghdr m = {};
	u64 name = call->name, vectors = call->buffer, entries = call->count;
	u32 captured = 0;

	if (kind == CALL_MESSAGE) {
		if (bpf_probe_read_user(&m, sizeof(m), (void *)call->buffer)) {
			not_in_memory();
			return;
		}
		name = m.name;
		vectors = m.iov;
		entries = m.iovlen;
	}
	if (name && call->at.protocol == UDP && !call->at.ends.remote_port) peer_from_user(&peer, name);
	c = connection_of(conf, &call->at, &peer, call->time);
	if (!c || !ports_pass(conf, c)) return;
	if (!wire) { /* end of the stream */
		if (call->direction == IN && c->about.protocol == TCP && (call->count || kind == CALL_MESSAGE)) {
			used_by(c, task, who);
			emit_close(conf, s, c, 1 << IN);
		}
		return;
	}
	if (kind == CALL_BUFFER || (kind == CALL_RING && call->buffer)) captured = copy_buffer(conf, s, call->buffer, wire);
	else if (kind != CALL_FILE && kind != CALL_RING) captured = copy_vector(conf, s, vectors, entries, wire, VECTORS_MAX, turn);
	emit_data(conf, s, task, thread, c, call, who, wire, captured);
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

/* A call returned that moved bytes on the socket of `s->call.at`. One program for each kind of call, so that the verifier has less to
 * walk through; `turn` is its loop: over the parts of a vector, or over messages. */
INLINE int leave(struct config *conf, struct scratch *s, struct task_struct *task, u64 who, u8 kind, u8 direction, u64 buffer, u64 entries,
		 u64 name, s64 result, turn_t turn)
{
	struct thread *thread = thread_of(task, who, 1);
	struct call *call = &s->call;

	count(COUNT_CALLS, 1);
	if (!thread) {
		count(COUNT_CALLS_FULL, 1);
		return 0;
	}
	call->time = time_of(who, direction);
	call->buffer = buffer;
	call->count = entries;
	call->name = name;
	call->kind = kind;
	call->direction = direction;
	if (result > 0x7fffffff) result = 0x7fffffff;
	/* the sequence number that the first byte of this call has on the wire */
	call->seq = call->at.protocol == TCP && kind != CALL_MESSAGES ? sequence_before(&call->at, direction, result) : 0;
	if (thread->tls.running && kind <= CALL_MESSAGE && nested_in_tls(&thread->tls, call, who, result)) return 0;
	if (kind == CALL_MESSAGES) {
		struct several all = { .conf = conf, .s = s, .task = task, .thread = thread, .who = who, .messages = result };
		REPEAT(MESSAGES_MAX, turn, &all);
		if (result > MESSAGES_MAX) count(COUNT_MESSAGES_CUT, result - MESSAGES_MAX);
	} else {
		leave_data(conf, s, task, thread, call, kind, who, result, turn);
	}
	return 0;
}

/* There is a connection now, on the socket of `s->call.at`. */
INLINE int opened(struct config *conf, struct scratch *s, struct task_struct *task, u64 who, u8 role)
{
	struct peer nobody = {};
	struct socket_key key = { .sk = (u64)s->call.at.sk };
	struct connection *c;

	count(COUNT_CALLS, 1);
	c = new_connection(conf, &s->call.at, &key, &nobody, role, bpf_ktime_get_ns());
	if (!c || !ports_pass(conf, c)) return 0;
	used_by(c, task, who);
	emit_event(conf, s, c, KIND_OPEN, role == ROLE_SERVER ? IN : OUT, 0, rtt_of(s->call.at.sk));
	return 0;
}

/* connect(2) or accept(2) gave a connection; accept(2) answers its descriptor, connect(2) was given it. */
INLINE int leave_opened(u8 role, s64 answer)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task), fd = answer;
	u32 zero = 0;
	struct config *conf = configuration();
	struct scratch *s = MAP_GET(scratches, &zero);

	if (!conf || !s || !process_passes(conf, who)) return 0;
	if (role == ROLE_CLIENT) FOLLOW(fd, CALL_FD(registers(task)));
	if (!socket_at(conf, task, fd, &s->call.at) || s->call.at.protocol != TCP) return 0;
	return opened(conf, s, task, who, role);
}

/* The collector tells who it is, by a descriptor that nobody has, and what a socket is, by one of its own. */
INLINE int introduced(struct config *conf, struct task_struct *task, u64 who, u32 ends)
{
	struct file *file = file_of(task, conf->own_socket);
	conf->self = who >> 32;
	if (file && conf->socket_operations == NO_SOCKETS) conf->socket_operations = operations_of(file);
	conf->looking = ends ? 0 : (u32)who;
	return 0;
}

/* close(2) of the last descriptor, shutdown(2). */
INLINE int enter_close(u32 fd, u8 which, int gone)
{
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task);
	u32 zero = 0;
	struct config *conf = configuration();
	struct socket_key key = {};
	struct held at = {};
	struct connection *c;
	struct scratch *s;
	struct file *file;
	u64 now;

	if (!conf) return 0;
	if (gone && conf->magic && fd - conf->magic <= 1) return introduced(conf, task, who, fd - conf->magic);
	if (!process_passes(conf, who)) return 0;
	file = file_of(task, fd);
	key.sk = (u64)socket_of(conf, file, &at);
	if (!key.sk) return 0;
	c = known_connection(&key);
	if (!c || (gone && !is_last_reference(file))) return 0;
	s = MAP_GET(scratches, &zero);
	if (!s || !ports_pass(conf, c)) return 0;
	now = bpf_ktime_get_ns();
	answered(c, thread_of(task, who, 0), who, now);
	used_by(c, task, who);
	emit_close(conf, s, c, which);
	if (gone) forget_connection(c);
	return 0;
}
#endif
