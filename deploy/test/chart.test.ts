// The chart for Kubernetes: helm renders it, and each object has the shape that the API of Kubernetes asks for, by schemas which notice
// wrong values, not misspelt fields. It is installed on no cluster here.

import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Deployment } from 'kubernetes-models/apps/v1';
import { HorizontalPodAutoscaler } from 'kubernetes-models/autoscaling/v2';
import { Ingress } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { Service } from 'kubernetes-models/v1';
import { describe, expect, it } from 'vitest';
import { parseAllDocuments } from 'yaml';
import { findHelm } from '../../test-support/helm.ts';

const run = promisify(execFile);
const CHART = fileURLToPath(new URL('../helm', import.meta.url));
const KINDS = { Deployment, HorizontalPodAutoscaler, Ingress, PodDisruptionBudget, Service };

interface Rendered {
  apiVersion: string;
  kind: keyof typeof KINDS;
  // biome-ignore lint/suspicious/noExplicitAny: the schemas of Kubernetes judge it
  [part: string]: any;
}

const NEEDED = ['--set', 'auth=on,redis.existingSecret=log'];
const VALUES: Record<string, string[]> = {
  'what must be said, and nothing else': NEEDED,
  'a public address behind an Ingress with TLS': [
    ...NEEDED,
    '--set',
    'ingress.enabled=true,publicUrl=https://logs.example.com,ingress.className=nginx,ingress.tlsSecret=tls,trustProxy=10.0.0.0/8',
  ],
  'autoscaling by CPU and by viewers': [
    ...NEEDED,
    '--set',
    'autoscaling.enabled=true,autoscaling.connections=8000',
  ],
  'secrets as files, and variables of its own': [
    ...NEEDED,
    '--set',
    'secretFiles={oidc},env.OIDC_CLIENT_SECRET_FILE=/secrets/oidc/secret,extraEnv[0].name=LLM_KEY,extraEnv[0].valueFrom.secretKeyRef.name=llm,extraEnv[0].valueFrom.secretKeyRef.key=key',
    '--set-string',
    'env.RETENTION_ENTRIES=1000000',
  ],
  'places where pods may run': [
    ...NEEDED,
    '--set',
    'nodeSelector.disk=ssd,tolerations[0].key=gpu,tolerations[0].operator=Exists,imagePullSecrets[0].name=registry,podAnnotations.team=ai,replicas=5',
  ],
};

const helm = await findHelm();

describe.skipIf(helm === undefined)('the chart', () => {
  it('passes helm’s own check', async () => {
    const { stdout } = await run(helm as string, ['lint', '--strict', CHART, ...NEEDED]);
    expect(stdout).toContain('0 chart(s) failed');
  });

  it.each(Object.entries(VALUES))('is valid for Kubernetes with %s', async (_, values) => {
    const objects = await render(values);
    expect(objects.length).toBeGreaterThanOrEqual(3);
    for (const object of objects) {
      const { apiVersion, kind } = new KINDS[object.kind]();
      expect({ apiVersion: object.apiVersion, kind: object.kind }).toEqual({ apiVersion, kind });
      // biome-ignore lint/suspicious/noExplicitAny: each class takes the data of its own kind
      new (KINDS[object.kind] as any)(object).validate();
    }
  });

  it('would be told of a value that Kubernetes does not take', async () => {
    const [budget] = (await render(NEEDED)).filter(({ kind }) => kind === 'PodDisruptionBudget');
    const wrong = { ...budget, spec: { ...budget?.spec, maxUnavailable: { of: 1 } } };
    // biome-ignore lint/suspicious/noExplicitAny: it is wrong on purpose
    expect(() => new PodDisruptionBudget(wrong as any).validate()).toThrow(/maxUnavailable/);
  });

  it.each([
    ['auth=on', 'redis.existingSecret: name a Secret'],
    ['redis.existingSecret=log', 'auth: say who may come'],
    ['redis.existingSecret=log,auth=yes', 'auth'],
    ['redis.existingSecret=log,auth=on,ingress.enabled=true', 'publicUrl: the Ingress serves its host'],
    ['redis.existingSecret=log,auth=on,replica=3', 'replica'],
    ['redis.existingSecret=log,auth=on,env.lower=x', 'lower'],
  ])('refuses %s, and says why', async (values, reason) => {
    await expect(render(['--set', values])).rejects.toThrow(reason);
  });

  it('gives a pod time for all that it does at its end, and lets no Redis that is away empty the Service', async () => {
    const { template } = (await deployment([...NEEDED, '--set', 'shutdownGraceSeconds=20'])).spec;
    const [gateway] = template.spec.containers;
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(5 + 20);
    expect(variables(gateway)).toMatchObject({ SHUTDOWN_GRACE_MS: '20000', SSE_LIFETIME_MS: '1800000' });
    expect(gateway.readinessProbe.httpGet.path).toBe('/healthz');
    expect(gateway.startupProbe.httpGet.path).toBe('/readyz');
  });

  it('lets programs of the cluster address the gateway by the names of its Service', async () => {
    const { template } = (await deployment([...NEEDED, '--namespace', 'ai'])).spec;
    const hosts = variables(template.spec.containers[0]).ALLOWED_HOSTS?.split(',');
    expect(hosts).toEqual([
      'llm-streamer',
      'llm-streamer.ai',
      'llm-streamer.ai.svc',
      'llm-streamer.ai.svc.cluster.local',
    ]);
  });

  it('sets only variables that the gateway knows', async () => {
    const documented = await readFile(`${CHART}/../../docs/configuration.md`, 'utf8');
    const { template } = (await deployment(VALUES['a public address behind an Ingress with TLS'] ?? [])).spec;
    for (const name of Object.keys(variables(template.spec.containers[0])))
      expect(documented).toContain(`\`${name}\``);
  });
});

async function render(values: readonly string[]): Promise<Rendered[]> {
  const { stdout } = await run(helm as string, ['template', 'llm-streamer', CHART, ...values]);
  return parseAllDocuments(stdout).map((document) => document.toJS());
}

async function deployment(values: readonly string[]): Promise<Rendered> {
  const found = (await render(values)).find(({ kind }) => kind === 'Deployment');
  if (found === undefined) throw new Error('there is no Deployment');
  return found;
}

function variables(container: {
  env: { name: string; value?: string }[];
}): Record<string, string | undefined> {
  return Object.fromEntries(container.env.map(({ name, value }) => [name, value]));
}
