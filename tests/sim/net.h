/* net.h: lib/wire/wire.h without a network: routers, dealers and the links between them, in one process and on the
 * world's clock. What libzmq promises holds (in order, whole or not at all, until a link is cut); what it does not
 * promise is drawn: delay, cuts that lose what was on its way, silence in one direction, full queues.
 *
 *   N1  a link delivers in order; what was sent before it was cut may be lost, from some message on.
 *   N2  a dealer whose link is gone gets another, under another id, when somebody is bound there.
 *   N3  between clients and the front, where each message stands for itself, one may be lost, come twice or overtake
 *       others. The sessions of workers and consoles are promised what libzmq promises: all in order, until a cut. */
#ifndef NET_H
#define NET_H
#include "lib/wire/wire.h"

struct net_faults {
    unsigned delay_us_max;
    unsigned queue_max;                           /* messages one way of a link; 0: as many as may be */
    unsigned cut, drop, twice, out_of_order;      /* per million messages; cut: its link, before it */
};
extern struct net_faults net_faults;

int64_t net_next_ns(void);                        /* when the next message arrives; INT64_MAX: none is on its way */
void net_broker_dies(void);                       /* every router is gone, with what it was told and had to say */
void net_cut_some(uint64_t (*roll)(uint64_t sides), unsigned percent);
void net_silence_some(uint64_t (*roll)(uint64_t sides), unsigned percent, int64_t until_ns);   /* one direction each */
void net_heal(void);
#endif
