/*
 * The copy's twins: 512 MiB of pages, each visited once, in random order on both sides.
 *
 * Workloads, PAGE in bytes (4096 or 2097152): memcpy PAGE; nt PAGE: non-temporal stores; prefetch PAGE: the same, and
 * the next page of the list is fetched meanwhile. Time is per page; the checksum is over the destination.
 */
#include "peer.h"
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define TOTAL ((size_t)512 << 20)
#define SOURCE_SEED 99
#define FROM_SEED 11
#define TO_SEED 13

static char *source, *destination;
static uint32_t *from, *to;
static size_t page_bytes, page_count;

static void prepare(size_t bytes)
{
    if (!source) {
        uint64_t seed = SOURCE_SEED;

        source = map_touched(TOTAL);
        destination = map_touched(TOTAL);
        from = map_touched(TOTAL / 4096 * sizeof(uint32_t));
        to = map_touched(TOTAL / 4096 * sizeof(uint32_t));
        for (size_t i = 0; i < TOTAL / sizeof(uint64_t); i++)
            ((uint64_t *)source)[i] = next_random(&seed);
    }
    if (page_bytes == bytes)
        return;
    page_bytes = bytes;
    page_count = TOTAL / bytes;
    for (size_t i = 0; i < page_count; i++)
        from[i] = to[i] = (uint32_t)i;
    shuffle(from, page_count, FROM_SEED);
    shuffle(to, page_count, TO_SEED);
}

#ifdef __AVX512F__
static inline void copy_nt(char *into, const char *page, const char *next, int prefetches)
{
    for (size_t i = 0; i < page_bytes; i += 256) {
        if (prefetches)
            for (size_t j = 0; j < 256; j += 64)
                _mm_prefetch(next + i + j, _MM_HINT_T0);
        __m512i a = _mm512_load_si512(page + i), b = _mm512_load_si512(page + i + 64);
        __m512i c = _mm512_load_si512(page + i + 128), d = _mm512_load_si512(page + i + 192);

        _mm512_stream_si512((void *)(into + i), a);
        _mm512_stream_si512((void *)(into + i + 64), b);
        _mm512_stream_si512((void *)(into + i + 128), c);
        _mm512_stream_si512((void *)(into + i + 192), d);
    }
}
#endif

/* The first and the last word of every page, weighted by their place. */
static uint64_t sum_up(void)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < page_count; i++) {
        const uint64_t *page = (const uint64_t *)(destination + i * page_bytes);

        sum += (page[0] ^ page[page_bytes / sizeof(uint64_t) - 1]) * (i + 1);
    }
    return sum;
}

static struct answer run(const char *workload, uint64_t bytes, uint64_t unused)
{
    (void)unused;
    if (bytes != 4096 && bytes != HUGE_PAGE)
        return (struct answer){ .nanoseconds = -1 };
    prepare(bytes);
    memset(destination, 1, TOTAL);
    double begin = now_ns();

    if (!strcmp(workload, "memcpy")) {
        for (size_t i = 0; i < page_count; i++)
            memcpy(destination + to[i] * page_bytes, source + from[i] * page_bytes, page_bytes);
#ifdef __AVX512F__
    } else if (!strcmp(workload, "nt") || !strcmp(workload, "prefetch")) {
        int prefetches = workload[0] == 'p';

        for (size_t i = 0; i < page_count; i++)
            copy_nt(destination + to[i] * page_bytes, source + from[i] * page_bytes,
                    source + from[i + 1 < page_count ? i + 1 : i] * page_bytes, prefetches);
        _mm_sfence();
#endif
    } else {
        return (struct answer){ .nanoseconds = -1 };
    }
    double nanoseconds = (now_ns() - begin) / (double)page_count;

    return (struct answer){ .nanoseconds = nanoseconds, .checksum = sum_up() };
}

int main(void)
{
    return serve(run);
}
