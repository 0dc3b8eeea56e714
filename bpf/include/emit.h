/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * From a call to a record in the ring. */
#ifndef MF_EMIT_H
#define MF_EMIT_H

INLINE u64 start_of_process(struct task_struct *task)
{
	struct task_struct *leader = 0;
	u64 start = 0;
	if (CAN_CAST()) leader = CAST(task, struct task_struct)->group_leader;
	else FOLLOW(leader, task->group_leader);
	if (HAS_START_BOOTTIME) PEEK(start, leader->start_boottime);
	else PEEK(start, leader->real_start_time);
	return start;
}

/* Remembers in the connection who uses it. Called by programs that run in a process. */
INLINE void used_by(struct connection *c, struct task_struct *task, u64 who)
{
	struct about *about = &c->about;
	u32 pid = who >> 32;
	u64 name[2] = {}, *known = (u64 *)about->comm;

	c->tid = (u32)who;
	COMM_TO(name, task);
	if (about->pid == pid && known[0] == name[0] && known[1] == name[1]) return;
	known[0] = name[0];
	known[1] = name[1];
	if (about->pid != pid) {
		about->pid = pid;
		about->process_start = start_of_process(task);
		about->cgroup_id = bpf_get_current_cgroup_id();
		about->uid_gid = bpf_get_current_uid_gid();
	}
	about->version++;
}

INLINE void fill(struct record *to, struct connection *c)
{
	to->id = c->about.id;
	to->place = c->about.place;
	to->coroutine_id = c->routine;
	to->tid = c->tid;
	to->cpu = bpf_get_smp_processor_id();
}

/* Whether the ring says what this connection is now. Where another processor changes it meanwhile, the next record finds the version that
 * was told to be an old one. */
INLINE int introduce(struct connection *c, struct counts *counts)
{
	struct about *about = &c->about;
	u16 version = about->version;
	if (c->told == version) return 1;
	if (RING_OUTPUT(records, about, ABOUT_SIZE, BPF_RB_NO_WAKEUP)) return 0;
	c->told = version;
	counts->queued += ABOUT_SIZE;
	counts->of[COUNT_BYTES] += ABOUT_SIZE;
	return 1;
}

INLINE long put(struct config *conf, struct counts *counts, struct scratch *s, struct connection *c, u32 captured)
{
	u64 flags = 0, size = (HEADER + (u64)captured + 7) & ~7ULL;
	OPAQUE(size, flags);
	if (size > HEADER + CAPTURE_MAX) return -1;
	s->head.size = size;
	s->head.cap_len = captured;
	/* two processors may use one connection at once: each record has a number of its own */
	s->head.cap_seq = ATOMIC_NEXT(&c->cap_seq) + 1;
	if (conf->wakeup) {
		/* once for each such amount, not for each record while the reader is on its way: waking costs microseconds */
		counts->queued += size;
		flags = BPF_RB_NO_WAKEUP;
		if (counts->queued >= conf->wakeup) {
			counts->queued = 0;
			flags = BPF_RB_FORCE_WAKEUP;
		}
	}
	if (RING_OUTPUT(records, s, size, flags)) {
		ATOMIC_BACK(&c->cap_seq);
		return -1;
	}
	counts->of[COUNT_RECORDS]++;
	counts->of[COUNT_BYTES] += size;
	return 0;
}

/* The ring is full. */
INLINE void lose(struct counts *counts, struct connection *c, u8 kind, u8 way, u32 wire)
{
	counts->of[COUNT_RING_FULL]++;
	if (kind == KIND_DATA) c->lost[way & 1] += wire;
}

/* One record, after what the connection is where that is not known, and after one that tells of bytes that found the ring full before. What is
 * filled in already: times, source, sequence number, trace id. */
