/*
 * The page allocator's twin: Linux's design in plain C, with none of Mm's rules around it.
 * A 64-byte page descriptor a frame; free lists per order under one zone lock; per-thread stacks in front, for
 * order 0 (batch 63, high mark 378) and order 9 (batch 1, high mark 4).
 *
 * Workloads: hot ORDER THREADS, get ORDER THREADS, put ORDER THREADS, churn ORDER THREADS. The checksum is the
 * number of operations (hot, get, put), or the sum of the places drawn (churn), over all threads.
 */
#include "peer.h"

#define NIL 0xffffffffu
#define ORDERS 11
#define FRAMES_PER_THREAD ((size_t)1 << 18)
#define MAX_THREADS 2
#define HOT_PAIRS 2000000
#define CHURN_PAIRS 2000000

struct page {
    uint32_t next, prev;
    uint8_t order, is_free;
    uint16_t flags;
    int32_t references;
    uint8_t rest[48];
};

struct stack {
    uint32_t head;
    int count;
    int batch, high;
    uint8_t rest[112];
};

static struct page *pages;
static size_t frame_count;
static uint32_t heads[ORDERS];
static pthread_spinlock_t zone_lock;
static struct stack stacks[MAX_THREADS][2] __attribute__((aligned(128)));

static inline void list_add(uint32_t frame, int order)
{
    struct page *page = &pages[frame];

    page->order = (uint8_t)order;
    page->is_free = 1;
    page->prev = NIL;
    page->next = heads[order];
    if (heads[order] != NIL)
        pages[heads[order]].prev = frame;
    heads[order] = frame;
}

static inline void list_remove(uint32_t frame, int order)
{
    uint32_t next = pages[frame].next, prev = pages[frame].prev;

    if (prev != NIL)
        pages[prev].next = next;
    else
        heads[order] = next;
    if (next != NIL)
        pages[next].prev = prev;
    pages[frame].is_free = 0;
}

static uint32_t buddy_take(int order)
{
    for (int o = order; o < ORDERS; o++) {
        uint32_t frame = heads[o];

        if (frame == NIL)
            continue;
        list_remove(frame, o);
        while (o > order) {
            o--;
            list_add(frame + (1u << o), o);
        }
        return frame;
    }
    return NIL;
}

static void buddy_give(uint32_t frame, int order)
{
    while (order < ORDERS - 1) {
        uint32_t buddy = frame ^ (1u << order);

        if (buddy >= frame_count || !pages[buddy].is_free || pages[buddy].order != order)
            break;
        list_remove(buddy, order);
        frame &= ~(1u << order);
        order++;
    }
    list_add(frame, order);
}

static inline uint32_t page_get(int thread, int order)
{
    struct stack *stack = &stacks[thread][order != 0];

    if (stack->head == NIL) {
        pthread_spin_lock(&zone_lock);
        for (int i = 0; i < stack->batch; i++) {
            uint32_t frame = buddy_take(order);

            if (frame == NIL)
                break;
            pages[frame].next = stack->head;
            stack->head = frame;
            stack->count++;
        }
        pthread_spin_unlock(&zone_lock);
        if (stack->head == NIL)
            abort();
    }
    uint32_t frame = stack->head;

    stack->head = pages[frame].next;
    stack->count--;
    pages[frame].order = (uint8_t)order;
    pages[frame].references = 1;
    return frame;
}

static inline void page_put(int thread, uint32_t frame, int order)
{
    struct stack *stack = &stacks[thread][order != 0];

    if (__atomic_sub_fetch(&pages[frame].references, 1, __ATOMIC_ACQ_REL))
        return;
    pages[frame].next = stack->head;
    stack->head = frame;
    if (++stack->count <= stack->high)
        return;
    pthread_spin_lock(&zone_lock);
    for (int i = 0; i < stack->batch; i++) {
        uint32_t given = stack->head;

        stack->head = pages[given].next;
        stack->count--;
        buddy_give(given, order);
    }
    pthread_spin_unlock(&zone_lock);
}

static void reset(int threads)
{
    size_t wanted = FRAMES_PER_THREAD * (size_t)threads * 2;

    if (!pages) {
        pthread_spin_init(&zone_lock, 0);
        pages = map_touched(FRAMES_PER_THREAD * MAX_THREADS * 2 * sizeof(struct page));
    }
    frame_count = wanted;
    for (int o = 0; o < ORDERS; o++)
        heads[o] = NIL;
    for (int t = 0; t < MAX_THREADS; t++) {
        stacks[t][0] = (struct stack){ .head = NIL, .batch = 63, .high = 378 };
        stacks[t][1] = (struct stack){ .head = NIL, .batch = 1, .high = 4 };
    }
    for (size_t f = 0; f < wanted; f++)
        pages[f] = (struct page){ .next = NIL };
    for (size_t f = wanted; f > 0; f -= (size_t)1 << (ORDERS - 1))
        list_add((uint32_t)(f - ((size_t)1 << (ORDERS - 1))), ORDERS - 1);
}

