/*
 * What every C peer shares: the clock, the generator, big maps, and the line protocol.
 *
 * A peer is asked for one repetition at a time, so that its caller can run Mm and the peer in turn, in one run:
 * each line on standard input names a workload and its numbers, each line on standard output answers
 * "NANOSECONDS CHECKSUM" (per operation), or "unknown WORKLOAD".
 */
#pragma once
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <inttypes.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define HUGE_PAGE ((size_t)2 << 20)

struct answer {
    double nanoseconds; /* per operation; negative: this workload is unknown */
    uint64_t checksum;  /* of the results, so that both sides can be shown to do the same work */
};

static inline double now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* xorshift64; Mm.Benchmarks has the same, so both sides get the same inputs from the same seed. */
static inline uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static inline void shuffle(uint32_t *items, size_t count, uint64_t seed)
{
    for (size_t i = count - 1; i > 0; i--) {
        size_t j = next_random(&seed) % (i + 1);
        uint32_t kept = items[i];

        items[i] = items[j];
        items[j] = kept;
    }
}

static inline void pin_to_cpu(int cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    sched_setaffinity(0, sizeof(set), &set);
}

/* Memory on 2 MiB borders with huge-page advice, every page of it touched. */
static inline void *map_touched(size_t bytes)
{
    char *raw = (char *)mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (raw == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    char *aligned = (char *)(((uintptr_t)raw + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));

    madvise(aligned, bytes, MADV_HUGEPAGE);
    for (size_t i = 0; i < bytes; i += 4096)
        aligned[i] = 0;
    return aligned;
}

/* Answers standard input until it ends. */
static inline int serve(struct answer (*run)(const char *workload, uint64_t a, uint64_t b))
{
    char line[256];

    pin_to_cpu(0);
    while (fgets(line, sizeof(line), stdin)) {
        char workload[64];
        uint64_t a = 0, b = 0;

        if (sscanf(line, "%63s %" SCNu64 " %" SCNu64, workload, &a, &b) < 1)
            continue;
        struct answer answer = run(workload, a, b);

        if (answer.nanoseconds < 0)
            printf("unknown %s\n", workload);
        else
            printf("%.4f %" PRIu64 "\n", answer.nanoseconds, answer.checksum);
        fflush(stdout);
    }
    return 0;
}
