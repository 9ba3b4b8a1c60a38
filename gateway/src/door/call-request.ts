// What a call asks for, read from its body as far as the log and the choice of the service need it. The body itself is passed on as it
// is, but for the name of the upstream before the model's.

import { holdsMoreThan, isDeeperThan, MAX_ENTRY_VALUES } from '@llm-streamer/shared/json-values.ts';
import { TimeSlicer } from '@llm-streamer/shared/time-slicer.ts';
import { eachMember, type Range, textOf } from './json-members.ts';

/** Where each kind of call has what the model is given. */
const INPUTS: readonly string[] = ['messages', 'input', 'prompt'];
/** Bytes of a value that is looked at, such as a model's name. */
const MAX_SCALAR = 1_000;
/** UTF-16 units of a model's name in the log. */
const MAX_MODEL = 200;
const MAX_LEVELS = 64;

/** One for all calls of the process, since they share the event loop. */
const slicer = new TimeSlicer();

export interface CallRequest {
  /** '' if the body names none. */
  model: string;
  /** Where the body says the model, with its quotes. */
  modelAt: Range | undefined;
  streams: boolean;
  temperature: number | undefined;
  maxTokens: number | undefined;
  /** What the model is given, as JSON in the body. */
  inputAt: Range | undefined;
}

/** Of a body that is no JSON object nothing is known: the service says what is wrong with it. */
export async function readCall(body: Buffer): Promise<CallRequest> {
  const found = new Map<string, Range>();
  await eachMember(body, { from: 0, to: body.length }, slicer, (key, value) => {
    if (READ.has(key)) found.set(key, value);
  });
  const scalar = (key: string) => scalarAt(body, found.get(key));
  const modelAt = found.get('model');
  const model = modelAt && modelAt.to - modelAt.from <= MAX_SCALAR ? textOf(body, modelAt) : '';
  return {
    model,
    modelAt: model === '' ? undefined : modelAt,
    streams: scalar('stream') === true,
    temperature: numberOf(scalar('temperature')),
    maxTokens: numberOf(
      scalar('max_completion_tokens') ?? scalar('max_output_tokens') ?? scalar('max_tokens'),
    ),
    inputAt: INPUTS.map((key) => found.get(key)).find((range) => range !== undefined),
  };
}

const READ: ReadonlySet<string> = new Set([
  ...INPUTS,
  'model',
  'stream',
  'temperature',
  'max_tokens',
  'max_completion_tokens',
  'max_output_tokens',
]);

/** The same body with another model, in pieces: a body of 32 MiB is not copied. */
export function withModel(body: Buffer, { modelAt }: CallRequest, model: string): Buffer[] {
  if (modelAt === undefined) return [body];
  const { from, to } = modelAt;
  return [body.subarray(0, from), Buffer.from(JSON.stringify(model)), body.subarray(to)];
}

export function labelOf(model: string): string {
  return model.slice(0, MAX_MODEL);
}

export interface CallInput {
  /** What the model is given; undefined if it is too large to be shown, or cannot be read. */
  value: unknown;
  /** How many earlier messages were left out. */
  earlier: number;
  bytes: number;
}

/** What the model is given, as far as `maxBytes` allow: all of it, or else the last message. */
export async function inputOf(body: Buffer, { inputAt }: CallRequest, maxBytes: number): Promise<CallInput> {
  if (inputAt === undefined) return { value: undefined, earlier: 0, bytes: 0 };
  const bytes = inputAt.to - inputAt.from;
  if (bytes <= maxBytes) return { value: valueAt(body, inputAt), earlier: 0, bytes };
  let last: Range | undefined;
  let count = 0;
  await eachMember(body, inputAt, slicer, (_, value) => {
    last = value;
    count++;
  });
  if (last === undefined || last.to - last.from > maxBytes) return { value: undefined, earlier: 0, bytes };
  const value = valueAt(body, last);
  if (value === undefined) return { value, earlier: 0, bytes };
  return { value: [value], earlier: count - 1, bytes };
}

function valueAt(body: Buffer, { from, to }: Range): unknown {
  const text = body.toString('utf8', from, to);
  if (isDeeperThan(MAX_LEVELS, text) || holdsMoreThan(MAX_ENTRY_VALUES, text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function scalarAt(body: Buffer, range: Range | undefined): unknown {
  if (range === undefined || range.to - range.from > MAX_SCALAR) return undefined;
  return valueAt(body, range);
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}
