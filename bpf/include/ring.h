/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * io_uring: operations on sockets without a system call each. Looked at when they are complete, before the process is told: until
 * then what they name in its memory is theirs. That holds for buffers; the lists of buffers of the vector forms are a process's again
 * as soon as it has handed the request in, so of these only lengths are told. */
#ifndef MF_RING_H
#define MF_RING_H

/* linux/io_uring.h */
enum { RING_READV = 1, RING_WRITEV = 2, RING_READ_FIXED = 4, RING_WRITE_FIXED = 5, RING_SENDMSG = 9, RING_RECVMSG = 10, RING_ACCEPT = 13,
       RING_CONNECT = 16, RING_READ = 22, RING_WRITE = 23, RING_SEND = 26, RING_RECV = 27, RING_SEND_ZC = 47, RING_SENDMSG_ZC = 48 };
#define RING_PLAIN_SEND (BIT_OF(RING_SEND) | BIT_OF(RING_RECV) | BIT_OF(RING_SEND_ZC))
#define RING_PLAIN_WRITE (BIT_OF(RING_READ) | BIT_OF(RING_WRITE) | BIT_OF(RING_READ_FIXED) | BIT_OF(RING_WRITE_FIXED))
#define RING_LENGTHS (BIT_OF(RING_READV) | BIT_OF(RING_WRITEV) | BIT_OF(RING_SENDMSG) | BIT_OF(RING_RECVMSG) | BIT_OF(RING_SENDMSG_ZC))
#define RING_OUT                                                                                                        \
	(BIT_OF(RING_WRITEV) | BIT_OF(RING_WRITE_FIXED) | BIT_OF(RING_SENDMSG) | BIT_OF(RING_WRITE) | BIT_OF(RING_SEND) | BIT_OF(RING_SEND_ZC) |  \
	 BIT_OF(RING_SENDMSG_ZC))
#define BIT_OF(operation) (1ULL << (operation))
#define CQE_F_BUFFER 1 /* the kernel chose the buffer: of a request that answers often, who knows which */
#define CQE_F_NOTIF 8 /* a buffer sent without copying is free again */

/* Something moved whose content is not seen: counted, and the process is named. */
INLINE int unseen(u32 pid)
{
	u64 *users = MAP_GET(io_uring_users, &pid), one = 1;
	count(COUNT_IO_URING, 1);
	if (users) ++*users;
	else MAP_PUT(io_uring_users, &pid, &one);
	return 0;
}

INLINE int io_uring_completed(const void *pointer, s32 result, u32 flags)
{
	struct io_kiocb *request = (struct io_kiocb *)pointer;
	struct task_struct *task = CURRENT_TASK();
	u64 who = WHO(task), buffer = 0;
	u32 zero = 0, done = 0, options = 0, slot = 0;
	struct config *conf = configuration();
	struct scratch *s = MAP_GET(scratches, &zero);
	struct file *file = 0;
	volatile u64 *from;
	u8 operation = 0;

	if (!conf || !s || !process_passes(conf, who) || result < 0 || flags & CQE_F_NOTIF) return 0;
	if (!request) return result > 0 && flags & CQE_F_BUFFER ? unseen(who >> 32) : 0;
	PEEK(operation, request->opcode);
	if (operation > 63) return 0;
	if (operation == RING_ACCEPT) {
		/* the answer is a descriptor, unless it is the number of a file that only the ring knows */
		PEEK(slot, ((struct io_accept *)request)->file_slot);
		if (slot || !socket_at(conf, task, result, &s->call.at) || s->call.at.protocol != TCP) return 0;
		return opened(conf, s, task, who, ROLE_SERVER);
	}
	if (operation != RING_CONNECT && !(BIT_OF(operation) & (RING_PLAIN_SEND | RING_PLAIN_WRITE | RING_LENGTHS))) return 0;
	PEEK(file, request->file);
	if (!socket_of(conf, file, &s->call.at)) return 0;
	if (operation == RING_CONNECT) return s->call.at.protocol == TCP ? opened(conf, s, task, who, ROLE_CLIENT) : 0;
	/* the other end of a datagram stands where it cannot be read */
	if (s->call.at.protocol == UDP && !s->call.at.ends.remote_port) return unseen(who >> 32);
	if (BIT_OF(operation) & RING_PLAIN_SEND) {
		PEEK(buffer, ((struct io_sr_msg *)request)->buf);
		PEEK(done, ((struct io_sr_msg *)request)->done_io);
		PEEK(options, ((struct io_sr_msg *)request)->msg_flags);
		if (options & MSG_NOT_DATA) return 0;
		/* what went before, of a request that took several goes */
		buffer -= done;
	} else if (BIT_OF(operation) & RING_PLAIN_WRITE) {
		PEEK(buffer, ((struct io_rw *)request)->addr);
	} else {
		unseen(who >> 32);
	}
	/* to the verifier a number read back is any number */
	from = &s->parts.vectors;
	*from = buffer;
	return leave(conf, s, task, who, CALL_RING, (RING_OUT >> operation) & 1, *from, 1, 0, result, 0);
}
#endif
