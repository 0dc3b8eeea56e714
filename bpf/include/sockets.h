/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * From a file descriptor to the connection it stands for. */
#ifndef MF_SOCKETS_H
#define MF_SOCKETS_H

#define AF_INET 2
#define AF_INET6 10
#define SOCK_STREAM 1
#define TCP 6
#define UDP 17
#define TCP_ESTABLISHED 1
#define TCP_FIN_WAIT1 4
#define TCP_FIN_WAIT2 5
#define STILL_ALIVE 60000000000ULL /* ns without use after which a connection may be taken for one whose end was not seen */
#define NTOHS(x) ((u16)((((x) & 0xff) << 8) | ((x) >> 8)))

INLINE void count(u32 which, u64 by)
{
	u32 zero = 0;
	struct counts *counts = MAP_GET(counters, &zero);
	if (counts) counts->of[which] += by;
}

INLINE struct config *configuration(void)
{
	u32 zero = 0;
	return MAP_GET(config, &zero);
}

/* Ids of connections and traces: the processor in the top byte, then what no earlier run of the collector gave out. */
INLINE u64 next_id(struct config *conf)
{
	u32 zero = 0;
	struct counts *counts = MAP_GET(counters, &zero);
	if (!counts) return 0;
	return ((u64)(bpf_get_smp_processor_id() & 0xff) << 56) | ((conf->id_base + ATOMIC_NEXT(&counts->last_id)) & 0xffffffffffffffULL);
}

INLINE struct file *file_of(struct task_struct *task, u32 fd)
{
	struct files_struct *files = 0;
	struct fdtable *table = 0;
	struct file *file = 0, **slots = 0;
	u32 most = 0;

	/* as a mere address: at each pointer out of a trusted structure the verifier searches all names of the kernel */
	if (CAN_CAST()) files = CAST(task, struct task_struct)->files;
	else FOLLOW(files, task->files);
	FOLLOW(table, files->fdt);
	FOLLOW(most, table->max_fds);
	if (fd >= most) return 0;
	FOLLOW(slots, table->fd);
	if (CAN_CAST()) return (struct file *)CAST(slots + fd, struct list_head)->next;
	if (bpf_probe_read_kernel(&file, sizeof(file), slots + fd)) return 0;
	return file;
}

/* Ports, addresses of IPv4 and the state of a socket: they stand together in every kernel so far. */
INLINE void ends_of(struct sock *sk, struct ends *to)
{
	if (CAN_CAST()) {
		struct sock *known = CAST(sk, struct sock);
		to->remote = known->__sk_common.skc_daddr;
		to->local = known->__sk_common.skc_rcv_saddr;
		to->remote_port = known->__sk_common.skc_dport;
		to->local_port = known->__sk_common.skc_num;
		to->family = known->__sk_common.skc_family;
		to->state = known->__sk_common.skc_state;
	} else if (OFFSET(sock_common, skc_daddr) == 0 && OFFSET(sock_common, skc_rcv_saddr) == 4 && OFFSET(sock_common, skc_dport) == 12 &&
	    OFFSET(sock_common, skc_num) == 14 && OFFSET(sock_common, skc_family) == 16 && OFFSET(sock_common, skc_state) == 18) {
		bpf_probe_read_kernel(to, sizeof(*to), sk);
	} else {
		PEEK(to->remote, sk->__sk_common.skc_daddr);
		PEEK(to->local, sk->__sk_common.skc_rcv_saddr);
		PEEK(to->remote_port, sk->__sk_common.skc_dport);
		PEEK(to->local_port, sk->__sk_common.skc_num);
		PEEK(to->family, sk->__sk_common.skc_family);
		PEEK(to->state, sk->__sk_common.skc_state);
	}
	to->remote_port = NTOHS(to->remote_port);
}

INLINE u64 operations_of(struct file *file)
{
	void *operations = 0;
	if (CAN_CAST()) return (u64)CAST(file, struct file)->f_op;
	PEEK(operations, file->f_op);
	return (u64)operations;
}

INLINE struct sock *held_of(u16 type, struct held *to)
{
	if (!to->sk) return 0;
	to->protocol = type == SOCK_STREAM ? TCP : UDP;
	ends_of(to->sk, &to->ends);
	return to->ends.family == AF_INET || to->ends.family == AF_INET6 ? to->sk : 0;
}

