/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * Which thread's bytes belong together: a thread that received a request and then sends one did so because of it, as long as
 * it serves one request at a time. A thread that has two or more requests unanswered on different sockets is an event loop at
 * work; its records carry FLAG_CONCURRENT, and nobody may conclude anything from its trace ids. */
#ifndef MF_THREADS_H
#define MF_THREADS_H

#define CONCURRENT_FOR 10000000000ULL /* ns that a thread stays suspect after it was caught */
#define FORGOTTEN_AFTER 60000000000ULL /* ns after which unanswered requests count no more */

INLINE void answered(struct connection *with, u64 now)
{
	if (!with->asked) return;
	u64 who = ((u64)with->pid << 32) | with->asked_tid;
	struct thread *thread = MAP_GET(threads, &who);
	with->asked = 0;
	if (thread && thread->unanswered) {
		thread->unanswered--;
		thread->changed = now;
	}
}

INLINE u64 trace_of(struct config *conf, u64 who, struct connection *with, u8 direction, u64 now, u8 *flags)
{
	struct thread *thread = MAP_GET(threads, &who);
	u64 id = 0;

	if (direction == OUT) {
		if (with->role == ROLE_SERVER) answered(with, now);
		if (!thread) return 0;
		if (now < thread->concurrent_until) *flags |= FLAG_CONCURRENT;
		/* the answer is out: what this thread sends elsewhere from now on has another cause */
		if (thread->answered && thread->socket_id != with->id) return 0;
		thread->direction = OUT;
		if (with->role == ROLE_SERVER) {
			thread->answered = 1;
			thread->socket_id = with->id;
		}
		return thread->trace_id;
	}
	if (!thread) {
		struct thread fresh = { .direction = OUT };
		if (MAP_PUT(threads, &who, &fresh)) return 0;
		thread = MAP_GET(threads, &who);
		if (!thread) return 0;
	}
	if (with->role == ROLE_SERVER && !with->asked) {
		if (now - thread->changed > FORGOTTEN_AFTER) thread->unanswered = 0;
		with->asked = 1;
		with->asked_tid = (u32)who;
		thread->unanswered++;
		thread->changed = now;
		if (thread->unanswered >= 2) {
			if (now >= thread->concurrent_until) count(COUNT_CONCURRENT, 1);
			thread->concurrent_until = now + CONCURRENT_FOR;
		}
	}
	if (now < thread->concurrent_until) *flags |= FLAG_CONCURRENT;
	/* a further part of the same message */
	if (thread->direction == IN && thread->socket_id == with->id && thread->trace_id) return thread->trace_id;
	id = next_id(conf);
	thread->trace_id = id;
	thread->socket_id = with->id;
	thread->direction = IN;
	thread->answered = 0;
	return id;
}
#endif
