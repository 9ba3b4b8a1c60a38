// Ten thousand viewers of quiet channels: how much memory each costs, how fast they connect, and what is left when they are gone.

import { eventually } from '../../../test-support/process.ts';
import { connect, quiet } from '../measure.ts';
import { filesOf, openFilesLimit } from '../process-figures.ts';
import { redisSubscribers } from '../redis-probe.ts';
import type { Context, Scenario } from '../scenario.ts';
import { Stage } from '../stage.ts';
import { short } from '../table.ts';
import { startGateway, startWithAuth } from '../targets/gateway.ts';
import { startNchan } from '../targets/nchan.ts';
import { startClassical } from '../targets/own-servers.ts';
import type { StartTarget } from '../targets/target.ts';
import { startWebdis } from '../targets/webdis.ts';

const MIB = 1_048_576;
const VIEWERS = 10_000;
const CHANNELS = 100;
/** Files that a server needs for itself. */
const OWN_FILES = 500;
const BURST = 256;
const LEAVE_MS = 5_000;

/** `filesEach`: open files of the server, or of Redis, for each viewer. */
const design = (start: StartTarget, filesEach: number) => (context: Context) => {
  const possible = Math.floor((openFilesLimit() - OWN_FILES) / filesEach);
  const lanes = Array.from({ length: CHANNELS }, (_, i) => ({ channel: `idle:${i}`, source: 'idle' }));
  const cast = { viewers: Math.min(possible, context.scaled(VIEWERS)), sampled: 0, lanes, bytes: 200 };
  return Stage.with(start, cast, async (stage) => {
    const files = () => stage.target.pids.reduce((total, pid) => total + filesOf(pid), 0);
    const [filesBefore, before] = [files(), stage.memory()];
    await stage.publisher.call('close', undefined); // the publisher has a subscription, too
    const { ms } = await connect(stage, BURST);
    await quiet(stage);
    const settle = () => new Promise((resolve) => setTimeout(resolve, context.seconds * 1_000));
    await settle(); // so that the garbage of connecting is collected
    const [filesWith, present] = [files(), stage.memory()];
    const subscribers = await redisSubscribers(stage.redis.url);
    await stage.load.call('close', undefined);
    const left = () => files() < filesBefore + (filesWith - filesBefore) / 100;
    const notes = await eventually('all have left', left, LEAVE_MS).then(
      () => [],
      () => [`${files() - filesBefore} files still open ${LEAVE_MS / 1_000} s after all had left`],
    );
    await settle();
    const [filesAfter, after] = [files(), stage.memory()];
    const kb = (bytes: number) => bytes / 1_024 / cast.viewers;
    const more = {
      viewers: cast.viewers,
      connectS: ms / 1_000,
      redisKb: kb(present.redis - before.redis),
      subscribers,
      filesBefore,
      filesWith,
      filesAfter,
      bytesBefore: before.target,
      bytesWith: present.target,
      bytesAfter: after.target,
    };
    return { memory: kb(present.target - before.target), more, notes };
  });
};

export const idleViewers: Scenario = {
  name: 'idle',
  about: '10,000 viewers of 100 quiet channels (as many as the limit of open files allows)',
  designs: {
    gateway: design(startGateway, 1),
    'AUTH=on': design(startWithAuth, 1),
    classical: design(startClassical, 2),
    nchan: design(startNchan, 1),
    webdis: design(startWebdis, 2),
  },
  bars: [
    { says: 'kB each', of: ({ gateway }) => gateway?.memory, most: 12 },
    { says: 'Redis subscribers', of: ({ gateway }) => gateway?.more?.subscribers, most: 1 },
    { says: 's until all are connected', of: ({ gateway }) => gateway?.more?.connectS, most: 1.5 },
  ],
  remarks: ({ more = {} }) => [
    `${more.viewers} viewers in ${short(more.connectS)} s (${short((more.viewers ?? 0) / (more.connectS ?? 1))}/s), ${more.subscribers} Redis subscribers, ` +
      `${short(more.redisKb)} kB in Redis each`,
    `before, with them, after: ${more.filesBefore}, ${more.filesWith}, ${more.filesAfter} files; ` +
      `${[more.bytesBefore, more.bytesWith, more.bytesAfter].map((bytes = 0) => short(bytes / MIB)).join(', ')} MB`,
  ],
};
