// What a text says that may be an argument of a tool: numbers, names, places, times. The text may come from a stranger: every expression
// here takes time in proportion to its length, and callers cut it.

/** It is read once for all tools. */
export interface Facts {
  text: string;
  /** Its words in small letters, with one space for each sign that is none. */
  words: string;
  tokens: readonly Token[];
  /** Where among the tokens each stem stands. */
  places: ReadonlyMap<string, readonly number[]>;
  /** The words that say something, without their endings. */
  stems: ReadonlySet<string>;
  /** Tokens like `L001`; `L001-L003` holds three. */
  ids: readonly string[];
  /** Names with a number, such as `gpu-3`. */
  machines: readonly string[];
  /** Each number, and the word after it. */
  counts: readonly { value: number; of: string }[];
  /** Numbers that stand for themselves. */
  numbers: readonly number[];
  /** What stands after "under", and after "over". */
  max: number | undefined;
  min: number | undefined;
  email: string | undefined;
  city: string | undefined;
  state: string | undefined;
  /** How far back it looks: "last night" is 14h. */
  since: string | undefined;
  quoted: readonly string[];
  /** Words with a capital that do not begin a sentence. */
  capitals: readonly string[];
  /** The word behind "in", "of", "for" and the like. */
  about: string | undefined;
}

export interface Token {
  text: string;
  kind: 'word' | 'quoted' | 'sign';
  /** In small letters and without its ending. */
  stem: string;
}

