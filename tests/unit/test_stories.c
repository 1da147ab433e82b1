/* Every story, by theme; and then whether each arrow of the lifecycle and each refusal of its guards has one. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>
#include <stdio.h>

#include <cmocka.h>

static void every_arrow_and_every_refusal_of_the_lifecycle_is_told(void **state) {
    (void)state;
    static char missing[32 << 10];
    if (everything_is_told(missing, sizeof missing)) return;
    fputs(missing, stderr);
    fail();
}

int main(void) {
    static int (*const themes[])(void) = {
        stories_of_ladder, stories_of_answers, stories_of_verify, stories_of_promise, stories_of_returns,
        stories_of_extension, stories_of_suspended, stories_of_ways, stories_of_reopened, stories_of_care,
    };
    const struct CMUnitTest told[] = { cmocka_unit_test(every_arrow_and_every_refusal_of_the_lifecycle_is_told) };
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(themes); i++) failed += themes[i]();
    failed += cmocka_run_group_tests_name("the lifecycle", told, NULL, NULL);
    return failed != 0;
}
