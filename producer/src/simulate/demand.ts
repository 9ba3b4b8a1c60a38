// Makes the requests of people and agents: who asks, how long prompt and answer are, and when a client gives up.

import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { answer } from './answers.ts';
import { BLOCK_TOKENS } from './backends.ts';
import type { GenerationRequest } from './generation.ts';
import type { World } from './world.ts';

const TENANTS = [
  { name: 'chat-web', share: 0.45 },
  { name: 'support-bot', share: 0.25 },
  { name: 'code-review', share: 0.2 },
  { name: 'batch-eval', share: 0.1 },
] as const;

const MAX_TOKENS = [256, 512, 512, 1024] as const;
/** One client in fifty closes the tab before its answer is complete. */
const DESERTING = 0.02;
/** One prompt in sixty holds a whole document, and is too long for the model. */
const OVERLONG = 1 / 60;

/** The requests per second of each tenant. Their sum is `rate`. */
export function demandByTenant(rate: number): Map<string, number> {
  return new Map(TENANTS.map(({ name, share }) => [name, share * rate]));
}

/** A request like those that people send. */
export function personalRequest(world: World): GenerationRequest {
  const { random, backend } = world;
  const maxTokens = random.pick(MAX_TOKENS);
  const room = backend.maxModelLength - maxTokens;
  const overlong = random.chance(OVERLONG);
  const promptTokens = overlong
    ? room + random.whole(40, 6_000)
    : Math.min(room, Math.max(12, Math.round(random.lognormal(800, 0.95))));
  const length = Math.max(6, Math.round(random.lognormal(110, 0.75)));
  return {
    run: `chatcmpl-${random.hex(12)}`,
    channel: CHANNELS.generation,
    tenant: tenant(world),
    peer: `172.18.0.${random.whole(3, 9)}:${random.whole(32_768, 60_999)}`,
    attempt: 1,
    promptTokens,
    cachedTokens: Math.floor((promptTokens * random.between(0, 0.7)) / BLOCK_TOKENS) * BLOCK_TOKENS,
    maxTokens,
    temperature: random.pick([0, 0.2, 0.7, 0.7, 1]),
    answer: answer(random, length),
    patience: random.chance(DESERTING) ? random.whole(1, length) : Number.POSITIVE_INFINITY,
  };
}

/** A request of one lane of an agent run; its prompt is long if the run has read documents. */
export function laneRequest(
  world: World,
  run: string,
  lane: string,
  promptTokens: number,
): GenerationRequest {
  const { random, backend } = world;
  const maxTokens = 512;
  const prompt = Math.min(promptTokens, backend.maxModelLength - maxTokens);
  return {
    run,
    lane,
    channel: CHANNELS.runs,
    tenant: 'agents',
    peer: `172.18.0.12:${random.whole(32_768, 60_999)}`,
    attempt: 1,
    promptTokens: prompt,
    cachedTokens: Math.floor((prompt * 0.4) / BLOCK_TOKENS) * BLOCK_TOKENS,
    maxTokens,
    temperature: 0.2,
    answer: answer(random, Math.max(20, Math.round(random.lognormal(90, 0.5)))),
    patience: Number.POSITIVE_INFINITY,
  };
}

function tenant({ random }: World): string {
  const point = random.next();
  let shares = 0;
  for (const { name, share } of TENANTS) {
    shares += share;
    if (point < shares) return name;
  }
  return TENANTS[0].name;
}
