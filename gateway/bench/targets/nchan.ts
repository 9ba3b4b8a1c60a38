// Nchan in one nginx process that keeps messages in memory, which is its fastest mode. Entries come by HTTP POST, since it takes
// nothing else.

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { healthy, startProcess } from '../../../test-support/process.ts';
import { freePort } from '../../../test-support/redis.ts';
import { findFile, findProgram } from './installed.ts';
import { httpGet, type StartTarget } from './target.ts';

const MODULE = 'ngx_nchan_module.so';
const PUBLISHERS = 32;

export const startNchan: StartTarget = async () => {
  const nginx = findProgram('nginx');
  const module = findFile(
    ...['/usr/lib', '/usr/lib64', '/etc'].map((root) => join(root, 'nginx/modules', MODULE)),
  );
  if (!nginx || !module) return;
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'llm-streamer-nchan-'));
  await writeFile(join(dir, 'nginx.conf'), configuration(dir, module, port));
  const server = startProcess(['-p', dir, '-c', join(dir, 'nginx.conf')], { command: nginx });
  await healthy(`http://127.0.0.1:${port}/ready`);
  return {
    port,
    pids: [server.pid],
    request: ({ channel }) => httpGet(`/sub?channel=${channel}`),
    publish: { form: 'nchan', port, connections: PUBLISHERS, maxUnderWay: 2_000 },
    stop: async () => {
      await server.stop('SIGKILL');
      await rm(dir, { recursive: true, force: true });
    },
  };
};

function configuration(dir: string, module: string, port: number): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((name) => `${name}_temp_path ${dir}/${name};`)
    .join(' ');
  return `
load_module ${module};
daemon off;
master_process off;
worker_processes 1;
worker_rlimit_nofile 20000;
pid ${dir}/nginx.pid;
error_log stderr error;
events { worker_connections 19000; }
http {
  access_log off;
  ${temporary}
  nchan_shared_memory_size 256M;
  keepalive_requests 1000000000;
  server {
    listen 127.0.0.1:${port} backlog=4096;
    tcp_nodelay on;
    location = /ready { return 204; }
    location = /pub { nchan_publisher; nchan_channel_id $arg_channel; nchan_message_buffer_length 1000; }
    location = /sub { nchan_subscriber eventsource; nchan_channel_id $arg_channel; nchan_subscriber_first_message newest; }
  }
}
`;
}
