// The load generator of gateway/bench/load.py, for measuring servers that are faster than Python can load.
//
//     load PORT REQUEST_FILE --connections N --seconds S [--rate R] [--count N]
//
// Same options, same JSON line. Closed loop, or with --rate an open loop whose latencies count from the moment at which a
// request was due, so that a slow server cannot hide the requests it kept waiting.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <float.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { HEAD_ROOM = 16384, READ_ROOM = 1 << 18, TAIL = 64, MAX_EVENTS = 512 };
static const double PATIENCE = 30;  // seconds to wait for the last answers

struct connection {
    int fd, busy, in_body, chunked, ok;
    double due, first;      // when the request was to be sent; when the first byte of the body came
    long left;              // bytes of the body to come, unless it is chunked
    size_t head_used, tail_used;
    char head[HEAD_ROOM], tail[TAIL];
};

struct series { double *at; long count, room; };

static struct connection **idle;
static int idle_count, epoll, port, wants_done;
static char request[1 << 20];
static size_t request_length;
static struct series latency, first_byte, lateness;
static long sent, bad;

static void fail(const char *what) { perror(what); exit(1); }

static double now(void) {
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    return moment.tv_sec + moment.tv_nsec * 1e-9;
}

static void note(struct series *series, double value) {
    if (series->count == series->room) {
        series->room = series->room ? series->room * 2 : 1 << 16;
        series->at = realloc(series->at, series->room * sizeof(double));
    }
    series->at[series->count++] = value;
}

static void dial(struct connection *connection) {
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int on = 1;
    connection->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(connection->fd, (struct sockaddr *)&address, sizeof address)) fail("connect");
    setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct epoll_event event = {EPOLLIN, {.ptr = connection}};
    epoll_ctl(epoll, EPOLL_CTL_ADD, connection->fd, &event);
    connection->busy = 0;
    idle[idle_count++] = connection;
}

// Replace a connection that broke. Not while it is idle: then its place in `idle` stays.
static void lost(struct connection *connection) {
    close(connection->fd);
    if (connection->busy) {
        bad++;
        note(&latency, now() - connection->due);
    } else {
        for (int i = 0; i < idle_count; i++)
            if (idle[i] == connection) { idle[i] = idle[--idle_count]; break; }
    }
    dial(connection);
}

static void ask(struct connection *connection, double due) {
    connection->busy = 1;
    connection->due = due;
    connection->in_body = connection->chunked = connection->ok = 0;
    connection->first = 0;
    connection->left = 0;
    connection->head_used = 0;
    memcpy(connection->tail, "\r\n", connection->tail_used = 2);
    sent++;
    for (size_t done = 0; done < request_length;) {
        ssize_t wrote = send(connection->fd, request + done, request_length - done, MSG_NOSIGNAL);
        if (wrote <= 0) { lost(connection); return; }
        done += wrote;
    }
}

static void keep_tail(struct connection *connection, const char *data, size_t length) {
    if (length >= TAIL) {
        memcpy(connection->tail, data + length - TAIL, connection->tail_used = TAIL);
        return;
    }
    size_t kept = connection->tail_used + length > TAIL ? TAIL - length : connection->tail_used;
    memmove(connection->tail, connection->tail + connection->tail_used - kept, kept);
    memcpy(connection->tail + kept, data, length);
    connection->tail_used = kept + length;
}

// Take in the bytes of an answer; 1 when it is complete.
static int feed(struct connection *connection, char *data, size_t length) {
    if (!connection->in_body) {
        size_t part = HEAD_ROOM - connection->head_used < length ? HEAD_ROOM - connection->head_used : length;
        memcpy(connection->head + connection->head_used, data, part);
        connection->head_used += part;
        char *end = memmem(connection->head, connection->head_used, "\r\n\r\n", 4);
        if (!end) return 0;
        for (char *line = connection->head; line < end; line = (char *)memmem(line, end + 2 - line, "\r\n", 2) + 2) {
            if (!strncasecmp(line, "content-length:", 15)) connection->left = strtol(line + 15, NULL, 10);
            if (!strncasecmp(line, "transfer-encoding: chunked", 26)) connection->chunked = 1;
        }
        connection->ok = !strncmp(connection->head, "HTTP/1.1 200", 12);
        connection->in_body = 1;
        size_t before = connection->head_used - part, head = end + 4 - connection->head;
        data += head - before;
        length -= head - before;
    }
    if (length && !connection->first) connection->first = now();
    if (!connection->chunked) return (connection->left -= length) <= 0;
    keep_tail(connection, data, length);
    return connection->tail_used >= 7
        && !memcmp(connection->tail + connection->tail_used - 7, "\r\n0\r\n\r\n", 7);
}

