// The environment variables of the gateway's own tracing, by OpenTelemetry's names, as a part of the gateway's schema.

import { about, flag } from '@llm-streamer/shared/config.ts';
import { CodedError } from '@llm-streamer/shared/errors.ts';
import { z } from 'zod';

const RULE = 'must look like http://collector:4318, without user name, password, ? or #';
const endpoint = () => z.string().refine(isEndpoint, RULE).optional();

export const tracingVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: about(
    endpoint(),
    'Where the gateway sends spans of its runs; `/v1/traces` is appended. Unset, nothing is traced. See [tracing the gateway itself](otlp.md#tracing-the-gateway-itself).',
  ),
  OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: about(
    endpoint(),
    'The same for a receiver with another path: it is used as it is, and instead of the other.',
  ),
  OTEL_EXPORTER_OTLP_HEADERS: about(
    z.string().optional(),
    'Headers that are sent with them, such as `authorization=Bearer%20…`; `%` writes what a comma or a blank would end.',
  ),
  OTEL_SERVICE_NAME: about(
    z.string().default('llm-streamer'),
    'The name of the gateway among the services that are traced. Further attributes stand in `OTEL_RESOURCE_ATTRIBUTES`.',
  ),
  OTEL_EXPORTER_OTLP_PROTOCOL: about(
    z.string().default('http/protobuf'),
    'The only protocol in which the gateway sends. With an endpoint and any other it does not start.',
  ),
  OTEL_SDK_DISABLED: about(flag(false), '`true` traces nothing, whatever the endpoint is.'),
};

export type TracingVariables = z.output<z.ZodObject<typeof tracingVariables>>;

/** The whole address for spans; undefined where nothing is traced. @throws CodedError `invalid_config` if the protocol is another one */
export function tracesUrl(config: TracingVariables): string | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: base, OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: whole } = config;
  if (config.OTEL_SDK_DISABLED || (base ?? whole) === undefined) return undefined;
  if (config.OTEL_EXPORTER_OTLP_PROTOCOL !== 'http/protobuf')
    throw new CodedError(
      'invalid_config',
      'OTEL_EXPORTER_OTLP_PROTOCOL: must be http/protobuf, the only protocol in which the gateway sends its spans; OTEL_SDK_DISABLED=true sends none',
    );
  return whole ?? `${base?.replace(/\/+$/, '')}/v1/traces`;
}

function isEndpoint(text: string): boolean {
  const url = URL.parse(text);
  if (url === null || !['http:', 'https:'].includes(url.protocol)) return false;
  return url.username === '' && url.password === '' && !/[?#]/.test(text);
}
