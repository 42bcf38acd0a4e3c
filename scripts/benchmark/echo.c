/*
 * A server that does nothing but answer: no program is faster on the same socket.
 *
 *   echo SOCKET
 *
 * It greets as tlsmgr does, and answers whatever arrives with the policy of a cache.
 */
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static const char greeting[] = "protocol\0tlsmgr_protocol\0";
static const char answer[] = "status\0" "0\0cachable\0" "1\0timeout\0" "3600\0";

int main(int argc, char **argv)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct epoll_event events[256], event = {.events = EPOLLIN};
    char buffer[65536];
    int epoll = epoll_create1(0);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);

    if (argc != 2 || strlen(argv[1]) >= sizeof address.sun_path)
        return 64;
    strcpy(address.sun_path, argv[1]);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 256) < 0) {
        perror(argv[1]);
        return 1;
    }
    event.data.fd = listener;
    epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int ready = epoll_wait(epoll, events, 256, -1);

        for (int i = 0; i < ready; i++) {
            int from = events[i].data.fd;

            if (from == listener) {
                event.data.fd = accept(listener, NULL, NULL);
                epoll_ctl(epoll, EPOLL_CTL_ADD, event.data.fd, &event);
                send(event.data.fd, greeting, sizeof greeting, MSG_NOSIGNAL);
            } else if (recv(from, buffer, sizeof buffer, 0) <= 0) {
                close(from);
            } else {
                send(from, answer, sizeof answer, MSG_NOSIGNAL);
            }
        }
    }
}