// Read what is there; 1 when an answer is complete.
static int take(struct connection *connection) {
    static char data[READ_ROOM];
    ssize_t length = recv(connection->fd, data, READ_ROOM, MSG_DONTWAIT);
    if (length < 0 && errno == EAGAIN) return 0;
    if (length <= 0) { lost(connection); return 0; }
    if (!connection->busy || !feed(connection, data, length)) return 0;
    double moment = now();
    note(&latency, moment - connection->due);
    note(&first_byte, (connection->first ? connection->first : moment) - connection->due);
    if (!connection->ok || (wants_done && !memmem(connection->tail, connection->tail_used, "[DONE]", 6))) bad++;
    connection->busy = 0;
    return 1;
}

static double closed_loop(double seconds, long most) {
    double began = now(), end = began + seconds;
    for (;;) {
        double moment = now();
        int more = moment < end && sent < most;
        while (more && idle_count && sent < most) ask(idle[--idle_count], now());
        if (!more && (latency.count >= sent || moment > end + PATIENCE)) return moment - began;
        struct epoll_event events[MAX_EVENTS];
        int ready = epoll_wait(epoll, events, MAX_EVENTS, 100);
        for (int i = 0; i < ready; i++) {
            struct connection *connection = events[i].data.ptr;
            if (!take(connection)) continue;
            if (more && sent < most) ask(connection, now());
            else idle[idle_count++] = connection;
        }
    }
}

static double open_loop(double rate, double seconds, long most) {
    double began = now();
    long total = rate * seconds < most ? (long)(rate * seconds) : most;
    for (;;) {
        double moment = now();
        while (sent < total && idle_count && began + sent / rate <= moment) {
            double due = began + sent / rate;
            note(&lateness, moment - due);
            ask(idle[--idle_count], due);
        }
        if ((sent >= total && latency.count >= total) || moment > began + seconds + PATIENCE) return moment - began;
        double wait = sent < total && idle_count ? began + sent / rate - now() : 0.1;
        if (wait < 0) wait = 0;
        struct timespec limit = {(time_t)wait, (long)((wait - (time_t)wait) * 1e9)};
        struct epoll_event events[MAX_EVENTS];
        int ready = epoll_pwait2(epoll, events, MAX_EVENTS, &limit, NULL);
        for (int i = 0; i < ready; i++)
            if (take(events[i].data.ptr)) idle[idle_count++] = events[i].data.ptr;
    }
}

static int ascending(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double percentile(struct series *series, int percent) {
    if (!series->count) return 0;
    qsort(series->at, series->count, sizeof(double), ascending);
    return series->at[(series->count - 1) * percent / 100] * 1e6;
}

int main(int count, char **arguments) {
    int connections = 32;
    double seconds = 0, rate = 0;
    long most = 0;
    if (count < 3) { fprintf(stderr, "usage: load PORT REQUEST_FILE [options]\n"); return 2; }
    port = atoi(arguments[1]);
    FILE *file = fopen(arguments[2], "rb");
    if (!file) fail(arguments[2]);
    request_length = fread(request, 1, sizeof request, file);
    for (int i = 3; i + 1 < count; i += 2) {
        if (!strcmp(arguments[i], "--connections")) connections = atoi(arguments[i + 1]);
        if (!strcmp(arguments[i], "--seconds")) seconds = atof(arguments[i + 1]);
        if (!strcmp(arguments[i], "--rate")) rate = atof(arguments[i + 1]);
        if (!strcmp(arguments[i], "--count")) most = atol(arguments[i + 1]);
    }
    wants_done = memmem(request, request_length, "\"stream\":true", 13) != NULL;
    epoll = epoll_create1(0);
    idle = calloc(connections, sizeof *idle);
    for (int i = 0; i < connections; i++) dial(calloc(1, sizeof(struct connection)));
    if (!most) most = LONG_MAX;
    if (!seconds) seconds = 1e9;
    double took = rate ? open_loop(rate, seconds, most) : closed_loop(seconds, most);
    printf("{\"requests\": %ld, \"bad\": %ld, \"seconds\": %.4f, \"per_second\": %.1f, ",
           latency.count, bad + sent - latency.count, took, latency.count / took);
    printf("\"p50_us\": %.1f, \"p99_us\": %.1f, \"max_us\": %.1f, ",
           percentile(&latency, 50), percentile(&latency, 99), percentile(&latency, 100));
    printf("\"first_byte_p50_us\": %.1f, \"first_byte_p99_us\": %.1f, \"late_p99_us\": %.1f}\n",
           percentile(&first_byte, 50), percentile(&first_byte, 99), percentile(&lateness, 99));
    return 0;
}
