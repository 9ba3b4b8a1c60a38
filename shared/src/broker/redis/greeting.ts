// Reads what a server says about itself on a new connection (INFO). A server that cannot hold the log is refused in one line.

/** The first version of Redis whose scripts can declare that they run when the memory is full (`allow-oom`). */
const OLDEST_MAJOR = 7;

/** The log's ticks go through each replica once a second. */
const MOST_SILENT_S = 3;

/** Servers that speak as Redis does and cannot keep the log. Each says what it is by a field of INFO that no other has. */
const STRANGERS = [
  {
    field: 'dragonfly_version',
    name: 'Dragonfly',
    why: 'its scripts know neither flags nor keys that are not declared',
  },
  { field: 'garnet_version', name: 'Garnet', why: 'it has no streams' },
  { field: 'mvcc_depth', name: 'KeyDB', why: 'its scripts know no flags, as those of Redis 6' },
];

/**
 * The run_id, from the answer to INFO. Who has named the server may have named one that is no primary any more, or not yet.
 * @throws Error that says what is wrong with the server.
 */
export function readGreeting(info: string, namedBy: 'sentinel' | 'cluster' | undefined): string {
  const field = fieldsOf(info);
  const mode = field('redis_mode') || field('server_mode'); // Valkey’s name for it
  if (mode === 'sentinel')
    throw new Error('it is a Sentinel, which holds no data: write redis+sentinel://…?sentinel_master_name=…');
  const stranger = STRANGERS.find((one) => field(one.field) !== '');
  if (stranger !== undefined)
    throw new Error(`it is ${stranger.name}, which cannot keep the log: ${stranger.why}`);
  const version = field('redis_version');
  if (Number.parseInt(version, 10) < OLDEST_MAJOR)
    throw new Error(`it is Redis ${version}, and the log needs ${OLDEST_MAJOR} or newer`);
  if ((mode === 'cluster') !== (namedBy === 'cluster'))
    throw new Error(
      mode === 'cluster'
        ? 'it is a node of a Redis Cluster: write redis+cluster://…'
        : 'it is no node of a Redis Cluster',
    );
  if (field('loading') === '1') throw new Error('it is still loading its data');
  if (namedBy !== undefined && field('role') !== 'master')
    throw new Error(
      `${namedBy === 'cluster' ? 'the Cluster names' : 'the Sentinels name'} it, but it is a replica`,
    );
  const runId = field('run_id');
  if (runId === '') throw new Error('it does not say which server process it is (run_id in INFO)');
  return runId;
}

/** @throws Error if the server with this answer to INFO is no replica, or does not follow its primary now. */
export function checkReplica(info: string): void {
  const field = fieldsOf(info);
  if (field('role') !== 'slave') throw new Error('it is no replica any more');
  const isLate = Number(field('master_last_io_seconds_ago')) > MOST_SILENT_S;
  if (field('loading') === '1' || field('master_link_status') !== 'up' || isLate)
    throw new Error('it does not follow its primary now');
}

function fieldsOf(info: string): (name: string) => string {
  return (name) => new RegExp(`^${name}:(.*?)\r?$`, 'm').exec(info)?.[1] ?? '';
}
