/*
 * The kernel that this runs on, as a peer: what a process can make it do that comes closest to what Mm models.
 *
 * Workloads, time per page of 4 KiB, no checksum:
 *   pagemap   reads /proc/self/pagemap of a populated 1 GiB: a walk of the page tables, a word a page
 *   collapse  MADV_COLLAPSE of 256 MiB of small pages: isolates, copies and maps anew
 *   fault     a missing page, served by userfaultfd from a thread on the same core: fault, copy, map, resume
 * What the kernel refuses, for want of the call or of a right, is "unknown".
 */
#include "peer.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
#define PAGE ((size_t)4096)
#define MAPPED ((size_t)1 << 30)
#define COLLAPSED ((size_t)256 << 20)
#define FAULTS 20000

static const struct answer refused = { .nanoseconds = -1 };

static char *map_small_pages(size_t bytes)
{
    char *raw = mmap(NULL, bytes + HUGE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (raw == MAP_FAILED) {
        perror("mmap");
        exit(1);
    }
    char *aligned = (char *)(((uintptr_t)raw + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1));

    munmap(raw, (size_t)(aligned - raw));
    if (raw + HUGE_PAGE > aligned)
        munmap(aligned + bytes, (size_t)(raw + HUGE_PAGE - aligned));
    madvise(aligned, bytes, MADV_NOHUGEPAGE);
    return aligned;
}

static struct answer read_pagemap(void)
{
    static char *memory;
    static uint64_t *words;
    static int file = -1;
    size_t wanted = MAPPED / PAGE * sizeof(*words);

    if (!memory) {
        memory = map_small_pages(MAPPED);
        memset(memory, 1, MAPPED);
        words = map_touched(wanted);
        file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    }
    double begin = now_ns();

    if (file < 0 || pread(file, words, wanted, (off_t)((uintptr_t)memory / PAGE * sizeof(*words))) != (ssize_t)wanted)
        return refused;
    return (struct answer){ .nanoseconds = (now_ns() - begin) / (double)(MAPPED / PAGE) };
}

static struct answer collapse(void)
{
    char *memory = map_small_pages(COLLAPSED);

    memset(memory, 1, COLLAPSED);
    madvise(memory, COLLAPSED, MADV_HUGEPAGE);
    double begin = now_ns();
    int result = madvise(memory, COLLAPSED, MADV_COLLAPSE);
    double nanoseconds = (now_ns() - begin) / (double)(COLLAPSED / PAGE);

    munmap(memory, COLLAPSED);
    return result ? refused : (struct answer){ .nanoseconds = nanoseconds };
}

struct server {
    int file;
    char *page;
};

static void *serve_faults(void *argument)
{
    struct server *server = argument;
    struct uffd_msg message;

    pin_to_cpu(0);
    while (read(server->file, &message, sizeof(message)) == sizeof(message)) {
        struct uffdio_copy copy = {
            .dst = message.arg.pagefault.address & ~(PAGE - 1),
            .src = (uintptr_t)server->page,
            .len = PAGE,
        };

        if (message.event != UFFD_EVENT_PAGEFAULT || (ioctl(server->file, UFFDIO_COPY, &copy) && errno != EEXIST))
            break;
    }
    return NULL;
}

static int open_userfaultfd(void)
{
    int device = open("/dev/userfaultfd", O_RDWR | O_CLOEXEC);
    int file = device < 0 ? (int)syscall(SYS_userfaultfd, O_CLOEXEC) : ioctl(device, _IO(0xAA, 0), O_CLOEXEC);
    struct uffdio_api api = { .api = UFFD_API };

    if (device >= 0)
        close(device);
    if (file >= 0 && ioctl(file, UFFDIO_API, &api)) {
        close(file);
        return -1;
    }
    return file;
}

static struct answer take_faults(void)
{
    static char page[PAGE] = { 1 };
    size_t bytes = FAULTS * PAGE;
    struct server server = { .file = open_userfaultfd(), .page = page };
    pthread_t thread;

    if (server.file < 0)
        return refused;
    char *memory = map_small_pages(bytes);
    struct uffdio_register range = { .range = { (uintptr_t)memory, bytes }, .mode = UFFDIO_REGISTER_MODE_MISSING };

    if (ioctl(server.file, UFFDIO_REGISTER, &range) || pthread_create(&thread, NULL, serve_faults, &server)) {
        close(server.file);
        munmap(memory, bytes);
        return refused;
    }
    volatile char sum = 0;
    double begin = now_ns();

    for (size_t i = 0; i < bytes; i += PAGE)
        sum += memory[i];
    double nanoseconds = (now_ns() - begin) / FAULTS;

    pthread_cancel(thread);
    pthread_join(thread, NULL);
    close(server.file);
    munmap(memory, bytes);
    return (struct answer){ .nanoseconds = nanoseconds };
}

static struct answer run(const char *workload, uint64_t unused, uint64_t unused_too)
{
    (void)unused;
    (void)unused_too;
    if (!strcmp(workload, "pagemap"))
        return read_pagemap();
    if (!strcmp(workload, "collapse"))
        return collapse();
    if (!strcmp(workload, "fault"))
        return take_faults();
    return refused;
}

int main(void)
{
    return serve(run);
}
