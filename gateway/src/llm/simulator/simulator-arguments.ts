// With what the simulated model calls a tool: each argument is taken from the question, by rules that docs/agents.md states. What the
// question does not say is left out, and is never made up. No name of a tool becomes an expression.

import { capitalsFrom, type Facts, isCapital, isIdle, stem, wordsOf } from './simulator-facts.ts';

export interface Properties {
  properties: Readonly<Record<string, { type?: unknown; enum?: readonly unknown[] | undefined }>>;
  required: readonly string[];
}

export interface Filled {
  args: Record<string, unknown>;
  /** The arguments that the tool needs and nobody has said. */
  lacking: readonly string[];
  /** Whether an earlier result could say all that is lacking: these are lists of ids. */
  isFindable: boolean;
  /** How much the question says that this tool takes, and another may not. */
  evidence: number;
}

/** Of one property. */
const MAX_CHOICES = 16;
/** Characters of a choice. */
const MAX_CHOICE = 64;
/** Words that mean a choice without naming it. */
const MEANT: Readonly<Record<string, readonly string[]>> = {
  warn: ['warnings'],
  error: ['fail', 'failure', 'crash', 'problem', 'fault', 'wrong', 'broke', 'broken', 'die'],
};
/** Between an argument's name and its value. */
const LINKS = new Set([':', '=', 'is', 'named', 'called']);
const MANY = /^(?:q|query|search|keywords?|words|text|message|question|topic|prompt)$/i;
const MACHINE = /source|host|node|machine|server|service|worker|device|backend/i;
const ID = /^id$|[a-z]Id$|_id$/;

/** @param earlier ids in the results so far */
export function argumentsFor(
  { properties, required }: Properties,
  said: Facts,
  earlier: readonly string[],
): Filled {
  const args: Record<string, unknown> = {};
  const entries = Object.entries(properties);
  let evidence = 0;
  for (const [name, { type, enum: choices }] of entries) {
    const kind = kindOf(type);
    const [value, weight] = choices ? [choiceIn(said, choices), 1] : known(said, name, kind);
    if (value === undefined) continue;
    args[name] = value;
    evidence += weight;
  }
  // What is left of the question goes to the arguments that the tool cannot do without, in their order.
  const left = [...said.quoted, ...said.capitals, ...said.machines, ...said.ids].filter(
    (words) => !Object.values(args).includes(words),
  );
  for (const [name, { type, enum: choices }] of entries) {
    if (args[name] !== undefined || choices || !required.includes(name)) continue;
    const value = needed(said, name, kindOf(type), left, earlier);
    if (value !== undefined) args[name] = value;
  }
  const lacking = required.filter((name) => args[name] === undefined);
  return {
    args,
    lacking,
    isFindable: lacking.every((name) => kindOf(properties[name]?.type) === 'array'),
    evidence,
  };
}

function kindOf(type: unknown): unknown {
  return Array.isArray(type) ? type[0] : type;
}

/** A choice is named, or meant: who asks what failed asks for errors. */
function choiceIn({ stems: said, words }: Facts, choices: readonly unknown[]): unknown {
  return choices.slice(0, MAX_CHOICES).find((choice) => {
    if (typeof choice !== 'string' || choice.length > MAX_CHOICE) return false;
    const name = choice.toLowerCase();
    if (words.includes(` ${name.replace(/\W/g, ' ')} `) || said.has(stem(name))) return true;
    return Object.hasOwn(MEANT, name) && MEANT[name]?.some((meant) => said.has(stem(meant)));
  });
}

/** What the question says of an argument of this name, and how much that tells of what is wanted. */
function known(said: Facts, name: string, kind: unknown): [value: unknown, weight: number] {
  if (kind === 'number' || kind === 'integer') return [numberIn(said, name), 0.5];
  if (kind === 'array') return [said.ids.length > 0 ? said.ids : undefined, 1];
  if (kind !== 'string') return [undefined, 0];
  const { email, city, state, since, machines, quoted } = said;
  if (/e-?mail|recipient/i.test(name)) return [email, 1];
  if (/^state$/i.test(name)) return [state, 0.5];
  if (/^(city|town|place)$/i.test(name)) return [city, 0.5];
  if (/area|region|location/i.test(name)) return [city && [city, state].filter(Boolean).join(', '), 0.5];
  if (/^(since|start|begin)/i.test(name) && since !== undefined) return [since, 1];
  if (MANY.test(name)) return [quoted[0], 1];
  const named = namedIn(said, name);
  if (named !== undefined) return [named, 1];
  return [MACHINE.test(name) ? machines[0] : undefined, 2];
}

/** What an argument is that the tool cannot do without, where the question does not name it. */
function needed(
  said: Facts,
  name: string,
  kind: unknown,
  left: string[],
  earlier: readonly string[],
): unknown {
  if (kind === 'number' || kind === 'integer') return said.numbers[0];
  if (kind === 'boolean') return wordsOf(name).some((word) => said.stems.has(stem(word)));
  if (kind === 'array') return earlier.length > 0 ? earlier : undefined;
  if (kind !== 'string') return undefined;
  if (MANY.test(name)) return said.text.trim() === '' ? undefined : said.text;
  // An address is nothing that one guesses.
  if (/e-?mail|recipient/i.test(name)) return undefined;
  if (ID.test(name)) return [...said.ids, ...said.machines][0];
  const value = namedIn(said, name, true) ?? left.shift() ?? said.about;
  // "the tickets of customers" does not say whose.
  return value !== undefined && stem(value.toLowerCase()) === stem(name.toLowerCase()) ? undefined : value;
}

/**
 * What stands after the argument's name, "warehouse Alpha", or before it, "the Alpha warehouse". Unless the argument is needed, only what
 * looks like a name is one.
 */
function namedIn({ tokens, places }: Facts, name: string, isNeeded = false): string | undefined {
  const words = wordsOf(name);
  const isOf = words.length > 1 && /^(?:id|name|code)$/.test(words.at(-1) ?? '');
  const noun = (isOf ? words.slice(0, -1) : words).map(stem);
  for (const at of places.get(noun[0] ?? '') ?? []) {
    if (!noun.every((word, i) => tokens[at + i]?.stem === word)) continue;
    let next = at + noun.length;
    const isLinked = LINKS.has(tokens[next]?.text.toLowerCase() ?? '');
    if (isLinked) next++;
    const token = tokens[next];
    if (token?.kind === 'quoted') return token.text;
    if (token !== undefined && isCapital(token)) return capitalsFrom(tokens, next).join(' ');
    const isName = token?.kind === 'word' && !isIdle(token.text);
    if (isName && (isLinked || isNeeded || /[\d_/-]/.test(token.text))) return token.text;
    const before = tokens[at - 1];
    if (at > 1 && before !== undefined && isCapital(before)) return before.text;
  }
  return undefined;
}

/** `maxPrice` is what comes after "under", `minBedrooms` what stands before "bedroom". */
function numberIn({ counts, max, min }: Facts, name: string): number | undefined {
  const [, bound = '', noun = name] = /^(min|max)?(?:imum)?_?(\w+)$/i.exec(name) ?? [];
  const word = noun.toLowerCase().replace(/s$/, '');
  const count = counts.find(({ of }) => of !== '' && (of.startsWith(word) || of === word.slice(0, 3)));
  if (count) return count.value;
  if (bound === '') return undefined;
  return bound.toLowerCase() === 'max' ? max : min;
}
