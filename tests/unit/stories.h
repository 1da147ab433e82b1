/* stories.h: the stories by theme. Each runs its own and says how many went otherwise than expected. */
#ifndef STORIES_H
#define STORIES_H
int stories_of_ladder(void);
int stories_of_answers(void);
int stories_of_verify(void);
int stories_of_promise(void);
int stories_of_returns(void);
int stories_of_extension(void);
int stories_of_suspended(void);
int stories_of_ways(void);
int stories_of_reopened(void);
int stories_of_care(void);
#endif
