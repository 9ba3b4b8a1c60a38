// Every bound on what a reader's expression may cost, in one place. A link may bring any expression, and anybody may write
// any text, so each loop of the engine has one of these bounds.
//
// A compiled program has a size: the number of its states, of the edges between them, and of its class tests. To read one
// position of a text takes at most as many steps as the size of the program and of its look-arounds. An example: a program
// of size 50 with a budget of 1,000,000 steps may read 20,000 positions. One step takes about 10 ns.

/** Characters of an expression. The whole filter, of which an expression is a part, has the same bound. */
export const MAX_SOURCE = 1_000;
/** How deep groups may be nested: the parser and JavaScript's engine both call themselves for each level. */
export const MAX_DEPTH = 100;
/** Unicode properties, such as \p{L}: JavaScript's engine takes about a millisecond to make the class of each. */
export const MAX_PROPERTIES = 5;
/** The size of a compiled expression. */
export const MAX_SIZE = 4_000;
/** Visits of the tree and edges that the compiler may make, also those that add nothing to the size, as in `(?:){9999}`. */
export const MAX_WORK = 20_000;

/**
 * The size up to which JavaScript's engine may compile an expression, with each repeated part counted as often as that engine
 * writes it out. The engine takes up to 40 µs for each unit of this size.
 */
export const NATIVE_SIZE = 500;
/** How much of NATIVE_SIZE a class counts that is Unicode's, or that ignores case: such a class has hundreds of ranges. */
export const NATIVE_CLASS = 30;

/** Characters of a text that are looked at. */
export const REACH = 20_000;
/** Steps for all texts of a row that one term of the filter looks at. A filter has at most five terms with expressions. */
export const ROW_STEPS = 1_000_000;
/** Steps to find what to highlight in a text. They are fewer because a screen shows many texts at once. */
export const FIND_STEPS = 200_000;
/** How many steps a question to JavaScript's engine, whether a character is in a class, counts as. */
export const ASK_STEPS = 50;
/** Answers that are remembered for each class. There are a million characters, so not all can be. */
export const REMEMBERED = 1_000;
/** Matches that are highlighted in a text, and matches that are looked at to find these: some are empty, and not highlighted. */
export const MAX_FOUND = 200;
export const MAX_LOOKED_AT = 2_000;