/* The internet socket behind a file, 0 for anything else. */
INLINE struct sock *socket_of(struct config *conf, struct file *file, struct held *to)
{
	struct socket *socket = 0;
	u64 parts[4] = {};
	u16 type = 0;

	if (!file) return 0;
	if (CAN_CAST()) {
		struct file *known = CAST(file, struct file);
		struct socket *owner;
		if ((u64)known->f_op != conf->socket_operations) return 0;
		owner = CAST(known->private_data, struct socket);
		type = owner->type;
		to->sk = owner->sk;
		return held_of(type, to);
	}
	if (OFFSET(file, private_data) - OFFSET(file, f_op) == 16) {
		bpf_probe_read_kernel(parts, 24, &file->f_op);
	} else {
		PEEK(parts[0], file->f_op);
		PEEK(parts[2], file->private_data);
	}
	if (parts[0] != conf->socket_operations) return 0;
	socket = (struct socket *)parts[2];
	if (OFFSET(socket, type) == 4 && OFFSET(socket, sk) == 24) {
		bpf_probe_read_kernel(parts, sizeof(parts), socket);
		type = parts[0] >> 32;
		to->sk = (struct sock *)parts[3];
	} else {
		PEEK(type, socket->type);
		PEEK(to->sk, socket->sk);
	}
	return held_of(type, to);
}

INLINE u8 protocol_of(struct sock *sk)
{
	u16 type = 0;
	PEEK(type, sk->sk_type);
	return type == SOCK_STREAM ? TCP : UDP;
}

/* One that is known by its address alone. */
INLINE void hold(struct sock *sk, struct held *to)
{
	to->sk = sk;
	to->protocol = protocol_of(sk);
	ends_of(sk, &to->ends);
}

/* True when closing this descriptor closes the socket: no other descriptor, of this or another process, refers to it. */
INLINE int is_last_reference(struct file *file)
{
	s64 references = 0;
	if (HAS_F_REF) { /* since 6.13; counts from 0 */
		PEEK(references, file->f_ref.refcnt.counter);
		return references <= 0;
	}
	PEEK(references, file->f_count.counter);
	return references <= 1;
}

INLINE u32 sequence_of(struct sock *sk, u8 direction)
{
	u32 sequence = 0;
	if (CAN_CAST()) {
		struct tcp_sock *known = CAST(sk, struct tcp_sock);
		return direction == OUT ? known->write_seq : known->copied_seq;
	}
	if (direction == OUT) PEEK(sequence, ((struct tcp_sock *)sk)->write_seq);
	else PEEK(sequence, ((struct tcp_sock *)sk)->copied_seq);
	return sequence;
}

INLINE u32 rtt_of(struct sock *sk)
{
	u32 smoothed = 0; /* eight times the round trip, in microseconds */
	if (CAN_CAST()) return CAST(sk, struct tcp_sock)->srtt_us >> 3;
	PEEK(smoothed, ((struct tcp_sock *)sk)->srtt_us);
	return smoothed >> 3;
}

/* Sequence number of the first of `length` bytes that have just been moved. */
INLINE u32 sequence_before(struct held *at, u8 direction, u32 length)
{
	u32 sequence = sequence_of(at->sk, direction) - length, next = 0;
	if (direction == OUT || at->ends.state == TCP_ESTABLISHED) return sequence;
	/* the end of the stream takes a number too, which the same call may have read; nothing comes after it */
	if (at->ends.state == TCP_FIN_WAIT1 || at->ends.state == TCP_FIN_WAIT2) return sequence;
	PEEK(next, ((struct tcp_sock *)at->sk)->rcv_nxt);
	return length && sequence + length == next ? sequence - 1 : sequence;
}

/* An IPv4 address in IPv6's clothes (::ffff:a.b.c.d) is shown as IPv4, as on the wire. */
INLINE void undress(u8 *address, u8 *is_v4)
{
	u32 *words = (u32 *)address;
	if (!words[0] && !words[1] && words[2] == 0xffff0000) {
		words[0] = words[3];
		words[2] = words[3] = 0;
		*is_v4 = 1;
	}
}

/* The peer that a call names, for datagram sockets without a fixed one. */
struct peer { u64 hash; u16 port; u16 family; u32 pad; u8 address[16]; };

INLINE void peer_from_user(struct peer *peer, u64 pointer)
{
	struct user_sockaddr name = {};
	if (!pointer) return;
	if (bpf_probe_read_user(&name, sizeof(name), (void *)pointer) && bpf_probe_read_user(&name, 8, (void *)pointer)) return;
	if (name.family == AF_INET) {
		*(u32 *)peer->address = name.v4;
	} else if (name.family == AF_INET6) {
		u8 v4 = 0;
		__builtin_memcpy(peer->address, name.v6, 16);
		undress(peer->address, &v4);
		if (v4) name.family = AF_INET;
	} else {
		return;
	}
	peer->family = name.family;
	peer->port = NTOHS(name.port);
	u64 *halves = (u64 *)peer->address;
	peer->hash = (halves[0] * 0x9e3779b97f4a7c15ULL ^ halves[1]) * 0x9e3779b97f4a7c15ULL ^ ((u64)peer->port << 1) ^ 1;
}

