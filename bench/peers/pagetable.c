/*
 * The page table's twin: four levels of 512 words over a populated 1 GiB of 4 KiB pages, walked into words that say
 * what a range fault says of each page.
 *
 * Workloads: walk: 1 GiB at once; windows: the same in pieces of 64 KiB. Time is per page; the checksum counts the
 * pages that were found valid. Sixteen passes a repetition: one alone is over in 60 microseconds.
 */
#include "peer.h"

#define PAGES ((size_t)1 << 18)
#define PASSES 16
#define WINDOW 16
#define BASE 0x7f0000000000ull
#define PRESENT 1ull
#define WRITABLE 2ull
#define VALID (1ull << 63)
#define VALID_WRITABLE (1ull << 62)
#define FRAME_MASK (((uint64_t)1 << 40) - 1)

static uint64_t *root, *next_table, *words;

static uint64_t *take_table(void)
{
    uint64_t *table = next_table;

    next_table += 512;
    return table;
}

static void populate(void)
{
    if (root)
        return;
    next_table = map_touched((size_t)8 << 20);
    words = map_touched(PAGES * sizeof(*words));
    root = take_table();
    for (size_t page = 0; page < PAGES; page++) {
        uint64_t at = BASE + (page << 12);
        uint64_t *table = root;

        for (int level = 3; level > 0; level--) {
            uint64_t *entry = &table[(at >> (12 + 9 * level)) & 511];

            if (!*entry)
                *entry = (uint64_t)take_table() | PRESENT;
            table = (uint64_t *)(*entry & ~0xfffull);
        }
        table[(at >> 12) & 511] = ((page * 7 + 35) << 12) | PRESENT | WRITABLE;
    }
}

/* One descent for each table of 512 pages. */
static void walk(uint64_t at, size_t pages, uint64_t *into)
{
    for (size_t done = 0; done < pages;) {
        uint64_t *table = root;

        for (int level = 3; level > 0 && table; level--) {
            uint64_t entry = table[(at >> (12 + 9 * level)) & 511];

            table = entry & PRESENT ? (uint64_t *)(entry & ~0xfffull) : NULL;
        }
        size_t first = (at >> 12) & 511;
        size_t count = 512 - first < pages - done ? 512 - first : pages - done;

        for (size_t i = 0; i < count; i++) {
            uint64_t entry = table ? table[first + i] : 0;
            uint64_t flags = entry & PRESENT ? VALID | ((entry & WRITABLE) << 61) : 0;

            into[done + i] = flags | ((entry >> 12) & FRAME_MASK);
        }
        done += count;
        at += (uint64_t)count << 12;
    }
}

static struct answer run(const char *workload, uint64_t unused, uint64_t unused_too)
{
    (void)unused;
    (void)unused_too;
    size_t step = !strcmp(workload, "walk") ? PAGES : !strcmp(workload, "windows") ? WINDOW : 0;

    if (!step)
        return (struct answer){ .nanoseconds = -1 };
    populate();
    double begin = now_ns();

    for (int pass = 0; pass < PASSES; pass++)
        for (size_t page = 0; page < PAGES; page += step)
            walk(BASE + (page << 12), step, words + page);
    double nanoseconds = (now_ns() - begin) / PASSES / (double)PAGES;
    uint64_t valid = 0;

    for (size_t page = 0; page < PAGES; page++)
        valid += (words[page] & (VALID | VALID_WRITABLE)) == (VALID | VALID_WRITABLE);
    return (struct answer){ .nanoseconds = nanoseconds, .checksum = valid };
}

int main(void)
{
    return serve(run);
}
