/*
 * A closed-loop load generator for tlsmgr's sockets.
 *
 *   load SOCKET attributes|rpc CONNECTIONS WARMUP SECONDS KEYS RATE < REQUESTS
 *
 * Each connection sends a request, waits for the whole reply, and sends the next one, drawn
 * at random from REQUESTS: a 32-bit length in this machine's byte order and the request's
 * bytes, again and again. What is answered in the first WARMUP seconds is not counted. With
 * SECONDS of 0 each request is sent once, in order, and that is all.
 *
 * 16 times "@" in a request stand for an id that no request had before, and 16 times "#" for
 * one of KEYS ids, drawn at random. With SECONDS of 0 a request with "#" is sent KEYS times,
 * with each of the ids.
 *
 * With a RATE above 0 so many requests a second are sent, at even distances, by whichever
 * connection is free; a latency counts from the time at which the request was due.
 *
 * Prints one JSON object: requests, errors (replies with another status than 0), seconds,
 * and latencies in nanoseconds. Anything else that goes wrong ends it with exit code 1.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "replies.h"

#define BUFFER_SIZE 131072
#define SILENCE_SECONDS 20
#define FRESH "@@@@@@@@@@@@@@@@"
#define KNOWN "################"
#define ID_SIZE 16
/* Buckets of a latency: 64 for each power of two, which is within 1.6 % of the truth. */
#define SUB_BITS 6
#define BUCKETS (64 << SUB_BITS)

struct request {
    char *bytes;
    char *fresh;
    char *known;
    uint32_t size;
};

struct connection {
    int descriptor;
    int greeted;
    int busy;
    struct connection *next_free;
    uint64_t sent_at;
    size_t filled;
    char buffer[BUFFER_SIZE];
};

static struct request *requests;
static size_t request_count;
static size_t next_request, next_key;
static uint64_t total; /* what is sent when each request is sent once */
static uint64_t key_count;
static int in_order;
static struct connection *first_free;
static uint64_t interval, due_at; /* in nanoseconds; 0 for as fast as it goes */
static int speaks_rpc;
static uint64_t fresh_id;
static uint64_t histogram[BUCKETS];
static uint64_t answered, errors, slowest;
static uint64_t counting_from;

static void fail(const char *what)
{
    fprintf(stderr, "load: %s: %s\n", what, errno ? strerror(errno) : "unexpected");
    exit(1);
}

static uint64_t now_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static uint64_t draw(void)
{
    static uint64_t state = 88172645463325252u; /* xorshift64: the same order in every run */

    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state;
}

static void read_requests(void)
{
    uint32_t size;
    size_t room = 0;

    while (fread(&size, sizeof size, 1, stdin) == 1) {
        struct request *one;

        if (request_count == room) {
            room = room ? room * 2 : 1024;
            requests = realloc(requests, room * sizeof *requests);
            if (requests == NULL)
                fail("memory");
        }
        one = &requests[request_count++];
        one->size = size;
        one->bytes = malloc(size);
        if (one->bytes == NULL || fread(one->bytes, 1, size, stdin) != size)
            fail("requests");
        one->fresh = memmem(one->bytes, size, FRESH, ID_SIZE);
        one->known = memmem(one->bytes, size, KNOWN, ID_SIZE);
        total += one->known ? key_count : 1;
    }
    if (request_count == 0)
        fail("no requests");
}

static unsigned bucket_of(uint64_t value)
{
    unsigned power;

    if (value < (1u << SUB_BITS))
        return (unsigned)value;
    power = 63u - (unsigned)__builtin_clzll(value) - SUB_BITS;
    return ((power + 1) << SUB_BITS) + (unsigned)((value >> power) & ((1u << SUB_BITS) - 1));
}

/* Return the middle of what falls into a bucket. */
static uint64_t value_of(unsigned bucket)
{
    unsigned power = bucket >> SUB_BITS;

    if (power == 0)
        return bucket;
    power--;
    return (((1u << SUB_BITS) + (uint64_t)(bucket & ((1u << SUB_BITS) - 1))) << power) + ((1ull << power) >> 1);
}

static uint64_t percentile(double share)
{
    uint64_t wanted = (uint64_t)(share * (double)answered), seen = 0;

    for (unsigned bucket = 0; bucket < BUCKETS; bucket++)
        if ((seen += histogram[bucket]) > wanted)
            return value_of(bucket);
    return slowest;
}

static void write_id(char *place, uint64_t number)
{
    static const char digits[] = "0123456789ABCDEF";

    for (int at = ID_SIZE; at-- > 0; number >>= 4)
        place[at] = digits[number & 15];
}

/* Choose the request, and the key if it needs one, in order or at random. */
static struct request *choose(uint64_t *key)
{
    struct request *one;

    if (!in_order) {
        one = &requests[draw() % request_count];
        *key = one->known ? draw() % key_count : 0;
        return one;
    }
    one = &requests[next_request];
    *key = next_key++;
    if (one->known == NULL || next_key == key_count) {
        next_request++;
        next_key = 0;
    }
    return one;
}

static void send_now(struct connection *one, uint64_t counts_from)
{
    struct request *request;
    uint64_t key;

    one->busy = 0;
    if (in_order && next_request == request_count)
        return;
    request = choose(&key);
    if (request->fresh != NULL)
        write_id(request->fresh, fresh_id++);
    if (request->known != NULL) /* an odd factor: each number has an id of its own */
        write_id(request->known, key * 0x9e3779b97f4a7c15u);
    one->busy = 1;
    one->filled = 0;
    one->sent_at = counts_from;
    if (send(one->descriptor, request->bytes, request->size, MSG_NOSIGNAL) != (ssize_t)request->size)
        fail("send");
}

