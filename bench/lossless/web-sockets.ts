// WebSockets that live as long as they can, and say something every second: a planned stop tells them so with a close frame, and
// nothing else that is planned ends them.
import { randomBytes } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { connectTimeoutMs, type WireTarget } from './outcome.ts';

export interface WebSocketCounts {
  readonly opened: number;
  readonly echoes: number;
  /** Ended by a close frame: its instance stopped. */
  readonly told: number;
  /** Ended without one, or an echo did not come within 5 s. */
  readonly cut: number;
  /** Not opened, by the status that was answered instead. */
  readonly notOpened: number;
}

export interface WebSocketOptions {
  readonly targets: readonly WireTarget[];
  readonly host: string;
  readonly count: number;
}

const echoMs = 1_000;
const echoTimeoutMs = 5_000;

/** Keeps `count` of them open, each opened anew when it ends. */
export class WebSockets {
  readonly #options: WebSocketOptions;
  readonly #sockets = new Set<Socket>();
  readonly #counts = { opened: 0, echoes: 0, told: 0, cut: 0, notOpened: 0 };
  #isStopped = false;

  constructor(options: WebSocketOptions) {
    this.#options = options;
  }

  start(): void {
    for (let index = 0; index < this.#options.count; index++) void this.#keepOne(index);
  }

  stop(): WebSocketCounts {
    this.#isStopped = true;
    for (const socket of this.#sockets) socket.destroy();
    return { ...this.#counts };
  }

  async #keepOne(index: number): Promise<void> {
    while (!this.#isStopped) {
      const how = await this.#live(this.#options.targets[index % this.#options.targets.length]!);
      if (this.#isStopped) return;
      this.#counts[how]++;
      await new Promise((wake) => setTimeout(wake, how === 'notOpened' ? 1_000 : 100));
    }
  }

  #live({ address, port }: WireTarget): Promise<'told' | 'cut' | 'notOpened'> {
    return new Promise((resolve) => {
      const socket = connect({ host: address, port, noDelay: true });
      this.#sockets.add(socket);
      let isOpen = false;
      let wasTold = false;
      let bytes: Buffer = Buffer.alloc(0);
      let waitingSinceMs: number | undefined;
      const deadline = setTimeout(() => !isOpen && socket.destroy(), connectTimeoutMs);
      const talk = setInterval(() => {
        if (!isOpen) return;
        if (waitingSinceMs === undefined) {
          waitingSinceMs = performance.now();
          socket.write(clientFrame('hello'));
        } else if (performance.now() - waitingSinceMs > echoTimeoutMs) socket.destroy();
      }, echoMs);
      socket.on('connect', () => socket.write(renderUpgrade(this.#options.host)));
      socket.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        if (!isOpen) {
          const end = bytes.indexOf('\r\n\r\n');
          if (end < 0) return;
          if (!bytes.toString('latin1', 0, end).startsWith('HTTP/1.1 101 ')) return void socket.destroy();
          bytes = bytes.subarray(end + 4);
          isOpen = true;
          this.#counts.opened++;
        }
        const { frames, rest } = serverFrames(bytes);
        bytes = rest;
        for (const frame of frames) {
          if (frame.isClose) {
            wasTold = true;
            socket.end();
          } else if (frame.text === 'hello') {
            waitingSinceMs = undefined;
            this.#counts.echoes++;
          }
        }
      });
      socket.on('error', () => {}); // what follows is its close
      socket.on('close', () => {
        clearTimeout(deadline);
        clearInterval(talk);
        this.#sockets.delete(socket);
        resolve(!isOpen ? 'notOpened' : wasTold ? 'told' : 'cut');
      });
    });
  }
}

function renderUpgrade(host: string): string {
  const lines = [
    'GET /socket HTTP/1.1',
    `Host: ${host}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    `Sec-WebSocket-Key: ${randomBytes(16).toString('base64')}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n`;
}

/** A text of at most 125 bytes, masked as clients must (RFC 6455 §5.3). */
export function clientFrame(text: string): Buffer {
  const mask = randomBytes(4);
  const payload = Buffer.from(text).map((byte, index) => byte ^ (mask[index % 4] ?? 0));
  return Buffer.concat([Buffer.from([0x81, 0x80 | payload.length]), mask, payload]);
}

export interface ServerFrame {
  readonly isClose: boolean;
  readonly text: string;
}

/** Whole frames, short and not masked, as the application sends them; and what is left. */
export function serverFrames(bytes: Buffer): { readonly frames: readonly ServerFrame[]; readonly rest: Buffer } {
  const frames: ServerFrame[] = [];
  let rest = bytes;
  for (;;) {
    const length = (rest[1] ?? 0) & 0x7f;
    if (rest.length < 2 || rest.length < 2 + length) return { frames, rest };
    frames.push({ isClose: ((rest[0] ?? 0) & 0x0f) === 8, text: rest.toString('utf8', 2, 2 + length) });
    rest = rest.subarray(2 + length);
  }
}
