/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * Whose work bytes are, in programs that run many coroutines on few threads (Go). The running goroutine stands where the
 * program's thread-local storage says (amd64) or in a register (arm64); no probe is needed to tell it. Each has the state that
 * a thread has elsewhere (threads.h), found by its number. Where members stand is told by user space, by Go's version. */
#ifndef MF_ROUTINES_H
#define MF_ROUTINES_H

/* Where the running goroutine's structure is, 0 where none runs. */
INLINE u64 running_routine(struct runtime *is)
{
	u64 g = 0;
#if defined(__TARGET_ARCH_arm64)
	struct pt_regs *call = REGISTERS_OF(CURRENT_TASK());
	FOLLOW(g, call->regs[28]);
#else
	u64 base = 0;
	struct task_struct *task = CURRENT_TASK();
	FOLLOW(base, task->thread.fsbase);
	if (bpf_probe_read_user(&g, sizeof(g), (void *)(base + is->local))) return 0;
#endif
	return g;
}

INLINE u64 number_at(u64 g, u32 member)
{
	u64 number = 0;
	if (g && member) bpf_probe_read_user(&number, sizeof(number), (void *)(g + member));
	return number;
}

#define STOCK 16
#define RUNNER 48 /* g.m, in all versions */

/* Numbers are given out by each processor of the runtime, from a stock of sixteen. What is in stock when a request arrives is given to
 * goroutines that begin later: those that the one which serves it starts, it starts because of it. */
INLINE void remember_stock(struct runtime *is, struct thread *state, u64 g)
{
	u64 processor = number_at(number_at(g, RUNNER), is->processor);
	state->next[0] = number_at(processor, is->next);
	state->next[1] = number_at(processor, is->next + 8);
	if (state->received < 255) state->received++;
}

/* Whether the one was started because of the request that the other serves: its number was given out since, or that is the first
 * request in the other's life and the number was not given out of the same stock before. */
INLINE int works_for(struct thread *from, u64 number)
{
	int later = number >= from->next[0] && number < from->next[1];
	int earlier = number < from->next[0] && number + STOCK >= from->next[1];
	if (from->unanswered != 1 || from->answered) return 0;
	return later || (from->received == 1 && !earlier);
}

/* The state of a goroutine. One that asks others before it ever did anything else works for the one that started it. */
INLINE struct thread *state_of(struct runtime *is, struct routine_key *key, u64 g, int asks)
{
	struct thread *known = MAP_GET(routines, key), *blank, *from;
	u32 zero = 0;

	if (known) return known;
	blank = MAP_GET(blank_thread, &zero);
	if (!blank) return 0;
	if (MAP_PUT(routines, key, blank)) {
		count(COUNT_CALLS_FULL, 1);
		return 0;
	}
	known = MAP_GET(routines, key);
	if (known && asks) {
		struct routine_key creator = { .number = number_at(g, is->creator), .pid = key->pid, .generation = key->generation };
		from = MAP_GET(routines, &creator);
		if (from && works_for(from, key->number)) known->trace_id = from->trace_id;
	}
	return known;
}

/* The goroutine for which another reads or writes. A client of net/http hands its requests to two goroutines of the connection
 * (go_asks in go.h); one of a server's is helped by those that it started (they look whether the client is still there). */
INLINE u64 beneficiary(struct runtime *is, struct connection *c, u64 g, u64 own, u8 direction)
{
	if (c->about.role == ROLE_SERVER) return c->routine && c->routine != own && number_at(g, is->creator) == c->routine ? c->routine : own;
	if (!c->asker) return own;
	/* the first to write and to read after the hand-over are these two; whoever else does so took the connection over */
	direction &= 1;
	if (!c->helper[direction]) c->helper[direction] = own;
	return c->helper[direction] == (u32)own ? c->asker : own;
}

struct worker { struct thread *state; u64 who; };

/* Who works: the thread, or the goroutine that runs in it. What is in no state that could tell is marked. */
INLINE void find_worker(struct config *conf, struct worker *worker, struct connection *c, u8 direction, u8 *flags)
{
	u32 pid = worker->who >> 32;
	struct runtime *is = conf->check_coroutines ? MAP_GET(coroutine_processes, &pid) : 0;
	struct routine_key key = { .pid = pid };
	struct thread *state = 0;
	u64 g, own;

	if (!is) return;
	key.generation = is->generation;
	if (is->number) {
		g = running_routine(is);
		own = number_at(g, is->number);
		if (own) {
			key.number = beneficiary(is, c, g, own, direction);
			state = state_of(is, &key, g, direction == OUT && c->about.role == ROLE_CLIENT);
		}
	}
	if (!state) {
		*flags |= FLAG_CONCURRENT;
		return;
	}
	c->routine = key.number;
	if (direction == IN && c->about.role == ROLE_SERVER && !c->asked) remember_stock(is, state, g);
	worker->state = state;
	/* numbers of threads and goroutines of one process are never compared */
	worker->who = ((u64)pid << 32) | (u32)key.number;
}
#endif
