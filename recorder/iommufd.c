/*
 * Records programs over three I/O address spaces and one buffer of 64 pages, page i filled with the byte i + 1, with
 * the domains and accesses of iommufd's selftest. A space has a domain and an access at most; an access, slots of pins.
 */
#include "program.h"
#include <fcntl.h>
#include "include/uapi/linux/iommufd.h"
#include "drivers/iommu/iommufd/iommufd_test.h"

#define BUFFER_AT 0x200000000000ul /* nothing lies behind it */
#define PAGES 64
#define SPACES 3
#define SLOTS 16
#define IO_PAGE 2048

static struct space {
    bool open, has_domain, has_access;
    uint32_t ioas, device, domain, access;
    bool is_pinned[SLOTS];
    uint32_t pins[SLOTS];
} spaces[SPACES];
static unsigned char *buffer;
static int iommu;

static uint64_t page_at(int page)
{
    return (uint64_t)buffer + page * PAGE;
}

static void say_hex(const char *before, uint64_t value)
{
    say(value ? "%s%#lx" : "%s%lu", before, value);
}

/* The number behind KEY=. */
static uint64_t number(char **words, const char *key)
{
    size_t length = strlen(key);

    for (; *words; words++)
        if (!strncmp(*words, key, length) && (*words)[length] == '=')
            return strtoull(*words + length + 1, NULL, 0);
    die(key);
}

static bool has(char **words, const char *wanted)
{
    for (; *words; words++)
        if (!strcmp(*words, wanted))
            return true;
    return false;
}

static uint32_t map_flags(char **words, const char *access)
{
    return (access[0] == 'r' ? IOMMU_IOAS_MAP_READABLE : 0) | (access[1] == 'w' ? IOMMU_IOAS_MAP_WRITEABLE : 0)
        | (has(words, "at=any") ? 0 : IOMMU_IOAS_MAP_FIXED_IOVA);
}

static uint64_t place(char **words)
{
    return has(words, "at=any") ? 0 : number(words, "at");
}

static int test(struct iommu_test_cmd *command, uint32_t op, uint32_t id)
{
    command->size = sizeof *command;
    command->op = op;
    command->id = id;
    return ioctl(iommu, IOMMU_TEST_CMD, command);
}

static int destroy(uint32_t id)
{
    struct iommu_destroy command = {.size = sizeof command, .id = id};

    return ioctl(iommu, IOMMU_DESTROY, &command);
}

static void count_pins(int page)
{
    for (uint32_t pins = 0;; pins++) {
        struct iommu_test_cmd command = {.check_refs = {.length = PAGE, .uptr = page_at(page), .refs = pins}};

        if (!test(&command, IOMMU_TEST_OP_MD_CHECK_REFS, 0)) {
            say("ok count=%u", pins);
            return;
        }
        if (errno != EIO)
            die("MD_CHECK_REFS");
    }
}

static void translate(struct space *space, uint64_t iova)
{
    int found = -1;

    for (int page = 0; page < PAGES; page++) {
        struct iommu_test_cmd command = {.check_map = {.iova = iova, .length = IO_PAGE, .uptr = page_at(page)}};

        if (!test(&command, IOMMU_TEST_OP_MD_CHECK_MAP, space->domain))
            found = page;
        else if (errno != EINVAL)
            die("MD_CHECK_MAP");
    }
    say("ok page=%d", found);
}

/* Which run of the buffer the pages are: each is tried, and those pinned for a wrong guess are unpinned by the kernel. */
static void pin(struct space *space, int slot, char **words)
{
    uint64_t iova = number(words, "iova");

    for (int page = 0; page < PAGES; page++) {
        struct iommu_test_cmd command = {.access_pages = {
            .flags = has(words, "write") ? MOCK_FLAGS_ACCESS_WRITE : 0,
            .iova = iova,
            .length = number(words, "length"),
            .uptr = page_at(page) + iova % PAGE,
        }};

        if (!test(&command, IOMMU_TEST_OP_ACCESS_PAGES, space->access)) {
            space->is_pinned[slot] = true;
            space->pins[slot] = command.access_pages.out_access_pages_id;
            say("ok page=%d", page);
            return;
        }
        if (errno != EBADE) {
            result(-1);
            return;
        }
    }
    say("other-pages");
}

