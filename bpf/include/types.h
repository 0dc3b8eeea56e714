/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * What the programs keep and emit. In the ring a record says of its connection no more than its number; what the connection is, is said
 * once, and again when it changes. The drain makes of the two the records of docs/explanation/kernel-segments.md (src/expand.rs). */
#ifndef MF_TYPES_H
#define MF_TYPES_H

#define CAPTURE_MAX 4096
#ifdef MF_BCC /* each turn of a loop is a path of its own to the verifier there */
#define VECTORS_MAX 48 /* parts of one vector call that are looked at */
#define MESSAGE_VECTORS_MAX 2 /* and of one of several messages */
#define MESSAGES_MAX 4 /* datagrams of one sendmmsg or recvmmsg that are looked at */
#else
#define VECTORS_MAX 64
#define MESSAGE_VECTORS_MAX 16
#define MESSAGES_MAX 64
#endif

enum { KIND_DATA, KIND_CLOSE, KIND_OPEN, KIND_LOST, KIND_RETRANSMIT };
enum { IN, OUT };
enum { ROLE_UNKNOWN, ROLE_CLIENT, ROLE_SERVER };
enum { FLAG_TRUNCATED = 1, FLAG_PLAINTEXT = 2, FLAG_MIDSTREAM = 4, FLAG_CONCURRENT = 8, FLAG_CIPHERTEXT = 16 };
enum { SOURCE_SYSCALL, SOURCE_OPENSSL, SOURCE_GNUTLS, SOURCE_GO };

/* A record, then its payload: one line of the processor's cache. */
struct record {
	u16 size, id; /* id: the low bits of the connection's, to tell it from an earlier one in its place */
	u8 what, source, cpu, flags; /* what: kind, and the direction in the highest bit */
	u64 time_ns, enter_ns; /* CLOCK_MONOTONIC here; the drain turns them into Unix time */
	u64 trace_id, coroutine_id;
	u32 tid, tcp_seq, wire_len, cap_seq, rtt_us;
	u16 cap_len, place; /* place: of the connection, in the array of connections */
};
#define HEADER 64

/* What holds for all records of a connection that come after it. What changes most stands first, what is written once last. */
struct about {
	u16 size, id;
	u8 what, role, family, protocol; /* what: ABOUT */
	u16 place, version; /* version: one more with each change */
	u32 pid;
	u64 connection;
	u16 local_port, remote_port;
	u32 netns;
	char comm[16];
	u64 process_start, cgroup_id, uid_gid;
	u8 local[16], remote[16];
};
#define ABOUT_SIZE 104
#define ABOUT 0x7f

/* One value, written by user space. */
struct config {
	u32 self; /* this collector's own process */
	u32 magic; /* close(magic) tells who the collector is, and begins its look at itself; close(magic + 1) ends it */
	u32 capture; /* bytes of payload kept of a call */
	u32 wakeup; /* user space is woken at that many queued bytes; 0: at each record */
	u32 only_processes, only_ports, only_cgroups; /* 1: what is not marked ALLOW in the map is left out */
	u32 check_processes, check_ports, check_cgroups, check_names; /* 1: the map has entries */
	u32 check_coroutines; /* 1: the map of processes whose threads prove nothing has entries */
	u32 own_socket; /* a descriptor of the collector's: a socket */
	u32 looking; /* the thread of the collector that looks whether its own calls are seen; 0: none */
	u64 id_base; /* ids go on from here, so that a restart repeats none */
	/* `file->f_op` of sockets: tells sockets from files in one look. Read off a socket of the collector's own at close(magic), by the one thread
	 * that makes this call: what any call of any thread may teach, two can teach at once, or one of a file that is none. */
	u64 socket_operations;
};
#define NO_SOCKETS 1 /* `socket_operations` while they are not known: no address of the kernel's */
enum { RULE_ALLOW = 1, RULE_DENY = 2 };
struct name { char text[16]; };

/* A socket, read in as few pieces as this kernel's layout allows. */
struct ends { u32 remote, local, hash; u16 remote_port, local_port, family; u8 state, bits; };
struct held { struct sock *sk; u8 protocol; struct ends ends; };

/* A call that has returned. */
enum { CALL_BUFFER, CALL_VECTOR, CALL_MESSAGE, CALL_MESSAGES, CALL_FILE, CALL_RING };
struct call { u64 time, buffer, count, name; struct held at; u32 seq; u8 kind, direction; u16 pad; };

