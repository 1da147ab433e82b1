/* The web gate without its door: addresses, paths, hosts, and figures as text. */
#include "daemon/gates/exposition.h"
#include "daemon/gates/web.h"
#include "daemon/metrics.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/final_fault.h"

/* ---- where we listen, what is asked ---------------------------------------------------------------------------- */

static void only_loopback_is_an_address(void **state) {
    (void)state;
    static const char *const good[] = { "127.0.0.1:9464", "localhost:1", "[::1]:65535", "127.0.0.1:0" };
    static const char *const bad[] = {
        "0.0.0.0:9464", "[::]:9464", ":9464", "9464", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:9464 ",
        "127.0.0.2:80", "example.org:80", "::1:80", "", "tcp://127.0.0.1:80", "127.0.0.1:-1",
    };
    struct sockaddr_storage a;
    socklen_t len = 0;
    for (unsigned i = 0; i < COUNT_OF(good); i++) assert_true(web_address_parse(good[i], &a, &len));
    for (unsigned i = 0; i < COUNT_OF(bad); i++) assert_false(web_address_parse(bad[i], &a, &len));
    assert_true(web_address_parse("[::1]:9464", &a, &len));
    assert_int_equal(a.ss_family, AF_INET6);
    assert_int_equal(ntohs(((struct sockaddr_in6 *)&a)->sin6_port), 9464);
}

static void three_pages_are_there_and_nothing_else(void **state) {
    (void)state;
    static const struct { bool get; const char *path, *host; unsigned status; } asked[] = {
        { true, "/metrics", "127.0.0.1", 200 }, { true, "/healthz", "localhost", 200 },
        { true, "/readyz", "[::1]", 200 },      { true, "/readyz", NULL, 200 },
        { false, "/metrics", NULL, 405 },       { true, "/metrics/", NULL, 404 },
        { true, "/Metrics", NULL, 404 },        { true, "", NULL, 404 },
        { true, NULL, NULL, 404 },              { false, "/", NULL, 404 },
        { true, "/metrics", "evil.example", 403 }, { true, "/metrics", "", 403 },
        { true, "/metrics", "127.0.0.1.evil.example", 403 },
    };
    for (unsigned i = 0; i < COUNT_OF(asked); i++) {
        struct web_reply refused = { .status = 200 };
        enum web_page page = WEB_PAGES;
        bool found = web_route(asked[i].get, asked[i].path, asked[i].host, &page, &refused);
        assert_int_equal(refused.status, asked[i].status);
        assert_true(found == (asked[i].status == 200) && found == (page != WEB_PAGES));
        if (!found) assert_true(refused.body.len > 0 && refused.body.len < 100 && refused.reason);
    }
}

/* ---- figures as text ------------------------------------------------------------------------------------------- */

static const char *text_of(struct exposition *x) {
    assert_false(x->full);
    x->text[x->used] = '\0';
    return x->text;
}

static void a_sample_is_a_line(void **state) {
    (void)state;
    char room[1024];
    struct exposition x = { .text = room, .size = sizeof room };
    exposition_family(&x, "w_things", EXPOSITION_GAUGE, "things, \"all\" of them");
    exposition_sample(&x, "w_things", (struct label){ .name = NULL }, 1234, 0);
    exposition_sample(&x, "w_things", (struct label){ .name = NULL }, 1234, 3);
    exposition_sample(&x, "w_things", (struct label){ .name = NULL }, 7, 6);
    exposition_sample(&x, "w_things", (struct label){ .name = NULL }, UINT64_MAX, 3);
    exposition_sample(&x, "w_things", (struct label){ "which", "a\"b\\c\nd" }, 0, 0);
    assert_string_equal(text_of(&x), "# HELP w_things things, \"all\" of them\n# TYPE w_things gauge\n"
                                     "w_things 1234\nw_things 1.234\nw_things 0.000007\n"
                                     "w_things 18446744073709551.615\nw_things{which=\"a\\\"b\\\\c\\nd\"} 0\n");
}

static void a_histogram_only_grows_and_ends_with_all(void **state) {
    (void)state;
    char room[1024];
    struct exposition x = { .text = room, .size = sizeof room };
    struct histogram h = { .count = 0 };
    static const uint64_t values[] = { 0, 1, 5, 16, 17, 64, 65, 1000000 };
    for (unsigned i = 0; i < COUNT_OF(values); i++) histogram_add(&h, values[i]);
    exposition_histogram(&x, "w_s", &h, (struct exposition_buckets){ 4, 6, 3 });
    assert_string_equal(text_of(&x), "w_s_bucket{le=\"0.016\"} 4\nw_s_bucket{le=\"0.032\"} 5\n"
                                     "w_s_bucket{le=\"0.064\"} 6\nw_s_bucket{le=\"+Inf\"} 8\n"
                                     "w_s_sum 1000.168\nw_s_count 8\n");
}

static void what_does_not_fit_is_left_out_whole(void **state) {
    (void)state;
    char room[64];
    for (size_t size = 1; size <= sizeof room; size++) {
        struct exposition x = { .text = room, .size = size };
        for (unsigned i = 0; i < 10; i++) exposition_sample(&x, "w", (struct label){ "n", "v" }, i, 0);
        assert_true(x.full && x.used < size && x.used % strlen("w{n=\"v\"} 0\n") == 0);
    }
}

static void the_largest_page_fits(void **state) {
    (void)state;
    static char room[METRICS_PAGE_BYTES];
    struct exposition x = { .text = room, .size = sizeof room };
    struct metrics_seen *seen = malloc(sizeof *seen);
    assert_non_null(seen);
    memset(seen, 0xff, sizeof *seen);
    memset(counters, 0xff, sizeof counters);
    memset(counters_refused, 0xff, sizeof counters_refused);
    metrics_write(seen, &x);
    assert_false(x.full);
    assert_true(x.used < sizeof room * 3 / 4);        /* room for more of them */
    memset(counters, 0, sizeof counters);
    memset(counters_refused, 0, sizeof counters_refused);
    free(seen);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_loopback_is_an_address),     cmocka_unit_test(three_pages_are_there_and_nothing_else),
        cmocka_unit_test(a_sample_is_a_line),              cmocka_unit_test(a_histogram_only_grows_and_ends_with_all),
        cmocka_unit_test(what_does_not_fit_is_left_out_whole), cmocka_unit_test(the_largest_page_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
