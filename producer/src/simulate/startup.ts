// The lines that an inference server prints between its start and its first request, with the pauses between them; only loading
// the weights is faster than in reality.

import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { kvCacheGib, kvCacheTokens } from './backends.ts';
import type { World } from './world.ts';

const PORT = 8000;

/** Writes the lines one after the other, and calls `ready` after the last. */
export function startUp(world: World, ready: () => void): void {
  const { random, timeline, backend } = world;
  const { model, hardware, gpus, memoryUse, weightsGib, maxModelLength, maxRunning } = backend;
  const loading = random.between(1.4, 2.6);
  const compiling = random.between(0.6, 1.2);
  const capturing = random.between(0.5, 0.9);
  const kvTokens = kvCacheTokens(backend);
  const concurrency = (kvTokens / maxModelLength).toFixed(2);

  const steps: [afterSeconds: number, channel: string, msg: string][] = [
    [0, CHANNELS.logs, 'vLLM API server version 0.11.0'],
    [
      0.05,
      CHANNELS.logs,
      `non-default args: {'model': '${model}', 'max_model_len': ${maxModelLength}, 'max_num_seqs': ${maxRunning}, 'gpu_memory_utilization': ${memoryUse}, 'tensor_parallel_size': ${gpus}}`,
    ],
    [0.3, CHANNELS.logs, `Initializing a V1 LLM engine (v0.11.0) on ${gpus} x ${hardware}`],
    [0.2, CHANNELS.logs, `Starting to load model ${model}...`],
    [loading, CHANNELS.logs, `Loading weights took ${loading.toFixed(2)} seconds`],
    [
      0.1,
      CHANNELS.logs,
      `Model loading took ${weightsGib.toFixed(4)} GiB and ${(loading + 0.1).toFixed(6)} seconds`,
    ],
    [compiling, CHANNELS.debug, `Dynamo bytecode transform time: ${compiling.toFixed(2)} s`],
    [0.1, CHANNELS.logs, `Available KV cache memory: ${kvCacheGib(backend).toFixed(2)} GiB`],
    [0, CHANNELS.logs, `GPU KV cache size: ${kvTokens.toLocaleString('en-US')} tokens`],
    [
      0,
      CHANNELS.logs,
      `Maximum concurrency for ${maxModelLength.toLocaleString('en-US')} tokens per request: ${concurrency}x`,
    ],
    [capturing, CHANNELS.logs, `Graph capturing finished in ${Math.ceil(capturing)} secs, took 0.62 GiB`],
    [
      0,
      CHANNELS.logs,
      `init engine (profile, create kv cache, warmup model) took ${(compiling + capturing + 0.1).toFixed(2)} seconds`,
    ],
    [0.1, CHANNELS.logs, `Starting vLLM API server 0 on http://0.0.0.0:${PORT}`],
    [0, CHANNELS.debug, 'Route: /v1/chat/completions, Methods: POST'],
    [0, CHANNELS.logs, 'Started server process [1]'],
    [0, CHANNELS.logs, 'Waiting for application startup.'],
    [0.05, CHANNELS.logs, 'Application startup complete.'],
  ];

  const next = (index: number): void => {
    const step = steps[index];
    if (!step) {
      ready();
      return;
    }
    const [seconds, channel, msg] = step;
    timeline.after(seconds * 1000, () => {
      world.writeLine({ channel, level: channel === CHANNELS.debug ? 'debug' : 'info', msg });
      next(index + 1);
    });
  };
  next(0);
}
