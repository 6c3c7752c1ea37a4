import { parseDurationMs } from '../../lib/quantities.ts';
import type { StackHealthcheck } from '../../resources/stack-types.ts';
import { healthcheckRules, hints } from './keys.ts';
import type { Fields, Reader } from './reader.ts';
import type { Source } from './source.ts';

/** Undefined: there is none (also when it is switched off). */
export function readHealthcheck(reader: Reader, source: Source, where: string): StackHealthcheck | undefined {
  const fields = reader.fields(source, `"healthcheck" ${where}`, `in "healthcheck" ${where}`, healthcheckRules);
  if (!fields) return undefined;
  const seconds = (key: string, otherwise: number, min: number): number => {
    const value = fields.get(key);
    return (value && readSeconds(reader, value, `"${key}" in "healthcheck" ${where}`, min)) ?? otherwise;
  };
  const retriesSource = fields.get('retries');
  const retries =
    retriesSource && reader.integer(retriesSource, `"retries" in "healthcheck" ${where}`, { min: 1, max: 1000 });
  // Compose's own defaults.
  const times = {
    intervalSeconds: seconds('interval', 30, 1),
    timeoutSeconds: seconds('timeout', 30, 1),
    retries: retries ?? 3,
    startPeriodSeconds: seconds('start_period', 0, 0),
  };
  const disable = fields.get('disable');
  if (disable && reader.boolean(disable, `"disable" in "healthcheck" ${where}`) === true) return undefined;
  const exec = readTest(reader, fields, where);
  return exec === undefined ? undefined : { exec, ...times };
}

/** The command; undefined for NONE, and when it is wrong. */
function readTest(reader: Reader, fields: Fields, where: string): string[] | undefined {
  const test = fields.get('test');
  if (!test) {
    return reader.problems.add(
      fields.at,
      `"healthcheck" ${where} has no "test"`,
      `the image's own is not read; ${hints.healthcheck}`,
    );
  }
  const what = `"test" in "healthcheck" ${where}`;
  if (test.type === 'scalar') {
    const text = reader.string(test, what);
    return text === undefined ? undefined : shell(text);
  }
  const words = reader.strings(test, what);
  const [kind, ...command] = words ?? [];
  if (kind === undefined || kind === 'NONE') {
    if (words?.length === 0) reader.problems.add(test.at, `${what} is empty`);
    return undefined;
  }
  if (kind === 'CMD' && command.length > 0) return command;
  const [text] = command;
  if (kind === 'CMD-SHELL' && text !== undefined && command.length === 1) return shell(text);
  return reader.problems.add(
    test.at,
    `${what} must begin with "CMD", "CMD-SHELL" or "NONE" and name a command`,
    'such as ["CMD", "curl", "-f", "http://localhost"]',
  );
}

function shell(text: string): string[] {
  return ['/bin/sh', '-c', text];
}

/** Whole seconds, rounded up: the API counts in seconds. */
export function readSeconds(reader: Reader, source: Source, what: string, min: number): number | undefined {
  const scalar = reader.scalar(source, what, 'a duration such as 30s');
  if (!scalar) return undefined;
  const ms = scalar.text === '0' ? 0 : parseDurationMs(scalar.text);
  if (ms === undefined)
    return reader.problems.add(scalar.at, `${what} must be a duration such as 30s or 1m30s, not "${scalar.text}"`);
  const seconds = Math.max(min, Math.ceil(ms / 1000));
  if (seconds * 1000 !== ms) reader.problems.warn(scalar.at, `${what} is rounded up to ${seconds}s`);
  return seconds;
}
