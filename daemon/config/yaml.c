/* yaml.c: YAML text -> nodes. The door to libyaml.
 *
 * Built from libyaml's events, not from its documents: a document shows an alias as the node it stands for, with that
 * node's line, while here it must be refused at its own. Text stays text: no guessing whether `no` is a boolean or
 * `08:30` a number; the tables of keys decide. libyaml allocates on its own, in proportion to the file, which is
 * bounded. */
#include "daemon/config/reading.h"
#include <errno.h>
#include <yaml.h>

struct builder { struct reading *r; yaml_parser_t parser; };

/* The next event; what is wrong with the text is told with its line. */
static int event_next(struct builder *b, yaml_event_t *ret) {
    const yaml_parser_t *p = &b->parser;
    if (yaml_parser_parse(&b->parser, ret))
        return 0;
    unsigned line = (unsigned)p->problem_mark.line + 1;
    return fail_at(b->r, line, SLICE(""), "is not YAML: %s", p->problem ? p->problem : "out of memory");
}

static unsigned line_of(const yaml_event_t *event) {
    return (unsigned)event->start_mark.line + 1;
}

static int node_make(struct builder *b, const yaml_event_t *event, struct slice key, struct node **ret) {
    const yaml_char_t *tag = NULL;
    struct node *node = arena_zero(b->r->room, sizeof *node);
    if (!node)
        return full(b->r);
    node->line = line_of(event);
    if (event->type == YAML_SCALAR_EVENT) {
        tag = event->data.scalar.tag;
        node->text = arena_copy(b->r->room, slice_from(event->data.scalar.value, event->data.scalar.length));
        if (!node->text.at)
            return full(b->r);
    } else if (event->type == YAML_SEQUENCE_START_EVENT) {
        tag = event->data.sequence_start.tag;
        node->kind = NODE_LIST;
    } else if (event->type == YAML_MAPPING_START_EVENT) {
        tag = event->data.mapping_start.tag;
        node->kind = NODE_MAP;
    } else {
        return fail_at(b->r, node->line, key,
                       event->type == YAML_ALIAS_EVENT ? "is an alias; write the value out" : "has no value");
    }
    if (tag)
        return fail_at(b->r, node->line, key, "has a tag (%s); tags mean nothing here", (const char *)tag);
    *ret = node;
    return 0;
}

static int children_build(struct builder *b, struct node *parent, unsigned depth);

/* The node that begins with `event`, and everything in it. Takes the event over. */
static int node_build(struct builder *b, yaml_event_t *event, struct slice key, unsigned depth, struct node **ret) {
    struct node *node = NULL;
    unsigned line = line_of(event);
    int e = depth > CONFIG_DEPTH_MAX ? fail_at(b->r, line, key, "is nested deeper than %d", CONFIG_DEPTH_MAX)
                                     : node_make(b, event, key, &node);
    yaml_event_delete(event);
    if (e == 0 && node->kind != NODE_TEXT)
        e = children_build(b, node, depth + 1);
    if (e == 0)
        *ret = node;
    return e;
}

/* A key of `map`: text, not there yet. Takes the event over. */
static int key_build(struct builder *b, yaml_event_t *event, const struct node *map, struct slice *ret) {
    unsigned line = line_of(event);
    bool text = event->type == YAML_SCALAR_EVENT && event->data.scalar.length > 0;
    struct slice key = text ? arena_copy(b->r->room, slice_from(event->data.scalar.value,
                                                                event->data.scalar.length)) : SLICE("");
    yaml_event_delete(event);
    if (!text)
        return fail_at(b->r, line, key, "a key must be a word");
    if (!key.at)
        return full(b->r);
    for (const struct node *n = map->first; n; n = n->next)
        if (slice_equal(n->key, key))
            return fail_at(b->r, line, key, "is there twice, first in line %u", n->line);
    if (map->count >= MAP_KEYS_MAX)
        return fail_at(b->r, line, key, "is more than %d keys in one mapping", MAP_KEYS_MAX);
    *ret = key;
    return 0;
}

/* Recursion ends at CONFIG_DEPTH_MAX. */
static int children_build(struct builder *b, struct node *parent, unsigned depth) {
    struct node *last = NULL;
    for (;;) {
        yaml_event_t event;
        struct slice key = {0};
        struct node *child = NULL;
        int e = event_next(b, &event);
        if (e)
            return e;
        if (event.type == YAML_SEQUENCE_END_EVENT || event.type == YAML_MAPPING_END_EVENT) {
            yaml_event_delete(&event);
            return 0;
        }
        unsigned line = line_of(&event);
        if (parent->kind == NODE_MAP) {
            e = key_build(b, &event, parent, &key);
            e = e ? e : event_next(b, &event);
            if (e)
                return e;
        }
        e = node_build(b, &event, key, depth, &child);
        if (e)
            return e;
        child->key = key;
        child->line = line;
        node_append(parent, &last, child);
    }
}

/* Stream start, document start, one node, document end, stream end: nothing before, between or after. */
static int document_build(struct builder *b, struct node **ret) {
    static const yaml_event_type_t expected[] = {YAML_STREAM_START_EVENT, YAML_DOCUMENT_START_EVENT, YAML_NO_EVENT,
                                                 YAML_DOCUMENT_END_EVENT, YAML_STREAM_END_EVENT};
    struct node *root = NULL;
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        yaml_event_t event;
        int e = event_next(b, &event);
        if (e)
            return e;
        if (expected[i] == YAML_NO_EVENT) {
            e = node_build(b, &event, SLICE(""), 1, &root);
            if (e)
                return e;
            continue;
        }
        bool as_expected = event.type == expected[i];
        unsigned line = line_of(&event);
        yaml_event_delete(&event);
        if (!as_expected)
            return fail_at(b->r, line, SLICE(""), root ? "is a second document; a file has one" : "is empty");
    }
    CHECK(root);
    *ret = root;
    return 0;
}

int yaml_nodes(struct reading *r, const char *file, struct node **ret) {
    struct builder b = {.r = r};
    struct slice bytes;
    int e = file_bytes(r, file, &bytes);
    if (e)
        return e;
    if (!yaml_parser_initialize(&b.parser))
        return full(r);
    yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&b.parser, bytes.at, bytes.len);
    e = document_build(&b, ret);
    yaml_parser_delete(&b.parser);
    return e;
}
