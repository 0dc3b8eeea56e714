/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * Which thread's bytes belong together: a thread that received a request and then sends one did so because of it, as long as
 * it serves one request at a time. A thread that has two or more requests unanswered on different sockets is an event loop at
 * work; its records carry FLAG_CONCURRENT, and nobody may conclude anything from its trace ids. */
#ifndef MF_THREADS_H
#define MF_THREADS_H

#define CONCURRENT_FOR 10000000000ULL /* ns that a thread stays suspect after it was caught */
#define FORGOTTEN_AFTER 60000000000ULL /* ns after which unanswered requests count no more */

INLINE struct thread *thread_of(struct task_struct *task, u64 who, int make)
{
#ifdef MF_BCC
	struct thread *thread = MAP_GET(threads, &who);
	if (!thread && make) {
		struct thread fresh = {};
		MAP_PUT(threads, &who, &fresh);
		thread = MAP_GET(threads, &who);
	}
	return thread;
#else
	return bpf_task_storage_get(&threads, task, 0, make ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
#endif
}

/* A request is answered; `thread` is who runs now, 0 for nobody. Another thread's state is out of reach: it is left a note. */
INLINE void answered(struct connection *with, struct thread *thread, u64 who, u64 now)
{
	u64 asked = ((u64)with->about.pid << 32) | with->asked_tid;
	if (!with->asked) return;
	with->asked = 0;
	if (thread && asked == who) {
		if (thread->unanswered) thread->unanswered--;
		thread->changed = now;
	} else {
		u32 *notes = MAP_GET(answered_elsewhere, &asked), first = 1;
		if (notes) ++*notes;
		else MAP_PUT(answered_elsewhere, &asked, &first);
	}
}

/* The notes that others left this thread. */
INLINE void read_notes(struct thread *thread, u64 who)
{
	u32 *notes = MAP_GET(answered_elsewhere, &who);
	u32 left = notes ? *notes : 0;
	if (!left) return;
	*notes = 0;
	thread->unanswered = thread->unanswered > left ? thread->unanswered - left : 1;
}

INLINE u64 trace_of(struct config *conf, struct thread *thread, u64 who, struct connection *with, u8 direction, u64 now, u8 *flags)
{
	u64 id = 0;

	if (direction == OUT) {
		if (with->about.role == ROLE_SERVER) answered(with, thread, who, now);
		if (now < thread->concurrent_until) *flags |= FLAG_CONCURRENT;
		/* the answer is out: what this thread sends elsewhere from now on has another cause */
		if (thread->answered && thread->socket_id != with->about.connection) return 0;
		thread->direction = OUT;
		if (with->about.role == ROLE_SERVER) {
			thread->answered = 1;
			thread->socket_id = with->about.connection;
		}
		return thread->trace_id;
	}
	if (with->about.role == ROLE_SERVER && !with->asked) {
		if (now - thread->changed > FORGOTTEN_AFTER) thread->unanswered = 0;
		with->asked = 1;
		with->asked_tid = (u32)who;
		thread->unanswered++;
		thread->changed = now;
		if (thread->unanswered >= 2) read_notes(thread, who);
		if (thread->unanswered >= 2) {
			if (now >= thread->concurrent_until) count(COUNT_CONCURRENT, 1);
			thread->concurrent_until = now + CONCURRENT_FOR;
		}
	}
	if (now < thread->concurrent_until) *flags |= FLAG_CONCURRENT;
	/* a further part of the same message */
	if (thread->direction == IN && thread->socket_id == with->about.connection && thread->trace_id) return thread->trace_id;
	id = next_id(conf);
	thread->trace_id = id;
	thread->socket_id = with->about.connection;
	thread->direction = IN;
	thread->answered = 0;
	return id;
}
#endif
