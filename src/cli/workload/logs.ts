import { setTimeout as delay } from 'node:timers/promises';
import type { Command } from 'commander';
import { ApiError, isApiError } from '../../client/api-error.ts';
import type { HttpClient } from '../../client/http-client.ts';
import { startInformer } from '../../client/informer.ts';
import type { PodLogsOptions } from '../../client/pod-logs.ts';
import { readLines } from '../../client/read-lines.ts';
import { FlotillaError, messageOf } from '../../lib/errors.ts';
import { silentLogger } from '../../lib/log.ts';
import { type Pod, pods } from '../../resources/kinds.ts';
import { defaultContainerStatus } from '../../resources/pod-containers.ts';
import { parseDurationMs } from '../durations.ts';
import { print } from '../output.ts';
import { withSession } from '../session.ts';
import { type Instance, instanceOf, selectInstances } from './instances.ts';
import { LogPosition } from './log-position.ts';

export interface LogsFlags {
  readonly follow?: boolean;
  readonly tail?: string;
  readonly since?: string;
  readonly timestamps?: boolean;
  readonly previous?: boolean;
}

const retryMs = 500;

/** Bright enough on dark and light grounds. */
const colours = [36, 33, 32, 35, 34, 31];

export async function logs(target: string, flags: LogsFlags, command: Command): Promise<void> {
  const options = optionsOf(flags);
  await withSession(command, async ({ client }) => {
    const chosen = selectInstances((await client.list(pods)).items.map(instanceOf), target);
    const printer = createPrinter(chosen.length > 1 || flags.follow === true);
    const abort = new AbortController();
    process.once('SIGINT', () => abort.abort());
    if (flags.follow) return followAll(client, { target, chosen }, options, printer, abort.signal);
    const results = await Promise.allSettled(
      chosen.map((one) => copy(client, one.pod, options, printer, abort.signal)),
    );
    if (abort.signal.aborted) return;
    const failed = results.flatMap((one, at) =>
      one.status === 'rejected' ? [{ pod: chosen[at]!.pod, error: one.reason as unknown }] : [],
    );
    if (failed.length === chosen.length) throw failed[0]?.error;
    // One that has not started yet does not hide the others' lines.
    for (const { pod, error } of failed) printer.note(pod, messageOf(error));
  });
}

function optionsOf(flags: LogsFlags): PodLogsOptions {
  const tailLines = flags.tail === undefined ? undefined : Number(flags.tail);
  if (tailLines !== undefined && !(Number.isInteger(tailLines) && tailLines >= 0)) {
    throw new FlotillaError('BadUsage', `--tail "${flags.tail}" is no number of lines`);
  }
  return {
    ...(tailLines === undefined ? {} : { tailLines }),
    ...(flags.since === undefined
      ? {}
      : { sinceSeconds: Math.max(1, Math.ceil(parseDurationMs(flags.since, '--since') / 1000)) }),
    ...(flags.timestamps ? { timestamps: true } : {}),
    ...(flags.previous ? { previous: true } : {}),
    ...(flags.follow ? { follow: true } : {}),
  };
}

/** Follows the chosen ones and those that come later under the same service; ends by Ctrl-C, or when one pod was named and ended. */
async function followAll(
  client: HttpClient,
  { target, chosen }: { readonly target: string; readonly chosen: readonly Instance[] },
  options: PodLogsOptions,
  printer: Printer,
  signal: AbortSignal,
): Promise<void> {
  const wanted = followedOf(chosen, target);
  const end = Promise.withResolvers<void>();
  let left = chosen.length;
  const following = new Map<string, Promise<void>>();
  const follow = (pod: Pod, more: PodLogsOptions) => {
    const uid = pod.metadata.uid ?? '';
    if (
      following.has(uid) ||
      !pod.status?.containerStatuses?.some((one) => one.state?.running ?? one.state?.terminated)
    )
      return;
    following.set(
      uid,
      followOne(client, pod, more, printer, signal)
        .catch((error) => printer.note(pod, messageOf(error)))
        .finally(() => {
          left -= 1;
          if (wanted.isNamed && left === 0) end.resolve();
        }),
    );
  };
  for (const one of chosen) follow(one.pod, options);
  const { tailLines: _, sinceSeconds: __, ...fromStart } = options;
  const informer = startInformer({
    client,
    kind: pods,
    log: silentLogger,
    onChange: (_key, pod) => {
      if (!pod || !wanted.has(instanceOf(pod))) return;
      follow(pod, chosen.some((one) => one.pod.metadata.uid === pod.metadata.uid) ? options : fromStart);
    },
  });
  signal.addEventListener('abort', () => end.resolve());
  await end.promise;
  await informer.stop();
}

