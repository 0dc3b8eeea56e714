/* Drives engine.wasm and one parser.wasm over a pcap file that is in memory, through wasmtime's C API as its Python
 * package brings it: what a profiler or valgrind sees then is the guests, not an interpreter. The same loop as
 * metaflow_engine_flow/wasm.py and loader-wasm: a block in, batches out and results in, tables out as images.
 *
 *   W=$(.venv/bin/python -c 'import wasmtime, os; print(os.path.dirname(wasmtime.__file__) + "/linux-x86_64")')
 *   cc -O2 -o /tmp/drivew bench/drive_wasm.c $W/_libwasmtime.so -Wl,-rpath,$W
 *   /tmp/drivew compile 0 engine.wasm /tmp/engine.cwasm;  /tmp/drivew compile 1 parser.wasm /tmp/parser.cwasm
 *   /tmp/drivew run /tmp/engine.cwasm /tmp/parser.cwasm DESCRIPTION FILE.pcap REPEAT [OPTIONS [BLOCK]]
 *   valgrind --tool=none|callgrind --smc-check=all-non-file /tmp/drivew run ... 1
 *
 * Compiling (0 without, 1 with interruption by epoch) is a step of its own, so that it is not counted; it uses the
 * features that valgrind knows. DESCRIPTION and OPTIONS are key=value lines (docs/explanation/data-plane.md). */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { TABLES = 12, BATCH_ROWS = 4096, FILE_HEADER = 24 };

/* The part of wasmtime's C API (wasmtime 50) that is used; its headers are not in the wheel. */
typedef struct { size_t size; uint8_t *data; } bytes;
typedef struct { uint64_t store; void *within; } function;
typedef struct { struct { uint64_t store; uint32_t within; } one; uint32_t two; } memory;
typedef struct { uint8_t kind; union { function func; memory mem; uint64_t room[4]; } of; } external;
typedef struct { uint64_t store; size_t within; } instance;
typedef union { int32_t i32; int64_t i64; uint64_t room[2]; } value;
extern void *wasm_config_new(void), *wasm_engine_new_with_config(void *);
extern void wasmtime_config_epoch_interruption_set(void *, bool), wasmtime_config_cranelift_flag_enable(void *, const char *);
extern void *wasmtime_config_target_set(void *, const char *);
extern void *wasmtime_module_new(void *, const uint8_t *, size_t, void **), *wasmtime_module_serialize(void *, bytes *);
extern void *wasmtime_module_deserialize(void *, const uint8_t *, size_t, void **);
extern void *wasmtime_store_new(void *, void *, void *), *wasmtime_store_context(void *);
extern void wasmtime_context_set_epoch_deadline(void *, uint64_t);
extern void *wasmtime_instance_new(void *, void *, const external *, size_t, instance *, void **);
extern bool wasmtime_instance_export_get(void *, const instance *, const char *, size_t, external *);
extern void *wasmtime_func_call_unchecked(void *, const function *, value *, size_t, void **);
extern uint8_t *wasmtime_memory_data(void *, const memory *);
extern void wasmtime_error_message(void *, bytes *);

struct guest { void *context; instance at; memory mem; };
static long rows[TABLES];

static void fail(const char *what, const char *why) {
    fprintf(stderr, "drive_wasm: %s: %s\n", what, why);
    exit(1);
}

static void check(void *error, const char *what) {
    bytes text;
    if (!error) return;
    wasmtime_error_message(error, &text);
    fail(what, (char *)text.data);
}

static bytes read_all(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path, "cannot be opened");
    fseek(file, 0, SEEK_END);
    bytes all = {(size_t)ftell(file), NULL};
    all.data = malloc(all.size + 1);
    rewind(file);
    if (!all.data || fread(all.data, 1, all.size, file) != all.size) fail(path, "cannot be read");
    fclose(file);
    return all;
}

static function find(struct guest *guest, const char *name) {
    external found;
    if (!wasmtime_instance_export_get(guest->context, &guest->at, name, strlen(name), &found)) fail(name, "not exported");
    return found.of.func;
}