const MAX_IDS = 20;
/** Of one word. */
const MAX_PLACES = 20;
const IDLE = new Set(
  'a about ago am an and any are at be been by day days did do does for from get give had has have hour hours how i id if in into is it its last like listing many me minute minutes my night of on or please show so tell than that the their them then there these they this to today was we week were what when where which who why with without yesterday you your only all more at least'.split(
    ' ',
  ),
);
const TOKEN = /["“]([^"”]{1,200})["”]|[\p{L}\p{N}](?:[\p{L}\p{N}_@/-]|\.(?=[\p{L}\p{N}]))*|[:=.?!,;]/gu;
const COUNT = /(?<![\d,.])(\d[\d,.]{0,15})\+?[\s-]{0,4}([a-z_]{0,40})/gi;
const NUMBER = /^\d{1,12}(?:\.\d{1,6})?$/;
const MAX =
  /\b(?:under|below|less than|at most|up to|max(?:imum)?(?: of)?)\s{1,4}\$?(\d[\d,.]{0,15})\s?(k|m|million)?\b/i;
const MIN = /\b(?:over|above|more than|at least|from)\s{1,4}\$?(\d[\d,.]{0,15})\s?(k|m|million)?\b/i;
const EMAIL = /(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/;
const PLACE =
  /\b(?:in|near|around|for|of)\s{1,4}([A-Z][a-z]{1,40}(?:\s[A-Z][a-z]{1,40}){0,4})(?:,\s{0,4}([A-Z]{2})\b)?/;
const SPAN = /\b(?:last|past)\s{1,4}(?:(\d{1,4})\s{0,4})?(minute|hour|day|week)s?\b/i;
const UNITS: Readonly<Record<string, readonly [number, string]>> = {
  minute: [1, 'm'],
  hour: [1, 'h'],
  day: [24, 'h'],
  week: [7, 'd'],
};
const TIMES: readonly (readonly [RegExp, string])[] = [
  [/\blast night\b/i, '14h'],
  [/\btoday\b/i, '24h'],
  [/\byesterday\b/i, '48h'],
  [/\bthis week\b/i, '7d'],
];

export function factsIn(text: string): Facts {
  const [, city, state] = PLACE.exec(text) ?? [];
  const tokens = tokensIn(text);
  const words = tokens.flatMap(({ text: word, kind }) => (kind === 'word' ? [word] : []));
  return {
    text,
    words: ` ${text.toLowerCase().replace(/\W/g, ' ')} `,
    tokens,
    places: placesOf(tokens),
    stems: stems(text),
    ids: idsIn(text),
    machines: words.filter(isMachine),
    counts: Array.from(text.matchAll(COUNT), ([, digits = '', of = '']) => {
      return { value: toNumber(digits), of: of.toLowerCase() };
    }),
    numbers: words.filter((word) => NUMBER.test(word)).map(Number),
    max: boundIn(text, MAX),
    min: boundIn(text, MIN),
    email: EMAIL.exec(text)?.[0],
    city,
    state,
    since: sinceIn(text),
    quoted: tokens.flatMap(({ text: words, kind }) => (kind === 'quoted' ? [words] : [])),
    capitals: capitalsIn(tokens),
    about: aboutIn(tokens),
  };
}

/** The words of a text that say something, without their endings; `maxPrice` holds two. */
export function stems(text: string): Set<string> {
  const words = wordsOf(text).filter((word) => /^[a-z]{2,}$/.test(word) && !IDLE.has(word));
  return new Set(words.map(stem));
}

/** `warehouse_id` and `warehouseId` are two words. */
export function wordsOf(text: string): string[] {
  return (
    text
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .match(/[a-z]+|\d+/g) ?? []
  );
}

export function stem(word: string): string {
  return word.replace(/(?<=..)(?:ing|es|s|ed)$/, '');
}

export function isIdle(word: string): boolean {
  return IDLE.has(word.toLowerCase());
}

/** `Alpha`, and not `I`. */
export function isCapital({ text, kind }: Token): boolean {
  return kind === 'word' && /^\p{Lu}/u.test(text) && !IDLE.has(text.toLowerCase());
}

function placesOf(tokens: readonly Token[]): Map<string, number[]> {
  const places = new Map<string, number[]>();
  for (const [at, { stem: of }] of tokens.entries()) {
    const found = places.get(of);
    if (!found) places.set(of, [at]);
    else if (found.length < MAX_PLACES) found.push(at);
  }
  return places;
}

function tokensIn(text: string): Token[] {
  return Array.from(text.matchAll(TOKEN), ([whole, quoted]): Token => {
    if (quoted !== undefined) return { text: quoted, kind: 'quoted', stem: '' };
    if (/^[:=.?!,;]$/.test(whole)) return { text: whole, kind: 'sign', stem: whole };
    return { text: whole, kind: 'word', stem: stem(whole.toLowerCase()) };
  });
}

function isMachine(word: string): boolean {
  return (
    word.length <= 64 &&
    /^[a-z]/i.test(word) &&
    /[-_]/.test(word) &&
    /\d/.test(word) &&
    !/^[A-Z]{1,3}\d|@/.test(word)
  );
}

function capitalsIn(tokens: readonly Token[]): string[] {
  const found: string[] = [];
  for (let at = 0; at < tokens.length; at++) {
    const before = tokens[at - 1];
    const isFirst = before === undefined || /^[.?!]$/.test(before.text);
    if (isFirst || !isCapital(tokens[at] as Token)) continue;
    const name = capitalsFrom(tokens, at);
    found.push(name.join(' '));
    at += name.length - 1;
  }
  return found;
}

function aboutIn(tokens: readonly Token[]): string | undefined {
  const at = tokens.findIndex(({ text, kind }, i) => {
    const next = tokens[i + 1];
    const leads = kind === 'word' && /^(?:in|of|for|about|at|on)$/i.test(text);
    return leads && next?.kind === 'word' && !isIdle(next.text);
  });
  return at < 0 ? undefined : tokens[at + 1]?.text;
}

/** The words with a capital from here on. */
export function capitalsFrom(tokens: readonly Token[], at: number): string[] {
  const rest = tokens.slice(at, at + 5);
  const end = rest.findIndex((token) => !isCapital(token));
  return (end < 0 ? rest : rest.slice(0, end)).map(({ text }) => text);
}

function sinceIn(text: string): string | undefined {
  const [, many = '1', unit = ''] = SPAN.exec(text) ?? [];
  const [times, sign] = UNITS[unit.toLowerCase()] ?? [];
  if (times !== undefined) return `${Number(many) * times}${sign}`;
  return TIMES.find(([said]) => said.test(text))?.[1];
}

function boundIn(text: string, bound: RegExp): number | undefined {
  const [, digits, unit = ''] = bound.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return toNumber(digits) * (unit === '' ? 1 : unit.toLowerCase() === 'k' ? 1_000 : 1_000_000);
}

function toNumber(text: string): number {
  return Number(text.replace(/[,.](?=\d{3}\b)|[,.]+$/g, ''));
}

function idsIn(text: string): string[] {
  const ids = new Set<string>();
  for (const [, from = '', digits = '', to] of text.matchAll(
    /\b([A-Z]{1,3})(\d{2,6})(?:\s?(?:-|–|to|through)\s?\1(\d{2,6}))?\b/g,
  )) {
    const last = to === undefined ? Number(digits) : Math.min(Number(to), Number(digits) + MAX_IDS);
    for (let n = Number(digits); n <= last; n++) ids.add(`${from}${String(n).padStart(digits.length, '0')}`);
    if (ids.size >= MAX_IDS) break;
  }
  return [...ids].slice(0, MAX_IDS);
}
