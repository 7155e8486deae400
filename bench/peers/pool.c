/*
 * The page pool's twin: a stack of 128 objects that only the consumer touches, refilled by 64 from a locked ring of
 * 1024, which anybody fills; what the ring cannot take lies in a store.
 *
 * Workloads: fast: get and put by the stack; ring: put by the ring. Time is per pair; the checksum counts the pairs.
 */
#include "peer.h"

#define CACHE 128
#define REFILL 64
#define RING 1024
#define STORE 65536
#define FAST_PAIRS 4000000
#define RING_PAIRS 1000000

struct pool {
    void *cache[CACHE];
    int cached;
    void *ring[RING];
    uint32_t produced, consumed;
    pthread_spinlock_t producer, consumer;
    void *store[STORE];
    int stored;
};

static struct pool pool;

static __attribute__((noinline)) void *refill(void)
{
    pthread_spin_lock(&pool.consumer);
    while (pool.cached < REFILL && pool.consumed != pool.produced)
        pool.cache[pool.cached++] = pool.ring[pool.consumed++ % RING];
    pthread_spin_unlock(&pool.consumer);
    return pool.cached ? pool.cache[--pool.cached] : pool.store[--pool.stored];
}

static inline void *get(void)
{
    return __builtin_expect(pool.cached > 0, 1) ? pool.cache[--pool.cached] : refill();
}

static __attribute__((noinline)) void put_by_ring(void *object)
{
    pthread_spin_lock(&pool.producer);
    if (pool.produced - pool.consumed < RING)
        pool.ring[pool.produced++ % RING] = object;
    else
        pool.store[pool.stored++] = object;
    pthread_spin_unlock(&pool.producer);
}

static inline void put(void *object)
{
    if (__builtin_expect(pool.cached < CACHE, 1))
        pool.cache[pool.cached++] = object;
    else
        put_by_ring(object);
}

static void fill(void)
{
    if (pool.stored || pool.cached)
        return;
    pthread_spin_init(&pool.producer, PTHREAD_PROCESS_PRIVATE);
    pthread_spin_init(&pool.consumer, PTHREAD_PROCESS_PRIVATE);
    while (pool.stored < STORE)
        pool.store[pool.stored++] = malloc(64);
}

static struct answer run(const char *workload, uint64_t unused, uint64_t unused_too)
{
    (void)unused;
    (void)unused_too;
    int is_fast = !strcmp(workload, "fast");

    if (!is_fast && strcmp(workload, "ring"))
        return (struct answer){ .nanoseconds = -1 };
    fill();
    size_t pairs = is_fast ? FAST_PAIRS : RING_PAIRS;
    double begin = now_ns();

    for (size_t i = 0; i < pairs; i++) {
        void *object = get();

        __asm__ volatile("" : : "r"(object) : "memory");
        if (is_fast)
            put(object);
        else
            put_by_ring(object);
    }
    return (struct answer){ (now_ns() - begin) / (double)pairs, pairs };
}

int main(void)
{
    return serve(run);
}
