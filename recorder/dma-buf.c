/*
 * Records programs over software timelines, sync files, and shared buffers of udmabuf and of the system heap.
 * Slots of each; what is closed at the end of a process is no part of a program.
 */
#include "program.h"
#include <fcntl.h>
#include <poll.h>
#include "include/uapi/linux/dma-buf.h"
#include "include/uapi/linux/dma-heap.h"
#include "include/uapi/linux/sync_file.h"
#include "include/uapi/linux/udmabuf.h"

#define SLOTS 16
#define MAX_FENCES 64

/* How debugfs's sw_sync is spoken to; no header of the kernel says it to user space. */
struct sw_sync_create_fence {
    uint32_t value;
    char name[32];
    int32_t fence;
};
#define SW_SYNC_CREATE_FENCE _IOWR('W', 0, struct sw_sync_create_fence)
#define SW_SYNC_INC _IOW('W', 1, uint32_t)

static int timelines[SLOTS], fences[SLOTS], buffers[SLOTS]; /* file descriptors; 0: free */
static struct sync_fence_info each[MAX_FENCES];

static bool keep(int *slot, int file)
{
    if (result(file < 0))
        *slot = file;
    return true;
}

static bool drop(int *slot)
{
    result(close(*slot));
    *slot = 0;
    return true;
}

static int create_fence(int timeline, uint32_t value)
{
    struct sw_sync_create_fence command = {.value = value, .name = "fence"};

    return ioctl(timeline, SW_SYNC_CREATE_FENCE, &command) ? -1 : command.fence;
}

static int merge(int first, int second)
{
    struct sync_merge_data command = {.name = "merged", .fd2 = second};

    return ioctl(first, SYNC_IOC_MERGE, &command) ? -1 : command.fence;
}

static int export_fence(int buffer, uint32_t flags)
{
    struct dma_buf_export_sync_file command = {.flags = flags, .fd = -1};

    return ioctl(buffer, DMA_BUF_IOCTL_EXPORT_SYNC_FILE, &command) ? -1 : command.fd;
}

static int import_fence(int buffer, int fence, uint32_t flags)
{
    struct dma_buf_import_sync_file command = {.flags = flags, .fd = fence};

    return ioctl(buffer, DMA_BUF_IOCTL_IMPORT_SYNC_FILE, &command);
}

static int sync_cpu(int buffer, uint64_t flags)
{
    struct dma_buf_sync command = {.flags = flags};

    return ioctl(buffer, DMA_BUF_IOCTL_SYNC, &command);
}

/* The status of the whole is what the kernel says when it is asked for no more: with its fences it says another one. */
static void describe(int fence)
{
    struct sync_file_info whole = {0}, parts = {.num_fences = MAX_FENCES, .sync_fence_info = (uint64_t)each};

    if (!result(ioctl(fence, SYNC_IOC_FILE_INFO, &whole)))
        return;
    if (ioctl(fence, SYNC_IOC_FILE_INFO, &parts))
        die("SYNC_IOC_FILE_INFO");
    say(" status=%d fences=%u each=", whole.status, whole.num_fences);
    for (uint32_t i = 0; i < parts.num_fences; i++)
        say(i ? ",%d" : "%d", each[i].status);
}

static short ready(int file)
{
    struct pollfd poll_of = {.fd = file, .events = POLLIN | POLLOUT};

    if (poll(&poll_of, 1, 0) < 0)
        die("poll");
    return poll_of.revents;
}

/* The value of KEY=. */
static const char *value(char **words, const char *key)
{
    size_t length = strlen(key);

    for (; *words; words++)
        if (!strncmp(*words, key, length) && (*words)[length] == '=')
            return *words + length + 1;
    die(key);
}

static uint64_t number(char **words, const char *key)
{
    return strtoull(value(words, key), NULL, 0);
}

static int create_udmabuf(char **words)
{
    static const struct {
        const char *name;
        int seal;
    } known[] = {{"seal", F_SEAL_SEAL}, {"shrink", F_SEAL_SHRINK}, {"grow", F_SEAL_GROW}, {"write", F_SEAL_WRITE}};
    char names[64];
    int seals = 0, device = open("/dev/udmabuf", O_RDWR), memory = memfd_create("memory", MFD_ALLOW_SEALING);
    struct udmabuf_create command = {
        .memfd = memory, .flags = UDMABUF_FLAGS_CLOEXEC, .offset = number(words, "offset"), .size = number(words, "size")};

    if (device < 0 || memory < 0 || ftruncate(memory, number(words, "file-pages") * PAGE))
        die("udmabuf");
    snprintf(names, sizeof names, "%s", value(words, "seals"));
    for (char *rest, *name = strtok_r(names, "+", &rest); name; name = strtok_r(NULL, "+", &rest))
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            seals |= strcmp(name, known[i].name) ? 0 : known[i].seal;
    if (seals && fcntl(memory, F_ADD_SEALS, seals))
        die("F_ADD_SEALS");
    int buffer = ioctl(device, UDMABUF_CREATE, &command), error = errno;

    close(device);
    close(memory);
    errno = error;
    return buffer;
}

