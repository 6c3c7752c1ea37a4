import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Clock } from '../../lib/clock.ts';
import { execChannels } from '../../tunnel/protocol.ts';
import { type SpdySession, serveSpdy } from '../spdy/spdy-session.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import { badRequest } from './agent-request.ts';
import type { Asked } from './asked-streams.ts';
import { type CommandClient, type CommandEvents, plainWords } from './command-relay.ts';

/** kubectl before 1.30. v4: errors as a Status; v3 and newer: sizes of the terminal. */
export const spdyCommandProtocols = ['v4.channel.k8s.io', 'v3.channel.k8s.io', 'v2.channel.k8s.io', 'channel.k8s.io'];

/** The client opens its streams at once; one that does not is let go. */
const openTimeoutMs = 30_000;
const maxSizeBytes = 256;

type StreamType = 'error' | 'stdin' | 'stdout' | 'stderr' | 'resize';

export interface SpdyCommand {
  readonly session: SpdySession;
  readonly protocol: string;
  readonly streams: ReadonlyMap<StreamType, SpdyStream>;
  /** Called once, when the client is gone or all is said. */
  whenClosed(listener: () => void): void;
}

export interface SpdyCommandOptions {
  readonly transport: Duplex;
  readonly protocol: string;
  readonly asked: Asked;
  readonly clock: Clock;
}

/** Waits until the client has opened a stream for all that it asked for. Undefined: it went away, or never did so. */
export function openSpdyCommand(options: SpdyCommandOptions): Promise<SpdyCommand | undefined> {
  const { transport, protocol, clock } = options;
  const wanted = wantedStreams(options.asked, protocol);
  const streams = new Map<StreamType, SpdyStream>();
  return new Promise((resolve) => {
    let onClose = () => resolve(undefined);
    const whenClosed = (listener: () => void) => {
      onClose = listener;
    };
    const session = serveSpdy(transport, {
      clock,
      onStream: (stream) => {
        const type = wanted.find((one) => one === stream.headers.get('streamtype'));
        if (type === undefined || streams.has(type)) throw badRequest('a stream that was not asked for');
        streams.set(type, stream);
        if (streams.size === wanted.length) resolve({ session, protocol, streams, whenClosed });
      },
      onClose: () => {
        cancel();
        onClose();
      },
    });
    const cancel = clock.after(openTimeoutMs, () => {
      if (streams.size < wanted.length) session.end();
    });
  });
}

function wantedStreams(asked: Asked, protocol: string): readonly StreamType[] {
  const hasSizes = asked.tty && /^v[345]\./.test(protocol);
  const names = (['stdin', 'stdout', 'stderr'] as const).filter((name) => asked[name]);
  return ['error', ...names, ...(hasSizes ? (['resize'] as const) : [])];
}

/** Exec or attach over SPDY: a stream for each of the command's. */
export function spdyCommand(command: SpdyCommand, events: CommandEvents): CommandClient {
  const { session, streams } = command;
  const stdin = streams.get('stdin');
  command.whenClosed(events.onClose);
  stdin?.on('data', (payload: Buffer) => events.onFrame({ channel: execChannels.stdin, payload }));
  stdin?.once('end', () => events.onFrame({ channel: execChannels.closeStdin, payload: Buffer.alloc(0) }));
  takeSizes(streams.get('resize'), events);
  for (const type of ['stdout', 'stderr', 'error'] as const) streams.get(type)?.resume(); // the client only ends it

  const sayGoodBye = async (status: Buffer) => {
    const words = command.protocol.startsWith('v4') ? status : plainWords(status);
    for (const [type, stream] of streams) {
      if (stream.destroyed) continue;
      if (type === 'error' && words.byteLength > 0) stream.write(words);
      stream.end();
    }
    await Promise.allSettled([...streams.values()].map((stream) => finished(stream, { readable: false })));
    session.end();
  };

  return {
    send: (channel, payload) => {
      const stream = streams.get(channel === execChannels.stdout ? 'stdout' : 'stderr');
      if (!stream?.writable) return true;
      if (stream.write(payload)) return true;
      const go = () => {
        stream.off('drain', go);
        stream.off('close', go);
        events.onDrain();
      };
      stream.on('drain', go);
      stream.on('close', go);
      return false;
    },
    end: (status) => void sayGoodBye(status),
    pause: () => stdin?.pause(),
    resume: () => stdin?.resume(),
  };
}

/** JSON values one after the other, wherever the chunks begin and end. */
function takeSizes(stream: SpdyStream | undefined, events: CommandEvents): void {
  let text = '';
  stream?.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
    for (let end = text.indexOf('}'); end >= 0; end = text.indexOf('}')) {
      events.onFrame({ channel: execChannels.resize, payload: Buffer.from(text.slice(0, end + 1)) });
      text = text.slice(end + 1);
    }
    if (text.length > maxSizeBytes) stream.destroy();
  });
}