/* The parts of a vector call, while they are put one after another. */
struct gathering { u64 vectors, entries, want, done; };

/* One turn of a loop: its number, and what the loop is about. */
typedef long (*turn_t)(u64, void *);

/* Room for one record. The call and its parts stand in it too: to the verifier a number read back is any number, which
 * spares it to walk through each by itself. */
struct scratch { struct record head; u8 data[2 * CAPTURE_MAX]; struct call call; struct gathering parts; };

/* A connection, or for an unconnected datagram socket what goes to and from one peer. */
struct socket_key { u64 sk, peer; };
/* They stand in an array, each in one of the WAYS places that its key points at: found without a call, which a hash map would cost.
 * `sk` is 0 in a free place and BEING_MADE in one that is being filled. */
#define WAYS 8
#define CONNECTIONS 65536
#define BEING_MADE 1
/* What each call asks stands in the first 64 bytes, what it compares in the next 48; the array begins at a page, and so do lines of the cache
 * with lines of this. */
struct connection {
	u64 sk, peer, used; /* used: when, by the kernel's clock */
	u32 cap_seq, tid; /* who used it last: state changes happen in nobody's name */
	u32 lost[2]; /* bytes that found the ring full, not yet reported */
	u32 asked_tid; /* the thread that received a request and has not answered it */
	u16 handshake[2]; /* bytes of a TLS handshake record whose header came alone */
	u8 asked, tls, plain, closed; /* closed: bit of each direction */
	u8 flags, pad; /* flags: those of the record that hold for all of the connection */
	u16 told; /* the version of `about` that stands in the ring; no version is 0 before the first is told */
	u64 routine; /* the goroutine whose bytes were last moved */
	struct about about;
	u64 asker; /* the goroutine that had a request sent */
	u32 helper[2]; /* those that read and write for it */
	u64 line; /* fills the third line */
};

/* When a thread's call began that sends. Threads share a place when their numbers end in the same bits: one of them then is given the time
 * of the call's end. */
#define BEGUN 8192
struct begun { u64 time, who; };

/* A call of a TLS library. */
struct tls_call { u64 time, session, buffer, length, result; u8 running, seen, source, handshake, pad[4]; };

/* What a thread is in, and what it received last. */
struct thread {
	u64 trace_id, socket_id, concurrent_until, changed;
	u64 tls_sk;
	u32 tls_seq, unanswered;
	u8 direction, answered, received, pad[5]; /* received: requests in its life, counted for goroutines alone */
	u64 next[2]; /* a goroutine with a number of this range was started after the last request */
	struct tls_call tls;
};

/* A program that runs many coroutines on its threads, as user space found it: where the running one is told relative to the base of
 * thread-local storage, and where members stand. No `number`: of this version that is not known. Processes are given
 * numbers of earlier ones, and so are goroutines: `generation` tells them apart. */
struct runtime { s64 local; u32 number, creator, connection, processor, next, generation; };
struct routine_key { u64 number; u32 pid, generation; };
struct tls_key { u64 session; u32 pid, pad; };
struct tls_session { struct sock *sk; u32 write_seq, read_seq; u32 by_call, pad; };
struct tls_load { u64 calls; };
struct go_key { u64 routine; u32 pid, direction; };
struct go_call { u64 time, buffer; struct sock *sk; u32 seq, pad; };

/* A user probe may be preempted by another on the same processor: each takes a free one of these. */
#define TLS_SCRATCHES 4
struct tls_scratch { u32 busy, pad; struct scratch s; };

/* A process began to run another program, or ended. */
struct process_event { u32 kind, pid; u64 time_ns; };
enum { PROCESS_EXEC, PROCESS_EXIT };

/* Counters, read by user space by these numbers (metaflow_collector_ebpf/layout.py). */
enum {
	COUNT_CALLS, COUNT_RECORDS, COUNT_BYTES, COUNT_RING_FULL, COUNT_CALLS_FULL, COUNT_SOCKETS_FULL, COUNT_UNREADABLE,
	COUNT_CIPHERTEXT, COUNT_TLS_CALLS, COUNT_TLS_NO_SOCKET, COUNT_MESSAGES_CUT, COUNT_FILTERED, COUNT_CONCURRENT,
	COUNT_RETRANSMITS, COUNT_PROCESS_FULL, COUNT_IO_URING, COUNT_OWN, COUNT_ASKER_NO_SOCKET, COUNTERS
};
struct counts { u64 of[COUNTERS], last_id, queued; }; /* queued: bytes since user space was woken */
#endif
