// Which tools the simulated model calls, and with what: the words of the question are compared with those of each tool, and arguments are
// taken from the question and from earlier results. The same question and the same tools lead to the same calls.

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

/** @param results of the calls since the question, oldest first */
export function chooseCalls(
  model: string,
  question: string,
  results: readonly ToolResult[],
  offered: readonly z.output<typeof offeredTool>[],
): SimulatedToolCall[] {
  const tools = offered.flatMap(({ function: tool }) => tool ?? []);
  if (tools.length === 0) return [];
  const found = tools.map((tool): Found => ({ tool, args: argumentsFor(tool, question, results) }));
  const fault = toolFaultOf(model);
  if (fault !== undefined) return faultyCalls(fault, found, results);
  const called = new Set(results.map(({ name }) => name));
  const open = found.filter(({ tool }) => !called.has(tool.name));
  const asked = stems(question);
  for (const { tool } of found)
    if (called.has(tool.name)) for (const stem of meeting(tool, asked).met) asked.delete(stem);
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
      .map((one) => ({ one, ...meeting(one.tool, asked) }))
      .sort((a, b) => b.score - a.score);
    if (!next || next.score < THRESHOLD) return found.filter((one) => best.has(one));
    best.add(next.one);
    for (const stem of next.met) asked.delete(stem);
  }
}

interface Found {
  tool: Tool;
  /** Undefined if an argument that it needs is not known. */
  args: Record<string, unknown> | undefined;
}

function callOf({ name }: Tool, args: Record<string, unknown> = {}): SimulatedToolCall {
  return { name, arguments: JSON.stringify(args) };
}

function faultyCalls(
  fault: ToolFault,
  found: readonly Found[],
  results: readonly ToolResult[],
): SimulatedToolCall[] {
  const first = found.find(({ args }) => args !== undefined) ?? (found[0] as Found);
  if (fault === 'loop') return [callOf(first.tool, first.args)];
  if (fault === 'gullible' && results.length > 0) return obeyed(found, results);
  if (results.length > 0) return [];
  if (fault === 'unknown') return [{ name: 'no_such_tool', arguments: '{}' }];
  if (fault === 'badargs') return [{ name: first.tool.name, arguments: '{"broken": ' }];
  if (fault === 'all') return found.map(({ tool, args }) => callOf(tool, args));
  return [callOf(first.tool, first.args)];
}

/** What results tell a model to do, it should not do. This one does. */
function obeyed(found: readonly Found[], results: readonly ToolResult[]): SimulatedToolCall[] {
  const order = results.map(({ text }) => text).join('\n');
  const named = /\bcall ([A-Za-z0-9_-]+)/i.exec(order)?.[1];
  const meant = found.find(
    ({ tool }) => named !== undefined && (tool.name === named || tool.name.endsWith(`__${named}`)),
  );
  if (!meant || results.some(({ name }) => name === meant.tool.name)) return [];
  return [callOf(meant.tool, argumentsFor(meant.tool, order, results))];
}

function meeting({ name, description, parameters }: Tool, asked: ReadonlySet<string>) {
  const own = name.includes('__') ? name.slice(name.indexOf('__') + 2) : name;
  const met = new Set<string>();
  let score = 0;
  for (const [text, weight] of [
    [own, IN_NAME],
    [description ?? '', IN_DESCRIPTION],
    [Object.keys(parameters.properties).join(' '), IN_PROPERTY],
  ] as const)
    for (const stem of stems(text))
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

function argumentsFor(
  { parameters: { properties, required } }: Tool,
  question: string,
  results: readonly ToolResult[],
): Record<string, unknown> | undefined {
  const args: Record<string, unknown> = {};
  for (const [name, { type, enum: choices }] of Object.entries(properties)) {
    const kind = Array.isArray(type) ? type[0] : type;
    const value = choices
      ? choiceIn(question, choices)
      : valueIn(question, name, kind, required.includes(name), results);
    if (value !== undefined) args[name] = value;
  }
  return required.every((name) => args[name] !== undefined) ? args : undefined;
}

function choiceIn(question: string, choices: readonly unknown[]): unknown {
  return choices.find((choice) => typeof choice === 'string' && wordOf(choice).test(question));
}

function wordOf(word: string): RegExp {
  return new RegExp(`\\b${word.replace(/[^\w ]/g, '.')}\\b`, 'i');
}

function valueIn(
  question: string,
  name: string,
  kind: unknown,
  isNeeded: boolean,
  results: readonly ToolResult[],
): unknown {
  if (kind === 'number' || kind === 'integer') return numberIn(question, name);
  if (kind === 'array') {
    const ids = idsIn(question);
    if (ids.length > 0) return ids;
    // Only where it is needed: a search must not be narrowed to what an earlier one has found.
    const earlier = isNeeded ? idsIn(results.map(({ text }) => text).join('\n')) : [];
    return earlier.length > 0 ? earlier : undefined;
  }
  if (kind !== 'string') return undefined;
  if (/e-?mail|recipient/i.test(name)) return /[\w.+-]+@[\w-]+(?:\.[\w-]+)+/.exec(question)?.[0];
  const place = /\b(?:in|near|around|for|of)\s+((?:[A-Z][a-z]+)(?:\s[A-Z][a-z]+)*)(?:,\s*([A-Z]{2})\b)?/.exec(
    question,
  );
  if (/^state$/i.test(name)) return place?.[2];
  if (/^(city|town|place)$/i.test(name)) return place?.[1];
  if (/area|region|location/i.test(name))
    return place?.[1] && [place[1], place[2]].filter(Boolean).join(', ');
  const quoted = /["“]([^"”]{1,200})["”]/.exec(question)?.[1];
  return quoted ?? (isNeeded && /query|question|text|message|topic/i.test(name) ? question : undefined);
}

/** `maxPrice` is what comes after "under", `minBedrooms` what stands before "bedroom". */
function numberIn(question: string, name: string): number | undefined {
  const [, bound = '', noun = name] = /^(min|max)?(?:imum)?_?(\w+)$/i.exec(name) ?? [];
  const word = noun.toLowerCase().replace(/s$/, '');
  const before = new RegExp(`(\\d[\\d,.]*)\\+?[\\s-]*(?:${word}|${word.slice(0, 3)}\\b)`, 'i').exec(
    question,
  )?.[1];
  if (before !== undefined) return toNumber(before);
  const lead =
    bound.toLowerCase() === 'max'
      ? 'under|below|less than|at most|up to|max(?:imum)?(?: of)?'
      : 'over|above|more than|at least|from';
  const [, after, unit = ''] =
    new RegExp(`\\b(?:${lead})\\s+\\$?(\\d[\\d,.]*)\\s?(k|m|million)?\\b`, 'i').exec(question) ?? [];
  if (after === undefined || bound === '') return undefined;
  const times = unit === '' ? 1 : unit.toLowerCase() === 'k' ? 1_000 : 1_000_000;
  return toNumber(after) * times;
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
