// How instances are replaced: Compose's `update_config`, Kontena's `min_health` and `wait_for_port`, and ours, as one.
import type { StackService, StackUpdate } from '../../resources/stack-types.ts';
import { timezoneProblems, windowProblems } from '../../resources/update-window.ts';
import { ports, readPlainSeconds } from './health-check.ts';
import { hints, rollbackConfigRules, updateConfigRules, updateRules } from './keys.ts';
import type { Fields, Reader } from './reader.ts';
import type { Source } from './source.ts';

const daySeconds = 86_400;

/** Everything below `deploy` that says how, with the place of each, so that two that say the same are named. */
class Said {
  readonly #reader: Reader;
  readonly #where: string;
  readonly update: StackUpdate = {};
  readonly #places = new Map<string, string>();

  constructor(reader: Reader, where: string) {
    this.#reader = reader;
    this.#where = where;
  }

  /** `value` undefined: it was wrong, and somebody said so. */
  set<K extends keyof StackUpdate>(key: K, value: StackUpdate[K] | undefined, source: Source, place: string): void {
    if (value === undefined) return;
    const other = this.#places.get(key);
    if (other !== undefined) {
      const message = `"${other}" and "${place}" in "deploy" ${this.#where} say the same`;
      this.#reader.problems.add(source.at, message, 'keep one of them');
      return;
    }
    this.#places.set(key, place);
    this.update[key] = value;
  }

  /** For the keys of a map below `deploy`. */
  taker(fields: Fields, map: string) {
    return <K extends keyof StackUpdate>(
      key: string,
      field: K,
      read: (source: Source) => StackUpdate[K] | undefined,
    ): void => {
      const value = fields.get(key);
      if (value) this.set(field, read(value), value, `${map}.${key}`);
    };
  }

  placeOf(key: keyof StackUpdate): string | undefined {
    return this.#places.get(key);
  }
}

/** Undefined: nothing of it is said. */
export function readUpdate(reader: Reader, deploy: Fields, where: string): StackUpdate | undefined {
  const said = new Said(reader, where);
  const what = (key: string) => `"${key}" in "deploy" ${where}`;
  const on = (key: string, read: (source: Source) => void): void => {
    const source = deploy.get(key);
    if (source) read(source);
  };
  on('strategy', (source) => readStrategy(reader, source, what('strategy')));
  on('update_config', (source) => readUpdateConfig(reader, source, said, where));
  on('rollback_config', (source) => readRollbackConfig(reader, source, said, where));
  on('update', (source) => readOwnUpdate(reader, source, said, where));
  on('min_health', (source) => {
    const share = readShare(reader, source, what('min_health'));
    // A hundredth is what the API can say: never less than was asked for.
    const percent = share === undefined ? undefined : Math.min(100, Math.ceil(share * 100 - 1e-9));
    said.set('minHealthyPercent', percent, source, 'min_health');
  });
  on('auto_rollback', (source) =>
    said.set('autoRollback', reader.boolean(source, what('auto_rollback')), source, 'auto_rollback'),
  );
  on('deadline', (source) =>
    said.set('deadlineSeconds', readPlainSeconds(reader, source, what('deadline'), 1), source, 'deadline'),
  );
  checkTogether(reader, deploy, said, where);
  return Object.keys(said.update).length > 0 ? said.update : undefined;
}

export function readWaitForPort(reader: Reader, deploy: Fields, where: string): number | undefined {
  const source = deploy.get('wait_for_port');
  return source && reader.integer(source, `"wait_for_port" in "deploy" ${where}`, ports);
}