INLINE void describe(struct about *to, struct held *at, struct peer *peer)
{
	struct sock *sk = at->sk;
	struct net *net = 0;
	u8 local_v4 = 0, remote_v4 = 0;

	PEEK(net, sk->__sk_common.skc_net.net);
	PEEK(to->netns, net->ns.inum);
	to->protocol = at->protocol;
	to->local_port = at->ends.local_port;
	to->remote_port = at->ends.remote_port;
	if (!to->local_port) { /* taken back when the connection ends */
		PEEK(to->local_port, ((struct inet_sock *)sk)->inet_sport);
		to->local_port = NTOHS(to->local_port);
	}
	if (at->ends.family == AF_INET) {
		*(u32 *)to->local = at->ends.local;
		*(u32 *)to->remote = at->ends.remote;
		to->family = 4;
	} else {
		bpf_probe_read_kernel(to->local, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_probe_read_kernel(to->remote, 16, &sk->__sk_common.skc_v6_daddr);
		undress(to->local, &local_v4);
		undress(to->remote, &remote_v4);
		to->family = remote_v4 || local_v4 ? 4 : 6;
	}
	if (peer->port) {
		to->remote_port = peer->port;
		to->family = peer->family == AF_INET ? 4 : 6;
		__builtin_memcpy(to->remote, peer->address, 16);
	}
}

/* The first of the places where a connection may stand. */
INLINE u32 place_of(struct socket_key *key)
{
	return (((key->sk >> 6) ^ key->peer) * 0x9e3779b97f4a7c15ULL >> 32) & (CONNECTIONS - WAYS);
}

INLINE struct connection *known_connection(struct socket_key *key)
{
	u32 first = place_of(key);
	for (u32 way = 0; way < WAYS; way++) {
		u32 at = first + way;
		struct connection *c = MAP_GET(connections, &at);
		if (c && c->sk == key->sk && c->peer == key->peer) return c;
	}
	return 0;
}

INLINE void forget_connection(struct connection *c) { c->sk = 0; }

/* A place for a new one: free, or of the one that was used the longest time ago, which is counted where it may still live. */
INLINE struct connection *free_place(struct socket_key *key, u64 now)
{
	u32 first = place_of(key), at = first;
	u64 oldest = ~0ULL, was = 0;
	struct connection *c;
	for (u32 way = 0; way < WAYS; way++) {
		u32 here = first + way;
		c = MAP_GET(connections, &here);
		if (!c || c->sk == BEING_MADE) continue;
		if (!c->sk) {
			at = here;
			was = 0;
			break;
		}
		if (c->used < oldest) {
			oldest = c->used;
			was = c->sk;
			at = here;
		}
	}
	c = MAP_GET(connections, &at);
	/* another processor may be at the same place */
	if (!c || !CLAIM_64(&c->sk, was, BEING_MADE)) {
		count(COUNT_SOCKETS_FULL, 1);
		return 0;
	}
	c->about.place = at;
	if (was && now - oldest < STILL_ALIVE) count(COUNT_SOCKETS_FULL, 1);
	return c;
}

/* A connection seen for the first time, or anew where `sk` had an earlier life. */
INLINE struct connection *new_connection(struct config *conf, struct held *at, struct socket_key *key, struct peer *peer, u8 role, u64 now)
{
	struct connection *c = known_connection(key);
	u16 place;
	if (!c) c = free_place(key, now);
	if (!c) return 0;
	place = c->about.place;
	__builtin_memset(&c->peer, 0, sizeof(*c) - sizeof(c->sk));
	describe(&c->about, at, peer);
	c->peer = key->peer;
	c->used = now;
	c->about.connection = next_id(conf);
	c->about.id = c->about.connection;
	c->about.size = ABOUT_SIZE;
	c->about.what = ABOUT;
	c->about.place = place;
	c->about.version = 1;
	c->about.role = role;
	if (c->about.protocol == TCP && !role) {
		u32 backlog = 0;
		c->flags = FLAG_MIDSTREAM;
		/* an accepted socket is a copy of the listening one; a connecting one never had a backlog */
		PEEK(backlog, at->sk->sk_max_ack_backlog);
		if (backlog) c->about.role = ROLE_SERVER;
	}
	c->sk = key->sk;
	return c;
}

INLINE struct connection *connection_of(struct config *conf, struct held *at, struct peer *peer, u64 now)
{
	struct socket_key key = { .sk = (u64)at->sk, .peer = peer->hash };
	struct connection *known = known_connection(&key);
	u16 local = at->ends.local_port, remote = peer->port ? peer->port : at->ends.remote_port;
	if (known && (!local || local == known->about.local_port) && remote == known->about.remote_port) {
		known->used = now;
		return known;
	}
	return new_connection(conf, at, &key, peer, ROLE_UNKNOWN, now);
}
#endif