static int create_heap(uint64_t size, uint64_t flags)
{
    int heap = open("/dev/dma_heap/system", O_RDWR);
    struct dma_heap_allocation_data command = {.len = size, .fd_flags = O_RDWR | O_CLOEXEC, .heap_flags = flags};

    if (heap < 0)
        die("/dev/dma_heap/system");
    int status = ioctl(heap, DMA_HEAP_IOCTL_ALLOC, &command), error = errno;

    close(heap);
    errno = error;
    return status ? -1 : (int)command.fd;
}

static void map(int buffer, uint64_t pages, uint64_t first)
{
    void *at = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, buffer, first * PAGE);

    if (result(at == MAP_FAILED)) {
        say(" size=%ld", (long)lseek(buffer, 0, SEEK_END));
        munmap(at, pages * PAGE);
    }
}

static void seek(int buffer, long distance, int whence)
{
    long at = lseek(buffer, distance, whence);

    if (result(at < 0))
        say(" at=%ld", at);
}

static bool run_fence(const char *operation, int *slot, char **words)
{
    bool makes = !strcmp(operation, "fence") || !strcmp(operation, "merge");

    if (makes == !!*slot)
        return false;
    if (!strcmp(operation, "fence")) {
        int timeline = timelines[atoi(words[2]) % SLOTS];

        return timeline && keep(slot, create_fence(timeline, strtoul(words[3], NULL, 10)));
    }
    if (!strcmp(operation, "merge")) {
        int first = fences[atoi(words[2]) % SLOTS], second = fences[atoi(words[3]) % SLOTS];

        return first && second && keep(slot, merge(first, second));
    }
    if (!strcmp(operation, "close-fence"))
        return drop(slot);
    if (!strcmp(operation, "info"))
        describe(*slot);
    else
        say(ready(*slot) & POLLIN ? "signaled" : "pending");
    return true;
}

static bool run_buffer(const char *operation, int *slot, char **words)
{
    bool makes = !strcmp(operation, "udmabuf") || !strcmp(operation, "heap");

    if (makes == !!*slot)
        return false;
    if (!strcmp(operation, "udmabuf"))
        return keep(slot, create_udmabuf(words));
    if (!strcmp(operation, "heap"))
        return keep(slot, create_heap(number(words, "size"), number(words, "flags")));
    if (!strcmp(operation, "close-buffer"))
        return drop(slot);
    if (!strcmp(operation, "import-fence")) {
        int fence = fences[atoi(words[2]) % SLOTS];

        if (!fence)
            return false;
        result(import_fence(*slot, fence, number(words, "flags")));
    } else if (!strcmp(operation, "cpu-access")) {
        uint64_t flags = number(words, "flags");
        short needed = flags & DMA_BUF_SYNC_WRITE ? POLLOUT : POLLIN;

        if (!(flags & DMA_BUF_SYNC_END) && !(ready(*slot) & needed))
            return false; /* the program would wait for itself */
        result(sync_cpu(*slot, flags));
    } else if (!strcmp(operation, "ready")) {
        short events = ready(*slot);

        say("ok read=%d write=%d", !!(events & POLLIN), !!(events & POLLOUT));
    } else if (!strcmp(operation, "mmap")) {
        map(*slot, number(words, "pages"), number(words, "at"));
    } else if (!strcmp(operation, "seek")) {
        seek(*slot, strtol(words[2], NULL, 10), atoi(words[3]));
    } else {
        die(operation);
    }
    return true;
}

static void begin_program(const char *header)
{
    (void)header;
}

static bool run_line(char *line)
{
    static const char *const of_fences[] = {"fence", "merge", "close-fence", "info", "wait"};
    char *words[MAX_WORDS + 1] = {0};
    int count = split(line, words), slot = count > 1 ? atoi(words[1]) : -1;
    const char *operation = words[0];

    if (slot < 0 || slot >= SLOTS)
        die(operation);
    if (!strcmp(operation, "timeline"))
        return !timelines[slot] && keep(&timelines[slot], open("/sys/kernel/debug/sync/sw_sync", O_RDWR));
    if (!strcmp(operation, "close-timeline"))
        return timelines[slot] && drop(&timelines[slot]);
    if (!strcmp(operation, "advance")) {
        uint32_t by = strtoul(words[2], NULL, 10);

        if (!timelines[slot])
            return false;
        result(ioctl(timelines[slot], SW_SYNC_INC, &by));
        return true;
    }
    if (!strcmp(operation, "export-fence")) {
        int buffer = buffers[atoi(words[2]) % SLOTS];

        return buffer && !fences[slot] && keep(&fences[slot], export_fence(buffer, number(words, "flags")));
    }
    for (size_t i = 0; i < sizeof of_fences / sizeof *of_fences; i++)
        if (!strcmp(operation, of_fences[i]))
            return run_fence(operation, &fences[slot], words);
    return run_buffer(operation, &buffers[slot], words);
}

int main(void)
{
    return record(&(struct recorder){begin_program, run_line, NULL});
}
