/* SPDX-License-Identifier: GPL-2.0 OR BSD-3-Clause
 *
 * The maps. The bcc backend reads this list, and declares the same ones in bcc's way in place of the mark below. */
#ifndef MF_MAPS_H
#define MF_MAPS_H
#ifdef MF_BCC
/* maps for bcc */
#else
RING(records, 8 << 20); /* the loader sets the size that the configuration asks for */
RING(processes, 256 << 10);
MAP(config, MAP_ARRAY, 1, u32, struct config);
MAP(scratches, MAP_PERCPU_ARRAY, 1, u32, struct scratch);
MAP(tls_scratches, MAP_PERCPU_ARRAY, TLS_SCRATCHES, u32, struct tls_scratch);
STORAGE(threads, struct thread);
MAP(answered_elsewhere, MAP_LRU_HASH, 8192, u64, u32);
PAGES(connections, CONNECTIONS, u32, struct connection);
MAP(begun, MAP_ARRAY, BEGUN, u32, struct begun);
MAP(tls_sessions, MAP_LRU_HASH, 32768, struct tls_key, struct tls_session);
MAP(go_calls, MAP_LRU_HASH, 16384, struct go_key, struct go_call);
MAP(coroutine_processes, MAP_LRU_HASH, 4096, u32, struct runtime);
MAP(routines, MAP_LRU_HASH, 16384, struct routine_key, struct thread);
MAP(blank_thread, MAP_ARRAY, 1, u32, struct thread);
MAP(io_uring_users, MAP_LRU_HASH, 1024, u32, u64);
MAP(tls_loads, MAP_LRU_HASH, 4096, u32, struct tls_load);
MAP(process_rules, MAP_HASH, 4096, u32, u32);
MAP(name_rules, MAP_HASH, 256, struct name, u32);
MAP(port_rules, MAP_HASH, 1024, u32, u32);
MAP(cgroup_rules, MAP_HASH, 1024, u64, u32);
MAP(counters, MAP_PERCPU_ARRAY, 1, u32, struct counts);
#endif
#endif
