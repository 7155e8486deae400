/*
 * What the recorders share: programs come in, each runs in a process of its own, and what the kernel answers goes out.
 *
 * A program is "program ...", an operation a line, "end"; what stands behind " = " is an older recording's answer, and is
 * left out. An operation that does not apply, as an unpin of nothing, is not recorded.
 */
#ifndef PROGRAM_H
#define PROGRAM_H

#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/types.h>

#define PAGE 4096ul
#define MAX_WORDS 16
#define MAX_LINE 512
#define MAX_LINES 8192

/* What a recorder does with a program, in the program's own process. */
struct recorder {
    void (*begin)(const char *header);
    bool (*run)(char *line); /* false: does not apply */
    void (*end)(void);       /* may be NULL */
};

static char outcome[1 << 18];
static size_t outcome_length;

/* Ends the process that runs the program, not the recorder: its buffers are the parent's. */
static void __attribute__((noreturn)) die(const char *what)
{
    dprintf(2, "recorder: %s: %s\n", what, strerror(errno));
    _exit(1);
}

static void __attribute__((format(printf, 1, 2))) say(const char *format, ...)
{
    va_list values;

    va_start(values, format);
    outcome_length += vsnprintf(outcome + outcome_length, sizeof outcome - outcome_length, format, values);
    va_end(values);
    if (outcome_length >= sizeof outcome)
        die("the outcome is too long");
}

/* Says "ok" or the error's name; whether it was ok. */
static bool result(long status)
{
    const char *name = status ? strerrorname_np(errno) : "ok";

    say("%s", name ? name : "E?");
    return !status;
}

/* Says n items, runs of equal ones as ITEM*COUNT. */
static void __attribute__((unused)) say_list(unsigned long n, void (*format)(unsigned long, char *))
{
    char item[64], next[64];

    for (unsigned long i = 0, run; i < n; i += run) {
        format(i, item);
        for (run = 1; i + run < n && (format(i + run, next), !strcmp(item, next)); run++)
            ;
        say(i ? ",%s" : "%s", item);
        if (run > 1)
            say("*%lu", run);
    }
}

static int split(char *line, char **words)
{
    int n = 0;

    for (char *rest, *word = strtok_r(line, " ", &rest); word && n < MAX_WORDS; word = strtok_r(NULL, " ", &rest))
        words[n++] = word;
    return n;
}

static void run_program(const struct recorder *recorder, char *header, char **lines, int count)
{
    char line[MAX_LINE];

    alarm(60); /* a program that waits for itself ends */
    recorder->begin(header);
    printf("%s\n", header);
    for (int i = 0; i < count; i++) {
        char *answer = strstr(lines[i], " = ");

        if (answer)
            *answer = 0;
        snprintf(line, sizeof line, "%s", lines[i]);
        outcome_length = 0;
        if (recorder->run(line))
            printf("%s = %s\n", lines[i], outcome);
    }
    if (recorder->end)
        recorder->end();
    printf("end\n");
    fflush(stdout);
    _exit(0);
}

/* Records all programs of standard input. */
static int record(const struct recorder *recorder)
{
    static char text[64 << 20], *lines[MAX_LINES];
    size_t length = 0;
    char *header = NULL;
    int count = 0, status;

    for (ssize_t got; (got = read(0, text + length, sizeof text - 1 - length)) > 0;)
        length += got;
    for (char *line = text, *next; *line; line = next) {
        next = line + strcspn(line, "\n");
        if (*next)
            *next++ = 0;
        if (!strncmp(line, "program ", 8)) {
            header = line;
            count = 0;
        } else if (header && strcmp(line, "end")) {
            if (count == MAX_LINES)
                die("a program is too long");
            lines[count++] = line;
        } else if (header) {
            pid_t pid = fork();

            if (!pid)
                run_program(recorder, header, lines, count);
            if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
                die(header);
        }
    }
    return 0;
}

#endif
