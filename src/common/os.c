/* SPDX-License-Identifier: Apache-2.0 */
/* Implements services of the operating system for Linux. What POSIX lacks is called only here, and
 * in kernels/arm/cpu.c. */
#define _GNU_SOURCE /* sched_getaffinity, RUSAGE_THREAD, madvise */
#include "common/os.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- Folders ---- */

/* An entry as the kernel returns it, followed by the rest of its name. */
typedef struct entry {
    uint64_t inode;
    int64_t next;
    uint16_t bytes; /* of the entry */
    uint8_t type;
    char name[5]; /* 0-terminated; the true size is bytes - 19 */
} entry;

/* Visits the entries in a buffer that the kernel filled. */
static int32_t visit_entries(const char *buffer, long n, uint32_t *left,
                             int32_t (*visit)(void *user, const char *name), void *user)
{
    for (long at = 0; at<n && * left> 0; (*left)--) {
        uint16_t bytes = 0;
        memcpy(&bytes, buffer + at + offsetof(entry, bytes), sizeof bytes);
        const char *name = buffer + at + offsetof(entry, name);
        if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0) {
            LF_TRY(visit(user, name));
        }
        at += bytes;
    }
    return LFM2_OK;
}

int32_t lf_os_list(const char *path, uint32_t limit, int32_t (*visit)(void *user, const char *name),
                   void *user)
{
    /* opendir would allocate with malloc instead of the host's allocator */
    _Alignas(entry) char buffer[4096];
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return lf_fail_errno(errno, "io.open", path, "cannot be opened");
    }
    int32_t status = LFM2_OK;
    long n = 1;
    while (status == LFM2_OK && n > 0 && limit > 0) {
        n = syscall(SYS_getdents64, fd, buffer, sizeof buffer);
        if (n > 0) {
            status = visit_entries(buffer, n, &limit, visit, user);
        }
    }
    if (n < 0) {
        status = lf_fail_errno(errno, "io.list", path, "cannot be listed");
    }
    close(fd);
    return status;
}

/* ---- Time ---- */

double lf_os_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

uint64_t lf_os_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static uint64_t ns_of(struct timeval t)
{
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_usec * 1000;
}

bool lf_os_usage(uint64_t *cpu_ns, uint64_t *sleeps)
{
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) != 0) {
        return false;
    }
    *cpu_ns = ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
    *sleeps = (uint64_t)usage.ru_nvcsw;
    return true;
}

/* ---- Processors ---- */

bool lf_os_affinity(lf_cpu_mask *mask)
{
    cpu_set_t set[LF_MAX_CPUS / CPU_SETSIZE];
    memset(set, 0, sizeof set);
    if (sched_getaffinity(0, sizeof set, set) != 0) {
        return false;
    }
    memset(mask, 0, sizeof *mask);
    for (size_t cpu = 0; cpu < LF_MAX_CPUS; cpu++) {
        if (CPU_ISSET_S(cpu, sizeof set, set)) {
            mask->bits[cpu / 8] |= (uint8_t)(1u << cpu % 8);
        }
    }
    return true;
}

uint32_t lf_os_processors(void)
{
    lf_cpu_mask mask;
    uint32_t n = 0;
    if (lf_os_affinity(&mask)) {
        for (size_t i = 0; i < sizeof mask.bits; i++) {
            n += (uint32_t)__builtin_popcount(mask.bits[i]);
        }
    }
    return n;
}

/* ---- Processes ---- */

enum { MARK_BYTES = 4096 };

typedef struct mark_page {
    bool is_wiped; /* the kernel clears the page, including this field, in a child */
    pid_t pid;
} mark_page;

int32_t lf_os_mark_create(void **mark)
{
    void *page = mmap(NULL, MARK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED) {
        return lf_fail(LFM2_E_MEMORY, "memory", "out of memory (a page of %d bytes)", MARK_BYTES);
    }
    /* An emulator that ignores advice accepts any, even advice that does not exist (-1). */
    bool is_wiped =
        madvise(page, MARK_BYTES, -1) != 0 && madvise(page, MARK_BYTES, MADV_WIPEONFORK) == 0;
    *(mark_page *)page = (mark_page){.is_wiped = is_wiped, .pid = getpid()};
    *mark = page;
    return LFM2_OK;
}

void lf_os_mark_free(void *mark)
{
    if (mark != NULL) {
        munmap(mark, MARK_BYTES);
    }
}

bool lf_os_mark_is_ours(const void *mark)
{
    const mark_page *page = mark;
    return page->is_wiped || page->pid == getpid();
}

/* ---- Memory ---- */

void lf_os_huge_pages(void *p, size_t bytes)
{
    (void)madvise(p, bytes, MADV_HUGEPAGE);
}

void lf_os_drop(void *p, size_t bytes)
{
    (void)madvise(p, bytes, MADV_DONTNEED);
}

/* ---- Waiting ---- */

void lf_os_relax(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

_Static_assert(sizeof(atomic_uint) == sizeof(uint32_t), "the kernel compares 32 bits");

void lf_os_wait(atomic_uint *word, unsigned value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void lf_os_wake(atomic_uint *word)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}