function readUpdateConfig(reader: Reader, source: Source, said: Said, where: string): void {
  const fields = reader.fields(source, `"update_config" ${where}`, `in "update_config" ${where}`, updateConfigRules);
  if (!fields) return;
  const what = (key: string) => `"${key}" in "update_config" ${where}`;
  const on = said.taker(fields, 'update_config');
  on('parallelism', 'maxAtOnce', (value) => reader.integer(value, what('parallelism'), { min: 0, max: 10_000 }));
  on('order', 'order', (value) => reader.oneOf(value, what('order'), ['start-first', 'stop-first']));
  on('delay', 'pauseSeconds', (value) => readPause(reader, value, what('delay')));
  on('monitor', 'monitorSeconds', (value) => readPlainSeconds(reader, value, what('monitor'), 0));
  on('failure_action', 'autoRollback', (value) => {
    const action = reader.oneOf(value, what('failure_action'), ['pause', 'rollback', 'continue']);
    if (action !== 'continue') return action === undefined ? undefined : action === 'rollback';
    const hint = 'an instance that serves is never replaced by one that does not: use pause or rollback';
    return reader.problems.add(
      value.at,
      `"failure_action: continue" in "update_config" ${where} is not supported`,
      hint,
    );
  });
  refuseRatio(reader, fields, 'update_config', where);
}

/** Going back keeps to the same bounds, and waits for nothing. */
function readRollbackConfig(reader: Reader, source: Source, said: Said, where: string): void {
  const rules = rollbackConfigRules;
  const fields = reader.fields(source, `"rollback_config" ${where}`, `in "rollback_config" ${where}`, rules);
  if (!fields) return;
  const { maxAtOnce = 1, order } = said.update;
  const parallelism = fields.get('parallelism');
  const atOnce =
    parallelism && reader.integer(parallelism, `"parallelism" in "rollback_config" ${where}`, { min: 0, max: 10_000 });
  const orderSource = fields.get('order');
  const backOrder =
    orderSource && reader.oneOf(orderSource, `"order" in "rollback_config" ${where}`, ['start-first', 'stop-first']);
  const isOther = (atOnce !== undefined && atOnce !== maxAtOnce) || (backOrder !== undefined && backOrder !== order);
  if (isOther) {
    const message = `"rollback_config" ${where} has no effect where it differs from "update_config"`;
    reader.problems.warn(fields.at, message, 'going back is as an update is, without its pauses');
  }
  refuseRatio(reader, fields, 'rollback_config', where);
}

function refuseRatio(reader: Reader, fields: Fields, map: string, where: string): void {
  const source = fields.get('max_failure_ratio');
  const ratio = source && readShare(reader, source, `"max_failure_ratio" in "${map}" ${where}`);
  if (!source || ratio === undefined || ratio === 0) return;
  const hint =
    'an update is through when all instances are healthy; use min_health for how many may be missing meanwhile';
  reader.problems.add(source.at, `"max_failure_ratio: ${ratio}" in "${map}" ${where} is not supported`, hint);
}

/** `update: rolling`, or when and how fast. */
function readOwnUpdate(reader: Reader, source: Source, said: Said, where: string): void {
  if (source.type === 'scalar') {
    const kind = reader.oneOf(source, `"update" in "deploy" ${where}`, ['rolling', 'blue-green']);
    if (kind === 'blue-green') {
      reader.problems.add(source.at, `"update: blue-green" in "deploy" ${where} is not supported`, hints.later);
    }
    return;
  }
  const fields = reader.fields(source, `"update" in "deploy" ${where}`, `in "update" ${where}`, updateRules);
  if (!fields) return;
  const what = (key: string) => `"${key}" in "update" ${where}`;
  const on = said.taker(fields, 'update');
  const checked = (value: Source, key: string, problemsOf: (text: string) => readonly string[]): string | undefined => {
    const text = reader.string(value, what(key));
    const [problem] = text === undefined ? [] : problemsOf(text);
    return problem === undefined ? text : reader.problems.add(value.at, `${what(key)} ${problem}, not "${text}"`);
  };
  on('window', 'window', (value) => checked(value, 'window', windowProblems));
  on('timezone', 'timezone', (value) => checked(value, 'timezone', timezoneProblems));
  on('max_at_once', 'maxAtOnce', (value) => reader.integer(value, what('max_at_once'), { min: 1, max: 10_000 }));
  on('pause', 'pauseSeconds', (value) => readPause(reader, value, what('pause')));
  if (fields.get('timezone') && !fields.get('window')) {
    reader.problems.add(fields.keyAt('timezone'), `"timezone" in "update" ${where} has no "window"`);
  }
}

