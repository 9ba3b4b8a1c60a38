// The machines, and the models that they serve. The decoding speed follows from memory bandwidth and size of the weights, the
// room for the KV cache from the memory that is left.

export interface Backend {
  model: string;
  hardware: string;
  gpus: number;
  /** The memory of one GPU, as torch reports it. */
  gpuGib: number;
  /** `--gpu-memory-utilization`. */
  memoryUse: number;
  /** The part of the weights that lies on one GPU. */
  weightsGib: number;
  /** The bytes of one token in the KV cache of one GPU. */
  kvBytes: number;
  /** The decoding speed of a sequence that runs alone. */
  tokensPerSecond: number;
  prefillTokensPerSecond: number;
  maxModelLength: number;
  /** `--max-num-seqs`. */
  maxRunning: number;
}

const ACTIVATIONS_GIB = 1.4;
/** vLLM's unit of the KV cache. */
export const BLOCK_TOKENS = 16;

export function kvCacheGib({ gpuGib, memoryUse, weightsGib }: Backend): number {
  return gpuGib * memoryUse - weightsGib - ACTIVATIONS_GIB;
}

/** How many tokens the KV cache holds. */
export function kvCacheTokens(backend: Backend): number {
  return Math.floor((kvCacheGib(backend) * 2 ** 30) / backend.kvBytes / BLOCK_TOKENS) * BLOCK_TOKENS;
}

export const BACKENDS: readonly Backend[] = [
  {
    model: 'meta-llama/Llama-3.1-8B-Instruct',
    hardware: 'NVIDIA A10G',
    gpus: 1,
    gpuGib: 22.06,
    memoryUse: 0.86,
    weightsGib: 14.99,
    kvBytes: 131_072,
    tokensPerSecond: 33,
    prefillTokensPerSecond: 4_800,
    maxModelLength: 8_192,
    maxRunning: 6,
  },
  {
    model: 'Qwen/Qwen2.5-14B-Instruct',
    hardware: 'NVIDIA L40S',
    gpus: 1,
    gpuGib: 44.4,
    memoryUse: 0.78,
    weightsGib: 27.59,
    kvBytes: 196_608,
    tokensPerSecond: 28,
    prefillTokensPerSecond: 5_900,
    maxModelLength: 16_384,
    maxRunning: 8,
  },
  {
    model: 'Qwen/Qwen2.5-7B-Instruct-AWQ',
    hardware: 'NVIDIA L4',
    gpus: 1,
    gpuGib: 22.03,
    memoryUse: 0.37,
    weightsGib: 5.2,
    kvBytes: 57_344,
    tokensPerSecond: 46,
    prefillTokensPerSecond: 3_100,
    maxModelLength: 8_192,
    maxRunning: 6,
  },
  {
    model: 'mistralai/Mistral-Small-24B-Instruct-2501',
    hardware: 'NVIDIA A100-SXM4-80GB',
    gpus: 1,
    gpuGib: 79.25,
    memoryUse: 0.67,
    weightsGib: 43.91,
    kvBytes: 163_840,
    tokensPerSecond: 38,
    prefillTokensPerSecond: 6_200,
    maxModelLength: 16_384,
    maxRunning: 8,
  },
  {
    model: 'meta-llama/Llama-3.3-70B-Instruct',
    hardware: 'NVIDIA H100 80GB HBM3',
    gpus: 4,
    gpuGib: 79.11,
    memoryUse: 0.52,
    weightsGib: 32.89,
    kvBytes: 81_920,
    tokensPerSecond: 62,
    prefillTokensPerSecond: 9_400,
    maxModelLength: 16_384,
    maxRunning: 12,
  },
];
