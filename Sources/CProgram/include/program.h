// The words that the program was started with.
#ifndef CPROGRAM_H
#define CPROGRAM_H

/// How many words there are, the program's name the first; 0 where there are none.
int cprogram_word_count(void);

/// A word by its number from 0 on, which ends with a zero and is there as long as the program runs; NULL where there
/// are fewer.
const char *cprogram_word(int number);

#endif
