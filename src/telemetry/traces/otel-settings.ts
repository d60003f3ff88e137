// What the standard OTEL_* variables say, as far as it is decided here; the library reads the rest (sampler, batches, limits, headers).

const given = (env: NodeJS.ProcessEnv, name: string): string => (env[name] ?? '').trim();

/** Traces are wanted: an endpoint is named, or the exporter is, and nothing turns them off. */
export function isTracingConfigured(env: NodeJS.ProcessEnv): boolean {
  if (given(env, 'OTEL_SDK_DISABLED').toLowerCase() === 'true') return false;
  const exporter = given(env, 'OTEL_TRACES_EXPORTER');
  if (exporter === 'none') return false;
  const hasEndpoint =
    given(env, 'OTEL_EXPORTER_OTLP_ENDPOINT') !== '' || given(env, 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') !== '';
  return exporter !== '' || hasEndpoint;
}

/** What is sent is http/json. */
const PROTOCOL = 'http/json';

/** Why the exporter that is asked for cannot be had; null if it can. */
export function collectorProblem(env: NodeJS.ProcessEnv): string | null {
  const exporter = given(env, 'OTEL_TRACES_EXPORTER');
  if (exporter !== '' && exporter !== 'otlp') return `OTEL_TRACES_EXPORTER: expected otlp or none, got '${exporter}'`;
  const protocolName =
    given(env, 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL') === ''
      ? 'OTEL_EXPORTER_OTLP_PROTOCOL'
      : 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL';
  const protocol = given(env, protocolName);
  if (protocol !== '' && protocol !== PROTOCOL) return `${protocolName}: expected ${PROTOCOL}, got '${protocol}'`;
  for (const name of ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_ENDPOINT']) {
    const endpoint = given(env, name);
    // Not the text itself: it may hold a password.
    if (endpoint !== '' && !isHttpUrl(endpoint)) return `${name}: expected an http or https URL`;
  }
  return null;
}

function isHttpUrl(text: string): boolean {
  return URL.canParse(text) && ['http:', 'https:'].includes(new URL(text).protocol);
}
