/* A tiny district to test with: 1 street, 2 communities, 4 grids, their people, and one playbook.
 *
 *   610402                     district   district-desk, greenery, lighting, urban-management
 *   610402006                  street     street-desk, outer-worker, verifier
 *   610402006001, ...002       community  community-desk, grid-leader
 *   ....001, ....002 of each   grid       grid-worker
 *
 *   lamp      outside  urgency II   promised within 5 working days
 *   rubbish   inside   urgency III  may be self-handled; the stage's limit
 *   stall     inside   urgency III  milestones stop (4 wh), penalise (7 wd), demolish (20 wd)
 *
 * incident: community -> street -> district (supervised for ever), done leads to verify, which may send back once. */
#ifndef RULES_FIXTURE_H
#define RULES_FIXTURE_H
#include "daemon/kernel/kernel.h"

#define FIXTURE_DISTRICT   610402u
#define FIXTURE_STREET     610402006ULL
#define FIXTURE_COMMUNITY  610402006001ULL
#define FIXTURE_COMMUNITY2 610402006002ULL
#define FIXTURE_GRID       610402006001001ULL
#define FIXTURE_GRID2      610402006001002ULL
#define FIXTURE_MONDAY_MS  1772412600000LL        /* Monday 2026-03-02 08:50 in the fixture's zone, +08:00: open */

enum { FIXTURE_COMMUNITY_STAGE = 1, FIXTURE_STREET_STAGE, FIXTURE_DISTRICT_STAGE, FIXTURE_VERIFY_STAGE };

/* Not const: packing sets descriptors. The same object every time. */
PbRules *fixture_rules(void);
#endif
