/*
 * Records programs over address spaces, the kernel's HMM test devices, io_uring pins and GUP test pins.
 * Three regions of memory, four slots of pins, one set of long-term pins, one child at a time.
 */
#include "program.h"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include "lib/test_hmm_uapi.h"
#include "mm/gup_test.h"

#define REGIONS 3
#define SLOTS 4
#define MAX_PAGES 1024ul
#define HOME 0x100000000000ul
#define AWAY 0x130000000000ul
#define STEP 0x10000000000ul

static struct region {
    char *at; /* NULL: never mapped */
    unsigned long pages;
    bool away;
} regions[REGIONS];
static int devices[4];
static int rings[SLOTS];
static int gup;
static unsigned long pinned; /* pages of the set of pins; 0: there is none */
static uint64_t *data;       /* MAX_PAGES pages of what devices read and write */
static uint64_t entries[MAX_PAGES];
static bool huge, coherent;
static pid_t child;
static int to_child, from_child;
static sigjmp_buf trap;

static void say_data(unsigned long page, char *item)
{
    sprintf(item, "%lu/%lu", data[page * 512], data[page * 512 + 511]);
}

static void say_permission(unsigned long page, char *item)
{
    sprintf(item, "%02x", ((unsigned char *)data)[page]);
}

/* Bits of /proc/self/pagemap: 63 present, 62 swap-like, 56 mapped by this process alone. */
static void say_entry(unsigned long page, char *item)
{
    uint64_t entry = entries[page];

    strcpy(item, entry >> 63 ? (entry >> 56 & 1 ? "P" : "Q") : entry >> 62 & 1 ? "S" : ".");
}

static void on_fault(int signal)
{
    siglongjmp(trap, signal);
}

static int protection(const char *word)
{
    return (word[0] == 'r' ? PROT_READ : 0) | (word[1] == 'w' ? PROT_WRITE : 0);
}

static int make_file(unsigned long pages)
{
    int file = memfd_create("file", 0);
    uint64_t page[512] = {0};

    if (file < 0 || ftruncate(file, pages * PAGE))
        die("memfd");
    for (unsigned long i = 0; i < pages; i++) {
        page[0] = page[511] = 1000 + i;
        if (pwrite(file, page, PAGE, i * PAGE) != (ssize_t)PAGE)
            die("pwrite");
    }
    return file;
}

static void map(int r, unsigned long pages, int allowed, const char *kind)
{
    bool anonymous = strstr(kind, "anon"), shared = strstr(kind, "shared");
    int file = anonymous ? -1 : make_file(pages);
    int flags = (shared ? MAP_SHARED : MAP_PRIVATE) | (anonymous ? MAP_ANONYMOUS : 0) | MAP_FIXED_NOREPLACE;
    char *at = mmap((char *)HOME + r * STEP, pages * PAGE, allowed, flags, file, 0);

    bool mapped = result(at == MAP_FAILED);

    if (file >= 0)
        close(file);
    if (!mapped)
        return;
    regions[r] = (struct region){at, pages, false};
    if (huge && anonymous && !shared && madvise(at, pages * PAGE, MADV_HUGEPAGE))
        die("MADV_HUGEPAGE");
}

static void move(int r)
{
    size_t size = regions[r].pages * PAGE;
    char *there = (char *)(regions[r].away ? HOME : AWAY) + r * STEP;

    if (result(mremap(regions[r].at, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, there) == MAP_FAILED)) {
        regions[r].at = there;
        regions[r].away = !regions[r].away;
    }
}

static void touch(char *at, bool writes, uint64_t value)
{
    volatile uint64_t *words = (volatile uint64_t *)at;
    int signal = sigsetjmp(trap, 1);

    if (signal) {
        say("%s", signal == SIGBUS ? "SIGBUS" : "SIGSEGV");
    } else if (writes) {
        words[0] = value;
        say("ok");
    } else {
        uint64_t first = words[0], last = words[511];

        say("ok data=%lu/%lu", first, last);
    }
}

static void read_entries(char *at, unsigned long pages)
{
    int file = open("/proc/self/pagemap", O_RDONLY);

    if (file < 0 || pread(file, entries, pages * 8, (uint64_t)at / PAGE * 8) != (ssize_t)(pages * 8))
        die("pagemap");
    close(file);
    say("ok map=");
    say_list(pages, say_entry);
}

