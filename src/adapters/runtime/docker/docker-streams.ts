import { type Duplex, PassThrough, type Readable, Writable } from 'node:stream';
import { systemClock } from '../../../lib/clock.ts';
import { FlotillaError } from '../../../lib/errors.ts';
import type { AttachOptions, ExecOptions, ExecSession, LogOptions, LogStream } from '../port.ts';
import { hasTerminal } from './container-json.ts';
import type { DockerEngine } from './docker-engine.ts';
import { hangUp } from './hang-up.ts';
import { TimesInLongLines } from './long-lines.ts';
import { StreamDemux, type StreamPart } from './stream-demux.ts';

const maxResizes = 4;
const resizePauseMs = 20;

/** Output of one container, from the engine's own files. */
export async function openLogs(
  engine: DockerEngine,
  containerId: string,
  options: LogOptions,
  signal: AbortSignal,
): Promise<LogStream> {
  const purpose = `read the log of container ${containerId.slice(0, 12)}`;
  const inspected = await engine.call({ method: 'GET', path: `/containers/${containerId}/json`, purpose });
  const response = await engine.stream(
    {
      method: 'GET',
      path: `/containers/${containerId}/logs`,
      query: {
        stdout: '1',
        stderr: '1',
        follow: options.follow ? '1' : '0',
        timestamps: options.timestamps ? '1' : '0',
        tail: options.tailLines === undefined ? 'all' : String(options.tailLines),
        ...(options.since === undefined ? {} : { since: unixSeconds(options.since) }),
      },
      purpose,
    },
    signal,
  );
  const isRaw = hasTerminal(inspected.body);
  return { lines: parts(response, { isRaw, hasTimes: options.timestamps && !isRaw }, signal) };
}

