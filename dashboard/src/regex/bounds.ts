// Every bound on what a reader's expression may cost, in one place. A link may bring any expression, and anybody may write
// any text, so each loop of the engine is paid for from one of these budgets.
//
// A compiled program has a size: its states, the edges between them, and its class tests. Reading one position of a text
// takes at most as many steps as the program and its look-arounds have size together, so that a budget of steps divided
// by that size is the number of positions that may be read. One step takes about 10 ns.

/** Characters of an expression; the filter that it stands in has the same bound. */
export const MAX_SOURCE = 1_000;
/** Groups within groups: both the parser and JavaScript's engine recurse. */
export const MAX_DEPTH = 100;
/** Unicode properties, such as \p{L}: JavaScript's engine takes about a millisecond to make the class of each. */
export const MAX_PROPERTIES = 5;
/** The size of a compiled expression. */
export const MAX_SIZE = 4_000;
/** What the compiler may do: visits of the tree and edges, also those that add nothing to the size, as in `(?:){9999}`. */
export const MAX_WORK = 20_000;

/** The size up to which JavaScript's engine may compile an expression. It repeats bodies, and takes up to 40 µs for each unit. */
export const NATIVE_SIZE = 500;
/** What a class counts in that size where it is Unicode's, or compared whatever its case: it has hundreds of ranges. */
export const NATIVE_CLASS = 30;

/** Characters of a text that are looked at. */
export const REACH = 20_000;
/** Steps for all texts of a row that one term of the filter looks at. A filter has at most five terms with expressions. */
export const ROW_STEPS = 1_000_000;
/** Steps to find what to highlight in a text. It is less because a screen shows many texts at once. */
export const FIND_STEPS = 200_000;
/** Steps that it takes to ask JavaScript's engine whether a character is in a class. */
export const ASK_STEPS = 50;
/** Answers that are remembered for each class: there are a million characters. */
export const REMEMBERED = 1_000;
/** Matches that are highlighted in a text, and matches looked at for them, of which some are empty. */
export const MAX_FOUND = 200;
export const MAX_LOOKED_AT = 2_000;