static int64_t call(struct guest *guest, function what, int count, const uint64_t *arguments, bool wide) {
    value raw[8] = {{0}};
    void *trap = NULL;
    for (int index = 0; index < count; index++) raw[index].room[0] = arguments[index];
    check(wasmtime_func_call_unchecked(guest->context, &what, raw, 8, &trap), "a call");
    if (trap) fail("a call", "trapped");
    return wide ? raw[0].i64 : raw[0].i32;
}
#define CALL(guest, what, wide, ...) \
    call(guest, what, sizeof((uint64_t[]){__VA_ARGS__}) / 8, (uint64_t[]){__VA_ARGS__}, wide)

static struct guest start(const char *path, bool epoch) {
    void *config = wasm_config_new(), *module = NULL, *trap = NULL;
    if (epoch) wasmtime_config_epoch_interruption_set(config, true);
    void *engine = wasm_engine_new_with_config(config);
    bytes code = read_all(path);
    struct guest guest;
    external found;
    check(wasmtime_module_deserialize(engine, code.data, code.size, &module), path);
    guest.context = wasmtime_store_context(wasmtime_store_new(engine, NULL, NULL));
    if (epoch) wasmtime_context_set_epoch_deadline(guest.context, 1 << 30);
    check(wasmtime_instance_new(guest.context, module, NULL, 0, &guest.at, &trap), "an instance");
    if (!wasmtime_instance_export_get(guest.context, &guest.at, "memory", 6, &found)) fail("memory", "not exported");
    guest.mem = found.of.mem;
    return guest;
}

static void compile(const char *mode, const char *from, const char *to) {
    const char *features[] = {"has_sse3", "has_ssse3", "has_sse41", "has_sse42", "has_popcnt", "has_avx",
                              "has_avx2", "has_bmi1", "has_bmi2", "has_lzcnt", "has_fma"};
    void *config = wasm_config_new(), *module = NULL;
    if (mode[0] == '1') wasmtime_config_epoch_interruption_set(config, true);
    check(wasmtime_config_target_set(config, "x86_64-unknown-linux-gnu"), "the target");
    for (size_t index = 0; index < sizeof features / sizeof *features; index++)
        wasmtime_config_cranelift_flag_enable(config, features[index]);
    bytes code = read_all(from), out;
    check(wasmtime_module_new(wasm_engine_new_with_config(config), code.data, code.size, &module), from);
    check(wasmtime_module_serialize(module, &out), "serialising");
    FILE *file = fopen(to, "wb");
    if (!file || fwrite(out.data, 1, out.size, file) != out.size || fclose(file)) fail(to, "cannot be written");
}

static struct guest engine, parser;
static function f_work, f_complete, f_ready, f_take, f_input, f_check, f_parse;
static uint64_t handle, out, result_room, result_size, arena, arena_size;
static function f_alloc, f_dealloc;

static uint32_t word(uint64_t at) {
    uint32_t found;
    memcpy(&found, wasmtime_memory_data(engine.context, &engine.mem) + at, 4);
    return found;
}

static void work(void) {
    while (CALL(&engine, f_work, false, handle, out) == 1) {
        uint32_t operation = word(out + 4), place = word(out + 8), length = word(out + 12);
        if (length > arena_size) {
            arena_size = 2 * (uint64_t)length;
            arena = (uint32_t)CALL(&parser, f_input, false, arena_size);
        }
        memcpy(wasmtime_memory_data(parser.context, &parser.mem) + arena,
               wasmtime_memory_data(engine.context, &engine.mem) + place, length);
        int64_t packed = CALL(&parser, operation == 1 ? f_check : f_parse, true, length);
        if (packed < 0) fail("the parser", "returned an error");
        uint64_t size = packed & 0xffffffff;
        if (size > result_size) {
            result_size = 2 * size;
            result_room = (uint32_t)CALL(&engine, f_alloc, false, result_size);
        }
        memcpy(wasmtime_memory_data(engine.context, &engine.mem) + result_room,
               wasmtime_memory_data(parser.context, &parser.mem) + (packed >> 32), size);
        CALL(&engine, f_complete, false, handle, result_room, size);
    }
}

