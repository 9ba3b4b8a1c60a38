// Which tools the simulated model calls, and with what: the words of the question are compared with those of each tool, and arguments are
// taken from the question and from earlier results. The same question and the same tools lead to the same calls. All of it may come from
// strangers: of each text only a beginning is looked at, and no name of theirs becomes an expression.

import { z } from 'zod';
import { type ToolFault, toolFaultOf } from './simulator-faults.ts';

const property = z.looseObject({ type: z.unknown(), enum: z.array(z.unknown()).optional() });
const schema = z.looseObject({
  properties: z.record(z.string(), property).default({}),
  required: z.array(z.string()).default([]),
});
export const offeredTool = z.looseObject({
  function: z
    .looseObject({
      name: z.string(),
      description: z.string().nullish(),
      parameters: schema.catch({ properties: {}, required: [] }).default({ properties: {}, required: [] }),
    })
    .optional(),
});
type Tool = NonNullable<z.output<typeof offeredTool>['function']>;

export interface ToolResult {
  /** The tool that was called. */
  name: string;
  text: string;
}

export interface SimulatedToolCall {
  name: string;
  /** JSON, as the model writes it. */
  arguments: string;
}

/** How well the words of a tool must meet those of the question that no better tool has met. */
const THRESHOLD = 1.5;
const IN_NAME = 2;
const IN_DESCRIPTION = 1.5;
const IN_PROPERTY = 1;
const MAX_IDS = 20;
/** Characters of the question, and of each result, that are looked at. */
const MAX_TEXT = 2_000;
const MAX_RESULTS = 64;
const MAX_RESULTS_TEXT = 10_000;
const MAX_DESCRIPTION = 1_000;
const MAX_TOOLS = 64;
/** Properties of a tool, and names that it requires. */
const MAX_PROPERTIES = 32;
/** Of one property. */
const MAX_CHOICES = 16;
/** Characters of the name of a tool or a property, and of a choice. A longer one is passed over. */
const MAX_NAME = 64;

/** @param results of the calls since the question, oldest first */
export function chooseCalls(
  model: string,
  question: string,
  results: readonly ToolResult[],
  offered: readonly z.output<typeof offeredTool>[],
): SimulatedToolCall[] {
  const tools = offered.slice(0, MAX_TOOLS).flatMap(({ function: tool }) => tool ?? []);
  if (tools.length === 0) return [];
  const said = factsIn(question.slice(0, MAX_TEXT));
  const texts = results
    .slice(0, MAX_RESULTS)
    .map(({ text }) => text.slice(0, MAX_TEXT))
    .join('\n');
  const read = factsIn(texts.slice(0, MAX_RESULTS_TEXT));
  const found = tools.map((offer): Found => {
    const tool = withinBounds(offer);
    return { tool, words: wordsOf(tool), args: argumentsFor(tool, said, read.ids) };
  });
  const fault = toolFaultOf(model);
  if (fault !== undefined) return faultyCalls(fault, found, results, read);
  const called = new Set(results.map(({ name }) => name));
  const open = found.filter(({ tool }) => !called.has(tool.name));
  const asked = stems(said.text);
  for (const one of found)
    if (called.has(one.tool.name)) for (const stem of meeting(one, asked).met) asked.delete(stem);
  const able = bestOf(
    open.filter(({ args }) => args !== undefined),
    asked,
  );
  if (able.length > 0) return able.map(({ tool, args }) => callOf(tool, args));
  if (bestOf(open, asked).length === 0) return [];
  // What is wanted needs something that nobody has said: another tool may find it.
  const finder = open.find(({ tool }) => tool.parameters.required.length === 0);
  return finder ? [callOf(finder.tool, finder.args)] : [];
}

/** The tool that meets the question best, then the one that best meets what is left of it, and so on. In the order of the offer. */
function bestOf(found: readonly Found[], wanted: ReadonlySet<string>): Found[] {
  const asked = new Set(wanted);
  const best = new Set<Found>();
  while (true) {
    const [next] = found
      .filter((one) => !best.has(one))
      .map((one) => ({ one, ...meeting(one, asked) }))
      .sort((a, b) => b.score - a.score);
    if (!next || next.score < THRESHOLD) return found.filter((one) => best.has(one));
    best.add(next.one);
    for (const stem of next.met) asked.delete(stem);
  }
}

