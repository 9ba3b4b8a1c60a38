// Which tools the simulated model calls: the words of the question are compared with those of each tool, and where no word decides, what
// the question says is compared with what each tool takes. The same question and the same tools lead to the same calls. All of it may come
// from strangers: of each text only a beginning is looked at.

import { z } from 'zod';
import { argumentsFor, type Filled } from './simulator-arguments.ts';
import { type Facts, factsIn, stems } from './simulator-facts.ts';
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

export interface Choice {
  calls: SimulatedToolCall[];
  /** The tool that would be called if the question said these arguments; absent if some tool is called, or none fits. */
  lacking?: { tool: string; arguments: readonly string[] };
}

/** How well the words of a tool must meet those of the question that no better tool has met. */
const THRESHOLD = 1.5;
/** How much the question must say of the arguments of a tool that meets none of its words. */
const EVIDENCE = 1;
const IN_NAME = 2;
const IN_DESCRIPTION = 1.5;
const IN_PROPERTY = 1;
/** Characters of the question, and of each result, that are looked at. */
const MAX_TEXT = 2_000;
const MAX_RESULTS = 64;
const MAX_RESULTS_TEXT = 10_000;
const MAX_DESCRIPTION = 1_000;
const MAX_TOOLS = 64;
/** Properties of a tool, and names that it requires. */
const MAX_PROPERTIES = 32;
/** Characters of the name of a tool or a property. A longer one is passed over. */
const MAX_NAME = 64;

/** @param results of the calls since the question, oldest first */
export function chooseCalls(
  model: string,
  question: string,
  results: readonly ToolResult[],
  offered: readonly z.output<typeof offeredTool>[],
): Choice {
  const tools = offered.slice(0, MAX_TOOLS).flatMap(({ function: tool }) => tool ?? []);
  if (tools.length === 0) return { calls: [] };
  const said = factsIn(question.slice(0, MAX_TEXT));
  const texts = results
    .slice(0, MAX_RESULTS)
    .map(({ text }) => text.slice(0, MAX_TEXT))
    .join('\n');
  const read = factsIn(texts.slice(0, MAX_RESULTS_TEXT));
  const found = tools.map((offer): Found => {
    const tool = withinBounds(offer);
    return { tool, words: wordsIn(tool), ...argumentsFor(tool.parameters, said, read.ids) };
  });
  const fault = toolFaultOf(model);
  if (fault !== undefined) return { calls: faultyCalls(fault, found, results, read) };
  const called = new Set(results.map(({ name }) => name));
  const open = found.filter(({ tool }) => !called.has(tool.name));
  const asked = new Set(said.stems);
  for (const one of found)
    if (called.has(one.tool.name)) for (const stem of meeting(one, asked).met) asked.delete(stem);
  const able = open.filter(isAble);
  const [wanted] = byScore(open, asked);
  const isWanted = wanted !== undefined && wanted.score >= THRESHOLD;
  if (isWanted && results.length === 0 && !isAble(wanted.one) && !wanted.one.isFindable)
    return { calls: [], lacking: { tool: wanted.one.tool.name, arguments: wanted.one.lacking } };
  const best = bestOf(able, asked);
  if (best.length > 0) return { calls: best.map(callOf) };
  // What is wanted may need ids that nobody has said: another tool may find them.
  const [finder] = isWanted ? byScore(able, said.stems) : [];
  if (finder && finder.score + finder.one.evidence > 0) return { calls: [callOf(finder.one)] };
  if (isWanted || results.length > 0) return { calls: [] };
  const [surest] = able.sort((a, b) => b.evidence - a.evidence);
  return { calls: surest && surest.evidence >= EVIDENCE ? [callOf(surest)] : [] };
}

function isAble({ lacking }: Found): boolean {
  return lacking.length === 0;
}

/** The tools with the words that each has in common with the question, the best first. */
function byScore(found: readonly Found[], asked: ReadonlySet<string>) {
  return found
    .map((one) => ({ one, ...meeting(one, asked) }))
    .sort((a, b) => b.score - a.score || b.one.evidence - a.one.evidence);
}

/** The tool that meets the question best, then the one that best meets what is left of it, and so on. In the order of the offer. */
function bestOf(found: readonly Found[], wanted: ReadonlySet<string>): Found[] {
  const asked = new Set(wanted);
  const best = new Set<Found>();
  while (true) {
    const [next] = byScore(
      found.filter((one) => !best.has(one)),
      asked,
    );
    if (!next || next.score < THRESHOLD) return found.filter((one) => best.has(one));
    best.add(next.one);
    for (const stem of next.met) asked.delete(stem);
  }
}

interface Found extends Filled {
  tool: Tool;
  /** Of its name, its description and its properties, each with its weight. */
  words: readonly (readonly [ReadonlySet<string>, number])[];
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

function callOf({ tool, args }: Pick<Found, 'tool' | 'args'>): SimulatedToolCall {
  return { name: tool.name, arguments: JSON.stringify(args) };
}

function faultyCalls(
  fault: ToolFault,
  found: readonly Found[],
  results: readonly ToolResult[],
  read: Facts,
): SimulatedToolCall[] {
  const first = found.find(isAble) ?? (found[0] as Found);
  if (fault === 'loop') return [callOf(first)];
  if (fault === 'gullible' && results.length > 0) return obeyed(found, results, read);
  if (results.length > 0) return [];
  if (fault === 'unknown') return [{ name: 'no_such_tool', arguments: '{}' }];
  if (fault === 'badargs') return [{ name: first.tool.name, arguments: '{"broken": ' }];
  if (fault === 'all') return found.map(callOf);
  return [callOf(first)];
}

/** What results tell a model to do, it should not do. This one does. */
function obeyed(found: readonly Found[], results: readonly ToolResult[], read: Facts): SimulatedToolCall[] {
  const named = /\bcall ([A-Za-z0-9_-]+)/i.exec(read.text)?.[1];
  const meant = found.find(
    ({ tool }) => named !== undefined && (tool.name === named || tool.name.endsWith(`__${named}`)),
  );
  if (!meant || results.some(({ name }) => name === meant.tool.name)) return [];
  return [callOf({ tool: meant.tool, ...argumentsFor(meant.tool.parameters, read, read.ids) })];
}

function wordsIn({ name, description, parameters }: Tool): Found['words'] {
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