INLINE void emit(struct config *conf, struct scratch *s, struct connection *c, u8 kind, u8 direction, u8 flags, u32 wire, u32 captured)
{
	u32 zero = 0, lost;
	u8 way = direction & 1;
	struct counts *counts = MAP_GET(counters, &zero);

	if (!counts) return;
	if (c->about.pid == conf->self) {
		/* it looks whether it is seen: that it is must be known, and what it said is nobody's business */
		counts->of[COUNT_OWN] += kind == KIND_DATA;
		return;
	}
	if (!introduce(c, counts)) {
		lose(counts, c, kind, way, wire);
		return;
	}
	fill(&s->head, c);
	lost = c->lost[way];
	if (lost) {
		s->head.what = KIND_LOST | way << 7;
		s->head.flags = c->flags;
		s->head.wire_len = lost;
		if (put(conf, counts, s, c, 0)) {
			lose(counts, c, kind, way, wire);
			return;
		}
		c->lost[way] = 0;
	}
	s->head.what = kind | way << 7;
	s->head.flags = c->flags | flags;
	s->head.wire_len = wire;
	if (kind == KIND_DATA && captured < wire) s->head.flags |= FLAG_TRUNCATED;
	if (put(conf, counts, s, c, captured)) lose(counts, c, kind, way, wire);
}

/* A record without payload about the connection itself. */
INLINE void emit_event(struct config *conf, struct scratch *s, struct connection *c, u8 kind, u8 direction, u32 sequence, u32 rtt)
{
	u64 now = bpf_ktime_get_ns();
	s->head.time_ns = s->head.enter_ns = now;
	s->head.trace_id = 0;
	s->head.source = SOURCE_SYSCALL;
	s->head.tcp_seq = sequence;
	s->head.rtt_us = rtt;
	emit(conf, s, c, kind, direction, 0, 0, 0);
}

/* The connection ends in the directions of `which` (bits 1 << IN, 1 << OUT); told once each. */
INLINE void emit_close(struct config *conf, struct scratch *s, struct connection *c, u8 which)
{
	which &= ~c->closed;
	c->closed |= which;
	if (which & (1 << IN)) emit_event(conf, s, c, KIND_CLOSE, IN, 0, 0);
	if (which & (1 << OUT)) emit_event(conf, s, c, KIND_CLOSE, OUT, 0, 0);
}

/* A page that is not in memory cannot be waited for here. Answers what ends a loop. */
INLINE int not_in_memory(void)
{
	count(COUNT_UNREADABLE, 1);
	return 1;
}

INLINE u32 copy_buffer(struct config *conf, struct scratch *s, u64 from, u64 length)
{
	u64 part = length > conf->capture ? conf->capture : length;
	if (part > CAPTURE_MAX) part = CAPTURE_MAX;
	if (!part) return 0;
	if (bpf_probe_read_user(s->data, part, (void *)from)) {
		not_in_memory();
		return 0;
	}
	return part;
}

/* A loop is handed the address of its state, on the stack. */
struct gathered { struct scratch *s; };

INLINE long gather(u64 index, void *state)
{
	struct scratch *s = ((struct gathered *)state)->s;
	struct gathering *g = &s->parts;
	struct iovec v = {};
	u64 done = g->done, part = g->want - done;

	if (index >= g->entries || done >= g->want) return 1;
	if (bpf_probe_read_user(&v, sizeof(v), (void *)(g->vectors + index * sizeof(v)))) return not_in_memory();
	if (v.len < part) part = v.len;
	if (!part) return 0;
	OPAQUE(part, done); /* keeps the compiler from undoing the checks that the verifier wants to see */
	if (part > CAPTURE_MAX || done >= CAPTURE_MAX) return 1;
	if (bpf_probe_read_user(s->data + done, part, (void *)v.base)) return not_in_memory();
	g->done = done + part;
	return 0;
}

INLINE u32 copy_vector(struct config *conf, struct scratch *s, u64 vectors, u64 entries, u64 length, int most, turn_t turn)
{
	struct gathered state = { .s = s };
	volatile struct gathering *g = &s->parts;
	g->vectors = vectors;
	g->entries = entries;
	g->want = length > conf->capture ? conf->capture : length;
	if (g->want > CAPTURE_MAX) g->want = CAPTURE_MAX;
	g->done = 0;
	REPEAT(most, turn, &state);
	return g->done;
}
#endif
