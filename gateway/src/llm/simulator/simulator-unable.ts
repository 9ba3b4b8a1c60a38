// What the simulated model says where it has tools, or should have them, and calls none: which are missing, what it would have to know, or
// that none fits. A person who tries an agent without a key must see why nothing was called.

import type { Composition, SpokenMessage } from './simulator-prose.ts';
import { ownName } from './simulator-results.ts';
import type { Choice } from './simulator-tools.ts';

/** What an agent's model is told of servers that are away (agents/agent-work.ts). */
const MISSING = /The tools of these servers are not available now: ([^.\n]{1,1000})\./;
const MAX_NAMED = 8;

/** A sentence; '' if no server is away. */
export function missingIn(messages: readonly SpokenMessage[]): string {
  const said = messages.find(({ role }) => role === 'system')?.content ?? '';
  const names = MISSING.exec(said)?.[1];
  return names === undefined ? '' : `The tools of these servers are not available now: ${names}.`;
}

/** @param tools names of those that it may call @param missing a sentence, or '' */
export function composeUnable(tools: readonly string[], { lacking }: Choice, missing: string): Composition {
  const text = [lacking ? lackingSentence(lacking) : tools.length > 0 ? unfitSentence(tools) : '', missing]
    .filter((sentence) => sentence !== '')
    .join(' ');
  return { reasoning: 'No tool that I have can be called for this. Say why.', text };
}

function lackingSentence({ tool, arguments: names }: NonNullable<Choice['lacking']>): string {
  const all = names.map((name) => `\`${name.slice(0, 64).replaceAll('`', '')}\``).join(', ');
  return `The tool “${ownName(tool)}” fits, but the question does not say its ${all}.`;
}

function unfitSentence(tools: readonly string[]): string {
  const more = tools.length > MAX_NAMED ? ` and ${tools.length - MAX_NAMED} more` : '';
  return `None of my tools fits this question; I have ${tools.slice(0, MAX_NAMED).map(ownName).join(', ')}${more}.`;
}
