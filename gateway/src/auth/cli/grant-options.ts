// The options that say what a role or a key may do.

import { isPattern, isReserved, missedPrefix, PATTERN_RULE } from '@llm-streamer/shared/channels.ts';
import { ALL_GRANTS, type Grants, grantsFrom } from '../principal.ts';
import { MAX_GRANTED_PATTERNS } from '../rights/roles.ts';
import { usage } from './command-line.ts';

export const GRANT_OPTIONS = {
  read: { type: 'string', multiple: true },
  publish: { type: 'string', multiple: true },
  run: { type: 'boolean' },
  metrics: { type: 'boolean' },
  admin: { type: 'boolean' },
} as const;

export const GRANT_HELP = `  --read PATTERNS      channels that may be read: 'logs*', or several: 'logs:team-a*,events*'
                       (runs:, conversations:, events:runs: and audit: only by patterns that begin so)
  --publish PATTERNS   channels that may be written to
  --run                may start runs
  --metrics            may read /metrics and /sse/health
  --admin              may do everything, and manage people, roles and keys`;

interface GrantValues {
  read?: string[] | undefined;
  publish?: string[] | undefined;
  run?: boolean | undefined;
  metrics?: boolean | undefined;
  admin?: boolean | undefined;
}

/** @throws CodedError `usage`, also where nothing is granted */
export function grantsOfOptions({ read, publish, ...rights }: GrantValues): Grants {
  if (rights.admin) return ALL_GRANTS;
  const lists = { read: patterns('read', read), publish: patterns('publish', publish) };
  const grants = grantsFrom({ ...rights, ...lists });
  const reserved = grants.publish.find(isReserved);
  if (reserved !== undefined) throw usage(`--publish ${reserved}: only the gateway writes there`);
  if (grants.read.length + grants.publish.length === 0 && !grants.run && !grants.metrics)
    throw usage('nothing is granted: give --read, --publish, --run, --metrics or --admin');
  return grants;
}

export function patterns(option: string, lists: readonly string[] = []): string[] {
  const all = lists
    .flatMap((text) => text.split(','))
    .map((pattern) => pattern.trim())
    .filter((pattern) => pattern !== '');
  const wrong = all.find((pattern) => !isPattern(pattern));
  if (wrong !== undefined) throw usage(`--${option} ${JSON.stringify(wrong)}: must be ${PATTERN_RULE}`);
  if (all.length > MAX_GRANTED_PATTERNS) throw usage(`--${option}: at most ${MAX_GRANTED_PATTERNS} patterns`);
  return [...new Set(all)];
}

/** Says of patterns that look as if they showed a reserved channel that they do not. */
export function warnOfUnreached(read: readonly string[], say: (text: string) => void): void {
  for (const pattern of read) {
    const prefix = missedPrefix(pattern);
    if (prefix !== undefined)
      say(
        `warning: ${pattern} shows no channel that begins with ${prefix}; only a pattern that begins so does`,
      );
  }
}

/** The grants in words, for a list. */
export function inWords({ read, publish, run, metrics, admin }: Grants): string {
  if (admin) return 'everything';
  return [
    ...(read.length > 0 ? [`read ${read.join(',')}`] : []),
    ...(publish.length > 0 ? [`publish ${publish.join(',')}`] : []),
    ...(run ? ['run'] : []),
    ...(metrics ? ['metrics'] : []),
  ].join(' · ');
}
