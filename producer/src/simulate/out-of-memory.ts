// The last entry of an engine that runs out of memory: PyTorch's message, with the traceback that leads to it.

import { CHANNELS } from '@llm-streamer/shared/events.ts';
import { GEN_AI } from '@llm-streamer/shared/gen-ai.ts';
import type { Line, World } from './world.ts';

export function outOfMemory({ random, backend }: World): Line {
  const total = backend.gpuGib;
  const free = random.between(0.05, 0.9);
  const wanted = free + random.between(0.3, 1.8);
  const allocated = total - free - random.between(1.1, 1.9);
  const gib = (value: number) => `${value.toFixed(2)} GiB`;
  return {
    channel: CHANNELS.errors,
    level: 'fatal',
    msg: [
      'EngineCore encountered a fatal error.',
      'Traceback (most recent call last):',
      '  File "/usr/local/lib/python3.12/dist-packages/vllm/v1/engine/core.py", line 701, in run_engine_core',
      '    engine_core.run_busy_loop()',
      '  File "/usr/local/lib/python3.12/dist-packages/vllm/v1/engine/core.py", line 754, in _process_engine_step',
      '    outputs, model_executed = self.step_fn()',
      '  File "/usr/local/lib/python3.12/dist-packages/vllm/v1/worker/gpu_model_runner.py", line 2268, in execute_model',
      '    logits = self.model.compute_logits(sample_hidden_states)',
      `torch.OutOfMemoryError: CUDA out of memory. Tried to allocate ${gib(wanted)}. GPU 0 has a total capacity of ` +
        `${gib(total)} of which ${gib(free)} is free. Including non-PyTorch memory, this process has ` +
        `${gib(total - free)} memory in use. Of the allocated memory ${gib(allocated)} is allocated by PyTorch, and ` +
        `${gib(random.between(0.2, 0.8))} is reserved by PyTorch but unallocated.`,
    ].join('\n'),
    attrs: { [GEN_AI.errorType]: 'out_of_memory', [GEN_AI.requestModel]: backend.model },
  };
}
