/* What a refusal says: to everybody, in both languages, whatever the code. */
#include "lib/codec/codec.h"

#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

static void every_refusal_has_a_sentence_of_its_own(void **state) {
    (void)state;
    const ProtobufCEnumDescriptor *e = &pb_refusal__descriptor;
    for (unsigned i = 0; i < e->n_values; i++) {
        const struct sentence *s = sentence_of((PbRefusal)e->values[i].value);
        assert_int_equal(s->code, e->values[i].value);
        assert_string_equal(s->name, e->values[i].name + strlen("REFUSED_"));
        assert_true(utf8_valid(slice_of(s->zh)) && utf8_valid(slice_of(s->en)));
        assert_true(s->en[strlen(s->en) - 1] == '.');
        assert_true(s->code == REFUSED_NOTHING || strstr(s->zh, "请"));   /* it says what to do next */
        for (unsigned k = 0; k < i; k++) {
            const struct sentence *other = sentence_of((PbRefusal)e->values[k].value);
            assert_true(strcmp(s->zh, other->zh) && strcmp(s->en, other->en));
        }
    }
}

static void a_refusal_from_a_newer_broker_has_a_sentence_too(void **state) {
    (void)state;
    const int codes[] = {-1, 14, 29, 69, 1000000, INT32_MIN, INT32_MAX};
    for (size_t i = 0; i < COUNT_OF(codes); i++) {
        assert_string_equal(codec_enum_name(&pb_refusal__descriptor, codes[i]), "?");
        assert_string_equal(sentence_of((PbRefusal)codes[i])->name, "?");
        assert_non_null(strstr(sentence_of((PbRefusal)codes[i])->zh, "请"));
    }
    assert_string_equal(codec_enum_name(&pb_refusal__descriptor, 68), "REFUSED_READ_ONLY");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_refusal_has_a_sentence_of_its_own),
        cmocka_unit_test(a_refusal_from_a_newer_broker_has_a_sentence_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