static void take_all(uint64_t at_least) {
    uint64_t ready[TABLES];
    CALL(&engine, f_ready, false, handle, out, TABLES);
    memcpy(ready, wasmtime_memory_data(engine.context, &engine.mem) + out, sizeof ready);
    for (uint32_t table = 0; table < TABLES; table++) {
        if (ready[table] < at_least) continue;
        if (CALL(&engine, f_take, false, handle, table, out) != 0) fail("take", "failed");
        uint32_t place = word(out), length = word(out + 4);
        void *image = malloc(length);
        memcpy(image, wasmtime_memory_data(engine.context, &engine.mem) + place, length);
        rows[table] += (long)((uint64_t *)image)[1];
        free(image);
    }
}

static uint64_t give(const char *text, size_t length) {
    uint64_t place = (uint32_t)CALL(&engine, f_alloc, false, length);
    memcpy(wasmtime_memory_data(engine.context, &engine.mem) + place, text, length);
    return place;
}

int main(int argc, char **argv) {
    if (argc == 5 && !strcmp(argv[1], "compile")) return compile(argv[2], argv[3], argv[4]), 0;
    if (argc < 7) fail("usage", "compile 0|1 IN.wasm OUT.cwasm, or run ENGINE PARSER DESCRIPTION FILE.pcap REPEAT [OPTIONS [BLOCK]]");
    engine = start(argv[2], false);
    parser = start(argv[3], !getenv("NO_EPOCH"));
    f_alloc = find(&engine, "mfe_alloc"), f_dealloc = find(&engine, "mfe_dealloc"), f_work = find(&engine, "mfe_work");
    f_complete = find(&engine, "mfe_complete"), f_ready = find(&engine, "mfe_ready_all"), f_take = find(&engine, "mfe_take_raw");
    f_input = find(&parser, "mf_input"), f_check = find(&parser, "mf_check"), f_parse = find(&parser, "mf_parse");
    function f_new = find(&engine, "mfe_new"), f_add = find(&engine, "mfe_add_parser"), f_push = find(&engine, "mfe_push_part");
    function f_finish = find(&engine, "mfe_finish");
    const char *options = argc > 7 ? argv[7] : "";
    uint64_t block = argc > 8 ? strtoull(argv[8], NULL, 10) : 1 << 20;
    out = (uint32_t)CALL(&engine, f_alloc, false, 8 * TABLES);
    handle = (uint32_t)CALL(&engine, f_new, false, give(options, strlen(options)), strlen(options));
    if (!handle || CALL(&engine, f_add, false, handle, give(argv[4], strlen(argv[4])), strlen(argv[4]), 0) < 0)
        fail("the engine", "an option or the description is wrong");
    bytes file = read_all(argv[5]);
    uint64_t input = (uint32_t)CALL(&engine, f_alloc, false, block);
    long packets = 0;
    struct timespec before, after;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &before);
    for (int round = atoi(argv[6]); round > 0; round--)
        for (size_t at = FILE_HEADER; at < file.size; at += block) {
            size_t length = file.size - at < block ? file.size - at : block;
            memcpy(wasmtime_memory_data(engine.context, &engine.mem) + input, file.data + at, length);
            /* A block stops where the parser has to be asked. */
            for (uint32_t from = 0, first = 1; first || from; first = 0) {
                memcpy(wasmtime_memory_data(engine.context, &engine.mem) + out, &from, sizeof from);
                packets += CALL(&engine, f_push, true, handle, 0, 1, 0, 1, input, length, out);
                from = word(out);
                work();
            }
            take_all(BATCH_ROWS);
        }
    CALL(&engine, f_finish, false, handle);
    work();
    take_all(1);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &after);
    double seconds = (double)(after.tv_sec - before.tv_sec) + (double)(after.tv_nsec - before.tv_nsec) * 1e-9;
    printf("%ld packets, %.4f s, %.3f Mpkt/s; rows", packets, seconds, (double)packets / seconds * 1e-6);
    for (int table = 0; table < TABLES; table++) printf(" %ld", rows[table]);
    printf("\n");
    return 0;
}
