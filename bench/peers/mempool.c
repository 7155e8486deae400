/*
 * DPDK's mempool with its cache per core, where libdpdk-dev is installed: objects taken and given back.
 *
 * Workloads: single: one by one; bulk: 32 at a time. Time is per object; the checksum counts the objects.
 */
#include "peer.h"

#include <rte_eal.h>
#include <rte_mempool.h>

#define OBJECTS 65535
#define OBJECT_BYTES 4096
#define CACHE 512
#define BULK 32
#define SINGLES 4000000
#define BULKS 500000

static struct rte_mempool *pool;

static struct answer run(const char *workload, uint64_t unused, uint64_t unused_too)
{
    (void)unused;
    (void)unused_too;
    void *objects[BULK];
    int is_bulk = !strcmp(workload, "bulk");

    if (!is_bulk && strcmp(workload, "single"))
        return (struct answer){ .nanoseconds = -1 };
    size_t rounds = is_bulk ? BULKS : SINGLES;
    unsigned count = is_bulk ? BULK : 1;
    double begin = now_ns();

    for (size_t i = 0; i < rounds; i++) {
        rte_mempool_get_bulk(pool, objects, count);
        rte_mempool_put_bulk(pool, objects, count);
    }
    return (struct answer){ (now_ns() - begin) / (double)(rounds * count), rounds * count };
}

int main(int argc, char **argv)
{
    (void)argc;
    char *options[] = { argv[0], "--no-huge", "--no-shconf", "--no-pci", "--no-telemetry", "-l", "0", "-m", "512", NULL };

    if (rte_eal_init(sizeof(options) / sizeof(*options) - 1, options) < 0)
        return 1;
    pool = rte_mempool_create("pool", OBJECTS, OBJECT_BYTES, CACHE, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY, 0);
    return pool ? serve(run) : 1;
}
