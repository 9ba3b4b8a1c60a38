// The containers as a user starts them, with `up --build --scale producer=3`. The test is skipped if no Docker engine answers.
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { eventually, startProcess } from '../../../test-support/process.ts';
import { producersOf, readStream } from '../../../test-support/read-stream.ts';
import { freePort } from '../../../test-support/redis.ts';

const MINUTES = 60_000;
const BASE_IMAGES = ['node:24-bookworm-slim', 'redis:8-alpine'];
/** What npm prints if the build does not reach a package registry. */
const NO_REGISTRY = /ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ERR_SOCKET_TIMEOUT/;

const project = `llmstreamer${randomBytes(4).toString('hex')}`;
const images = { gateway: `${project}-gateway`, producer: `${project}-producer` };
let dir: string | undefined;
let compose: ((...args: string[]) => Promise<Outcome>) | undefined;

interface Outcome {
  ok: boolean;
  stdout: string;
  output: string;
}

const run = (command: string, ...args: string[]) => runWith({}, command, ...args);

async function runWith(env: Record<string, string>, command: string, ...args: string[]): Promise<Outcome> {
  try {
    const child = startProcess(args, { command, env });
    const { code } = await child.exited;
    return { ok: code === 0, stdout: child.stdout.trim(), output: child.output };
  } catch {
    return { ok: false, stdout: '', output: `${command} is not installed` };
  }
}

/** The reason why this machine cannot run the containers; undefined if it can. */
async function obstacle(): Promise<string | undefined> {
  if (/^(?:tcp|ssh|http)/.test(process.env.DOCKER_HOST ?? ''))
    return 'the Docker engine is on another machine';
  const engine = await run('docker', 'version', '--format', '{{.Server.Version}}');
  if (!engine.ok) return 'no Docker engine answers here';
  for (const image of BASE_IMAGES) {
    if ((await run('docker', 'image', 'inspect', image)).ok) continue;
    if (!(await run('docker', 'pull', '--quiet', image)).ok)
      return `the base image ${image} cannot be pulled`;
  }
  return undefined;
}

/** `docker compose` or `docker-compose`, with the committed file, and an override with the settings that only the test needs. */
async function composeCommand(port: number) {
  dir = await mkdtemp(join(tmpdir(), 'llm-streamer-compose-'));
  const override = join(dir, 'override.yml'); // JSON is valid YAML
  // Only the build uses the network of the host, because some machines reach their package registry in no other way.
  const service = (image: string) => ({ image, build: { network: 'host' } });
  const services = { gateway: service(images.gateway), producer: service(images.producer) };
  await writeFile(override, JSON.stringify({ services }));
  const plugin = (await run('docker', 'compose', 'version')).ok;
  if (!plugin && !(await run('docker-compose', 'version')).ok) return undefined;
  const [command, ...first] = plugin ? ['docker', 'compose'] : ['docker-compose'];
  const files = ['-p', project, '-f', 'docker-compose.yml', '-f', override];
  const env = { HOST: '127.0.0.1', PORT: `${port}`, LOG_LEVEL: 'info' };
  return (...args: string[]) => runWith(env, command ?? '', ...first, ...files, ...args);
}

async function containers(...services: string[]): Promise<string[]> {
  const ids = await compose?.('ps', '-q', ...services);
  return ids?.stdout.split('\n').filter((id) => id !== '') ?? [];
}

describe('docker compose up --build --scale producer=3', () => {
  afterAll(async () => {
    await compose?.('down', '--volumes', '--remove-orphans', '--timeout', '5');
    await run('docker', 'image', 'rm', images.gateway, images.producer);
    if (dir !== undefined) await rm(dir, { recursive: true });
  }, MINUTES);

  it(
    'serves the page, shows three sources and stops cleanly',
    async (context) => {
      const port = await freePort();
      const reason = await obstacle();
      if (reason !== undefined) return context.skip(reason);
      compose = await composeCommand(port);
      if (compose === undefined)
        return context.skip('neither docker compose nor docker-compose is installed');

      const build = await compose('build');
      if (!build.ok && NO_REGISTRY.test(build.output)) context.skip('the build reaches no package registry');
      expect(build.ok, build.output).toBe(true);
      const up = await compose('up', '--detach', '--build', '--scale', 'producer=3');
      if (!up.ok && NO_REGISTRY.test(up.output)) context.skip('the build reaches no package registry');
      expect(up.ok, up.output).toBe(true);

      const origin = `http://localhost:${port}`;
      await eventually('the gateway is ready', async () => (await fetch(`${origin}/readyz`)).ok, MINUTES);
      const page = await fetch(`${origin}/`);
      expect(page.headers.get('content-type')).toMatch(/^text\/html/);
      const script = /<script[^>]+src="([^"]+)"/.exec(await page.text())?.[1] ?? '';
      expect((await fetch(new URL(script, `${origin}/`))).headers.get('content-type')).toMatch(/javascript/);

      const seen = await readStream(`${origin}/stream?tail=100`, (entries) => producersOf(entries).size >= 3);
      expect(producersOf(seen).size).toBe(3);

      const foreign = readStream(`${origin}/stream?channels=logs&tail=1000`, (entries) =>
        entries.some(({ msg }) => msg === 'hello <b>x</b>'),
      );
      await compose('exec', '-T', 'redis', 'redis-cli', 'PUBLISH', 'logs', 'hello <b>x</b>');
      expect(await foreign).not.toHaveLength(0);

      const user = await compose('exec', '-T', 'gateway', 'id', '-u');
      expect(user.stdout).toBe('1000');
      const [gateway = ''] = await containers('gateway');
      const health = ['inspect', '--format', '{{.State.Health.Status}}', gateway];
      await eventually('healthy', async () => (await run('docker', ...health)).stdout === 'healthy', MINUTES);

      // 137 is the exit code of a container that did not end in time and was killed.
      const ours = await containers('gateway', 'producer');
      await compose('stop', '--timeout', '5', 'gateway', 'producer');
      const codes = await run('docker', 'inspect', '--format', '{{.State.ExitCode}}', ...ours);
      expect(codes.stdout.split('\n')).toEqual(['0', '0', '0', '0']);
    },
    10 * MINUTES,
  );
});
