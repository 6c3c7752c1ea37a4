import type { IncomingMessage } from 'node:http';
import { type ClientHttp2Stream, constants } from 'node:http2';
import type { Duplex } from 'node:stream';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { encodeFrame, type Frame, FrameDecoder } from '../../tunnel/frames.ts';
import { execChannels } from '../../tunnel/protocol.ts';
import { failureStatus } from '../../tunnel/status.ts';

export interface ExecSocketOptions {
  /** To the agent, answered with 200. */
  readonly stream: ClientHttp2Stream;
  readonly request: IncomingMessage;
  readonly socket: Duplex;
  readonly head: Buffer;
  readonly log: Logger;
}

/** Joins a client's WebSocket with an exec stream to an agent. */
export interface ExecSockets {
  join(options: ExecSocketOptions): void;
}

/** Newest first. `base64.`: text messages, the channel as a digit; without `v4`/`v5`: errors as plain text. */
const protocols = [
  'v5.channel.k8s.io',
  'v4.channel.k8s.io',
  'v4.base64.channel.k8s.io',
  'channel.k8s.io',
  'base64.channel.k8s.io',
];
const closeMark = 255;
/** More than this unsent to a slow client: the command waits. */
const maxBufferedBytes = 1_048_576;
const maxMessageBytes = 1_048_576;

export function createExecSockets(): ExecSockets {
  const server = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: maxMessageBytes,
    handleProtocols: (offered) => protocols.find((protocol) => offered.has(protocol)) ?? false,
  });
  return {
    join: ({ stream, request, socket, head, log }) => {
      // Until the handshake is done (or refused, by `ws` itself) the client may leave.
      const giveUp = () => stream.close(constants.NGHTTP2_CANCEL);
      socket.once('close', giveUp);
      server.handleUpgrade(request, socket, head, (client) => {
        socket.off('close', giveUp);
        converse(client, stream, log);
      });
    },
  };
}

function converse(client: WebSocket, stream: ClientHttp2Stream, log: Logger): void {
  const isText = client.protocol.includes('base64');
  const hasStatus = client.protocol.startsWith('v');
  const decoder = new FrameDecoder();
  let isEnded = false;

  const send = (channel: number, payload: Buffer) => {
    if (client.readyState !== client.OPEN) return;
    const message = isText
      ? `${channel}${payload.toString('base64')}`
      : Buffer.concat([Buffer.from([channel]), payload]);
    client.send(message, () => {
      if (client.bufferedAmount < maxBufferedBytes) stream.resume();
    });
    if (client.bufferedAmount >= maxBufferedBytes) stream.pause();
  };
  const end = (status: Buffer) => {
    if (isEnded) return;
    isEnded = true;
    const plain = hasStatus
      ? status
      : Buffer.from((JSON.parse(status.toString('utf8')) as { message?: string }).message ?? '');
    if (plain.byteLength > 0) send(execChannels.status, plain);
    client.close(1000);
  };
  const fail = (why: string) => end(Buffer.from(JSON.stringify(failureStatus(500, 'InternalError', why))));

  stream.on('data', (chunk: Buffer) => {
    let frames: Frame[] = [];
    try {
      frames = decoder.push(chunk);
    } catch (error) {
      log.warn('an agent sent what is no exec frame', { error });
      stream.close(constants.NGHTTP2_PROTOCOL_ERROR);
      return fail(messageOf(error));
    }
    for (const { channel, payload } of frames) {
      if (channel === execChannels.status) end(payload);
      else send(channel, payload);
    }
  });
  stream.on('error', () => {}); // its close follows
  stream.on('close', () => fail('the connection to the node was lost before the command ended'));

  client.on('message', (data, isBinary) => {
    const frame = readMessage(data, isBinary && !isText);
    if (!frame || !stream.writable) return;
    if (stream.write(encodeFrame(frame.channel, frame.payload))) return;
    client.pause();
    stream.once('drain', () => client.resume());
  });
  client.on('error', (error) => log.debug('an exec client failed', { error }));
  client.on('close', () => {
    isEnded = true;
    stream.close(constants.NGHTTP2_CANCEL);
  });
}

/** Only what a client may say: input, its end, the size of the terminal. */
function readMessage(data: RawData, isBinary: boolean): Frame | undefined {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
  const first = bytes[0];
  if (first === undefined) return undefined;
  if (isBinary && first === closeMark) {
    return bytes[1] === execChannels.stdin ? { channel: execChannels.closeStdin, payload: Buffer.alloc(0) } : undefined;
  }
  const channel = isBinary ? first : first - 48; // a digit
  const payload = isBinary ? bytes.subarray(1) : Buffer.from(bytes.subarray(1).toString('latin1'), 'base64');
  const isAllowed = channel === execChannels.stdin || channel === execChannels.resize;
  return isAllowed ? { channel, payload } : undefined;
}
