/* Calls on sockets and nothing else: a loopback connection (or many, in turns) whose two ends are in this one thread. What a kernel
 * program costs a call is seen best where nothing else runs between two calls.
 *
 *   cc -O2 -o /tmp/calls bench/drive_calls.c
 *   /tmp/calls KIND PAIRS BYTES CONNECTIONS COLD
 *
 * KIND: send (sendto, recvfrom), write (write, read), vector (writev of two parts, readv), file (read of /dev/zero: no socket).
 * COLD is how many KiB of memory are gone through between two pairs, which leaves the caches to others as busy programs do. PAIRS are made for each byte on standard input, until it ends; then comes a line: nanoseconds of processor time for one call that
 * sends and one that receives. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 4096, LARGEST = 65536 };
static int near[MOST], far[MOST];
static char out[LARGEST], in[LARGEST];
static volatile unsigned sum;

/* A word of each line. */
static void walk(unsigned *memory, long kib) {
    for (long at = 0; at < kib * 256; at += 16) sum += memory[at]++;
}

static void fail(const char *what) {
    perror(what);
    exit(1);
}

int main(int argc, char **argv) {
    if (argc < 6) return fprintf(stderr, "usage: calls send|write|vector|file PAIRS BYTES CONNECTIONS COLD\n"), 2;
    const char kind = argv[1][0];
    long pairs = atol(argv[2]), bytes = atol(argv[3]), connections = atol(argv[4]), cold = atol(argv[5]);
    if (bytes < 2 || bytes > LARGEST || connections < 1 || connections > MOST) return fprintf(stderr, "out of range\n"), 2;
    unsigned *memory = calloc((size_t)(cold > 0 ? cold : 1), 1024);
    if (!memory) fail("memory");
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1, zero = open("/dev/zero", O_RDONLY);
    if (bind(listener, (void *)&at, sizeof at) || listen(listener, 128) || getsockname(listener, (void *)&at, &length)) fail("listen");
    for (long i = 0; i < connections; i++) {
        near[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(near[i], (void *)&at, sizeof at)) fail("connect");
        far[i] = accept(listener, 0, 0);
        if (far[i] < 0) fail("accept");
        setsockopt(near[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    memset(out, 'x', sizeof out);
    memcpy(out, "GET /", 5);
    struct iovec parts[2] = {{out, (size_t)bytes / 2}, {out + bytes / 2, (size_t)(bytes - bytes / 2)}}, room = {in, (size_t)bytes};
    struct timespec start, end;
    char more;
    setlinebuf(stdout);
    while (read(0, &more, 1) == 1) {
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
        for (long i = 0; i < pairs; i++) {
            int a = near[i % connections], b = far[i % connections];
            ssize_t sent, got;
            if (kind == 's') sent = send(a, out, (size_t)bytes, 0), got = recv(b, in, (size_t)bytes, 0);
            else if (kind == 'v') sent = writev(a, parts, 2), got = readv(b, &room, 1);
            else if (kind == 'f') sent = bytes, got = read(zero, in, (size_t)bytes);
            else sent = write(a, out, (size_t)bytes), got = read(b, in, (size_t)bytes);
            if (cold > 0) walk(memory, cold);
            if (sent != bytes || got <= 0) fail("call");
        }
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
        printf("%.0f\n", ((double)(end.tv_sec - start.tv_sec) * 1e9 + (double)(end.tv_nsec - start.tv_nsec)) / (double)pairs);
    }
    return 0;
}