export interface Followed {
  /** Instances were named, not a service or stack: nothing comes after them. */
  readonly isNamed: boolean;
  has(one: Instance): boolean;
}

/** What `logs -f` shows: the chosen services' instances, also later ones; of an instance that was named only itself. */
export function followedOf(chosen: readonly Instance[], target: string): Followed {
  const name = target.slice(target.indexOf('/') + 1);
  if (chosen.every((one) => one.pod.metadata.name === name)) {
    const uids = new Set(chosen.map((one) => one.pod.metadata.uid));
    return { isNamed: true, has: (one) => uids.has(one.pod.metadata.uid) };
  }
  const services = new Set(chosen.map((one) => `${one.stack}/${one.service}`));
  return { isNamed: false, has: (one) => services.has(`${one.stack}/${one.service}`) };
}

/**
 * A restarted container is followed from its first line, after the last ones of the one before; one whose stream broke (a server went
 * away) on from the line that was shown last.
 */
async function followOne(
  client: HttpClient,
  pod: Pod,
  options: PodLogsOptions,
  printer: Printer,
  signal: AbortSignal,
): Promise<void> {
  const ref = { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name };
  const { tailLines: _, sinceSeconds: __, ...rest } = options;
  const position = new LogPosition();
  const read = (more: PodLogsOptions) => copy(client, pod, more, printer, signal, position);
  let current = options;
  let containerId = containerIdOf(pod);
  while (!signal.aborted) {
    try {
      await read(current);
    } catch (error) {
      if (!isRetryable(error)) throw error;
    }
    for (let next: NextRun = 'wait'; next === 'wait'; ) {
      await delay(retryMs, undefined, { signal }).catch(() => {});
      if (signal.aborted) return;
      let now: Pod | undefined;
      try {
        now = await client.get(pods, ref);
      } catch (error) {
        if (isRetryable(error)) continue; // nobody knows now
        if (!isApiError(error, 'NotFound')) throw error;
      }
      next = nextRun(pod, now, containerId);
      if (next === 'end') return;
      // Before the first line there is nothing to go on from: what was asked for is asked for again.
      current = position.hasShown ? { ...rest, ...position.resume() } : options;
      if (next !== 'new') continue;
      containerId = containerIdOf(now);
      // What the one before said while nobody listened; it may be gone already.
      await read({ ...current, follow: false, previous: true }).catch(() => {});
      position.reset();
      current = rest;
    }
  }
}

export type NextRun = 'wait' | 'end' | 'same' | 'new';

/** What follows when a log ended: another container's, the same one's (only the stream broke), or nothing. */
export function nextRun(before: Pod, now: Pod | undefined, containerId: string | undefined): NextRun {
  if (!now || now.metadata.uid !== before.metadata.uid) return 'end';
  const container = defaultContainerStatus(now);
  const hasStarted = container?.state?.running ?? container?.state?.terminated;
  if (hasStarted && container?.containerID !== undefined && container.containerID !== containerId) return 'new';
  if (now.status?.phase === 'Succeeded' || now.status?.phase === 'Failed') return 'end';
  return container?.state?.running ? 'same' : 'wait';
}

function containerIdOf(pod: Pod | undefined): string | undefined {
  return pod && defaultContainerStatus(pod)?.containerID;
}

function isRetryable(error: unknown): boolean {
  return error instanceof ApiError ? error.status.code >= 500 : error instanceof FlotillaError && error.retryable;
}

async function copy(
  client: HttpClient,
  pod: Pod,
  options: PodLogsOptions,
  printer: Printer,
  signal: AbortSignal,
  position: LogPosition = new LogPosition(),
): Promise<void> {
  const ref = { namespace: pod.metadata.namespace ?? 'default', name: pod.metadata.name };
  const stream = client.podLogs(ref, { ...options, timestamps: true, signal });
  for await (const line of readLines(stream, { keepEmpty: true })) {
    const taken = position.take(line);
    if (taken) printer.line(pod, options.timestamps && taken.time !== '' ? `${taken.time} ${taken.text}` : taken.text);
  }
}

interface Printer {
  line(pod: Pod, text: string): void;
  note(pod: Pod, text: string): void;
}

function createPrinter(hasPrefix: boolean): Printer {
  const given = new Map<string, number>();
  const prefix = (pod: Pod): string => {
    if (!hasPrefix) return '';
    const { name } = pod.metadata;
    const colour = given.get(name) ?? colours[given.size % colours.length] ?? 36;
    given.set(name, colour);
    return process.stdout.isTTY ? `\x1b[${colour}m${name}\x1b[0m | ` : `${name} | `;
  };
  return {
    line: (pod, text) => print(`${prefix(pod)}${text}`),
    note: (pod, text) => void process.stderr.write(`${pod.metadata.name}: ${text}\n`),
  };
}
