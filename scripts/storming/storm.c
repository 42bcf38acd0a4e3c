/* A storm of clients: each connects, waits for the announcement, asks a few things one after the
 * other, and goes. One thread, so that the server is what is measured.
 *
 * storm SOCKET CONNECTIONS REQUESTS MILLISECONDS
 *
 * They come evenly spread over so many milliseconds; 0 is all in one instant.
 * Requests are policy, tktkey and lookup in turn. Prints one line: the count of errors (a
 * connection that is refused or ends early, a reply with a status other than the one expected),
 * then median, 99th percentile and maximum, in microseconds, of the time from connect() to the
 * announcement, then the same of the time from a request to its reply, then all of it in
 * microseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define EVENTS 256
#define GIVE_UP_MILLISECONDS 30000

struct client {
    int fd;
    int asked;          /* requests sent; 0 while the announcement is awaited */
    int64_t since;      /* when the present wait began, in nanoseconds */
    size_t length;      /* of the reply so far */
    char reply[4096];
};

struct request {
    const char *bytes;
    size_t length;
    const char *reply;  /* how the reply begins */
};

#define TEXT(text) text, sizeof(text) - 1
static const struct request requests[] = {
    {TEXT("request\0policy\0cache_type\0smtpd\0"), "status\0000"},
    {TEXT("request\0tktkey\0keyname\0\0"), "status\0000"},
    {TEXT("request\0lookup\0cache_type\0smtpd\0cache_id\0none\0"), "status\0004294967295"},
};
#define KINDS (sizeof(requests) / sizeof(requests[0]))

static int64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static int by_size(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left, b = *(const int64_t *)right;
    return (a > b) - (a < b);
}

static void print_figures(int64_t *times, size_t count)
{
    if (count == 0) {
        printf(" 0 0 0");
        return;
    }
    qsort(times, count, sizeof(*times), by_size);
    printf(" %.1f %.1f %.1f", times[count / 2] / 1e3, times[count * 99 / 100] / 1e3, times[count - 1] / 1e3);
}

static int connected(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("socket");
    if (strlen(path) >= sizeof(address.sun_path)) {
        fprintf(stderr, "storm: the path is too long\n");
        exit(1);
    }
    strcpy(address.sun_path, path);
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/* A list of attributes ends with an empty name: a null behind a null. A lookup that finds nothing
 * has an empty value before that, so the end is that of a whole read. */
static int is_complete(const struct client *client)
{
    return client->length >= 2 && client->reply[client->length - 1] == 0
        && client->reply[client->length - 2] == 0;
}

static int is_expected(const struct client *client)
{
    const char *wanted;
    size_t length;
    if (client->asked == 0) {
        wanted = "protocol";
        length = sizeof("protocol");
    } else {
        wanted = requests[(client->asked - 1) % KINDS].reply;
        length = sizeof("status") + strlen(wanted + sizeof("status")) + 1;
    }
    return client->length >= length && memcmp(client->reply, wanted, length) == 0;
}

static int ask(struct client *client)
{
    const struct request *request = &requests[client->asked % KINDS];
    char bytes[256];
    memcpy(bytes, request->bytes, request->length);
    bytes[request->length] = 0; /* the empty name that ends the list */
    client->asked++;
    client->length = 0;
    client->since = now();
    return send(client->fd, bytes, request->length + 1, MSG_NOSIGNAL) == (ssize_t)request->length + 1;
}

int main(int argc, char **argv)
{
    if (argc != 5) {
        fprintf(stderr, "usage: storm SOCKET CONNECTIONS REQUESTS MILLISECONDS\n");
        return 64;
    }
    size_t connections = strtoul(argv[2], NULL, 10);
    int per_client = atoi(argv[3]);
    int64_t spread = strtoll(argv[4], NULL, 10) * 1000000;
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);

    struct client *clients = calloc(connections, sizeof(*clients));
    int64_t *greeted = calloc(connections, sizeof(*greeted));
    int64_t *answered = calloc(connections * per_client + 1, sizeof(*answered));
    size_t greetings = 0, answers = 0, errors = 0, open = 0;
    int poll = epoll_create1(EPOLL_CLOEXEC);
    if (poll < 0 || !clients || !greeted || !answered)
        die("storm");

    int64_t started = now();
    size_t came = 0;
    while (came < connections || open > 0) {
        while (came < connections && now() - started >= spread * (int64_t)came / (int64_t)connections) {
            struct client *client = &clients[came++];
            client->since = now();
            client->fd = connected(argv[1]);
            if (client->fd < 0) {
                errors++;
                continue;
            }
            struct epoll_event event = {.events = EPOLLIN, .data.ptr = client};
            if (epoll_ctl(poll, EPOLL_CTL_ADD, client->fd, &event) < 0)
                die("epoll_ctl");
            open++;
        }
        struct epoll_event events[EVENTS];
        int ready = epoll_wait(poll, events, EVENTS, came < connections ? 1 : GIVE_UP_MILLISECONDS);
        if (ready < 0)
            die("epoll_wait");
        if (ready == 0 && came == connections) {
            errors += open;
            break;
        }
        for (int i = 0; i < ready; i++) {
            struct client *client = events[i].data.ptr;
            ssize_t got = recv(client->fd, client->reply + client->length,
                               sizeof(client->reply) - client->length, 0);
            if (got < 0 && errno == EAGAIN)
                continue;
            if (got > 0) {
                client->length += got;
                if (!is_complete(client))
                    continue;
                int64_t waited = now() - client->since;
                if (client->asked == 0)
                    greeted[greetings++] = waited;
                else
                    answered[answers++] = waited;
                if (is_expected(client) && client->asked < per_client && ask(client))
                    continue;
            }
            if (got <= 0 || client->asked < per_client || !is_expected(client))
                errors++;
            close(client->fd);
            open--;
        }
    }
    printf("%zu", errors);
    print_figures(greeted, greetings);
    print_figures(answered, answers);
    printf(" %.1f\n", (now() - started) / 1e3);
    return 0;
}
