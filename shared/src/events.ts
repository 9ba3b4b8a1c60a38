// The event vocabulary: the names that producers write and that the gateway and the page understand.

export const EVENTS = {
  requestQueued: 'request.queued',
  generationStarted: 'generation.started',
  /** `msg` is the text, `attrs.tokens` its size; coalesced to at most one per 50 ms. */
  generationDelta: 'generation.delta',
  /** The lane's text so far was reasoning; its answer begins behind this. */
  generationRetracted: 'generation.retracted',
  /** Carries usage, time to first chunk and duration. */
  generationFinished: 'generation.finished',
  /** Carries `error.type`. */
  generationFailed: 'generation.failed',
  runStarted: 'run.started',
  runFinished: 'run.finished',
  runFailed: 'run.failed',
  runCancelled: 'run.cancelled',
  runLost: 'run.lost',
  agentPlanned: 'agent.planned',
  toolCalled: 'tool.called',
  toolReturned: 'tool.returned',
  agentJoined: 'agent.joined',
  /** `attrs.role` is `user` or `assistant`, `msg` what they said. */
  conversationTurn: 'conversation.turn',
  /** Numbers in `attrs`: tokens/s, queue length, KV-cache use. */
  serverMetrics: 'server.metrics',
} as const;

export type EventName = (typeof EVENTS)[keyof typeof EVENTS];

/** Channels by convention; any other valid name works as well. */
export const CHANNELS = {
  logs: 'logs',
  errors: 'logs:errors',
  metrics: 'logs:metrics',
  debug: 'logs:debug',
  generation: 'logs:generation',
  gateway: 'logs:gateway',
  runs: 'events:runs',
} as const;