static bool pin(int slot, char *at, unsigned long pages)
{
    struct io_uring_params params = {0};
    struct iovec buffer = {at, pages * PAGE};

    if (rings[slot])
        return false;
    int ring = syscall(__NR_io_uring_setup, 1, &params);

    if (ring < 0)
        die("io_uring_setup");
    if (result(syscall(__NR_io_uring_register, ring, IORING_REGISTER_BUFFERS, &buffer, 1)))
        rings[slot] = ring;
    else
        close(ring);
    return true;
}

/* Unregistering unpins at once; of a ring that is closed alone the pins go when a worker has run. */
static bool unpin(int slot)
{
    if (!rings[slot])
        return false;
    result(syscall(__NR_io_uring_register, rings[slot], IORING_UNREGISTER_BUFFERS, NULL, 0));
    close(rings[slot]);
    rings[slot] = 0;
    return true;
}

static bool long_pin(char *at, unsigned long pages, const char *access, const char *speed)
{
    struct pin_longterm_test test = {
        .addr = (uint64_t)at,
        .size = pages * PAGE,
        .flags = (!strcmp(access, "write") ? PIN_LONGTERM_TEST_FLAG_USE_WRITE : 0)
            | (!strcmp(speed, "fast") ? PIN_LONGTERM_TEST_FLAG_USE_FAST : 0),
    };

    if (pinned)
        return false;
    if (result(ioctl(gup, PIN_LONGTERM_TEST_START, &test)))
        pinned = pages;
    return true;
}

static bool long_unpin(void)
{
    if (!pinned)
        return false;
    result(ioctl(gup, PIN_LONGTERM_TEST_STOP));
    pinned = 0;
    return true;
}

static bool long_pin_read(void)
{
    uint64_t to = (uint64_t)data;

    if (!pinned)
        return false;
    if (result(ioctl(gup, PIN_LONGTERM_TEST_READ, &to))) {
        say(" data=");
        say_list(pinned, say_data);
    }
    return true;
}

/* What each command of a device answers beside its errno. */
static const struct command {
    const char *name;
    unsigned long request;
    bool pages, faults, data, permissions;
} commands[] = {
    {"device-read", HMM_DMIRROR_READ, true, true, true, false},
    {"device-write", HMM_DMIRROR_WRITE, true, true, false, false},
    {"migrate-to-device", HMM_DMIRROR_MIGRATE_TO_DEV, true, false, true, false},
    {"migrate-to-system", HMM_DMIRROR_MIGRATE_TO_SYS, true, false, false, false},
    {"make-exclusive", HMM_DMIRROR_EXCLUSIVE, true, false, true, false},
    {"check-exclusive", HMM_DMIRROR_CHECK_EXCLUSIVE, false, false, false, false},
    {"snapshot", HMM_DMIRROR_SNAPSHOT, true, false, false, true},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        if (!strcmp(name, commands[i].name))
            return &commands[i];
    return NULL;
}

static void command_device(const struct command *command, int device, char *at, unsigned long pages, uint64_t value)
{
    struct hmm_dmirror_cmd cmd = {.addr = (uint64_t)at, .ptr = (uint64_t)data, .npages = pages};
    int status;

    for (unsigned long i = 0; command->request == HMM_DMIRROR_WRITE && i < pages * 512; i++)
        data[i] = value + i / 512;
    do
        status = ioctl(devices[device], command->request, &cmd);
    while (status && errno == EINTR);
    if (!result(status))
        return;
    if (command->pages)
        say(" cpages=%lu", (unsigned long)cmd.cpages);
    if (command->faults)
        say(" faults=%lu", (unsigned long)cmd.faults);
    if (command->data && cmd.cpages) {
        say(" data=");
        say_list(pages, say_data);
    }
    if (command->permissions) {
        say(" perm=");
        say_list(pages, say_permission);
    }
}

static void open_devices(void)
{
    char path[32];

    for (int d = coherent ? 2 : 0; d < (coherent ? 4 : 2); d++) {
        sprintf(path, "/dev/hmm_dmirror%d", d);
        devices[d] = open(path, O_RDWR);
        if (devices[d] < 0)
            die(path);
    }
}

