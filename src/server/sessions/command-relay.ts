import { type ClientHttp2Stream, constants } from 'node:http2';
import { messageOf } from '../../lib/errors.ts';
import type { Logger } from '../../lib/log.ts';
import { encodeFrame, type Frame, FrameDecoder } from '../../tunnel/frames.ts';
import { execChannels } from '../../tunnel/protocol.ts';
import { failureStatus } from '../../tunnel/status.ts';

/** The client's end of exec or attach, whatever it speaks. */
export interface CommandClient {
  /** Output. False: it does not keep up; `onDrain` follows. */
  send(channel: number, payload: Buffer): boolean;
  /** How the command ended, a Status as JSON; nothing comes after it. */
  end(status: Buffer): void;
  /** No more input for now: the command does not keep up. */
  pause(): void;
  resume(): void;
}

export interface CommandEvents {
  /** Input, its end, the size of the terminal: nothing else. */
  onFrame(frame: Frame): void;
  onDrain(): void;
  /** The client is gone. */
  onClose(): void;
}

/** Joins a client with an agent's stream: neither side is read faster than the other takes it. */
export function relayCommand(
  stream: ClientHttp2Stream,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
  open: (events: CommandEvents) => CommandClient,
): void {
  const decoder = new FrameDecoder();
  let isEnded = false;
  const client = open({
    onFrame: ({ channel, payload }) => {
      if (!stream.writable) return;
      if (stream.write(encodeFrame(channel, payload))) return;
      client.pause();
      stream.once('drain', () => client.resume());
    },
    onDrain: () => void stream.resume(),
    onClose: () => {
      isEnded = true;
      stream.close(constants.NGHTTP2_CANCEL);
    },
  });
  const end = (status: Buffer) => {
    if (isEnded) return;
    isEnded = true;
    client.end(status);
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
      else if (!isEnded && !client.send(channel, payload)) stream.pause();
    }
  });
  stream.on('error', () => {}); // its close follows
  stream.on('close', () => {
    client.resume(); // what it still says goes nowhere, but its good-bye must be heard
    fail(
      signal.aborted
        ? 'this server stops: the command goes on without its input'
        : 'the connection to the node was lost before the command ended',
    );
  });
}

/** Of a Status, what clients get that know plain words only: nothing when all went well. */
export function plainWords(status: Buffer): Buffer {
  const { message } = JSON.parse(status.toString('utf8')) as { message?: string };
  return Buffer.from(message ?? '');
}
