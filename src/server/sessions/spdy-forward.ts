import type { Duplex } from 'node:stream';
import type { Clock } from '../../lib/clock.ts';
import { type SpdySession, serveSpdy } from '../spdy/spdy-session.ts';
import type { SpdyStream } from '../spdy/spdy-stream.ts';
import { badRequest } from './agent-request.ts';
import { type ConnectPort, forwardConnection, parsePort } from './port-streams.ts';

/** Of `X-Stream-Protocol-Version`. */
export const spdyForwardProtocols = ['portforward.k8s.io'];

/** A client opens both streams of a connection together. */
const pairTimeoutMs = 30_000;
/** A pod that reads nothing for so long does not hold up the client's other connections any longer. */
const maxStallMs = 60_000;

export interface SpdyForwardOptions {
  readonly transport: Duplex;
  readonly connect: ConnectPort;
  /** For messages. */
  readonly describePod: string;
  readonly onClose: () => void;
  readonly clock: Clock;
}

interface Pair {
  readonly port: number;
  error?: SpdyStream;
  data?: SpdyStream;
  cancel: () => void;
}

/** Port-forward over SPDY: two streams for each connection of the client, one for the bytes, one for what went wrong. */
export function serveSpdyForward(options: SpdyForwardOptions): SpdySession {
  const { transport, connect, describePod, clock } = options;
  const waiting = new Map<string, Pair>();

  const onStream = (stream: SpdyStream) => {
    const type = stream.headers.get('streamtype');
    const port = parsePort(stream.headers.get('port'));
    if ((type !== 'error' && type !== 'data') || port === undefined) {
      throw badRequest('a stream without its type or port');
    }
    const id = requestIdOf(stream, type);
    const pair = waiting.get(id) ?? begin(id, port);
    if (pair[type] || pair.port !== port) throw badRequest('a stream that its connection has already');
    pair[type] = stream;
    const { error, data } = pair;
    if (!error || !data) return;
    pair.cancel();
    waiting.delete(id);
    error.resume(); // the client only ends it
    void forwardConnection(connect, port, { data, end: onceSaid(error) }, describePod);
  };
  const begin = (id: string, port: number): Pair => {
    const pair: Pair = { port, cancel: () => {} };
    pair.cancel = clock.after(pairTimeoutMs, () => {
      waiting.delete(id);
      pair.error?.destroy();
      pair.data?.destroy();
    });
    waiting.set(id, pair);
    return pair;
  };

  return serveSpdy(transport, {
    clock,
    maxStallMs,
    onStream,
    onClose: () => {
      for (const pair of waiting.values()) pair.cancel();
      waiting.clear();
      options.onClose();
    },
  });
}

/** The oldest clients give no id: there the error stream comes right before its data stream. */
function requestIdOf(stream: SpdyStream, type: 'error' | 'data'): string {
  return stream.headers.get('requestid') ?? `stream ${type === 'error' ? stream.id : stream.id - 2}`;
}

function onceSaid(error: SpdyStream): (words?: string) => void {
  return (words) => {
    if (error.writableEnded || error.destroyed) return;
    if (words === undefined) error.end();
    else error.end(words);
  };
}
