/*
 * The range list's twins: a 1 GiB buffer of 4 KiB pages, coalesced from an array of frame numbers and walked, as a
 * scatterlist (32-byte entries, as on x86-64), as (address, length) pairs of 16 bytes, and by AVX-512 compress,
 * which is the limit.
 * FRAGMENTATION is the chance in percent that a page does not follow its predecessor.
 *
 * Workloads: scatterlist-build F, scatterlist-iterate F, pair-build F, pair-iterate F, pair-measure F
 * (lowest and highest byte, longest range, common alignment), compress-build F.
 * Build is per page, iterate per entry; the checksum of a build is the number of entries, that of an iteration the sum
 * of all addresses and lengths.
 */
#include "peer.h"
#ifdef __AVX512F__
#include <immintrin.h>
#endif

#define PAGES ((size_t)1 << 18)
#define PAGE_BYTES 4096u
#define MAX_SEGMENT 0xfffff000u
#define SEED 77
#define FIRST_FRAME ((uint64_t)1 << 20)

struct scatter {
    uint64_t page_link;
    uint32_t offset, length;
    uint64_t dma_address;
    uint32_t dma_length, flags;
};

struct pair {
    uint64_t address, length;
};

static uint64_t *frames; /* frames[-1] is readable: the compress build looks one back */
static struct scatter *scatters;
static struct pair *pairs;
static uint64_t *starts, *indexes;
static uint64_t prepared = UINT64_MAX;
static volatile uint64_t sink;

static void prepare(uint64_t fragmentation)
{
    uint64_t seed = SEED, frame = FIRST_FRAME;

    if (!frames) {
        frames = (uint64_t *)map_touched((PAGES + 64) * sizeof(uint64_t)) + 8;
        scatters = map_touched(PAGES * sizeof(struct scatter));
        pairs = map_touched((PAGES + 8) * sizeof(struct pair));
        starts = map_touched((PAGES + 64) * sizeof(uint64_t));
        indexes = map_touched((PAGES + 64) * sizeof(uint64_t));
    }
    if (prepared == fragmentation)
        return;
    for (size_t i = 0; i < PAGES; i++) {
        if (next_random(&seed) % 100 < fragmentation)
            frame += 2 + next_random(&seed) % 64;
        else
            frame++;
        frames[i] = frame;
    }
    frames[-1] = 0;
    prepared = fragmentation;
}

static size_t build_scatterlist(void)
{
    size_t count = 0;
    uint64_t expected = UINT64_MAX;

    for (size_t i = 0; i < PAGES; i++) {
        uint64_t frame = frames[i];

        if (frame == expected && scatters[count - 1].length < MAX_SEGMENT)
            scatters[count - 1].length += PAGE_BYTES;
        else
            scatters[count++] = (struct scatter){ .page_link = frame << 6, .length = PAGE_BYTES };
        expected = frame + 1;
    }
    scatters[count - 1].page_link |= 2;
    return count;
}

static size_t build_pairs(void)
{
    size_t count = 0;
    uint64_t expected = UINT64_MAX;

    for (size_t i = 0; i < PAGES; i++) {
        uint64_t address = frames[i] << 12;

        if (address == expected)
            pairs[count - 1].length += PAGE_BYTES;
        else
            pairs[count++] = (struct pair){ address, PAGE_BYTES };
        expected = address + PAGE_BYTES;
    }
    return count;
}

#ifdef __AVX512F__
static size_t build_compressed(void)
{
    size_t count = 0;
    const __m512i one = _mm512_set1_epi64(1), eight = _mm512_set1_epi64(8);
    __m512i index = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);

    for (size_t i = 0; i < PAGES; i += 8) {
        __m512i here = _mm512_loadu_si512(frames + i), before = _mm512_loadu_si512(frames + i - 1);
        __mmask8 breaks = _mm512_cmpneq_epi64_mask(_mm512_sub_epi64(here, before), one);

        _mm512_storeu_si512(starts + count, _mm512_maskz_compress_epi64(breaks, _mm512_slli_epi64(here, 12)));
        _mm512_storeu_si512(indexes + count, _mm512_maskz_compress_epi64(breaks, index));
        count += (size_t)__builtin_popcount(breaks);
        index = _mm512_add_epi64(index, eight);
    }
    indexes[count] = PAGES;
    for (size_t i = 0; i < count; i++)
        pairs[i] = (struct pair){ starts[i], (indexes[i + 1] - indexes[i]) << 12 };
    return count;
}
#endif

static struct answer per_page(double begin, size_t count)
{
    return (struct answer){ .nanoseconds = (now_ns() - begin) / PAGES, .checksum = count };
}

static struct answer run(const char *workload, uint64_t fragmentation, uint64_t unused)
{
    (void)unused;
    prepare(fragmentation);
    if (!strcmp(workload, "scatterlist-iterate")) {
        size_t count = build_scatterlist();
        uint64_t sum = 0;
        double begin = now_ns();

        for (size_t i = 0; i < count; i++)
            sum += scatters[i].length + (scatters[i].page_link >> 6 << 12);
        sink = sum;
        return (struct answer){ .nanoseconds = (now_ns() - begin) / (double)count, .checksum = sum };
    }
    if (!strcmp(workload, "pair-iterate")) {
        size_t count = build_pairs();
        uint64_t sum = 0;
        double begin = now_ns();

        for (size_t i = 0; i < count; i++)
            sum += pairs[i].length + pairs[i].address;
        sink = sum;
        return (struct answer){ .nanoseconds = (now_ns() - begin) / (double)count, .checksum = sum };
    }
    if (!strcmp(workload, "pair-measure")) {
        size_t count = build_pairs();
        uint64_t lowest = UINT64_MAX, highest = 0, longest = 0, bits = 0;
        double begin = now_ns();

        for (size_t i = 0; i < count; i++) {
            uint64_t last = pairs[i].address + pairs[i].length - 1;

            lowest = pairs[i].address < lowest ? pairs[i].address : lowest;
            highest = last > highest ? last : highest;
            longest = pairs[i].length > longest ? pairs[i].length : longest;
            bits |= pairs[i].address | pairs[i].length;
        }
        double nanoseconds = (now_ns() - begin) / (double)count;

        return (struct answer){ .nanoseconds = nanoseconds, .checksum = lowest + highest + longest + (bits & -bits) };
    }
    double begin = now_ns();

    if (!strcmp(workload, "scatterlist-build"))
        return per_page(begin, build_scatterlist());
    if (!strcmp(workload, "pair-build"))
        return per_page(begin, build_pairs());
#ifdef __AVX512F__
    if (!strcmp(workload, "compress-build"))
        return per_page(begin, build_compressed());
#endif
    return (struct answer){ .nanoseconds = -1 };
}

int main(void)
{
    return serve(run);
}
