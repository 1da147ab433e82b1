/* test_schema.c: what the checks of lib/codec rely on, seen in every message there is. */
#include "lib/codec/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void expect_plain(const ProtobufCMessageDescriptor *type, unsigned depth) {
    assert_true(depth < 10 && type->n_fields <= 64);      /* a cycle would be endless */
    for (unsigned i = 0; i < type->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &type->fields[i];
        bool wide = f->type == PROTOBUF_C_TYPE_STRING || f->type == PROTOBUF_C_TYPE_BYTES ||
                    f->type == PROTOBUF_C_TYPE_MESSAGE;
        bool repeated = f->label == PROTOBUF_C_LABEL_REPEATED;
        assert_true(f->label == PROTOBUF_C_LABEL_OPTIONAL || repeated);
        assert_true(!(f->flags & PROTOBUF_C_FIELD_FLAG_PACKED) == (wide || !repeated));
        assert_null(f->default_value);
        assert_true(f->type != PROTOBUF_C_TYPE_FIXED32 && f->type != PROTOBUF_C_TYPE_FIXED64);
        assert_true(f->type != PROTOBUF_C_TYPE_SFIXED32 && f->type != PROTOBUF_C_TYPE_SFIXED64);
        assert_true(f->type != PROTOBUF_C_TYPE_FLOAT && f->type != PROTOBUF_C_TYPE_DOUBLE);
        if (f->type == PROTOBUF_C_TYPE_MESSAGE)
            expect_plain(f->descriptor, depth + 1);
    }
}

static void the_schema_keeps_to_what_the_check_knows(void **state) {
    (void)state;
    for (enum codec_type type = 0; type < CODEC_TYPES; type++)
        expect_plain(codec_descriptor(type), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_schema_keeps_to_what_the_check_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
