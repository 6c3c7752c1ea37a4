import type { Socket } from 'node:net';
import type { DnsAddress, DnsRecords, DnsSettings, DnsStats, DnsZoneChange } from '../port.ts';

/** Of the frames below. A process of another one is ended, and a new one started. */
export const protocolVersion = 1;

/** To the DNS process, one JSON object a line. Each that has an id is answered `done` or `failed`, in order. */
export type Command =
  | {
      readonly type: 'configure';
      readonly id: number;
      readonly settings: DnsSettings;
      readonly addresses: readonly DnsAddress[];
    }
  /** Part of a change; all parts up to one with an id take effect at once. */
  | {
      readonly type: 'zone';
      readonly id?: number;
      /** What is in no part of it is gone. */
      readonly isWhole: boolean;
      readonly revision?: string;
      readonly set: readonly (readonly [string, DnsRecords])[];
      readonly drop: readonly string[];
    }
  /** Another program goes on with the same sockets: `argv` is started, and this process ends. */
  | { readonly type: 'replace'; readonly id: number; readonly argv: readonly string[] }
  | { readonly type: 'end'; readonly id: number }
  | { readonly type: 'ping'; readonly id: number };

/** From the DNS process. */
export type Report =
  | {
      readonly type: 'hello';
      readonly protocol: number;
      /** Hash of the program that runs. */
      readonly program: string;
      readonly pid: number;
      /** That its names are true for; undefined: it has none. */
      readonly revision?: string;
    }
  | { readonly type: 'done'; readonly id: number }
  | { readonly type: 'failed'; readonly id: number; readonly message: string }
  | { readonly type: 'stats'; readonly stats: DnsStats }
  /** Base64; absent: none is given. */
  | { readonly type: 'answer'; readonly id: number; readonly packet?: string };

/** Between the process that goes and the one that comes, on the channel of their own; sockets travel beside the frames. */
export type HandOverFrame =
  | Command
  | { readonly type: 'socket'; readonly id: number; readonly kind: 'udp' | 'tcp'; readonly where: DnsAddress }
  /** Came over a connection that the process which goes still has; base64. */
  | { readonly type: 'question'; readonly id: number; readonly packet: string }
  /** An answer that became ready after the sockets were closed here. */
  | {
      readonly type: 'late';
      readonly where: DnsAddress;
      readonly packet: string;
      readonly port: number;
      readonly address: string;
    }
  /** All is there: take the control socket. */
  | { readonly type: 'serve'; readonly id: number };

const maxLineBytes = 8 * 1024 * 1024;
const maxUnsentBytes = 64 * 1024 * 1024;
/** A part of a change is as large as this: reading one must not keep questions waiting. */
const partBytes = 32 * 1024;

/** Parts of a change, in the order in which they are sent; the last one has the id. */
export function* zoneParts(
  change: DnsZoneChange,
  { id, isWhole, revision }: { readonly id: number; readonly isWhole: boolean; readonly revision: string | undefined },
): Generator<Extract<Command, { type: 'zone' }>> {
  let set: (readonly [string, DnsRecords])[] = [];
  let bytes = 0;
  for (const entry of change.set) {
    const size = JSON.stringify(entry).length;
    if (bytes > 0 && bytes + size > partBytes) {
      yield { type: 'zone', isWhole, set, drop: [] };
      set = [];
      bytes = 0;
    }
    set.push(entry);
    bytes += size;
  }
  const known = revision === undefined ? {} : { revision };
  yield { type: 'zone', id, isWhole, ...known, set, drop: change.drop };
}

/** JSON lines over a socket. One that says too much at once, or reads nothing, is closed. */
export class FrameSocket<In, Out> {
  readonly #socket: Socket;
  readonly closed: Promise<void>;
  #text = '';

  constructor(socket: Socket, onFrame: (frame: In) => void) {
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('error', () => socket.destroy());
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('data', (chunk: string) => {
      this.#text += chunk;
      for (let end = this.#text.indexOf('\n'); end >= 0; end = this.#text.indexOf('\n')) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        const frame = parseFrame<In>(line);
        if (frame === undefined) return void socket.destroy();
        onFrame(frame);
      }
      if (this.#text.length > maxLineBytes) socket.destroy();
    });
  }

  send(frame: Out): void {
    if (!this.#socket.writable) return;
    this.#socket.write(`${JSON.stringify(frame)}\n`);
    if (this.#socket.writableLength > maxUnsentBytes) this.#socket.destroy();
  }

  end(): void {
    this.#socket.end();
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** Both ends are ours: an object with a type is taken at its word. */
function parseFrame<T>(line: string): T | undefined {
  try {
    const frame: unknown = JSON.parse(line);
    const isFrame = typeof frame === 'object' && frame !== null && 'type' in frame;
    return isFrame ? (frame as T) : undefined;
  } catch {
    return undefined;
  }
}
