// The words that the program was started with, and what it knows of its own build.
#ifndef CPROGRAM_H
#define CPROGRAM_H

/// How many words there are, the program's name the first; 0 where there are none.
int cprogram_word_count(void);

/// A word by its number from 0 on, which ends with a zero and is there as long as the program runs; NULL where there
/// are fewer.
const char *cprogram_word(int number);

/// The commit that it was built from, at most 63 bytes and a zero; empty where nobody has said it.
const char *cprogram_commit(void);

/// Whether it was linked statically.
int cprogram_is_static(void);

#endif