interface Found {
  tool: Tool;
  /** Of its name, its description and its properties, each with its weight. */
  words: readonly (readonly [ReadonlySet<string>, number])[];
  /** Undefined if an argument that it needs is not known. */
  args: Record<string, unknown> | undefined;
}

function withinBounds({ name, description, parameters: { properties, required } }: Tool): Tool {
  const kept = Object.entries(properties)
    .filter(([property]) => property.length <= MAX_NAME)
    .slice(0, MAX_PROPERTIES);
  return {
    name,
    description: description?.slice(0, MAX_DESCRIPTION),
    parameters: { properties: Object.fromEntries(kept), required: required.slice(0, MAX_PROPERTIES) },
  };
}

function callOf({ name }: Tool, args: Record<string, unknown> = {}): SimulatedToolCall {
  return { name, arguments: JSON.stringify(args) };
}

function faultyCalls(
  fault: ToolFault,
  found: readonly Found[],
  results: readonly ToolResult[],
  read: Facts,
): SimulatedToolCall[] {
  const first = found.find(({ args }) => args !== undefined) ?? (found[0] as Found);
  if (fault === 'loop') return [callOf(first.tool, first.args)];
  if (fault === 'gullible' && results.length > 0) return obeyed(found, results, read);
  if (results.length > 0) return [];
  if (fault === 'unknown') return [{ name: 'no_such_tool', arguments: '{}' }];
  if (fault === 'badargs') return [{ name: first.tool.name, arguments: '{"broken": ' }];
  if (fault === 'all') return found.map(({ tool, args }) => callOf(tool, args));
  return [callOf(first.tool, first.args)];
}

/** What results tell a model to do, it should not do. This one does. */
function obeyed(found: readonly Found[], results: readonly ToolResult[], read: Facts): SimulatedToolCall[] {
  const named = /\bcall ([A-Za-z0-9_-]+)/i.exec(read.text)?.[1];
  const meant = found.find(
    ({ tool }) => named !== undefined && (tool.name === named || tool.name.endsWith(`__${named}`)),
  );
  if (!meant || results.some(({ name }) => name === meant.tool.name)) return [];
  return [callOf(meant.tool, argumentsFor(meant.tool, read, read.ids))];
}

function wordsOf({ name, description, parameters }: Tool): Found['words'] {
  const own = name.includes('__') ? name.slice(name.indexOf('__') + 2) : name;
  return [
    [stems(own.slice(0, MAX_NAME)), IN_NAME],
    [stems(description ?? ''), IN_DESCRIPTION],
    [stems(Object.keys(parameters.properties).join(' ')), IN_PROPERTY],
  ];
}

function meeting({ words }: Found, asked: ReadonlySet<string>) {
  const met = new Set<string>();
  let score = 0;
  for (const [own, weight] of words)
    for (const stem of own)
      if (asked.has(stem)) {
        met.add(stem);
        score += weight;
      }
  return { met, score };
}

const IDLE = new Set(
  'a an and any are at be by do for from get give have how i id in is it like listing many me my of on or please show tell than that the them these this to what which with without you only all more at least was were who'.split(
    ' ',
  ),
);

/** The words of a text without their endings; `maxPrice` holds two. */
function stems(text: string): Set<string> {
  const words =
    text
      .replace(/([a-z0-9])([A-Z])/g, '$1 $2')
      .toLowerCase()
      .match(/[a-z]{2,}/g) ?? [];
  return new Set(
    words.filter((word) => !IDLE.has(word)).map((word) => word.replace(/(?<=..)(?:ing|es|s|ed)$/, '')),
  );
}

/** What a text says that may be an argument. It is read once for all tools. */
interface Facts {
  text: string;
  /** Its words in small letters, with one space for each sign that is none. */
  words: string;
  ids: readonly string[];
  /** Each number, and the word after it. */
  counts: readonly { value: number; of: string }[];
  /** What stands after "under", and after "over". */
  max: number | undefined;
  min: number | undefined;
  email: string | undefined;
  city: string | undefined;
  state: string | undefined;
  quoted: string | undefined;
}

