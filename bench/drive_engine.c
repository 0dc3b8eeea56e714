/* Drives the native engine and one native parser over a pcap file that is in memory, through the C ABI: what a profiler
 * or valgrind sees then is the engine, not an interpreter. Counting instructions does not depend on the machine's load.
 *
 *   cc -O2 -o /tmp/drive bench/drive_engine.c -ldl
 *   /tmp/drive ENGINE.so PARSER.so DESCRIPTION FILE.pcap REPEAT [OPTIONS]
 *   valgrind --tool=callgrind --callgrind-out-file=/tmp/cg.out /tmp/drive ... 1
 *
 * DESCRIPTION and OPTIONS are key=value lines (docs/explanation/data-plane.md). The file is a classic pcap with
 * microseconds and Ethernet. */
#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 1 << 20, BATCH_ROWS = 4096, TABLES = 12, FILE_HEADER = 24 };

struct vtable { uint32_t abi, size; void *functions[8]; };
struct raw { const char *text; size_t len; };
struct array {
    int64_t length, nulls, offset, buffer_count, child_count;
    void *buffers, *children, *dictionary;
    void (*release)(struct array *);
    void *private_data;
};
struct schema {
    const char *format, *name, *metadata;
    int64_t flags, child_count;
    void *children, *dictionary;
    void (*release)(struct schema *);
    void *private_data;
};

static void *engine;
static uint64_t (*ready)(void *, uint32_t);
static int (*take)(void *, uint32_t, struct array *, struct schema *);
static long rows[TABLES];

static void fail(const char *what, const char *why) {
    fprintf(stderr, "drive: %s: %s\n", what, why);
    exit(1);
}

static void *symbol(void *library, const char *name) {
    void *found = dlsym(library, name);
    if (!found) fail(name, "not in the library");
    return found;
}

static void take_all(uint64_t at_least) {
    for (uint32_t table = 0; table < TABLES; table++) {
        if (ready(engine, table) < at_least) continue;
        struct array array;
        struct schema schema;
        if (take(engine, table, &array, &schema) != 0) fail("take", "failed");
        rows[table] += array.length;
        array.release(&array);
        schema.release(&schema);
    }
}

int main(int argc, char **argv) {
    if (argc < 6) fail("usage", "drive ENGINE.so PARSER.so DESCRIPTION FILE.pcap REPEAT [OPTIONS]");
    void *library = dlopen(argv[1], RTLD_NOW), *parser = dlopen(argv[2], RTLD_NOW);
    if (!library || !parser) fail("dlopen", dlerror());
    void *(*new_engine)(const char *, uint32_t) = symbol(library, "mfe_new");
    int (*add)(void *, const char *, uint32_t, void *) = symbol(library, "mfe_add_parser");
    int64_t (*push)(void *, uint32_t, uint32_t, uint32_t, uint32_t, const void *, uint32_t) = symbol(library, "mfe_push");
    void (*finish)(void *) = symbol(library, "mfe_finish");
    void (*last_error)(void *, struct raw *) = symbol(library, "mfe_last_error");
    ready = symbol(library, "mfe_ready");
    take = symbol(library, "mfe_take");
    const char *names[] = {"mf_create", "mf_destroy", "mf_input", "mf_configure", "mf_check", "mf_parse", "mf_segment", "mf_collect"};
    struct vtable vtable = {1, sizeof vtable, {0}};
    for (int index = 0; index < 8; index++) vtable.functions[index] = symbol(parser, names[index]);
    const char *options = argc > 6 ? argv[6] : "";
    struct raw error = {"", 0};
    engine = new_engine(options, (uint32_t)strlen(options));
    if (!engine || add(engine, argv[3], (uint32_t)strlen(argv[3]), &vtable) < 0) {
        last_error(engine, &error);
        fprintf(stderr, "drive: %.*s\n", (int)error.len, error.text);
        return 1;
    }
    FILE *file = fopen(argv[4], "rb");
    if (!file || fseek(file, 0, SEEK_END) != 0) fail(argv[4], "cannot be read");
    long size = ftell(file);
    char *data = malloc((size_t)size);
    rewind(file);
    if (!data || fread(data, 1, (size_t)size, file) != (size_t)size) fail(argv[4], "cannot be read");
    long packets = 0;
    double best = 1e9;
    for (int round = 0; round < atoi(argv[5]); round++) {
        struct timespec start, end;
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        for (long at = FILE_HEADER; at < size; at += BLOCK) {
            packets += push(engine, 0, 1, 0, 1, data + at, (uint32_t)(size - at < BLOCK ? size - at : BLOCK));
            take_all(BATCH_ROWS);
        }
        finish(engine);
        take_all(1);
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        double seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
        if (seconds < best) best = seconds;
    }
    printf("%ld packets, best round %.4f s, rows:", packets, best);
    for (int table = 0; table < TABLES; table++) printf(" %ld", rows[table]);
    puts("");
    return 0;
}
