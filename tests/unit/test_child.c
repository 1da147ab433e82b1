/* What a child is for: its end tells what its work gave, a death of it is damage, and it does not outlive us. */
#include "daemon/store/store_internal.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- what the kernel says ---------------------------------------------------------------------------------------- */

static bool orphaned;
static unsigned interruptions;
static bool forgotten;

pid_t getppid(void) {
    return orphaned ? 1 : (pid_t)syscall(SYS_getppid);
}

pid_t waitpid(pid_t pid, int *status, int options) {
    if (interruptions) {
        interruptions--;
        errno = EINTR;
        return -1;
    }
    if (forgotten) {
        errno = ECHILD;
        return -1;
    }
    return wait4(pid, status, options, NULL);
}

/* ---- children ---------------------------------------------------------------------------------------------------- */

static int gives(const void *with) {
    return *(const int *)with;
}

static int dies(const void *with) {
    (void)with;
    signal(SIGABRT, SIG_DFL);
    abort();
}

static int tells_and_waits(const void *with) {
    pid_t mine = getpid();
    if (write(*(const int *)with, &mine, sizeof mine) != (ssize_t)sizeof mine)
        return -EIO;
    for (;;)
        (void)pause();
}

static void a_child_gives_back_what_its_work_gave(void **state) {
    (void)state;
    for (const int *give = (const int[]){0, -ENOMEM, -EBADMSG, 1}; *give <= 0; give++) {
        struct child c;
        assert_int_equal(child_begin(&c, gives, give), 0);
        assert_int_equal(child_end(&c), *give);
    }
}

static void a_child_that_dies_has_found_damage(void **state) {
    (void)state;
    struct child c;
    assert_int_equal(child_begin(&c, dies, NULL), 0);
    assert_int_equal(child_end(&c), -EBADMSG);
}

static void a_wait_that_is_interrupted_goes_on(void **state) {
    (void)state;
    struct child c;
    assert_int_equal(child_begin(&c, gives, &(int){-EBADMSG}), 0);
    interruptions = 3;
    assert_int_equal(child_end(&c), -EBADMSG);
    assert_int_equal(interruptions, 0);
}

/* Whoever started us may have ignored SIGCHLD: what its death means must be known all the same. */
static void a_child_that_dies_has_found_damage_whoever_started_us(void **state) {
    (void)state;
    struct child c;
    assert_ptr_not_equal(signal(SIGCHLD, SIG_IGN), SIG_ERR);
    assert_int_equal(child_begin(&c, dies, NULL), 0);
    assert_int_equal(child_end(&c), -EBADMSG);
}

static void a_child_of_whose_end_nobody_knows_has_not_said_that_all_is_well(void **state) {
    (void)state;
    struct child c;
    int status = 0;
    assert_int_equal(child_begin(&c, gives, &(int){0}), 0);
    forgotten = true;
    assert_int_equal(child_end(&c), -ECHILD);
    forgotten = false;
    assert_int_equal(waitpid(c.pid, &status, 0), c.pid);
}

/* Killed between the fork and the child's asking to be told of it: what would have died of it must end by itself. */
static void a_child_that_has_no_parent_any_more_does_nothing(void **state) {
    (void)state;
    struct child c;
    orphaned = true;
    assert_int_equal(child_begin(&c, dies, NULL), 0);
    assert_int_equal(child_end(&c), 0);
    orphaned = false;
}

/* It has our locks: a store whose verification was killed would be in use until it is done. */
static void a_child_is_killed_with_its_parent(void **state) {
    (void)state;
    int ends[2], status = 0;
    pid_t child = 0;
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);        /* who loses its parent becomes ours */
    pid_t parent = fork();
    if (parent == 0) {
        struct child c;
        if (child_begin(&c, tells_and_waits, &ends[1]) < 0)
            _exit(1);
        for (;;)
            (void)pause();
    }
    assert_true(parent > 0);
    assert_int_equal(read(ends[0], &child, sizeof child), sizeof child);
    assert_int_equal(kill(parent, SIGKILL), 0);
    assert_int_equal(waitpid(parent, &status, 0), parent);
    alarm(10);                                                    /* a child that lives on would be waited for */
    assert_int_equal(waitpid(child, &status, 0), child);
    alarm(0);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_child_gives_back_what_its_work_gave),
        cmocka_unit_test(a_child_that_dies_has_found_damage),
        cmocka_unit_test(a_wait_that_is_interrupted_goes_on),
        cmocka_unit_test(a_child_that_dies_has_found_damage_whoever_started_us),
        cmocka_unit_test(a_child_of_whose_end_nobody_knows_has_not_said_that_all_is_well),
        cmocka_unit_test(a_child_that_has_no_parent_any_more_does_nothing),
        cmocka_unit_test(a_child_is_killed_with_its_parent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
