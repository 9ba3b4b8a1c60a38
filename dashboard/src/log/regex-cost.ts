// Which regexes can take for ever: a repeated group that repeats inside, as in (a+)+, tries every way to share a text
// out. Nothing can stop a regex that runs, so such a one is refused before. Other slow ones exist and are not found here.

/** Whether a group without bound holds a repetition without bound. `source` is a valid regex. */
export function hasNestedRepeats(source: string): boolean {
  // For each open group, whether it holds such a repetition.
  const groups: boolean[] = [];
  let isInClass = false;
  for (let i = 0; i < source.length; i++) {
    const char = source[i];
    if (char === '\\') i++;
    else if (isInClass) {
      if (char === ']') isInClass = false;
    } else if (char === '[') isInClass = true;
    else if (char === '(') groups.push(false);
    else if (char === ')') {
      const repeats = groups.pop() ?? false;
      const isRepeated = isUnbounded(source, i + 1);
      if (repeats && isRepeated) return true;
      if (repeats || isRepeated) markOpen(groups);
    } else if (isUnbounded(source, i)) markOpen(groups);
  }
  return false;
}

function markOpen(groups: boolean[]): void {
  if (groups.length > 0) groups[groups.length - 1] = true;
}

function isUnbounded(source: string, at: number): boolean {
  return /^(?:[*+]|\{\d+,\})/.test(source.slice(at, at + 12));
}
