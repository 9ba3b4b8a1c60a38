// Channel names and patterns: what is valid, what matches what. A reserved channel answers only to its own prefix.

const NAME = /^[A-Za-z0-9_.:/-]{1,200}$/;
const PATTERN = /^[A-Za-z0-9_.:/*-]{1,200}$/;

/** Hold people's texts; only the pipeline writes them, and only a pattern that begins with the prefix reads them. */
const RESERVED_PREFIXES = ['runs:', 'conversations:'] as const;

export const CHANNEL_RULE = '1 to 200 of A-Z a-z 0-9 _ . - : /';
export const PATTERN_RULE = `${CHANNEL_RULE} and *`;

export function isChannel(name: string): boolean {
  return NAME.test(name);
}

export function isPattern(pattern: string): boolean {
  return PATTERN.test(pattern);
}

export function isReserved(channel: string): boolean {
  return RESERVED_PREFIXES.some((prefix) => channel.startsWith(prefix));
}

/** True where `pattern` holds no `*`, so that it names one channel. */
export function isExact(pattern: string): boolean {
  return !pattern.includes('*');
}

/** Whether `channel` belongs to what `pattern` asks for. At most |pattern| × |channel| steps: patterns come from strangers. */
export function matches(pattern: string, channel: string): boolean {
  const reserved = RESERVED_PREFIXES.find((prefix) => channel.startsWith(prefix));
  if (reserved !== undefined && !pattern.startsWith(reserved)) return false;
  return globMatches(pattern, channel);
}

/** Whether every channel that `narrow` matches is also matched by `wide`; false where that is not certain. */
export function covers(wide: string, narrow: string): boolean {
  return isExact(narrow) ? matches(wide, narrow) : wide === narrow;
}

/** Whether `text` fits a pattern in which only `*` is special. One backtrack point is enough: each part is taken at its first place. */
export function globMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let retry = 0;
  while (t < text.length) {
    if (pattern[p] === '*') {
      star = p++;
      retry = t;
    } else if (p < pattern.length && pattern[p] === text[t]) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++retry;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}
