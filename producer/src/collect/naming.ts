// Which containers are collected, and what their entries are called: the channel, the source and the attributes.

import { CHANNEL_RULE, isChannel, isReserved } from '@llm-streamer/shared/channels.ts';
import { usage } from '../arguments.ts';
import { type Container, plain } from './engine.ts';

const SERVICE = ['com.docker.compose.service', 'com.docker.swarm.service.name'];
const PROJECT = ['com.docker.compose.project', 'com.docker.stack.namespace', 'io.podman.compose.project'];
const NUMBER = 'com.docker.compose.container-number';
/** Of a container that `docker compose run` made; its number is that of another container. */
const ONE_OFF = 'com.docker.compose.oneoff';
/** `false` leaves a container out. */
export const COLLECT_LABEL = 'llm-streamer.collect';
/** Where the entries of a container go. */
export const CHANNEL_LABEL = 'llm-streamer.channel';
/** Which part of LLM Streamer itself a container is. */
const PART_LABEL = 'llm-streamer.part';

export interface Choice {
  /** Names or ids; with none, all containers. */
  containers: readonly string[];
  /** Each is `key` or `key=value`; a container must have all of them. */
  labels: readonly string[];
  /** Compose projects; with none, all. */
  projects: readonly string[];
  /** Whether to collect the containers of LLM Streamer, too. */
  own: boolean;
}

export interface Naming {
  channel: string;
  source: string;
  attrs: Readonly<Record<string, string>>;
  /** A channel that the container's label asks for, and that cannot be used. */
  refusedChannel?: string;
}

/** What an event tells of a container, too. */
type Named = Pick<Container, 'id' | 'name' | 'image' | 'labels'>;

/** `ownHostname`: in a container, the host's name is the beginning of its id; to follow itself would never end. */
export function isChosen({ id, name, labels }: Named, choice: Choice, ownHostname: string): boolean {
  if (labels[COLLECT_LABEL]?.toLowerCase() === 'false') return false;
  if (labels[PART_LABEL] === 'collector' || (ownHostname.length >= 12 && id.startsWith(ownHostname)))
    return false;
  if (!choice.own && labels[PART_LABEL] !== undefined) return false;
  const { containers, projects } = choice;
  if (
    containers.length > 0 &&
    !containers.some((text) => text === name || (text.length >= 12 && id.startsWith(text)))
  )
    return false;
  if (projects.length > 0 && !projects.includes(firstOf(labels, PROJECT) ?? '')) return false;
  return choice.labels.every((label) => {
    const [key = '', ...value] = label.split('=');
    return Object.hasOwn(labels, key) && (value.length === 0 || labels[key] === value.join('='));
  });
}

const KEYS = ['service', 'name', 'project'];

/** @throws CodedError `usage`. */
export function parseTemplate(text: string): string {
  const unknown = [...text.matchAll(/\{(.*?)\}/g)].find(([, key = '']) => !KEYS.includes(key));
  const bare = text.replaceAll(/\{\w+\}/g, 'x');
  if (!unknown && isChannel(bare) && !isReserved(bare)) return text;
  const rule = `must be ${CHANNEL_RULE}, and may hold ${KEYS.map((key) => `{${key}}`).join(' ')}`;
  throw usage(
    isReserved(bare)
      ? `--channel ${text.slice(0, 60)}: is reserved`
      : `--channel ${JSON.stringify(text.slice(0, 60))}: ${rule}`,
  );
}

/** `template` holds `{service}`, `{name}` or `{project}`. */
export function namingOf(container: Named, template: string): Naming {
  const { id, name, image, labels } = container;
  const composed = labels['com.docker.compose.service'];
  const number = labels[NUMBER];
  const isOneOff = labels[ONE_OFF]?.toLowerCase() === 'true';
  const service = firstOf(labels, SERVICE) ?? name;
  const project = firstOf(labels, PROJECT);
  const source = composed !== undefined && number !== undefined && !isOneOff ? `${composed}-${number}` : name;
  const values: Record<string, string> = { service, name, project: project ?? 'none' };
  const made = channelFrom(template.replaceAll(/\{(\w+)\}/g, (_, key: string) => values[key] ?? ''));
  const wanted = labels[CHANNEL_LABEL];
  const isUsable = wanted !== undefined && isChannel(wanted) && !isReserved(wanted);
  return {
    channel: isUsable ? wanted : isReserved(made) ? channelFrom(`logs:${service}`) : made,
    source: plain(source).slice(0, 200) || id.slice(0, 12),
    attrs: {
      'container.id': id.slice(0, 12),
      'container.image.name': plain(image).slice(0, 200),
      ...(project !== undefined && { 'compose.project': plain(project).slice(0, 200) }),
    },
    ...(wanted !== undefined && !isUsable && { refusedChannel: plain(wanted).slice(0, 60) }),
  };
}

function channelFrom(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9_.:/-]/g, '-').slice(0, 200);
}

function firstOf(labels: Readonly<Record<string, string>>, keys: readonly string[]): string | undefined {
  for (const key of keys) if (Object.hasOwn(labels, key) && labels[key] !== '') return labels[key];
  return undefined;
}