/* Send what is due, as far as there are connections that wait for nothing. */
static void send_due(void)
{
    while (first_free != NULL && due_at <= now_ns(CLOCK_MONOTONIC)) {
        struct connection *one = first_free;

        first_free = one->next_free;
        send_now(one, due_at);
        due_at += interval;
    }
}

static void send_next(struct connection *one)
{
    if (interval == 0) {
        send_now(one, now_ns(CLOCK_MONOTONIC));
        return;
    }
    one->busy = 0;
    one->next_free = first_free;
    first_free = one;
    send_due();
}

static void count(const struct connection *one, size_t size)
{
    uint64_t now = now_ns(CLOCK_MONOTONIC), latency = now - one->sent_at;

    if (!is_ok(one->buffer, size, speaks_rpc))
        errors++;
    if (now < counting_from)
        return;
    answered++;
    histogram[bucket_of(latency)]++;
    if (latency > slowest)
        slowest = latency;
}

static void on_readable(struct connection *one)
{
    ssize_t got = recv(one->descriptor, one->buffer + one->filled, BUFFER_SIZE - one->filled, 0);
    size_t size;

    if (got == 0)
        errno = 0;
    if (got <= 0)
        fail("the server ended a connection");
    one->filled += (size_t)got;
    size = speaks_rpc ? object_size((unsigned char *)one->buffer, one->filled)
                      : list_size(one->buffer, one->filled);
    if (size == 0 && one->filled < BUFFER_SIZE)
        return;
    errno = 0;
    if (size != one->filled || (one->greeted && !one->busy))
        fail("more came than was asked for");
    if (one->greeted)
        count(one, size);
    one->greeted = 1;
    send_next(one);
}

static struct connection *connect_to(const char *path, int epoll)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct connection *one = calloc(1, sizeof *one);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};

    if (one == NULL || strlen(path) >= sizeof address.sun_path)
        fail("memory, or a path that is too long");
    strcpy(address.sun_path, path);
    one->descriptor = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(one->descriptor, (struct sockaddr *)&address, sizeof address) < 0)
        fail(path);
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, one->descriptor, &event) < 0)
        fail("epoll_ctl");
    return one;
}

/* Wait for answers, and no longer than until the next request is due. */
static int wait_for_answers(int epoll, struct epoll_event *events, int size)
{
    struct timespec timeout = {.tv_sec = SILENCE_SECONDS};
    uint64_t now = now_ns(CLOCK_MONOTONIC);
    int is_due_first = interval != 0 && first_free != NULL;
    int ready;

    if (is_due_first) {
        uint64_t left = due_at > now ? due_at - now : 0;

        timeout.tv_sec = (time_t)(left / 1000000000u);
        timeout.tv_nsec = (long)(left % 1000000000u);
    }
    ready = epoll_pwait2(epoll, events, size, &timeout, NULL);
    if (ready == 0 && !is_due_first) {
        errno = ETIMEDOUT;
        fail("no answer");
    }
    return ready;
}

static int work_left(uint64_t deadline)
{
    return in_order ? answered < total : now_ns(CLOCK_MONOTONIC) < deadline;
}

int main(int argc, char **argv)
{
    struct epoll_event events[256];
    uint64_t deadline, started;
    double seconds;
    int epoll = epoll_create1(0);

    if (argc != 8 || (strcmp(argv[2], "rpc") != 0 && strcmp(argv[2], "attributes") != 0)) {
        fputs("usage: load SOCKET attributes|rpc CONNECTIONS WARMUP SECONDS KEYS RATE < REQUESTS\n", stderr);
        return 64;
    }
    speaks_rpc = strcmp(argv[2], "rpc") == 0;
    seconds = strtod(argv[5], NULL);
    in_order = seconds <= 0;
    key_count = strtoull(argv[6], NULL, 10);
    interval = strtod(argv[7], NULL) > 0 ? (uint64_t)(1e9 / strtod(argv[7], NULL)) : 0;
    fresh_id = now_ns(CLOCK_REALTIME);
    read_requests();
    started = due_at = now_ns(CLOCK_MONOTONIC);
    counting_from = started + (uint64_t)(in_order ? 0 : strtod(argv[4], NULL) * 1e9);
    deadline = counting_from + (uint64_t)(seconds * 1e9);
    for (int left = atoi(argv[3]); left > 0; left--) {
        struct connection *one = connect_to(argv[1], epoll);

        one->greeted = speaks_rpc; /* in the attribute protocol the server speaks first */
        if (one->greeted)
            send_next(one);
    }
    while (work_left(deadline)) {
        int ready = wait_for_answers(epoll, events, 256);

        for (int i = 0; i < ready; i++)
            on_readable(events[i].data.ptr);
        send_due();
    }
    seconds = (double)(now_ns(CLOCK_MONOTONIC) - counting_from) / 1e9;
    printf("{\"requests\": %llu, \"errors\": %llu, \"seconds\": %.6f, ", (unsigned long long)answered,
           (unsigned long long)errors, seconds);
    printf("\"p50_ns\": %llu, \"p99_ns\": %llu, \"max_ns\": %llu}\n", (unsigned long long)percentile(0.5),
           (unsigned long long)percentile(0.99), (unsigned long long)slowest);
    return 0;
}
