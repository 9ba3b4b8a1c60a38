// Channel names and patterns: what is valid, what matches what. A reserved channel answers only to its own prefix. What it
// costs to compare a pattern with a name is bounded, since both may come from strangers.

const NAME = /^[A-Za-z0-9_.:/-]{1,200}$/;
const PATTERN = /^[A-Za-z0-9_.:/*-]{1,200}$/;

/** The channel of a run begins with this. */
export const RUN_PREFIX = 'runs:';
/** The channel of a conversation begins with this. */
export const CONVERSATION_PREFIX = 'conversations:';
/** The channel of what happens to one owner's runs begins with this, where runs have owners. */
export const RUN_EVENTS_PREFIX = 'events:runs:';
/** The channels of who signed in, who was refused, and who changed whose rights begin with this. */
export const AUDIT_PREFIX = 'audit:';
/** Only the gateway writes to these channels, and only a pattern that begins with the prefix reads them. */
const RESERVED_PREFIXES = [RUN_PREFIX, CONVERSATION_PREFIX, RUN_EVENTS_PREFIX, AUDIT_PREFIX] as const;

/** A pattern that ends so few letters before a reserved prefix is taken for a mistake. */
const MISSED_LETTERS = 2;

/** Redis compares each pattern with each message, and the part between two stars is searched for anew. */
export const MAX_STARS = 4;

export const CHANNEL_RULE = '1 to 200 of A-Z a-z 0-9 _ . - : /';
export const PATTERN_RULE = `${CHANNEL_RULE} and at most ${MAX_STARS} *`;

export function isChannel(name: string): boolean {
  return NAME.test(name);
}

export function isPattern(pattern: string): boolean {
  return PATTERN.test(pattern) && hasFewStars(pattern);
}

export function hasFewStars(text: string): boolean {
  return text.split('*').length - 1 <= MAX_STARS;
}

/** True where a `*` stands elsewhere than at the end: what follows it must be searched for in a name. */
export function isSearch(pattern: string): boolean {
  return pattern.slice(0, -1).includes('*');
}

/** What it costs Redis and this process to compare a pattern with a name. A pattern that names one channel costs nothing. */
export function matchingCost(pattern: string): number {
  if (isExact(pattern)) return 0;
  return (isSearch(pattern) ? 10 : 1) * (1 + Math.floor(pattern.length / 20));
}

export function isReserved(channel: string): boolean {
  return reservedPrefix(channel) !== undefined;
}

/** The reserved prefix with which a channel or a pattern begins; no two of them can begin the same name. */
export function reservedPrefix(text: string): string | undefined {
  return RESERVED_PREFIXES.find((prefix) => text.startsWith(prefix));
}

/**
 * The reserved prefix that a pattern seems to ask for, and does not reach: `runs*` and `run*` for `runs:`. Not one of which it
 * holds the beginning alone, as `events*` does, which people mean as it is.
 */
export function missedPrefix(pattern: string): string | undefined {
  const [start = '', ...rest] = pattern.split('*');
  if (rest.length === 0 || isReserved(pattern)) return undefined;
  return RESERVED_PREFIXES.find(
    (prefix) => prefix.startsWith(start) && prefix.length - start.length <= MISSED_LETTERS,
  );
}

/** True where `pattern` holds no `*`, so that it names one channel. */
export function isExact(pattern: string): boolean {
  return !pattern.includes('*');
}

/** Whether `channel` belongs to what `pattern` asks for; where many channels are compared, `channelMatcher` is cheaper. */
export function matches(pattern: string, channel: string): boolean {
  return channelMatcher(pattern)(channel);
}

/** Makes a function that says whether a channel belongs to what `pattern` asks for. */
export function channelMatcher(pattern: string): (channel: string) => boolean {
  const fits = globMatcher(pattern);
  const hidden = RESERVED_PREFIXES.filter((prefix) => !pattern.startsWith(prefix));
  return (channel) => fits(channel) && !hidden.some((prefix) => channel.startsWith(prefix));
}

/**
 * Makes a function that says whether a text fits a pattern in which only `*` is special. A part between two stars is searched for
 * once: the first place where it is found leaves the most room for the parts that follow.
 */
export function globMatcher(pattern: string): (text: string) => boolean {
  const [first = '', ...others] = pattern.split('*');
  const last = others.pop();
  if (last === undefined) return (text) => text === pattern;
  const between = others.filter((part) => part !== '');
  return (text) => {
    const end = text.length - last.length;
    if (end < first.length || !text.startsWith(first) || !text.endsWith(last)) return false;
    let at = first.length;
    for (const part of between) {
      const found = text.indexOf(part, at);
      if (found < 0 || found + part.length > end) return false;
      at = found + part.length;
    }
    return true;
  };
}
