/*
 * The provider lookup's twins: which of n disjoint ranges holds an address.
 * Ranges of 2 MiB to 16 GiB with gaps, 2^20 random addresses, nine in ten inside a range.
 *
 * Workloads: eytzinger N, branchless N; provider N, which goes on to an object that stands for the range's provider
 * and reads its number. The checksum is the sum of (index + 1) over the hits.
 */
#include "peer.h"

#define KEYS ((size_t)1 << 20)
#define MAX_RANGES ((size_t)65536)

static uint64_t starts[MAX_RANGES], ends[MAX_RANGES];
static uint64_t tree[MAX_RANGES + 16] __attribute__((aligned(64)));
static uint32_t tree_index[MAX_RANGES + 1];
static struct provider {
    uint64_t number;
    uint64_t rest[7];
} providers[MAX_RANGES];
static struct provider *owners[MAX_RANGES]; /* a map holds whatever providers came, so: by reference */
static uint64_t *keys;
static size_t range_count, placed;
static volatile uint64_t sink;

/* In-order walk of the implicit tree: the i-th range lands where a binary search would meet it. */
static void place(size_t node)
{
    if (node > range_count)
        return;
    place(2 * node);
    tree[node] = starts[placed];
    tree_index[node] = (uint32_t)placed++;
    place(2 * node + 1);
}

static void prepare(size_t count)
{
    uint64_t seed = 0x9E3779B97F4A7C15ull, address = (uint64_t)1 << 32;

    if (!keys)
        keys = map_touched(KEYS * sizeof(uint64_t));
    if (range_count == count)
        return;
    for (size_t i = 0; i < count; i++) {
        uint64_t length = (uint64_t)1 << (21 + next_random(&seed) % 14);

        address += (next_random(&seed) % 4) << 21;
        starts[i] = address;
        address += length;
        ends[i] = address;
        providers[i].number = i + 1;
        owners[i] = &providers[i];
    }
    seed = 12345;
    for (size_t i = 0; i < KEYS; i++) {
        uint64_t draw = next_random(&seed);

        if (draw % 10) {
            size_t k = (draw >> 8) % count;

            keys[i] = starts[k] + next_random(&seed) % (ends[k] - starts[k]);
        } else {
            keys[i] = next_random(&seed) % address;
        }
    }
    range_count = count;
    placed = 0;
    place(1);
}

static inline uint64_t find_eytzinger(uint64_t address)
{
    size_t node = 1;

    while (node <= range_count) {
        __builtin_prefetch(tree + node * 8);
        node = 2 * node + (tree[node] <= address);
    }
    node >>= __builtin_ctzll(node) + 1; /* the last node where the walk went right */
    if (!node)
        return 0;
    uint32_t index = tree_index[node];

    return address < ends[index] ? index + 1u : 0;
}

static inline uint64_t find_branchless(uint64_t address)
{
    const uint64_t *low = starts;
    size_t length = range_count;

    while (length > 1) {
        size_t half = length / 2;

        low += (low[half] <= address) * half;
        length -= half;
        __builtin_prefetch(low + length / 4);
    }
    size_t index = (size_t)(low - starts);

    return *low <= address && address < ends[index] ? index + 1 : 0;
}

static struct answer run(const char *workload, uint64_t count, uint64_t unused)
{
    uint64_t sum = 0;

    (void)unused;
    if (count < 1 || count > MAX_RANGES)
        return (struct answer){ .nanoseconds = -1 };
    prepare(count);
    double begin = now_ns();

    if (!strcmp(workload, "eytzinger")) {
        for (size_t i = 0; i < KEYS; i++)
            sum += find_eytzinger(keys[i]);
    } else if (!strcmp(workload, "branchless")) {
        for (size_t i = 0; i < KEYS; i++)
            sum += find_branchless(keys[i]);
    } else if (!strcmp(workload, "provider")) {
        for (size_t i = 0; i < KEYS; i++) {
            uint64_t found = find_eytzinger(keys[i]);

            sum += found ? owners[found - 1]->number : 0;
        }
    } else {
        return (struct answer){ .nanoseconds = -1 };
    }
    sink = sum;
    return (struct answer){ .nanoseconds = (now_ns() - begin) / KEYS, .checksum = sum };
}

int main(void)
{
    return serve(run);
}