/* Pins that an unmap has taken are no longer there, and their unpin is not recorded. */
static bool unpin(struct space *space, int slot)
{
    struct iommu_test_cmd command = {.destroy_access_pages = {.access_pages_id = space->pins[slot]}};

    if (!space->is_pinned[slot])
        return false;
    space->is_pinned[slot] = false;
    int status = test(&command, IOMMU_TEST_OP_DESTROY_ACCESS_PAGES, space->access);

    if (status && errno == ENOENT)
        return false;
    result(status);
    return true;
}

static void access_bytes(struct space *space, char **words, bool writes)
{
    static unsigned char bytes[16 << 20];
    uint64_t length = number(words, "length");
    struct iommu_test_cmd command = {.access_rw = {
        .iova = number(words, "iova"),
        .length = length,
        .uptr = (uint64_t)bytes,
        .flags = writes ? MOCK_ACCESS_RW_WRITE : 0,
    }};

    if (length == 0 || length > sizeof bytes)
        die("length");
    if (writes)
        memset(bytes, number(words, "value"), length);
    if (result(test(&command, IOMMU_TEST_OP_ACCESS_RW, space->access)) && !writes)
        say(" first=%d last=%d", bytes[0], bytes[length - 1]);
}

static bool run_access(struct space *space, const char *operation, char **words)
{
    if (!space->has_access)
        return false;
    if (!strcmp(operation, "access-pin"))
        pin(space, atoi(words[2]) % SLOTS, words);
    else if (!strcmp(operation, "access-unpin"))
        return unpin(space, atoi(words[2]) % SLOTS);
    else if (!strcmp(operation, "access-read") || !strcmp(operation, "access-write"))
        access_bytes(space, words, !strcmp(operation, "access-write"));
    else
        die(operation);
    return true;
}

static bool create(struct space *space)
{
    struct iommu_ioas_alloc command = {.size = sizeof command};

    if (space->open)
        return false;
    if (result(ioctl(iommu, IOMMU_IOAS_ALLOC, &command)))
        *space = (struct space){.open = true, .ioas = command.out_ioas_id};
    return true;
}

static void map(struct space *space, char **words, const char *access)
{
    struct iommu_ioas_map command = {
        .size = sizeof command,
        .flags = map_flags(words, access),
        .ioas_id = space->ioas,
        .user_va = page_at(0) + number(words, "user"),
        .length = number(words, "length"),
        .iova = place(words),
    };

    if (result(ioctl(iommu, IOMMU_IOAS_MAP, &command)))
        say_hex(" iova=", command.iova);
}

static void unmap(struct space *space, char **words)
{
    struct iommu_ioas_unmap command = {
        .size = sizeof command,
        .ioas_id = space->ioas,
        .iova = number(words, "iova"),
        .length = number(words, "length"),
    };

    if (result(ioctl(iommu, IOMMU_IOAS_UNMAP, &command)))
        say_hex(" unmapped=", command.length);
}

static bool copy(struct space *from, struct space *to, char **words, const char *access)
{
    struct iommu_ioas_copy command = {
        .size = sizeof command,
        .flags = map_flags(words, access),
        .src_ioas_id = from->ioas,
        .dst_ioas_id = to->ioas,
        .src_iova = number(words, "from"),
        .length = number(words, "length"),
        .dst_iova = place(words),
    };

    if (!to->open)
        return false;
    if (result(ioctl(iommu, IOMMU_IOAS_COPY, &command)))
        say_hex(" iova=", command.dst_iova);
    return true;
}

static void list_ranges(struct space *space)
{
    static struct iommu_iova_range ranges[256];
    struct iommu_ioas_iova_ranges command = {
        .size = sizeof command, .ioas_id = space->ioas, .num_iovas = 256, .allowed_iovas = (uint64_t)ranges};

    if (!result(ioctl(iommu, IOMMU_IOAS_IOVA_RANGES, &command)))
        return;
    say(" alignment=%llu list=", command.out_iova_alignment);
    for (uint32_t i = 0; i < command.num_iovas; i++) {
        say_hex(i ? "," : "", ranges[i].start);
        say_hex("-", ranges[i].last);
    }
}

