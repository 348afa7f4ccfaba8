// The mock upstream of gateway/bench/mock.py, for measuring servers that are faster than Python can feed.
//
//     mock --port PORT --gap MILLISECONDS --payload FILE
//
// Same options, same answers: FILE holds what gateway/bench/payload.py makes, as records of a decimal length, a line feed
// and so many bytes: the whole answer, the head of a stream, then the frames of a stream. Prints the port. Where the whole
// answer is empty, every request gets a stream.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

enum { MAX_FRAMES = 256, MAX_EVENTS = 256, ROOM = 1 << 17 };

struct bytes { char *at; size_t length; };

struct client {
    int fd;
    int frame;             // next frame of the running stream; -1 when none runs
    long due;              // tick of the next frame
    size_t used;
    struct client *next;   // in the list of running streams
    char input[ROOM];
};

static struct bytes answer, head, frames[MAX_FRAMES];
static int frame_count, epoll, timer, ticking;
static long tick, gap;
static struct client *streams;

static void fail(const char *what) { perror(what); exit(1); }

static void load(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) fail(path);
    for (int record = 0;; record++) {
        size_t length;
        if (fscanf(file, "%zu", &length) != 1) break;
        fgetc(file);
        struct bytes value = {malloc(length), length};
        if (fread(value.at, 1, length, file) != length) fail("payload");
        if (record == 0) answer = value;
        else if (record == 1) head = value;
        else if (frame_count < MAX_FRAMES) frames[frame_count++] = value;
    }
    fclose(file);
}

static int put(struct client *client, struct bytes what) {
    while (what.length) {
        ssize_t sent = send(client->fd, what.at, what.length, MSG_NOSIGNAL);
        if (sent <= 0) return -1;  // the socket blocks, so this is no full buffer
        what.at += sent;
        what.length -= sent;
    }
    return 0;
}

static void set_ticking(int on) {
    if (on == ticking) return;
    ticking = on;
    struct itimerspec each = {{0, on ? 1000000 : 0}, {0, on ? 1000000 : 0}};
    timerfd_settime(timer, 0, &each, NULL);
}

static void forget(struct client *client) {
    for (struct client **at = &streams; *at; at = &(*at)->next)
        if (*at == client) { *at = client->next; break; }
    close(client->fd);
    free(client);
}

static int begin_stream(struct client *client) {
    if (put(client, head)) return -1;
    if (gap == 0) {
        for (int i = 0; i < frame_count; i++) if (put(client, frames[i])) return -1;
        return 0;
    }
    client->frame = 0;
    client->due = tick + gap;
    client->next = streams;
    streams = client;
    set_ticking(1);
    return 0;
}

static void send_due(void) {
    struct client **at = &streams;
    while (*at) {
        struct client *client = *at;
        if (client->due <= tick) {
            int gone = put(client, frames[client->frame]);
            client->due = tick + gap;
            if (gone || ++client->frame == frame_count) {  // a broken connection is closed when it is read
                client->frame = -1;
                *at = client->next;
                continue;
            }
        }
        at = &client->next;
    }
    if (!streams) set_ticking(0);
}

// Where the request ends that begins at the start of the input; 0 when it is not all there.
static size_t request_end(struct client *client, size_t *body) {
    char *input = client->input, *blank = memmem(input, client->used, "\r\n\r\n", 4);
    if (!blank) return 0;
    *body = blank - input + 4;
    size_t length = 0;
    int chunked = 0;
    for (char *line = input; line < blank; line = (char *)memmem(line, blank + 2 - line, "\r\n", 2) + 2) {
        if (!strncasecmp(line, "content-length:", 15)) length = strtoul(line + 15, NULL, 10);
        if (!strncasecmp(line, "transfer-encoding: chunked", 26)) chunked = 1;
    }
    if (chunked) {
        char *last = memmem(blank + 2, client->used - (*body - 2), "\r\n0\r\n\r\n", 7);
        return last ? last + 7 - input : 0;
    }
    return client->used >= *body + length ? *body + length : 0;
}

static int serve(struct client *client) {
    ssize_t got = recv(client->fd, client->input + client->used, ROOM - client->used, MSG_DONTWAIT);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got <= 0) return -1;
    client->used += got;
    size_t body, end;
    while ((end = request_end(client, &body))) {
        int stream = !answer.length || memmem(client->input + body, end - body, "\"stream\":true", 13) != NULL
                  || memmem(client->input + body, end - body, "\"stream\": true", 14) != NULL;
        memmove(client->input, client->input + end, client->used - end);
        client->used -= end;
        if (stream ? begin_stream(client) : put(client, answer)) return -1;
    }
    return client->used == ROOM ? -1 : 0;
}

static void watch(int fd, void *what) {
    struct epoll_event event = {EPOLLIN, {.ptr = what}};
    if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event)) fail("epoll_ctl");
}

int main(int count, char **arguments) {
    int port = 0, on = 1;
    const char *payload = NULL;
    for (int i = 1; i + 1 < count; i += 2) {
        if (!strcmp(arguments[i], "--port")) port = atoi(arguments[i + 1]);
        if (!strcmp(arguments[i], "--gap")) gap = atol(arguments[i + 1]);
        if (!strcmp(arguments[i], "--payload")) payload = arguments[i + 1];
    }
    if (!payload) { fprintf(stderr, "mock: --payload FILE is missing\n"); return 2; }
    load(payload);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, size) || listen(listener, 4096)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &size);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    epoll = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    watch(listener, &listener);
    watch(timer, &timer);
    for (;;) {
        struct epoll_event events[MAX_EVENTS];
        int ready = epoll_wait(epoll, events, MAX_EVENTS, -1), ticked = 0;
        for (int i = 0; i < ready; i++) {
            void *what = events[i].data.ptr;
            if (what == &listener) {
                for (int fd; (fd = accept4(listener, NULL, NULL, 0)) >= 0;) {
                    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
                    struct client *client = calloc(1, sizeof *client);
                    client->fd = fd;
                    client->frame = -1;
                    watch(fd, client);
                }
            } else if (what == &timer) {
                unsigned long expired;
                if (read(timer, &expired, sizeof expired) == sizeof expired) { tick += expired; ticked = 1; }
            } else if (serve(what)) {
                forget(what);
            }
        }
        if (ticked) send_due();
    }
}
