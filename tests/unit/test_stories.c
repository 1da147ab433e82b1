/* Every story, by theme. */
#include "tests/unit/stories.h"
#include "tests/unit/story.h"

#include <setjmp.h>

#include <cmocka.h>

int main(void) {
    static int (*const themes[])(void) = {
        stories_of_ladder, stories_of_answers, stories_of_verify, stories_of_promise,
    };
    int failed = 0;
    for (size_t i = 0; i < COUNT_OF(themes); i++) failed += themes[i]();
    return failed != 0;
}