static void allow(struct space *space, char *list)
{
    struct iommu_iova_range ranges[16];
    struct iommu_ioas_allow_iovas command = {.size = sizeof command, .ioas_id = space->ioas, .allowed_iovas = (uint64_t)ranges};

    for (char *rest, *word = strtok_r(list, ",", &rest); word && strcmp(word, "nothing"); word = strtok_r(NULL, ",", &rest)) {
        if (command.num_iovas == 16)
            die("too many ranges");
        ranges[command.num_iovas].start = strtoull(word, &word, 0);
        ranges[command.num_iovas++].last = strtoull(word + 1, NULL, 0);
    }
    result(ioctl(iommu, IOMMU_IOAS_ALLOW_IOVAS, &command));
}

static void reserve(struct space *space, uint64_t start, uint64_t length)
{
    struct iommu_test_cmd command = {.add_reserved = {.start = start, .length = length}};

    result(test(&command, IOMMU_TEST_OP_ADD_RESERVED, space->ioas));
}

static bool attach(struct space *space)
{
    struct iommu_test_cmd command = {0};

    if (space->has_domain)
        return false;
    if (result(test(&command, IOMMU_TEST_OP_MOCK_DOMAIN, space->ioas))) {
        space->has_domain = true;
        space->device = command.mock_domain.out_stdev_id;
        space->domain = command.mock_domain.out_hwpt_id;
    }
    return true;
}

static bool detach(struct space *space)
{
    if (!space->has_domain)
        return false;
    if (result(destroy(space->device)))
        space->has_domain = false;
    return true;
}

static bool open_access(struct space *space)
{
    struct iommu_test_cmd command = {.create_access = {.flags = MOCK_FLAGS_ACCESS_CREATE_NEEDS_PIN_PAGES}};

    if (space->has_access)
        return false;
    if (result(test(&command, IOMMU_TEST_OP_CREATE_ACCESS, space->ioas))) {
        space->has_access = true;
        space->access = command.create_access.out_access_fd;
    }
    return true;
}

static void begin_program(const char *header)
{
    (void)header;
    iommu = open("/dev/iommu", O_RDWR);
    buffer = mmap((void *)BUFFER_AT, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (iommu < 0 || buffer == MAP_FAILED)
        die("/dev/iommu");
    for (int page = 0; page < PAGES; page++)
        memset((void *)page_at(page), page + 1, PAGE);
}

static bool run_line(char *line)
{
    char *words[MAX_WORDS + 1] = {0};
    int count = split(line, words), which = count > 1 ? atoi(words[1]) : -1;
    const char *operation = words[0], *last = words[count - 1];
    bool isOfPage = !strcmp(operation, "pins") || !strcmp(operation, "cpu-read");

    if (which < 0 || which >= (isOfPage ? PAGES : SPACES))
        die(operation);
    if (!strcmp(operation, "pins")) {
        count_pins(which);
        return true;
    }
    if (!strcmp(operation, "cpu-read")) {
        say("ok first=%d last=%d", buffer[which * PAGE], buffer[which * PAGE + PAGE - 1]);
        return true;
    }

    struct space *space = &spaces[which];

    if (!strcmp(operation, "space"))
        return create(space);
    if (!space->open)
        return false;
    if (!strcmp(operation, "destroy")) {
        if (result(destroy(space->ioas)))
            space->open = false;
    } else if (!strcmp(operation, "map")) {
        map(space, words, last);
    } else if (!strcmp(operation, "unmap")) {
        unmap(space, words);
    } else if (!strcmp(operation, "copy")) {
        return copy(space, &spaces[atoi(words[2]) % SPACES], words, last);
    } else if (!strcmp(operation, "ranges")) {
        list_ranges(space);
    } else if (!strcmp(operation, "allow")) {
        allow(space, words[2]);
    } else if (!strcmp(operation, "reserve")) {
        reserve(space, strtoull(words[2], NULL, 0), number(words, "length"));
    } else if (!strcmp(operation, "attach")) {
        return attach(space);
    } else if (!strcmp(operation, "detach")) {
        return detach(space);
    } else if (!strcmp(operation, "translate")) {
        if (!space->has_domain)
            return false;
        translate(space, strtoull(words[2], NULL, 0));
    } else if (!strcmp(operation, "access")) {
        return open_access(space);
    } else {
        return run_access(space, operation, words);
    }
    return true;
}

int main(void)
{
    return record(&(struct recorder){begin_program, run_line, NULL});
}
