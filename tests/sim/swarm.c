/* swarm.c: what a world is like, drawn before anything else; and the switches by which a broken one is made smaller. */
#include "tests/sim/actors.h"
#include "tests/sim/net.h"

#define SECOND_NS 1000000000LL

struct swarm swarm;

static const struct { const char *name; unsigned *at; } switches[] = {
    {"kill", &swarm.kill}, {"power", &swarm.power}, {"pause", &swarm.pause}, {"cut", &swarm.cut},
    {"silence", &swarm.silence}, {"clock", &swarm.clock_jump}, {"full", &swarm.disk_full},
    {"error", &swarm.disk_error}, {"slow", &swarm.disk_slow}, {"night", &swarm.night}, {"leave", &swarm.leave},
    {"rules", &swarm.rules}, {"tables", &swarm.tables}, {"delay", &net_faults.delay_us_max}, {"drop", &net_faults.drop},
    {"twice", &net_faults.twice}, {"order", &net_faults.out_of_order}, {"cut-sending", &net_faults.cut},
    {"queue", &net_faults.queue_max},
    {"strangers", &swarm.strange}, {"consoles", &swarm.consoles}, {"desks", &swarm.desks}, {"wrong", &swarm.wrong},
    {"again", &swarm.again}, {"batches", &swarm.batches}, {"imports", &swarm.imports},
    {"playbook", &swarm.playbook}, {"mistyped", &swarm.mistyped}, {"habit", &swarm.habit}, {"map", &swarm.map},
    {"backup", &swarm.backup}, {"loss", &swarm.loss}, {"follow", &swarm.follow}, {"segments", &swarm.segments},
};
_Static_assert(COUNT_OF(switches) <= 64, "a bit each");

unsigned swarm_switches(void) {
    return COUNT_OF(switches);
}

const char *swarm_switch(unsigned number) {
    CHECK(number < COUNT_OF(switches));
    return switches[number].name;
}

bool swarm_parse(struct slice names, uint64_t *ret_without) {
    struct slice name, rest;
    while (names.len) {
        if (!slice_cut(names, ',', &name, &rest)) name = names, rest = (struct slice){NULL, 0};
        unsigned i = 0;
        while (i < COUNT_OF(switches) && !slice_equal(slice_of(switches[i].name), name)) i++;
        if (i == COUNT_OF(switches)) return false;
        *ret_without |= 1ULL << i;
        names = rest;
    }
    return true;
}

/* In so many of a hundred worlds, up to so much. */
static unsigned drawn_of(enum sim_stream stream, unsigned of_a_hundred, unsigned most) {
    return sim_roll(stream, 100) < of_a_hundred ? 1 + (unsigned)sim_roll(stream, most) : 0;
}

static unsigned drawn(unsigned of_a_hundred, unsigned most) {
    return drawn_of(SIM_SWARM, of_a_hundred, most);
}

void swarm_draw(uint64_t without) {
    static const int64_t paces[] = {200000, 2000000, 50000000, SECOND_NS, 60 * SECOND_NS, 1800 * SECOND_NS};
    int64_t pace = paces[sim_roll(SIM_SWARM, COUNT_OF(paces))];
    int64_t fate = pace > SECOND_NS / 250 ? 10 * pace : SECOND_NS / 25;     /* who was cut off must get a chance */
    int64_t delay_us = pace < 10 * SECOND_NS ? pace / 1000 : 10000000;
    swarm = (struct swarm){
        .reporters = 1 + (unsigned)sim_roll(SIM_SWARM, 4), .desks = (unsigned)sim_roll(SIM_SWARM, 4),
        .consoles = (unsigned)sim_roll(SIM_SWARM, 4), .think_ns = pace, .fate_ns = fate,
        .kill = drawn(50, 90), .power = drawn(50, 90), .pause = drawn(20, 30), .cut = drawn(40, 100),
        .silence = drawn(25, 60), .clock_jump = drawn(50, 60), .disk_full = drawn(30, 40), .disk_error = drawn(30, 80),
        .disk_slow = drawn(25, 60), .night = drawn(33, 90), .leave = drawn(40, 80), .rules = drawn(40, 60),
        .tables = drawn(40, 400),
        .night_ns = (int64_t)sim_roll(SIM_SWARM, 7 * 86400) * SECOND_NS,
        .wrong = drawn(50, 50), .again = drawn(70, 150), .strange = drawn(40, 300), .batches = drawn(40, 60),
        .imports = drawn(40, 60), .playbook = drawn(80, 1),
    };
    net_faults = (struct net_faults){.delay_us_max = (unsigned)sim_roll(SIM_SWARM, (uint64_t)delay_us + 1),
                                     .cut = drawn(30, 2000), .drop = drawn(25, 20000), .twice = drawn(25, 50000),
                                     .out_of_order = drawn(25, 50000), .queue_max = drawn(33, 40)};
    swarm.mistyped = drawn_of(SIM_LATER, 30, 400);
    swarm.habit = drawn_of(SIM_LATER, 60, HABITS);
    swarm.map = drawn_of(SIM_LATER, 8, 1024);
    swarm.backup = drawn_of(SIM_LATER, 35, 60);
    swarm.loss = drawn_of(SIM_LOSS, 25, 600);
    if (swarm.loss) swarm.backup += 60 + (unsigned)sim_roll(SIM_LOSS, 200);
    swarm.follow = drawn_of(SIM_FOLLOW, 40, 100);
    if (swarm.loss) swarm.follow += (unsigned)sim_roll(SIM_LOSS, 60);
    swarm.segments = drawn_of(SIM_FOLLOW, 25, 200);
    for (unsigned i = 0; i < COUNT_OF(switches); i++)
        if (without >> i & 1) *switches[i].at = 0;
}
