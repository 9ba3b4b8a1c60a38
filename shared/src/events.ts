// The names of events and of channels: producers and the gateway write them, the gateway and the page understand them.

export const EVENTS = {
  requestQueued: 'request.queued',
  generationStarted: 'generation.started',
  /** `msg` is the next part of the text, `attrs.tokens` its size; parts of one lane are joined for 40 ms. */
  generationDelta: 'generation.delta',
  /** All text of the lane before this entry was reasoning; its answer begins after it. */
  generationRetracted: 'generation.retracted',
  /** `attrs` hold the usage, the time to the first chunk and the duration. */
  generationFinished: 'generation.finished',
  /** `attrs` hold `error.type`. */
  generationFailed: 'generation.failed',
  runStarted: 'run.started',
  runFinished: 'run.finished',
  runFailed: 'run.failed',
  runCancelled: 'run.cancelled',
  runLost: 'run.lost',
  agentPlanned: 'agent.planned',
  /** `attrs` hold the tool, the id of the call and the arguments. Of an agent's run it is in the log before the call is made. */
  toolCalled: 'tool.called',
  /** A call waits for the consent of the run's owner. */
  toolAsked: 'tool.asked',
  /** `attrs.approved` says whether the call may be made, `attrs.by` who has decided. */
  toolDecided: 'tool.decided',
  /** `msg` is the result as the model got it; `attrs` hold `error.type` if the call failed. */
  toolReturned: 'tool.returned',
  agentJoined: 'agent.joined',
  agentFinished: 'agent.finished',
  workflowFinished: 'workflow.finished',
  /** A piece of work of another program, by OpenTelemetry. */
  spanStarted: 'span.started',
  spanFinished: 'span.finished',
  /** Who sends by OpenTelemetry: `attrs` hold everything that is known of the sender. */
  resourceSeen: 'resource.seen',
  /** `attrs.role` is `user` or `assistant`; `msg` is the message. */
  conversationTurn: 'conversation.turn',
  /** The run `attrs.replaces` and all that followed on it is no longer part of the conversation, which goes on behind the run `attrs.after`. */
  conversationEdited: 'conversation.edited',
  /** `attrs` hold numbers: tokens per second, queue length, use of the KV cache; see `METRICS` in gen-ai.ts. */
  serverMetrics: 'server.metrics',
  /** `attrs` hold which alert it is and why it fires, see `AlertFields` in api-types.ts. */
  alertFiring: 'alert.firing',
  alertResolved: 'alert.resolved',
} as const;

export type EventName = (typeof EVENTS)[keyof typeof EVENTS];

/** The channels that the product itself writes. Any other valid name works as well. */
export const CHANNELS = {
  logs: 'logs',
  errors: 'logs:errors',
  metrics: 'logs:metrics',
  debug: 'logs:debug',
  generation: 'logs:generation',
  gateway: 'logs:gateway',
  runs: 'events:runs',
  alerts: 'events:alerts',
} as const;
