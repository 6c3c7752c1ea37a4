import type { StackHealthCheck } from '../../resources/stack-types.ts';
import { readSeconds } from './healthcheck.ts';
import { healthCheckRules } from './keys.ts';
import type { Fields, Reader } from './reader.ts';
import type { Source } from './source.ts';

export const ports = { min: 1, max: 65_535 };

/** Kontena's `health_check`: a question over HTTP or a TCP connection, as opposed to Compose's command. */
export function readHealthCheck(reader: Reader, source: Source, where: string): StackHealthCheck | undefined {
  const fields = reader.fields(source, `"health_check" ${where}`, `in "health_check" ${where}`, healthCheckRules);
  if (!fields) return undefined;
  const what = (key: string) => `"${key}" in "health_check" ${where}`;
  const protocolSource = fields.get('protocol');
  const protocol = protocolSource && reader.oneOf(protocolSource, what('protocol'), ['http', 'tcp']);
  const portSource = fields.get('port');
  const port = portSource && reader.integer(portSource, what('port'), ports);
  for (const key of ['protocol', 'port']) {
    if (!fields.get(key)) reader.problems.add(fields.at, `"health_check" ${where} has no "${key}"`);
  }
  const path = readPath(reader, fields, protocol, where);
  const seconds = (key: string, otherwise: number, min: number): number => {
    const value = fields.get(key);
    return (value && readPlainSeconds(reader, value, what(key), min)) ?? otherwise;
  };
  const intervalSeconds = seconds('interval', 10, 1);
  const timeoutSeconds = seconds('timeout', Math.min(5, intervalSeconds), 1);
  if (timeoutSeconds > intervalSeconds) {
    const message = `"timeout" in "health_check" ${where} is longer than its "interval" of ${intervalSeconds}s`;
    reader.problems.add(fields.keyAt('timeout'), message);
  }
  const retriesSource = fields.get('retries');
  const retries = retriesSource && reader.integer(retriesSource, what('retries'), { min: 1, max: 1_000 });
  if (protocol === undefined || port === undefined) return undefined;
  return {
    protocol,
    port,
    ...(path === undefined ? {} : { path }),
    intervalSeconds,
    timeoutSeconds,
    retries: retries ?? 3,
    initialDelaySeconds: seconds('initial_delay', 10, 0),
  };
}

function readPath(reader: Reader, fields: Fields, protocol: string | undefined, where: string): string | undefined {
  const source = fields.get('uri');
  const path = source && reader.string(source, `"uri" in "health_check" ${where}`);
  if (source === undefined || path === undefined) return undefined;
  if (protocol === 'tcp') {
    return reader.problems.add(source.at, `"uri" in "health_check" ${where} has no meaning with "protocol: tcp"`);
  }
  if (/^\/[\x21-\x7e]*$/.test(path)) return path;
  return reader.problems.add(
    source.at,
    `"uri" in "health_check" ${where} must be a path such as /health, not "${path}"`,
  );
}

/** `20` is 20 seconds, as in Kontena; `20s` is, too. */
export function readPlainSeconds(reader: Reader, source: Source, what: string, min: number): number | undefined {
  if (source.type === 'scalar' && typeof source.value === 'number') {
    return reader.integer(source, what, { min, max: 86_400 });
  }
  return readSeconds(reader, source, what, min);
}