struct job {
    int thread, order;
    char kind; /* h, g, p, c: the first letter of the workload */
    double nanoseconds;
    uint64_t checksum;
    pthread_barrier_t *start;
};

static double run_hot(int thread, int order, uint64_t *checksum)
{
    for (int i = 0; i < 100000; i++)
        page_put(thread, page_get(thread, order), order);
    double begin = now_ns();

    for (int i = 0; i < HOT_PAIRS; i++)
        page_put(thread, page_get(thread, order), order);
    *checksum = HOT_PAIRS;
    return (now_ns() - begin) / HOT_PAIRS;
}

/* The frames are put in an order that was drawn before: the drawing is no part of what is timed. */
static double run_bulk(int thread, int order, char kind, uint32_t *frames, size_t count, uint64_t seed,
                       uint64_t *checksum)
{
    size_t rounds = order ? 64 : 1;
    double get = 0, put = 0;

    for (size_t r = 0; r < rounds; r++) {
        double begin = now_ns();

        for (size_t i = 0; i < count; i++)
            frames[i] = page_get(thread, order);
        get += now_ns() - begin;
        shuffle(frames, count, seed);
        begin = now_ns();
        for (size_t i = 0; i < count; i++)
            page_put(thread, frames[i], order);
        put += now_ns() - begin;
    }
    *checksum = count * rounds;
    return (kind == 'g' ? get : put) / (double)(count * rounds);
}

static double run_churn(int thread, int order, uint32_t *frames, size_t count, uint64_t seed, uint64_t *checksum)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < count; i++)
        frames[i] = page_get(thread, order);
    double begin = now_ns();

    for (int i = 0; i < CHURN_PAIRS; i++) {
        size_t k = next_random(&seed) % count;

        sum += k;
        page_put(thread, frames[k], order);
        frames[k] = page_get(thread, order);
    }
    *checksum = sum;
    return (now_ns() - begin) / CHURN_PAIRS;
}

static void *run_job(void *argument)
{
    struct job *job = argument;
    size_t count = (FRAMES_PER_THREAD >> job->order) * 7 / 8;
    uint64_t seed = 88172645463325252ull + (uint64_t)job->thread * 977;
    uint32_t *frames = malloc(count * sizeof(uint32_t));

    memset(frames, 0, count * sizeof(uint32_t));
    pin_to_cpu(job->thread);
    pthread_barrier_wait(job->start);
    if (job->kind == 'h')
        job->nanoseconds = run_hot(job->thread, job->order, &job->checksum);
    else if (job->kind == 'c')
        job->nanoseconds = run_churn(job->thread, job->order, frames, count, seed, &job->checksum);
    else
        job->nanoseconds = run_bulk(job->thread, job->order, job->kind, frames, count, seed, &job->checksum);
    free(frames);
    return NULL;
}

static struct answer run(const char *workload, uint64_t order, uint64_t threads)
{
    static const char *const known[] = { "hot", "get", "put", "churn" };
    struct job jobs[MAX_THREADS];
    pthread_t ids[MAX_THREADS];
    pthread_barrier_t start;
    int is_known = 0;
    double sum = 0;
    uint64_t checksum = 0;

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        is_known |= !strcmp(workload, known[i]);
    if (!is_known || (order != 0 && order != 9) || threads < 1 || threads > MAX_THREADS)
        return (struct answer){ .nanoseconds = -1 };
    reset((int)threads);
    pthread_barrier_init(&start, NULL, (unsigned)threads);
    for (int t = 0; t < (int)threads; t++) {
        jobs[t] = (struct job){ .thread = t, .order = (int)order, .kind = workload[0], .start = &start };
        pthread_create(&ids[t], NULL, run_job, &jobs[t]);
    }
    for (int t = 0; t < (int)threads; t++) {
        pthread_join(ids[t], NULL);
        sum += jobs[t].nanoseconds;
        checksum += jobs[t].checksum;
    }
    pthread_barrier_destroy(&start);
    return (struct answer){ .nanoseconds = sum / (double)threads, .checksum = checksum };
}

int main(void)
{
    return serve(run);
}
