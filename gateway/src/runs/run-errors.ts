// The codes of events about a run as a whole, each with the sentence that its readers get: why it has ended without an answer, and
// `history_trimmed`, which ends nothing. docs/errors.md is made from this
// table. A lane fails with the codes of a model call (llm/failure.ts).

export const RUN_ERRORS = {
  no_answer: 'No model gave an answer.',
  combine_failed: 'The answers could not be combined.',
  agent_failed: 'The agent could not answer.',
  agent_timeout: 'The agent has worked for as long as it may.',
  cancelled: 'The run was cancelled.',
  gateway_stopped: 'The gateway was stopped.',
  run_lost: 'The gateway that ran this is gone.',
  history_trimmed: 'A part of this run is no longer kept.',
  internal: 'The run could not go on.',
} as const;
