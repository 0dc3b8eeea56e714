/* Drives the native drain of collector-ebpf over a ring that is in memory, so that what it costs a record can be counted in instructions,
 * which do not depend on the machine's load.
 *
 *   cc -O2 -o /tmp/drain bench/drive_drain.c -ldl
 *   /tmp/drain plugins/collector-ebpf/metaflow_collector_ebpf/_native.abi3.so RECORDS PAYLOAD CONNECTIONS
 *   valgrind --tool=callgrind --callgrind-out-file=/tmp/drain.out --toggle-collect=mfk_drain /tmp/drain ...
 *
 * The records are those of bpf/include/types.h. Prints bytes a record in the ring and in the block, and nanoseconds. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

enum { RING = 16 << 20, BLOCK = 1 << 20, SHORT = 64, ABOUT = 104 };

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static uint8_t *data; /* twice the ring, as the kernel shows it */
static uint64_t at;

static void put(const uint8_t *record, uint32_t length) {
    memcpy(data + at, &length, 4);
    memcpy(data + at + 8, record, length);
    at += (length + 8 + 7) & ~7u;
}

int main(int argc, char **argv) {
    if (argc < 5) return fprintf(stderr, "usage: drain LIBRARY RECORDS PAYLOAD CONNECTIONS\n"), 2;
    void *library = dlopen(argv[1], RTLD_NOW);
    if (!library) return fprintf(stderr, "%s\n", dlerror()), 1;
    void *(*open_ring)(int, uint64_t, int) = dlsym(library, "mfk_open");
    size_t (*drain)(void *, uint8_t *, size_t, int64_t, uint64_t *) = dlsym(library, "mfk_drain");
    if (!open_ring || !drain) return fprintf(stderr, "not the drain\n"), 1;
    long records = atol(argv[2]), payload = atol(argv[3]), connections = atol(argv[4]);
    uint32_t size = (uint32_t)(SHORT + payload + 7) & ~7u;
    if (payload < 0 || payload > 4096 || connections < 1 || connections > 65536) return fprintf(stderr, "out of range\n"), 2;
    if (connections * (ABOUT + 8) + records * (long)(size + 8) > RING) return fprintf(stderr, "more than the ring holds\n"), 2;

    long page = sysconf(_SC_PAGESIZE);
    int fd = memfd_create("ring", 0);
    if (fd < 0 || ftruncate(fd, 2 * page + 2L * RING)) fail("memfd_create");
    uint8_t *memory = mmap(0, (size_t)(2 * page + 2L * RING), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED) fail("mmap");
    data = memory + 2 * page;
    uint8_t record[SHORT + 4096 + 8];
    for (long i = 0; i < connections; i++) {
        uint16_t id = (uint16_t)i, place = (uint16_t)i;
        uint64_t whole = 0x0100000000000000ULL | id;
        memset(record, 0, sizeof record);
        record[0] = ABOUT;
        memcpy(record + 2, &id, 2);
        memcpy(record + 4, "\x7f\2\4\6", 4);
        memcpy(record + 8, &place, 2);
        memcpy(record + 16, &whole, 8);
        put(record, ABOUT);
    }
    for (long i = 0; i < records; i++) {
        uint16_t id = (uint16_t)(i % connections), room = (uint16_t)size, captured = (uint16_t)payload;
        memset(record, 'x', sizeof record);
        memcpy(record, &room, 2);
        memcpy(record + 2, &id, 2);
        memset(record + 4, 0, 4);
        memcpy(record + 60, &captured, 2);
        memcpy(record + 62, &id, 2);
        put(record, size);
    }
    memcpy(memory + page, &at, 8);

    void *ring = open_ring(fd, RING, 0);
    uint8_t *block = calloc(1, BLOCK);
    uint64_t counts[2], found = 0, damaged = 0, bytes = 0;
    if (!ring || !block) return fprintf(stderr, "the ring cannot be mapped\n"), 1;
    memset(block, 1, BLOCK);
    struct timespec start, end;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    for (size_t got; (got = drain(ring, block, BLOCK, 1, counts)) > 0; bytes += got) found += counts[0], damaged += counts[1];
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    double took = (double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec);
    printf("%lu records (%lu damaged), %.0f bytes in the ring, %.0f in the block, %.1f ns\n", found, damaged, (double)at / (double)found,
           (double)bytes / (double)found, took / (double)found);
    return (long)found == records && !damaged ? 0 : 1;
}