function readPause(reader: Reader, source: Source, what: string): number | undefined {
  const seconds = readPlainSeconds(reader, source, what, 0);
  if (seconds === undefined || seconds <= daySeconds) return seconds;
  return reader.problems.add(source.at, `${what} must be at most a day`);
}

/** 0 to 1. */
function readShare(reader: Reader, source: Source, what: string): number | undefined {
  const scalar = reader.scalar(source, what, 'a number from 0 to 1');
  if (!scalar) return undefined;
  const share = Number(scalar.text);
  if (/^\d+(\.\d+)?$/.test(scalar.text) && share <= 1) return share;
  return reader.problems.add(
    scalar.at,
    `${what} must be a number from 0 to 1, not ${scalar.usesVariable ? 'the value of a variable' : `"${scalar.text}"`}`,
  );
}

function readStrategy(reader: Reader, source: Source, what: string): void {
  const strategy = reader.oneOf(source, what, ['ha', 'random', 'daemon']);
  if (strategy === 'random') {
    reader.problems.warn(source.at, `${what} is done as "ha"`, 'instances are spread over the nodes');
  }
  if (strategy === 'daemon') reader.problems.add(source.at, `"daemon" as ${what} is not supported`, hints.later);
}

function checkTogether(reader: Reader, deploy: Fields, said: Said, where: string): void {
  const { order, maxAtOnce, minHealthyPercent, monitorSeconds = 0, autoRollback, deadlineSeconds } = said.update;
  if (order === 'stop-first' && minHealthyPercent !== undefined && maxAtOnce !== undefined) {
    const message = `"min_health" and "${said.placeOf('maxAtOnce')}" in "deploy" ${where} both say how many may be missing with "order: stop-first"`;
    reader.problems.add(deploy.keyAt('min_health'), message, 'keep one of them');
  }
  if (order === 'stop-first' && minHealthyPercent === 100) {
    const message = `"min_health: 1" and "order: stop-first" in "deploy" ${where} contradict each other: no instance could ever stop first`;
    reader.problems.add(deploy.keyAt('min_health'), message);
  }
  const deadline = deadlineSeconds ?? (autoRollback ? 300 : 600);
  if (monitorSeconds >= deadline) {
    const message = `"monitor" in "update_config" ${where} is not shorter than the deadline of ${deadline}s`;
    reader.problems.add(deploy.keyAt('update_config'), message, 'give it a longer "deadline" in "deploy"');
  }
}

/** What the rest of the service makes impossible. */
export function checkUpdate(reader: Reader, deploy: Fields, service: StackService, where: string): void {
  const { update } = service;
  if (!update) return;
  const at = deploy.keyAt(update.order !== undefined && deploy.has('update_config') ? 'update_config' : 'update');
  const volume = service.mounts?.find((mount) => mount.type === 'volume' && !mount.readOnly);
  const port = service.ports?.find((one) => one.hostPort !== undefined)?.hostPort;
  if (update.order === 'start-first' && volume?.type === 'volume') {
    const message = `"order: start-first" ${where} is impossible: volume "${volume.source}" has one writer`;
    reader.problems.add(at, message, 'remove it, or mount the volume read-only');
  } else if (update.order === 'start-first' && port !== undefined) {
    const message = `"order: start-first" ${where} is impossible: two instances on one node cannot both have port ${port}`;
    reader.problems.add(at, message, 'remove it, or publish the port without a fixed port of the host');
  } else if (volume?.type === 'volume' && (update.maxAtOnce !== undefined || update.minHealthyPercent !== undefined)) {
    const what = update.minHealthyPercent === undefined ? 'how many are replaced at once' : '"min_health"';
    const message = `${what} ${where} has no effect: volume "${volume.source}" has one writer, so the old instance stops first`;
    reader.problems.warn(at, message);
  }
  if (service.restart !== undefined && service.restart !== 'always') {
    reader.problems.warn(
      at,
      `how ${where.replace(/^of /, '')} is updated has no effect`,
      `it runs once: restart: "${service.restart}"`,
    );
  }
}
