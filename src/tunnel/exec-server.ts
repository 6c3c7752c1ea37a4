import type { ServerHttp2Stream } from 'node:http2';
import type { Readable, Writable } from 'node:stream';
import type { ExecSession } from './agent-api.ts';
import { encodeFrame, type Frame, FrameDecoder } from './frames.ts';
import { execChannels } from './protocol.ts';
import { exitStatus, statusOf } from './status.ts';

/** Joins a running command with the frames of a stream; resolves when the command has ended and its status is sent. */
export async function serveExec(stream: ServerHttp2Stream, session: ExecSession, signal: AbortSignal): Promise<void> {
  stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
  const endInput = () => session.stdin?.end();
  signal.addEventListener('abort', endInput, { once: true });
  session.stdin?.on('error', () => {}); // the command may end without reading
  receive(stream, session);
  const outputs = [
    send(stream, session.stdout, execChannels.stdout),
    send(stream, session.stderr, execChannels.stderr),
  ];
  try {
    await Promise.all(outputs);
    const status = exitStatus(await session.exitCode());
    stream.end(encodeFrame(execChannels.status, Buffer.from(JSON.stringify(status))));
  } catch (error) {
    if (signal.aborted) return;
    stream.end(encodeFrame(execChannels.status, Buffer.from(JSON.stringify(statusOf(error)))));
  } finally {
    signal.removeEventListener('abort', endInput);
    endInput();
  }
}

/** Input is taken no faster than the command reads it, and what is typed after a change of size is read after it. */
function receive(stream: ServerHttp2Stream, session: ExecSession): void {
  const decoder = new FrameDecoder();
  stream.on('data', (chunk: Buffer) => {
    let frames: Frame[];
    try {
      frames = decoder.push(chunk);
    } catch (error) {
      stream.destroy(error as Error);
      return;
    }
    const isTaken = takeAll(session, frames);
    if (!isTaken) return;
    stream.pause();
    void isTaken.then(() => stream.resume());
  });
  stream.on('end', () => session.stdin?.end());
}

/** Undefined: all are taken. */
function takeAll(session: ExecSession, frames: readonly Frame[]): Promise<void> | undefined {
  for (const [index, frame] of frames.entries()) {
    const isTaken = take(session, frame);
    if (isTaken) return isTaken.then(() => takeAll(session, frames.slice(index + 1)));
  }
  return undefined;
}

/** Undefined: the next one can be taken at once. */
function take(session: ExecSession, { channel, payload }: Frame): Promise<void> | undefined {
  const { stdin } = session;
  if (channel === execChannels.stdin && stdin?.writable && !stdin.write(payload)) return drained(stdin);
  if (channel === execChannels.closeStdin) stdin?.end();
  return channel === execChannels.resize ? resize(session, payload) : undefined;
}

async function resize(session: ExecSession, payload: Buffer): Promise<void> {
  try {
    const { Width: columns, Height: rows } = JSON.parse(payload.toString('utf8')) as { Width: number; Height: number };
    await session.resize(columns, rows);
  } catch {
    // A size that cannot be read changes nothing, and a command that has ended has none.
  }
}

/** Resolves at the end of the output; the command waits when the other side does not read. */
async function send(stream: ServerHttp2Stream, output: Readable, channel: number): Promise<void> {
  for await (const chunk of output as AsyncIterable<Buffer>) {
    if (stream.destroyed) {
      output.resume(); // nobody reads it any more, but the command must be able to end
      return;
    }
    if (!stream.write(encodeFrame(channel, chunk))) await drained(stream);
  }
}

/** Two outputs share the stream: plain listeners, because `once()` of both would warn about leaks under load. */
function drained(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      stream.off('drain', done);
      stream.off('close', done);
      resolve();
    };
    stream.on('drain', done);
    stream.on('close', done);
  });
}
