/* server.c: the server as its client sees it: a socket, and a process that uses CPU. */
#include "bench/client/client.h"

#include <dirent.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

const struct speech *speech_of(const char *name) {
    static const struct speech *const all[] = {&zmtp, &postgres, &redis};
    for (size_t i = 0; i < COUNT_OF(all); i++)
        if (strcmp(all[i]->name, name) == 0)
            return all[i];
    give_up("%s: neither zmtp nor postgres nor redis", name);
}

/* ---- a socket ---------------------------------------------------------------------------------------------------- */

static int open_path(const char *endpoint, const char *path) {
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    (void)snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&un, sizeof un) < 0)
        give_up("%s: %s", endpoint, strerror(errno));
    return fd;
}

int socket_open(const char *endpoint) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    uint64_t port = 0;
    int one = 1;
    if (strncmp(endpoint, "ipc://", 6) == 0)
        return open_path(endpoint, endpoint + 6);
    if (strncmp(endpoint, "unix:", 5) == 0)
        return open_path(endpoint, endpoint + 5);
    if (strncmp(endpoint, "tcp://127.0.0.1:", 16) != 0 || !parse_u64(slice_of(endpoint + 16), &port) || port > 65535)
        give_up("%s: neither ipc://path nor unix:path nor tcp://127.0.0.1:port", endpoint);
    in.sin_port = htons((uint16_t)port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&in, sizeof in) < 0)
        give_up("%s: %s", endpoint, strerror(errno));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    return fd;
}

void exactly(int fd, void *at, size_t len) {
    for (ssize_t n; len > 0; len -= (size_t)n, at = (uint8_t *)at + n)
        if ((n = read(fd, at, len)) <= 0)
            give_up("the server hung up");
}

/* ---- CPU --------------------------------------------------------------------------------------------------------- */

/* Ticks of one process when it is `pid` or a child of it, and of the children that ended; 0: it is another's. */
static unsigned long ticks(const char *name, int pid) {
    char path[300], line[1024];
    int parent = 0;
    unsigned long user = 0, system = 0;
    long children_user = 0, children_system = 0;
    (void)snprintf(path, sizeof path, "/proc/%s/stat", name);
    FILE *f = fopen(path, "r");
    char *after = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
    bool read = after && sscanf(after, ") %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu %ld %ld", &parent, &user,
                                &system, &children_user, &children_system) == 5;
    if (f)
        (void)fclose(f);
    bool ours = read && (parent == pid || strtol(name, NULL, 10) == pid);
    return ours ? user + system + (unsigned long)(children_user + children_system) : 0;
}

double server_cpu_seconds(int pid) {
    unsigned long sum = 0;
    if (pid == 0)
        return 0;
    DIR *proc = opendir("/proc");
    for (struct dirent *e; proc && (e = readdir(proc));)
        if (e->d_name[0] >= '1' && e->d_name[0] <= '9')
            sum += ticks(e->d_name, pid);
    if (proc)
        (void)closedir(proc);
    if (sum == 0)
        give_up("there is no process %d", pid);
    return (double)sum / (double)sysconf(_SC_CLK_TCK);
}

/* ---- latency ----------------------------------------------------------------------------------------------------- */

void latency_add(struct latency *l, uint64_t us) {
    l->count++;
    l->us[us < LATENCY_US_MAX ? us : LATENCY_US_MAX - 1]++;
    l->max_us = us > l->max_us ? us : l->max_us;
}

uint64_t latency_us(const struct latency *l, double quantile) {
    uint64_t want = (uint64_t)((double)l->count * quantile), seen = 0;
    for (uint64_t us = 0; us < LATENCY_US_MAX; us++)
        if ((seen += l->us[us]) > want)
            return us;
    return l->max_us;
}
