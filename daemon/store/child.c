/* child.c: what may end the process that does it is done by a child. LMDB believes what it reads: a damaged tree can
 * lead it anywhere. */
#include "daemon/store/store_internal.h"

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

/* _exit passes over what counts lines: where they are counted, the child hands in its own first, and a test that lets
 * memory or disk fail is told that what follows is not the store's. */
static _Noreturn void leave(int status) {
#ifdef COVERAGE
    void __gcov_dump(void);
    __attribute__((weak)) void child_counts(void);
    if (child_counts != NULL)
        child_counts();
    __gcov_dump();
#endif
    _exit(status);                                /* GCOVR_EXCL_LINE: the lines were handed in before */
}

/* It holds the store's lock as we do, and must not hold it longer: it ends when we are killed. */
static void end_with(pid_t parent) {
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        leave(0);
}

/* Who started us may have ignored SIGCHLD, which is inherited: the kernel would keep no word of how a child ends. */
int child_begin(struct child *ret, int (*work)(const void *with), const void *with) {
    (void)signal(SIGCHLD, SIG_DFL);
    pid_t parent = getpid(), pid = fork();
    if (pid == 0) {
        end_with(parent);
        check_hook = NULL;
        leave(-work(with));
    }
    ret->pid = pid;
    return pid < 0 ? -errno : 0;
}

int child_end(struct child *c) {
    int status = 0;
    while (waitpid(c->pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? -WEXITSTATUS(status) : -EBADMSG;
}
