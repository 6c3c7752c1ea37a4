import type { Socket } from 'node:net';
import { withLength } from './upstream/exchange.ts';

/** A promise only where somebody else must be asked; undefined: no answer. */
export type Respond = (packet: Buffer, isUdp: boolean) => Buffer | undefined | Promise<Buffer | undefined>;

const idleMs = 10_000;
/** Questions of one client that wait for resolvers; more are left in its socket. */
const maxInFlight = 64;

/** Questions over TCP, several at a time, answered as they are done (RFC 7766 §6.2.1). */
export class TcpConnection {
  readonly #socket: Socket;
  #respond: Respond;
  #received: Buffer = Buffer.alloc(0);
  #inFlight = 0;
  #hasRoom = true;
  /** The client has said all. */
  #hasEnded = false;

  constructor(socket: Socket, respond: Respond, onEnd: () => void) {
    this.#socket = socket;
    this.#respond = respond;
    socket.on('close', onEnd);
    socket.on('error', () => socket.destroy());
    socket.setTimeout(idleMs, () => socket.destroy());
    socket.allowHalfOpen = true; // a socket that was handed over has forgotten it
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#work();
    });
    socket.on('data', this.#take);
    socket.on('drain', this.#drained);
    this.#work();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  /** Somebody else knows the answers from now on. */
  answerBy(respond: Respond): void {
    this.#respond = respond;
  }

  readonly #take = (chunk: Buffer): void => {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    this.#work();
  };

  readonly #drained = (): void => {
    this.#hasRoom = true;
    this.#work();
  };

  #work(): void {
    while (this.#hasRoom && this.#inFlight < maxInFlight) {
      const length = this.#received.length < 2 ? undefined : this.#received.readUInt16BE(0);
      if (length === undefined || this.#received.length < 2 + length) break;
      const response = this.#respond(this.#received.subarray(2, 2 + length), false);
      this.#received = this.#received.subarray(2 + length);
      if (response instanceof Promise) this.#later(response);
      else if (response) this.#send(response);
    }
    if (this.#hasEnded && this.#inFlight === 0) return void this.#socket.end();
    const isFull = !this.#hasRoom || this.#inFlight >= maxInFlight;
    if (isFull) this.#socket.pause();
    else this.#socket.resume();
  }

  #later(response: Promise<Buffer | undefined>): void {
    this.#inFlight++;
    response.then(
      (packet) => {
        this.#inFlight--;
        if (packet) this.#send(packet);
        this.#work();
      },
      () => this.#socket.destroy(),
    );
  }

  #send(packet: Buffer): void {
    if (this.#socket.writable) this.#hasRoom = this.#socket.write(withLength(packet)) && this.#hasRoom;
  }
}