const COUNT = /(?<![\d,.])(\d[\d,.]{0,15})\+?[\s-]{0,4}([a-z_]{0,40})/gi;
const MAX =
  /\b(?:under|below|less than|at most|up to|max(?:imum)?(?: of)?)\s{1,4}\$?(\d[\d,.]{0,15})\s?(k|m|million)?\b/i;
const MIN = /\b(?:over|above|more than|at least|from)\s{1,4}\$?(\d[\d,.]{0,15})\s?(k|m|million)?\b/i;
const EMAIL = /(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}/;
const PLACE =
  /\b(?:in|near|around|for|of)\s{1,4}([A-Z][a-z]{1,40}(?:\s[A-Z][a-z]{1,40}){0,4})(?:,\s{0,4}([A-Z]{2})\b)?/;
const QUOTED = /["“]([^"”]{1,200})["”]/;

function factsIn(text: string): Facts {
  const [, city, state] = PLACE.exec(text) ?? [];
  return {
    text,
    words: wordsIn(text),
    ids: idsIn(text),
    counts: Array.from(text.matchAll(COUNT), ([, digits = '', of = '']) => {
      return { value: toNumber(digits), of: of.toLowerCase() };
    }),
    max: boundIn(text, MAX),
    min: boundIn(text, MIN),
    email: EMAIL.exec(text)?.[0],
    city,
    state,
    quoted: QUOTED.exec(text)?.[1],
  };
}

function wordsIn(text: string): string {
  return ` ${text.toLowerCase().replace(/\W/g, ' ')} `;
}

function boundIn(text: string, bound: RegExp): number | undefined {
  const [, digits, unit = ''] = bound.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return toNumber(digits) * (unit === '' ? 1 : unit.toLowerCase() === 'k' ? 1_000 : 1_000_000);
}

/** @param earlier ids in the results so far */
function argumentsFor(
  { parameters: { properties, required } }: Tool,
  said: Facts,
  earlier: readonly string[],
): Record<string, unknown> | undefined {
  const args: Record<string, unknown> = {};
  for (const [name, { type, enum: choices }] of Object.entries(properties)) {
    const kind = Array.isArray(type) ? type[0] : type;
    const value = choices
      ? choiceIn(said, choices)
      : valueIn(said, name, kind, required.includes(name), earlier);
    if (value !== undefined) args[name] = value;
  }
  return required.every((name) => args[name] !== undefined) ? args : undefined;
}

function choiceIn({ words }: Facts, choices: readonly unknown[]): unknown {
  return choices
    .slice(0, MAX_CHOICES)
    .find(
      (choice) => typeof choice === 'string' && choice.length <= MAX_NAME && words.includes(wordsIn(choice)),
    );
}

function valueIn(
  said: Facts,
  name: string,
  kind: unknown,
  isNeeded: boolean,
  earlier: readonly string[],
): unknown {
  if (kind === 'number' || kind === 'integer') return numberIn(said, name);
  if (kind === 'array') {
    if (said.ids.length > 0) return said.ids;
    // Only where it is needed: a search must not be narrowed to what an earlier one has found.
    return isNeeded && earlier.length > 0 ? earlier : undefined;
  }
  if (kind !== 'string') return undefined;
  const { text, email, city, state, quoted } = said;
  if (/e-?mail|recipient/i.test(name)) return email;
  if (/^state$/i.test(name)) return state;
  if (/^(city|town|place)$/i.test(name)) return city;
  if (/area|region|location/i.test(name)) return city && [city, state].filter(Boolean).join(', ');
  return quoted ?? (isNeeded && /query|question|text|message|topic/i.test(name) ? text : undefined);
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

function toNumber(text: string): number {
  return Number(text.replace(/[,.](?=\d{3}\b)|[,.]+$/g, ''));
}

/** Tokens like `L001`; `L001-L003` holds three. */
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
