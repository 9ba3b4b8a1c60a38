// `npm run keys -- …`: API keys of programs. A key is shown once, when it is made.

import { AUDIT_EVENTS } from '../audit.ts';
import { isSourcePattern, MAX_KEY_EXPIRES_MS, newApiKey, SOURCE_RULE } from '../credentials/api-keys.ts';
import { isName, NAME_RULE } from '../names.ts';
import { MAX_KEYS } from '../store/auth-store.ts';
import { type Command, type CommandContext, failure, type Program, parse, usage } from './command-line.ts';
import { GRANT_HELP, GRANT_OPTIONS, grantsOfOptions, inWords, warnOfUnreached } from './grant-options.ts';
import { minute, table } from './table.ts';

const HELP = `npm run keys -- COMMAND: keys of programs

  add NAME GRANTS          makes a key, and prints it this once (npm run -s keys … prints nothing else on stdout)
  list                     all keys; never the keys themselves
  revoke ID                ends a key, and all its streams, within seconds

${GRANT_HELP}
  --source PATTERN     the sources that its entries may name: 'ci-*'; without it any
  --expires TIME       90d or 12h from now; without it a year, at most ten years
  --user NAME          a personal key: it ends with the person, and never allows more than the person may

Reads REDIS_URL and NAMESPACE, or AUTH_FILE, as the gateway does, and .env if there is one.
In compose: docker compose exec gateway npm run -s keys -- add ci --publish 'logs:ci*' --source 'ci-*' --expires 90d
(docker compose exec -T in scripts, which have no terminal)
`;

const UNITS = { d: 86_400_000, h: 3_600_000 } as const;

const OPTIONS = {
  ...GRANT_OPTIONS,
  source: { type: 'string' },
  expires: { type: 'string' },
  user: { type: 'string' },
} as const;

async function add(args: readonly string[], { store, audit, print, say }: CommandContext): Promise<void> {
  const { words, values } = parse(args, ['the name of the key'], OPTIONS);
  const [name = ''] = words;
  if (!isName(name)) throw usage(`${JSON.stringify(name)}: the name of a key ${NAME_RULE}`);
  const grants = grantsOfOptions(values);
  const { source, user } = values;
  if (source !== undefined && !isSourcePattern(source))
    throw usage(`--source ${JSON.stringify(source)}: ${SOURCE_RULE}`);
  const expires = values.expires === undefined ? undefined : Date.now() + lifetime(values.expires);
  if (user !== undefined && (await store.user(user)) === undefined)
    throw failure(`there is nobody called ${JSON.stringify(user)}`);
  const { key, record } = newApiKey({ name, user, grants, source, expires });
  if (!(await store.addKey(record))) throw failure(`there are ${MAX_KEYS} keys already: revoke some`);
  const { id } = record;
  audit.event(AUDIT_EVENTS.keyAdded, { to: `key:${id}`, name, service: user === undefined });
  warnOfUnreached(grants.read, say);
  say(`key ${id} (${name}): ${inWords(grants)}; until ${minute(record.expires)} UTC. It is shown this once:`);
  print(key);
}

async function list(args: readonly string[], { store, print }: CommandContext): Promise<void> {
  parse(args, [], {});
  const keys = (await store.keys()).sort((a, b) => a.created - b.created);
  const now = Date.now();
  print(
    table(
      ['ID', 'NAME', 'OF', 'MAY', 'SOURCE', 'ENDS (UTC)', 'USED'],
      keys.map(({ id, name, user, grants, source, expires, lastUsed }) => [
        id,
        name,
        user ?? '-',
        inWords(grants),
        source ?? '*',
        expires <= now ? 'ended' : minute(expires),
        minute(lastUsed),
      ]),
    ),
  );
}

async function revoke(args: readonly string[], { store, audit, say }: CommandContext): Promise<void> {
  const [id = ''] = parse(args, ['the id of the key'], {}).words;
  if (!(await store.revokeKey(id))) throw failure(`there is no key ${JSON.stringify(id)}`);
  audit.event(AUDIT_EVENTS.keyRevoked, { to: `key:${id}` });
  say(`key ${id} is revoked`);
}

function lifetime(text: string): number {
  const [, number, unit] = /^(\d{1,6})([dh])$/.exec(text) ?? [];
  const ms = Number(number) * UNITS[unit as keyof typeof UNITS];
  if (ms > 0 && ms <= MAX_KEY_EXPIRES_MS) return ms;
  throw usage(`--expires ${JSON.stringify(text)}: must be a time like 90d or 12h, at most 3650d`);
}

const commands = new Map<string, Command>([
  ['add', add],
  ['list', list],
  ['revoke', revoke],
]);

export const keys: Program = { name: 'keys', help: HELP, commands };
