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
#define FORMAT_MASK 0170000
#define FORMAT_SOCKET 0140000
#define NTOHS(x) ((u16)((((x) & 0xff) << 8) | ((x) >> 8)))

INLINE void count(u32 which, u64 by)
{
	u64 *value = MAP_GET(counters, &which);
	if (value) *value += by;
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
	u64 *last = MAP_GET(last_ids, &zero);
	if (!last) return 0;
	return ((u64)(bpf_get_smp_processor_id() & 0xff) << 56) | ((conf->id_base + ATOMIC_NEXT(last)) & 0xffffffffffffffULL);
}

INLINE struct file *file_of(u32 fd)
{
	struct task_struct *task = CURRENT_TASK();
	struct files_struct *files = 0;
	struct fdtable *table = 0;
	struct file *file = 0, **slots = 0;
	u32 most = 0;

	FOLLOW(files, task->files);
	FOLLOW(table, files->fdt);
	FOLLOW(most, table->max_fds);
	if (fd >= most) return 0;
	FOLLOW(slots, table->fd);
	if (bpf_probe_read_kernel(&file, sizeof(file), slots + fd)) return 0;
	return file;
}

/* The internet socket behind a file, 0 for anything else. */
INLINE struct sock *socket_of(struct file *file)
{
	struct inode *inode = 0;
	struct socket *socket = 0;
	struct sock *sk = 0;
	u16 mode = 0, family = 0;

	if (!file) return 0;
	PEEK(inode, file->f_inode);
	PEEK(mode, inode->i_mode);
	if ((mode & FORMAT_MASK) != FORMAT_SOCKET) return 0;
	PEEK(socket, file->private_data);
	PEEK(sk, socket->sk);
	if (!sk) return 0;
	PEEK(family, sk->__sk_common.skc_family);
	return family == AF_INET || family == AF_INET6 ? sk : 0;
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

INLINE u8 protocol_of(struct sock *sk)
{
	u16 type = 0;
	PEEK(type, sk->sk_type);
	return type == SOCK_STREAM ? TCP : UDP;
}

INLINE u32 sequence_of(struct sock *sk, u8 direction)
{
	u32 sequence = 0;
	if (direction == OUT) PEEK(sequence, ((struct tcp_sock *)sk)->write_seq);
	else PEEK(sequence, ((struct tcp_sock *)sk)->copied_seq);
	return sequence;
}

INLINE u32 rtt_of(struct sock *sk)
{
	u32 smoothed = 0; /* eight times the round trip, in microseconds */
	PEEK(smoothed, ((struct tcp_sock *)sk)->srtt_us);
	return smoothed >> 3;
}

INLINE u16 local_port_of(struct sock *sk)
{
	u16 port = 0;
	PEEK(port, sk->__sk_common.skc_num);
	if (!port) { /* taken back when the connection ends */
		PEEK(port, ((struct inet_sock *)sk)->inet_sport);
		port = NTOHS(port);
	}
	return port;
}

INLINE u16 remote_port_of(struct sock *sk)
{
	u16 port = 0;
	PEEK(port, sk->__sk_common.skc_dport);
	return NTOHS(port);
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

INLINE void describe(struct connection *to, struct sock *sk, struct peer *peer)
{
	struct net *net = 0;
	u16 family = 0;
	u8 local_v4 = 0, remote_v4 = 0;

	PEEK(family, sk->__sk_common.skc_family);
	PEEK(net, sk->__sk_common.skc_net.net);
	PEEK(to->netns, net->ns.inum);
	to->protocol = protocol_of(sk);
	to->local_port = local_port_of(sk);
	to->remote_port = remote_port_of(sk);
	if (family == AF_INET) {
		PEEK(*(u32 *)to->local, sk->__sk_common.skc_rcv_saddr);
		PEEK(*(u32 *)to->remote, sk->__sk_common.skc_daddr);
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

/* A connection seen for the first time, or anew where `sk` had an earlier life. */
INLINE struct connection *new_connection(struct config *conf, struct socket_key *key, struct peer *peer, u8 role)
{
	struct connection fresh = {};
	struct sock *sk = (struct sock *)key->sk;
	describe(&fresh, sk, peer);
	fresh.id = next_id(conf);
	fresh.role = role;
	if (fresh.protocol == TCP && !role) {
		u32 backlog = 0;
		fresh.flags = FLAG_MIDSTREAM;
		/* an accepted socket is a copy of the listening one; a connecting one never had a backlog */
		PEEK(backlog, sk->sk_max_ack_backlog);
		if (backlog) fresh.role = ROLE_SERVER;
	}
	if (MAP_PUT(connections, key, &fresh)) {
		count(COUNT_SOCKETS_FULL, 1);
		return 0;
	}
	return MAP_GET(connections, key);
}

INLINE struct connection *connection_of(struct config *conf, struct sock *sk, struct peer *peer)
{
	struct socket_key key = { .sk = (u64)sk, .peer = peer->hash };
	struct connection *known = MAP_GET(connections, &key);
	if (known) {
		u16 local = 0, remote = peer->port;
		PEEK(local, sk->__sk_common.skc_num);
		if (!remote) remote = remote_port_of(sk);
		if ((!local || local == known->local_port) && remote == known->remote_port) return known;
	}
	return new_connection(conf, &key, peer, ROLE_UNKNOWN);
}
#endif
