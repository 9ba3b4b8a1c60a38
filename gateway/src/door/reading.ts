// What has been read of an answer so far. Whatever a service sends, what is kept of it is bounded.

import type { LlmErrorCode } from '../llm/failure.ts';
import { masked } from '../otlp/private-keys.ts';

export type TextKind = 'text' | 'reasoning';

export interface ToolCall {
  id: string;
  name: string;
  arguments: string;
}

export interface ReadUsage {
  input: number;
  output: number;
  reasoning: number | undefined;
  cached: number | undefined;
}

/** UTF-16 units of a name or an id. */
const MAX_NAME = 200;
const MAX_TOOLS = 64;
/** UTF-16 units of the arguments of all tools together. */
const MAX_ARGUMENTS = 65_536;
const MAX_REASONS = 8;
/** UTF-16 units of what a service says of its failure. */
const MAX_MESSAGE = 1_000;
/** What is told to all may be a name such as `insufficient_quota`, and no sentence. */
const CODE = /^[a-z0-9_.-]{1,64}$/;

export class Reading {
  usage: ReadUsage | undefined;
  responseId: string | undefined;
  responseModel: string | undefined;
  /** Whether the service has said that the answer is whole. */
  isEnded = false;
  /** Whether the answer has called more tools, or given them longer arguments, than are kept. */
  isCut = false;
  failure: LlmErrorCode | undefined;
  /** The service's own code of its failure, such as `insufficient_quota`. */
  serviceCode: string | undefined;
  /** What the service says of its failure: a text, with keys masked. */
  serviceMessage: string | undefined;
  readonly finishReasons: string[] = [];
  readonly #tools = new Map<string, ToolCall>();
  #argumentUnits = 0;
  readonly #onContent: (kind: TextKind, text: string) => void;
  readonly #onTool: () => void;

  /** @param onContent gets each piece of text. @param onTool is called when a tool is called for the first time. */
  constructor(onContent: (kind: TextKind, text: string) => void, onTool: () => void) {
    this.#onContent = onContent;
    this.#onTool = onTool;
  }

  get tools(): readonly ToolCall[] {
    return [...this.#tools.values()];
  }

  text(kind: TextKind, text: unknown): void {
    if (typeof text === 'string' && text !== '') this.#onContent(kind, text);
  }

  /** A piece of a call of a tool; pieces with the same key are one call. */
  tool(key: string, { id, name, arguments: given }: { [Part in keyof ToolCall]?: unknown }): void {
    let tool = this.#tools.get(key);
    if (!tool) {
      if (this.#tools.size >= MAX_TOOLS) {
        this.isCut = true;
        return;
      }
      tool = { id: '', name: '', arguments: '' };
      this.#tools.set(key, tool);
      this.#onTool();
    }
    if (tool.id === '') tool.id = labelOf(id) ?? '';
    if (tool.name === '') tool.name = labelOf(name) ?? '';
    if (typeof given !== 'string') return;
    const piece = given.slice(0, MAX_ARGUMENTS - this.#argumentUnits);
    this.isCut ||= piece.length < given.length;
    this.#argumentUnits += piece.length;
    tool.arguments += piece;
  }

  /** The whole arguments, in place of the pieces. */
  toolArguments(key: string, whole: unknown): void {
    const tool = this.#tools.get(key);
    if (!tool || typeof whole !== 'string') return;
    this.#argumentUnits -= tool.arguments.length;
    tool.arguments = '';
    this.tool(key, { arguments: whole });
  }

  identity(id: unknown, model: unknown): void {
    this.responseId ??= labelOf(id);
    this.responseModel ??= labelOf(model);
  }

  ended(reason: unknown): void {
    this.isEnded = true;
    const label = labelOf(reason);
    if (label !== undefined && this.finishReasons.length < MAX_REASONS && !this.finishReasons.includes(label))
      this.finishReasons.push(label);
  }

  /** The service has reported an error, in one of the forms that services have for it. */
  failed(error: unknown): void {
    this.failure ??= 'llm_stream_error';
    const { code, type, message } =
      typeof error === 'object' && error !== null
        ? (error as Record<string, unknown>)
        : { code: undefined, type: undefined, message: error };
    this.serviceCode ??= [code, type].find(isCode);
    if (typeof message === 'string' && message !== '')
      this.serviceMessage ??= masked(message.slice(0, MAX_MESSAGE));
  }

  tokens(input: unknown, output: unknown, reasoning: unknown, cached: unknown): void {
    const given = countOf(input);
    if (given === undefined) return;
    this.usage = {
      input: given,
      output: countOf(output) ?? 0,
      reasoning: countOf(reasoning),
      cached: countOf(cached),
    };
  }
}

function isCode(value: unknown): value is string {
  return typeof value === 'string' && CODE.test(value) && masked(value) === value;
}

/** The key of a call of a tool: only a text or a number can be one. */
export function keyOf(value: unknown): string {
  return typeof value === 'number' ? `${value}` : (labelOf(value) ?? '');
}

function labelOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value.slice(0, MAX_NAME) : undefined;
}

/** The number, if it can be a number of tokens. */
function countOf(value: unknown): number | undefined {
  return Number.isSafeInteger(value) && (value as number) >= 0 ? (value as number) : undefined;
}