/* One operation in this process: OPERATION [DEVICE or SLOT] REGION NUMBERS... */
static bool run(char *line)
{
    char *all[MAX_WORDS] = {0}, **words = all;
    int count = split(line, all);
    const char *operation = words[0];
    const struct command *command = find_command(operation);

    if (!strcmp(operation, "unpin"))
        return unpin(atoi(words[1]));
    if (!strcmp(operation, "long-unpin"))
        return long_unpin();
    if (!strcmp(operation, "long-pin-read"))
        return long_pin_read();

    int number = 0;

    if (command || !strcmp(operation, "pin"))
        number = atoi((++words)[0]);
    int r = words[1][0] - 'A';

    if (words + 2 > all + count || r < 0 || r >= REGIONS)
        die(operation);
    unsigned long first = words[2] ? strtoul(words[2], NULL, 10) : 0;
    unsigned long second = words[2] && words[3] ? strtoul(words[3], NULL, 10) : 0;
    char *at = regions[r].at + first * PAGE;

    if (command)
        command_device(command, number, at, second, words[4] ? strtoul(words[4], NULL, 10) : 0);
    else if (!strcmp(operation, "pin"))
        return pin(number, at, second);
    else if (!strcmp(operation, "long-pin"))
        return long_pin(at, second, words[4], words[5]);
    else if (!strcmp(operation, "map"))
        map(r, first, protection(words[3]), words[4]);
    else if (!strcmp(operation, "unmap"))
        result(munmap(at, second * PAGE));
    else if (!strcmp(operation, "protect"))
        result(mprotect(at, second * PAGE, protection(words[4])));
    else if (!strcmp(operation, "dontneed"))
        result(madvise(at, second * PAGE, MADV_DONTNEED));
    else if (!strcmp(operation, "populate-write"))
        result(madvise(at, second * PAGE, MADV_POPULATE_WRITE));
    else if (!strcmp(operation, "move"))
        move(r);
    else if (!strcmp(operation, "cpu-write"))
        touch(at, true, second);
    else if (!strcmp(operation, "cpu-read"))
        touch(at, false, 0);
    else if (!strcmp(operation, "pagemap"))
        read_entries(at, second);
    else
        die(operation);
    return true;
}

static void transfer(int pipe, void *bytes, size_t length, bool sends)
{
    for (ssize_t done; length; bytes = (char *)bytes + done, length -= done) {
        done = sends ? write(pipe, bytes, length) : read(pipe, bytes, length);
        if (done <= 0)
            die("pipe");
    }
}

static void send_text(int pipe, char *text, uint32_t length)
{
    transfer(pipe, &length, sizeof length, true);
    transfer(pipe, text, length, true);
}

static void receive_text(int pipe, char *text)
{
    uint32_t length;

    transfer(pipe, &length, sizeof length, false);
    transfer(pipe, text, length, false);
}

/* The child: opens the devices itself, keeps none of the pins' files, and does what it is told. */
static void __attribute__((noreturn)) serve(int in, int out)
{
    char line[MAX_LINE];

    prctl(PR_SET_PDEATHSIG, SIGKILL);
    close(gup);
    for (int slot = 0; slot < SLOTS; slot++)
        if (rings[slot])
            close(rings[slot]);
    open_devices();
    send_text(out, "ok", 3);
    for (;;) {
        receive_text(in, line);
        if (!strcmp(line, "exit"))
            _exit(0);
        outcome_length = 0;
        if (!run(line))
            die("the child has no pins");
        send_text(out, outcome, outcome_length + 1);
    }
}

static bool start_child(void)
{
    int down[2], up[2];

    if (child)
        return false;
    if (pipe(down) || pipe(up) || (child = fork()) < 0)
        die("fork");
    if (!child) {
        close(down[1]);
        close(up[0]);
        serve(down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    to_child = down[1];
    from_child = up[0];
    receive_text(from_child, outcome);
    return true;
}

static bool run_in_child(char *line)
{
    if (!child)
        return false;
    send_text(to_child, line, strlen(line) + 1);
    if (strcmp(line, "exit")) {
        receive_text(from_child, outcome);
        return true;
    }
    waitpid(child, NULL, 0);
    close(to_child);
    close(from_child);
    child = 0;
    say("ok");
    return true;
}

static void begin_program(const char *header)
{
    struct sigaction action = {.sa_handler = on_fault, .sa_flags = SA_NODEFER};
    char kind[32];

    if (sscanf(header, "program %*s %31s", kind) != 1)
        die(header);
    huge = !strcmp(kind, "huge");
    coherent = strstr(kind, "coherent");
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    data = mmap(NULL, MAX_PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    gup = open("/sys/kernel/debug/gup_test", O_RDWR);
    if (data == MAP_FAILED || gup < 0)
        die("gup_test");
    open_devices();
}

static bool run_line(char *line)
{
    return !strcmp(line, "fork") ? start_child() : !strncmp(line, "child ", 6) ? run_in_child(line + 6) : run(line);
}

static void end_program(void)
{
    run_in_child("exit");
}

int main(void)
{
    return record(&(struct recorder){begin_program, run_line, end_program});
}
