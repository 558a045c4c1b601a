/* What the kernel alone needs to send a prepared frame to each of many clients: no server here can be faster.
 *
 * One process sends BYTES to each of CLIENTS loopback connections and waits until another process has read
 * them all, ROUNDS times. Prints the sender's CPU nanoseconds per send().
 * Usage: kernel_floor CLIENTS BYTES ROUNDS SENDER_CORE READER_CORE
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) { perror(what); exit(1); }

static void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

static void read_all(const int *sockets, int clients, long bytes_per_round, int done) {
    static char buffer[1 << 18];
    struct epoll_event events[64], wanted = {.events = EPOLLIN};
    int poll = epoll_create1(0);
    long received = 0;
    for (int i = 0; i < clients; i++) {
        wanted.data.fd = sockets[i];
        if (epoll_ctl(poll, EPOLL_CTL_ADD, sockets[i], &wanted)) fail("epoll_ctl");
    }
    for (;;) {
        int ready = epoll_wait(poll, events, 64, -1);
        for (int i = 0; i < ready; i++) {
            ssize_t size = recv(events[i].data.fd, buffer, sizeof buffer, 0);
            if (size <= 0) exit(0);
            received += size;
        }
        for (; received >= bytes_per_round; received -= bytes_per_round)
            if (write(done, "", 1) != 1) exit(0);
    }
}

int main(int count, char **words) {
    if (count != 6) return 2;
    int clients = atoi(words[1]), bytes = atoi(words[2]), rounds = atoi(words[3]), one = 1, done[2];
    int *senders = calloc(clients, sizeof(int)), *readers = calloc(clients, sizeof(int));
    struct rlimit files = {0};
    getrlimit(RLIMIT_NOFILE, &files);
    files.rlim_cur = files.rlim_max < 20000 ? files.rlim_max : 20000;
    setrlimit(RLIMIT_NOFILE, &files);

    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) || listen(listener, 64)) fail("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    for (int i = 0; i < clients; i++) {
        readers[i] = socket(AF_INET, SOCK_STREAM, 0);
        if (connect(readers[i], (struct sockaddr *)&address, length)) fail("connect");
        senders[i] = accept(listener, NULL, NULL);
        if (senders[i] < 0) fail("accept");
        setsockopt(senders[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    }
    if (pipe(done)) fail("pipe");

    pid_t child = fork();
    if (child == 0) {
        pin(atoi(words[5]));
        for (int i = 0; i < clients; i++) close(senders[i]);
        read_all(readers, clients, (long)clients * bytes, done[1]);
    }
    pin(atoi(words[4]));
    char *frame = malloc(bytes), answer;
    memset(frame, 'x', bytes);
    struct timespec begin, end;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &begin);
    for (int round = 0; round < rounds; round++) {
        for (int i = 0; i < clients; i++)
            if (send(senders[i], frame, bytes, 0) != bytes) fail("send");
        if (read(done[0], &answer, 1) != 1) fail("read");
    }
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &end);
    double spent = (end.tv_sec - begin.tv_sec) * 1e9 + (end.tv_nsec - begin.tv_nsec);
    printf("%.0f\n", spent / clients / rounds);
    for (int i = 0; i < clients; i++) close(senders[i]);
    waitpid(child, NULL, 0);
    return 0;
}
