/* story_rules.h: the rules that stories are told under: the district of rules_fixture.h with categories and playbooks
 * that visit every branch of the law.
 *
 *   gas       I    accept 30 cm   milestones isolate 1 ch, repair 1 cd, restore 3 wd
 *   lamp      II   accept 2 ch    promise 5 wd
 *   paint     III  accept 2 wh    one piece of evidence with what is done; an extension is 2 wd
 *   poster    III  accept 2 wh    playbook pair: two must be done, no verifying, what is declined goes to the district
 *   road      III  accept 2 wh    duty of the street
 *   rubbish   III  accept 2 wh    duty of the grid or the street; may be self-handled
 *   tree      IV   accept 1 wd    duty of the district: greenery and lighting
 *
 *   incident  community (5 wd) -> street (10 wd) -> district (20 wd, all) -> supervised 5 wd, 10 wd, 20 wd, ...
 *             verify within 2 wd, may send back twice; reminders at 80 %; 2 attempts and 3 offers a rung
 *   pair      the same ladder, count 2 at the community, supervised 5 wd, 10 wd, 12 wd, ...; its
 *             calendar is twelve hours behind */
#ifndef STORY_RULES_H
#define STORY_RULES_H
#include "tests/unit/rules_fixture.h"

PbRules *story_rules(void);

/* The same, but for the calendars: open in the mornings only, from 07:30, closed on Wednesdays and Saturdays. */
PbRules *story_rules_later(void);
#endif
