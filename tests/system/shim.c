/* Faults on demand, in a process that this library is preloaded into (ld.so(8), LD_PRELOAD):
 * a clock that was set, and input/output errors of files in directories called "..._scache".
 * What is to happen stands in the file that FAULTS_FILE names, in shared memory. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

struct faults {
    volatile int64_t clock_seconds; /* added to the time of day */
    volatile int64_t fails_io;
    volatile int64_t sync_milliseconds; /* that a sync of the file with the ticket keys takes */
    volatile int64_t syncs;             /* of it, so far */
};
static struct faults none;
static struct faults *faults = &none;

__attribute__((constructor)) static void begin(void)
{
    const char *path = getenv("FAULTS_FILE");
    int file = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    if (file < 0)
        return;
    void *shared = mmap(0, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    if (shared != MAP_FAILED)
        faults = shared;
    syscall(SYS_close, file);
}

static int is_called(int file, const char *part)
{
    char name[64], path[4096];
    snprintf(name, sizeof name, "/proc/self/fd/%d", file);
    ssize_t size = readlink(name, path, sizeof path - 1);
    if (size < 0)
        return 0;
    path[size] = 0;
    return strstr(path, part) != NULL;
}

/* Errors only on what is a store's; the log, the sockets and the libraries go on. */
static int fails(int file)
{
    if (!faults->fails_io || !is_called(file, "_scache/"))
        return 0;
    errno = EIO;
    return 1;
}

int clock_gettime(clockid_t clock, struct timespec *now)
{
    int result = (int)syscall(SYS_clock_gettime, clock, now);
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        now->tv_sec += faults->clock_seconds;
    return result;
}

int gettimeofday(struct timeval *restrict now, void *restrict zone)
{
    struct timespec exact;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &exact);
    now->tv_sec = exact.tv_sec;
    now->tv_usec = exact.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *result)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (result)
        *result = now.tv_sec;
    return now.tv_sec;
}

#define FAILING(type, name, number, declared, ...) \
    type name declared { return fails(file) ? -1 : (type)syscall(number, __VA_ARGS__); }

FAILING(ssize_t, read, SYS_read, (int file, void *data, size_t size), file, data, size)
FAILING(ssize_t, write, SYS_write, (int file, const void *data, size_t size), file, data, size)
FAILING(ssize_t, pread, SYS_pread64, (int file, void *data, size_t size, off_t at), file, data, size, at)
FAILING(ssize_t, pread64, SYS_pread64, (int file, void *data, size_t size, off64_t at), file, data, size, at)
FAILING(ssize_t, pwrite, SYS_pwrite64, (int file, const void *data, size_t size, off_t at), file, data, size, at)
FAILING(ssize_t, pwrite64, SYS_pwrite64, (int file, const void *data, size_t size, off64_t at), file, data, size, at)
FAILING(int, ftruncate, SYS_ftruncate, (int file, off_t size), file, size)
FAILING(int, ftruncate64, SYS_ftruncate, (int file, off64_t size), file, size)
FAILING(int, fdatasync, SYS_fdatasync, (int file), file)

int fsync(int file)
{
    if (fails(file))
        return -1;
    if (is_called(file, "/tlsmgr_ticket_keys")) {
        usleep(faults->sync_milliseconds * 1000);
        faults->syncs++;
    }
    return (int)syscall(SYS_fsync, file);
}