async function* parts(
  source: Readable,
  { isRaw, hasTimes }: { readonly isRaw: boolean; readonly hasTimes: boolean },
  signal: AbortSignal,
): AsyncIterable<StreamPart> {
  const demux = new StreamDemux();
  const times = new TimesInLongLines();
  try {
    for await (const chunk of source as AsyncIterable<Buffer>) {
      if (isRaw) yield { stream: 'stdout', data: chunk };
      else if (hasTimes) yield* demux.push(chunk).flatMap((part) => times.take(part) ?? []);
      else yield* demux.push(chunk);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** The engine takes seconds since 1970 with a fraction, nothing else. */
export function unixSeconds(since: string): string {
  if (/^\d+(\.\d+)?$/.test(since)) return since;
  const match = /\.(\d+)/.exec(since);
  const ms = Date.parse(since);
  if (Number.isNaN(ms)) throw new FlotillaError('BadUsage', `"${since}" is no time`, { hint: 'Give RFC 3339' });
  return `${Math.floor(ms / 1000)}.${(match?.[1] ?? '').padEnd(9, '0').slice(0, 9)}`;
}

/** Starts a command in a running container and takes its connection over. */
export async function openExec(
  engine: DockerEngine,
  containerId: string,
  options: ExecOptions,
  signal: AbortSignal,
): Promise<ExecSession> {
  const purpose = `run "${options.command[0]}" in container ${containerId.slice(0, 12)}`;
  const created = await engine.call({
    method: 'POST',
    path: `/containers/${containerId}/exec`,
    body: {
      AttachStdin: options.stdin,
      AttachStdout: true,
      AttachStderr: true,
      Tty: options.tty,
      Cmd: options.command,
      ...(options.environment ? { Env: options.environment } : {}),
    },
    purpose,
  });
  const execId = String((created.body as { Id: string }).Id);
  const { socket, head } = await engine.hijack(
    {
      method: 'POST',
      path: `/exec/${execId}/start`,
      body: { Detach: false, Tty: options.tty },
      purpose,
      timeoutMs: 30_000,
    },
    signal,
  );
  const { stdout, stderr, ended } = splitOutput(socket, head, options.tty);
  const abort = () => {
    socket.destroy();
    if (options.tty) hangUp(engine, containerId, execId).catch(() => {}); // it may have ended meanwhile
  };
  // Also when the output has ended, which does not mean that the command has.
  signal.addEventListener('abort', abort, { once: true });
  return {
    stdin: options.stdin ? inputOver(socket, options.tty) : undefined,
    stdout,
    stderr,
    resize: (columns, rows) => resizeTerminal(engine, `/exec/${execId}/resize`, columns, rows),
    exitCode: async () => {
      await ended;
      return exitCodeOf(engine, execId);
    },
  };
}

/** Takes a connection to a running container's own process over. */
export async function openAttach(
  engine: DockerEngine,
  containerId: string,
  options: AttachOptions,
  signal: AbortSignal,
): Promise<ExecSession> {
  const purpose = `attach to container ${containerId.slice(0, 12)}`;
  const inspected = await engine.call({ method: 'GET', path: `/containers/${containerId}/json`, purpose });
  const { socket, head } = await engine.hijack(
    {
      method: 'POST',
      path: `/containers/${containerId}/attach`,
      query: {
        stream: '1',
        stdout: '1',
        stderr: '1',
        stdin: options.stdin ? '1' : '0',
        logs: options.withLog ? '1' : '0',
      },
      purpose,
      timeoutMs: 30_000,
    },
    signal,
  );
  const isTerminal = hasTerminal(inspected.body);
  const { stdout, stderr, ended } = splitOutput(socket, head, isTerminal);
  const abort = () => socket.destroy();
  signal.addEventListener('abort', abort, { once: true });
  void ended.then(() => signal.removeEventListener('abort', abort));
  return {
    stdin: options.stdin ? inputOver(socket, isTerminal) : undefined,
    stdout,
    stderr,
    resize: (columns, rows) => resizeTerminal(engine, `/containers/${containerId}/resize`, columns, rows),
    exitCode: async () => {
      await ended;
      return 0;
    },
  };
}

/** A process that has just started may not take a size yet; one that has ended never will. */
async function resizeTerminal(engine: DockerEngine, path: string, columns: number, rows: number): Promise<void> {
  for (let tries = 1; tries <= maxResizes; tries++) {
    const { status } = await engine.call({
      method: 'POST',
      path,
      query: { w: String(columns), h: String(rows) },
      purpose: 'resize a terminal',
      timeoutMs: 2_000,
      accept: [404, 409, 500],
    });
    if (status < 400) return;
    await systemClock.sleep(resizePauseMs * tries);
  }
}

/** The engine would close the output of a terminal together with its input. */
function inputOver(socket: Duplex, isTerminal: boolean): Writable {
  if (!isTerminal) return socket;
  const input = new Writable({
    write: (chunk, encoding, done) => void socket.write(chunk, encoding, done),
    final: (done) => done(),
  });
  socket.once('close', () => input.destroy());
  return input;
}

function splitOutput(
  socket: Duplex,
  head: Buffer,
  isRaw: boolean,
): { stdout: PassThrough; stderr: PassThrough; ended: Promise<void> } {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  const demux = new StreamDemux();
  const push = (chunk: Buffer) => {
    const given: readonly StreamPart[] = isRaw ? [{ stream: 'stdout', data: chunk }] : demux.push(chunk);
    for (const { stream, data } of given) {
      const target = stream === 'stdout' ? stdout : stderr;
      if (target.write(data)) continue;
      // A reader that does not keep up slows the command, not our memory.
      socket.pause();
      target.once('drain', () => socket.resume());
    }
  };
  const ended = new Promise<void>((resolve) => {
    const end = () => {
      stdout.end();
      stderr.end();
      resolve();
    };
    socket.on('end', end);
    socket.on('close', end);
    socket.on('error', end);
  });
  if (isRaw) stderr.end();
  if (head.byteLength > 0) push(head);
  socket.on('data', push);
  return { stdout, stderr, ended };
}

/** The engine notes the exit a moment after the stream has ended. */
async function exitCodeOf(engine: DockerEngine, execId: string): Promise<number> {
  for (let tries = 0; ; tries++) {
    const answer = await engine.call({ method: 'GET', path: `/exec/${execId}/json`, purpose: 'read an exit code' });
    const { Running, ExitCode } = answer.body as { Running: boolean; ExitCode: number | null };
    if (!Running && ExitCode !== null) return ExitCode;
    if (tries >= 50) throw new FlotillaError('EngineFailed', 'the command lost its connection before it ended');
    await systemClock.sleep(Math.min(10 * (tries + 1), 100));
  }
}
