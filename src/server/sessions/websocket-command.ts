import type { RawData, WebSocket } from 'ws';
import type { Frame } from '../../tunnel/frames.ts';
import { execChannels } from '../../tunnel/protocol.ts';
import { type CommandClient, type CommandEvents, plainWords } from './command-relay.ts';

const closeMark = 255;
/** More than this unsent to a slow client: the command waits. */
const maxBufferedBytes = 1_048_576;

/** Exec or attach over a WebSocket: each message begins with its channel. */
export function websocketCommand(client: WebSocket, events: CommandEvents): CommandClient {
  const hasStatus = client.protocol.startsWith('v');
  const send = (channel: number, payload: Buffer): boolean => {
    if (client.readyState !== client.OPEN) return true;
    client.send(encodeMessage(client, channel, payload), () => {
      if (client.bufferedAmount < maxBufferedBytes) events.onDrain();
    });
    return client.bufferedAmount < maxBufferedBytes;
  };
  client.on('message', (data, isBinary) => {
    const message = readMessage(client, data, isBinary);
    if (!message) return;
    const { channel, payload } = message;
    if (channel === closeMark) {
      if (payload[0] === execChannels.stdin)
        events.onFrame({ channel: execChannels.closeStdin, payload: Buffer.alloc(0) });
    } else if (channel === execChannels.stdin || channel === execChannels.resize) events.onFrame(message);
  });
  client.on('error', () => {}); // its close follows
  client.on('close', () => events.onClose());
  return {
    send,
    end: (status) => {
      const words = hasStatus ? status : plainWords(status);
      if (words.byteLength > 0) send(execChannels.status, words);
      client.close(1000);
    },
    pause: () => client.pause(),
    resume: () => client.resume(),
  };
}

/** A message of a channel in the form of the client's protocol. */
export function encodeMessage(client: WebSocket, channel: number, payload: Buffer): Buffer | string {
  return client.protocol.includes('base64')
    ? `${channel}${payload.toString('base64')}`
    : Buffer.concat([Buffer.from([channel]), payload]);
}

/** Undefined: an empty one. Text is base64 wherever it comes. */
export function readMessage(client: WebSocket, data: RawData, isBinary: boolean): Frame | undefined {
  const bytes = Array.isArray(data) ? Buffer.concat(data) : Buffer.from(data as Buffer);
  const first = bytes[0];
  if (first === undefined) return undefined;
  const rest = bytes.subarray(1);
  if (isBinary && !client.protocol.includes('base64')) return { channel: first, payload: rest };
  return { channel: first - 48, payload: Buffer.from(rest.toString('latin1'), 'base64') };
}
