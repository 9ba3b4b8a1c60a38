// Why a call of a tool failed: stable codes, each with the sentence that the model and the reader get. A server's own words never
// stand here, because they may contain keys, addresses or instructions.

import type { ToolErrorCode } from './toolbox.ts';

/** docs/errors.md is made from it. */
export const TOOL_ERRORS: Readonly<Record<ToolErrorCode, string>> = {
  tool_timeout:
    'The tool did not answer in time. Whether it did what it was asked is not known; do not repeat it blindly.',
  tool_unreachable:
    "The tool's server could not be reached, or broke off. If it had the call already, its effect is not known.",
  tool_unauthorized: "The tool's server refused the gateway's credentials.",
  tool_unavailable: "The tool's server is not available at the moment; go on without it.",
  tool_denied: 'The call was not allowed.',
  tool_failed: 'The tool reported an error, or answered with something that is no result.',
  tool_unknown: 'There is no such tool.',
  tool_bad_arguments: 'The arguments do not fit what the tool asks for.',
  tool_too_large: 'The result was over 256 KiB, or had too many parts; ask for less.',
  cancelled: 'The call was cancelled.',
};
