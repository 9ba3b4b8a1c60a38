// Where a model is served: the service's name from its address, and whether that address asks for a key.

import { isIP } from 'node:net';
import type { LlmTarget } from './model.ts';

const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/(^|\.)openai\.com$/, 'openai'],
  [/(^|\.)openai\.azure\.com$/, 'azure.ai.openai'],
  [/(^|\.)openrouter\.ai$/, 'openrouter'],
  [/(^|\.)anthropic\.com$/, 'anthropic'],
  [/(^|\.)googleapis\.com$/, 'gcp.gemini'],
  [/(^|\.)mistral\.ai$/, 'mistral_ai'],
  [/(^|\.)groq\.com$/, 'groq'],
  [/(^|\.)deepseek\.com$/, 'deepseek'],
  [/(^|\.)x\.ai$/, 'x_ai'],
];

/** Where a model is served, whatever its name. */
export type LlmService = Omit<LlmTarget, 'model'>;

export const SIMULATED: LlmService = {
  provider: 'simulated',
  baseUrl: 'http://simulated.invalid/v1', // RFC 6761 reserves .invalid, so that a request sent to it by mistake reaches no service
};

/** `gen_ai.provider.name`: a well-known name, `ollama` by its port, else the host. */
export function providerOf(baseUrl: string): string {
  const { hostname, port } = new URL(baseUrl);
  if (port === '11434') return 'ollama';
  return KNOWN.find(([host]) => host.test(hostname))?.[1] ?? hostname;
}

/** @param baseUrl may end in slashes. @param key of the service; '' is none. */
export function serviceAt(baseUrl: string, key?: string): LlmService {
  const address = baseUrl.replace(/\/+$/, '');
  return { provider: providerOf(address), baseUrl: address, ...(key !== undefined && key !== '' && { key }) };
}

/** False for servers on this machine or a private network, which usually have no keys (Ollama, vLLM). */
export function needsKey(baseUrl: string): boolean {
  const { hostname } = new URL(baseUrl);
  const host = hostname.replace(/^\[|\]$/g, '');
  if (
    host === 'localhost' ||
    host.endsWith('.localhost') ||
    host.endsWith('.internal') ||
    host.endsWith('.local')
  )
    return false;
  if (isIP(host) === 4) return !/^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/.test(host);
  if (isIP(host) === 6) return !/^(::1$|f[cd]|fe80)/i.test(host);
  return host.includes('.'); // a name without a dot is a Compose service, or a host of the same network
}
