/** The address of a journal in a database, and what of it is shown. */

/** True for the address of a database, also for what a path makes of one. */
export const isDatabase = (journal: string): boolean => /^(postgres(ql)?|rediss?|valkeys?):\/|:\/\//.test(journal);

/** A journal as it is shown: an address without its password. */
export const shownJournal = (journal: string): string => (isDatabase(journal)
  ? journal.replace(/^([^:]*:\/+[^:@]*:).*@/s, "$1***@").replace(/([?&]password=)[^&]*/g, "$1***") : journal);
