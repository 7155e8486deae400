/*
 * UCX's registration cache, where libucx-dev is installed: a region of N found and let go.
 *
 * Workloads: hit N. Regions of 4 KiB lie 8 KiB apart, and are asked for in random order. Time is per hit; the
 * checksum is the sum of the places drawn.
 */
#include "peer.h"

#include <ucs/memory/rcache.h>

#define STEP ((size_t)8 << 10)
#define BYTES ((size_t)4 << 10)
#define HITS 1000000
#define SEED 9

static ucs_rcache_t *cache;
static char *memory;
static uint64_t cached;

static ucs_status_t enter(void *context, ucs_rcache_t *rcache, void *argument, ucs_rcache_region_t *region,
                          uint16_t flags)
{
    (void)context, (void)rcache, (void)argument, (void)region, (void)flags;
    return UCS_OK;
}

static void leave(void *context, ucs_rcache_t *rcache, ucs_rcache_region_t *region)
{
    (void)context, (void)rcache, (void)region;
}

static void describe(void *context, ucs_rcache_t *rcache, ucs_rcache_region_t *region, char *text, size_t size)
{
    (void)context, (void)rcache, (void)region;
    if (size)
        *text = 0;
}

static void use(uint64_t place)
{
    ucs_rcache_region_t *region;

    if (ucs_rcache_get(cache, memory + place * STEP, BYTES, PROT_READ | PROT_WRITE, NULL, &region) != UCS_OK) {
        fprintf(stderr, "the cache refuses place %" PRIu64 "\n", place);
        exit(1);
    }
    ucs_rcache_region_put(cache, region);
}

static void fill(uint64_t count)
{
    static const ucs_rcache_ops_t operations = { enter, leave, describe };
    ucs_rcache_params_t wanted = {
        .region_struct_size = sizeof(ucs_rcache_region_t), .alignment = 64, .max_alignment = BYTES, .ops = &operations,
        .flags = UCS_RCACHE_FLAG_NO_PFN_CHECK, .max_regions = -1ul, .max_size = -1ul, .max_unreleased = -1ul,
    };

    if (cached == count)
        return;
    if (cache) {
        ucs_rcache_destroy(cache);
        munmap(memory, cached * STEP);
    }
    memory = mmap(NULL, count * STEP, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED || ucs_rcache_create(&wanted, "peer", NULL, &cache) != UCS_OK)
        exit(1);
    cached = count;
    for (uint64_t place = 0; place < count; place++)
        use(place);
}

static struct answer run(const char *workload, uint64_t count, uint64_t unused)
{
    (void)unused;
    if (strcmp(workload, "hit") || !count)
        return (struct answer){ .nanoseconds = -1 };
    fill(count);
    uint64_t state = SEED, sum = 0;
    double begin = now_ns();

    for (size_t i = 0; i < HITS; i++) {
        uint64_t place = next_random(&state) % count;

        sum += place;
        use(place);
    }
    return (struct answer){ (now_ns() - begin) / HITS, sum };
}

int main(void)
{
    return serve(run);
}
