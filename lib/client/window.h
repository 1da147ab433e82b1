/* window.h: the commands in flight: their bytes, their order, and which of them a reply is about. No I/O, no clock; all
 * memory is taken when it is opened. Internal to lib/client.
 *
 * Bytes lie in chunks of 256, so that commands of every size come and go in any order without holes. Slots are numbers;
 * each is in the order of first sending, and, while it waits to be written, in the queue. */
#ifndef WINDOW_H
#define WINDOW_H
#include "lib/client/whistle.h"

enum window_list { WINDOW_ORDER, WINDOW_QUEUE, WINDOW_LISTS };
enum { WINDOW_NONE = UINT32_MAX };

enum slot_state {
    SLOT_FREE,
    SLOT_QUEUED,                                  /* to be written as soon as somebody takes it */
    SLOT_SENT,                                    /* written; no answer yet */
    SLOT_HELD_OFF,                                /* told BUSY: not before due_ms */
};

struct slot {
    uint8_t id[16];
    enum slot_state state;
    uint32_t len, first_chunk;
    uint32_t silent_ms, held_ms;                  /* how long the last waits were; 0: none yet */
    int64_t sent_ms, due_ms;
    struct { uint32_t before, after; } link[WINDOW_LISTS];
};

struct window;
struct window *window_open(unsigned size);        /* CHECKs that there is memory */
void window_close(struct window *w);

/* The slot, in the order and in no queue; WINDOW_NONE: no slot or no bytes are free. The id is not in flight. */
uint32_t window_add(struct window *w, const uint8_t id[16], struct slice bytes);
uint32_t window_find(const struct window *w, const uint8_t id[16]);
void window_remove(struct window *w, uint32_t at);
struct slot *window_slot(struct window *w, uint32_t at);
unsigned window_count(const struct window *w);
bool window_full(const struct window *w);         /* of slots */

/* The bytes, gathered into `to`, which holds WHISTLE_ENVELOPE_BYTES_MAX. */
struct slice window_bytes(const struct window *w, uint32_t at, uint8_t *to);

uint32_t window_first(const struct window *w, enum window_list list);
uint32_t window_after(const struct window *w, enum window_list list, uint32_t at);
void window_enqueue(struct window *w, uint32_t at);
void window_dequeue(struct window *w, uint32_t at);
#endif
