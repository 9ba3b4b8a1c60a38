// Which regexes can take for ever: a repeated group that repeats inside, as in (a+)+, tries every way to share a text
// out. Nothing can stop a regex that runs, so such a one is refused before. Other slow ones exist and are not found here.

/** Escapes and classes, in which nothing repeats; groups; repetitions without bound, also right behind a group. */
const PARTS = /\\.|\[(?:\\.|[^\]\\])*\]|\)?(?:[*+]|\{\d+,\})|[()]/gs;

/** Whether a group without bound holds a repetition without bound. `source` is a valid regex. */
export function hasNestedRepeats(source: string): boolean {
  // For the whole and each open group, whether it holds such a repetition.
  const groups = [false];
  for (const [part] of source.matchAll(PARTS)) {
    if (part === '(') groups.push(false);
    else if (!/^[[\\]/.test(part)) {
      const holds = part[0] === ')' && groups.pop();
      if (holds && part !== ')') return true;
      if (holds || part !== ')') groups[groups.length - 1] = true;
    }
  }
  return false;
}
