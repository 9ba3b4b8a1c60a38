// The environment variables of OpenTelemetry, as a part of the gateway's schema.

import { about, whole } from '@llm-streamer/shared/config.ts';

/** More than half of the memory for bodies that arrive would have no room: see http/plugins/arriving-bodies.ts. */
const MOST_BODY_BYTES = 33_554_432;

export const otlpVariables = {
  OTLP_PORT: about(
    whole(0, 0, 65_535),
    'A second port on `HOST`, for OpenTelemetry alone. With 4318, programs on the same machine find the gateway without any variable. 0 opens none.',
  ),
  OTLP_BODY_BYTES: about(
    whole(16_777_216, 65_536, MOST_BODY_BYTES),
    'The largest request of an exporter, unpacked. A larger one is refused, and its exporter drops it.',
    { means: '16 MiB' },
  ),
};
