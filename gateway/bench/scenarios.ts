// All scenarios, in the order in which they are measured.

import type { Scenario } from './scenario.ts';
import { containerLines } from './scenarios/containers.ts';
import { doorCalls } from './scenarios/door.ts';
import { fanOut } from './scenarios/fan-out.ts';
import { fatResults } from './scenarios/fat-result.ts';
import { fewViewers } from './scenarios/few.ts';
import { compressed } from './scenarios/gzip.ts';
import { idleViewers } from './scenarios/idle.ts';
import { otlpRecords } from './scenarios/otlp.ts';
import { publishing } from './scenarios/publish.ts';
import { resumeStorm } from './scenarios/resume-storm.ts';
import { slowViewers } from './scenarios/slow.ts';
import { steadyRates } from './scenarios/steady.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...fanOut,
  ...steadyRates,
  ...fewViewers,
  idleViewers,
  compressed,
  resumeStorm,
  slowViewers,
  publishing,
  containerLines,
  doorCalls,
  fatResults,
  otlpRecords,
];
