// HTTP/1.1 on a bare socket. No HTTP library: many of them ask again when a connection that was kept alive breaks, and
// what is to be seen here is exactly that.
import { connect, type Socket } from 'node:net';
import {
  connectTimeoutMs,
  messageOf,
  type WireConnection,
  type WireFailure,
  type WireOutcome,
  type WireRequest,
  type WireTarget,
} from './outcome.ts';
import { MalformedResponse, ResponseParser } from './response-parser.ts';

/** What the other side did to a connection on which nothing was asked. */
export interface Http1Events {
  /** With FIN: orderly. Not a failure: nothing was lost. */
  closedWhileIdle?(how: 'fin' | 'reset' | 'unasked bytes'): void;
}

/** Never rejects. */
export function openHttp1(target: WireTarget, events: Http1Events = {}): Promise<WireConnection | WireFailure> {
  return new Promise((resolve) => {
    const socket = connect({ host: target.address, port: target.port, noDelay: true });
    const fail = (error: string) => {
      socket.destroy();
      resolve({ stage: 'connect', error });
    };
    const timer = setTimeout(() => fail(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
    const onError = (error: Error) => {
      clearTimeout(timer);
      fail(messageOf(error));
    };
    socket.once('error', onError);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', onError);
      resolve(new Http1Connection(socket, events));
    });
  });
}

interface UnderWay {
  readonly settle: (outcome: WireOutcome) => void;
  readonly timer: NodeJS.Timeout;
}

class Http1Connection implements WireConnection {
  readonly #socket: Socket;
  readonly #events: Http1Events;
  readonly #parser = new ResponseParser();
  #underWay: UnderWay | undefined;
  #isOpen = true;

  constructor(socket: Socket, events: Http1Events) {
    this.#socket = socket;
    this.#events = events;
    socket.on('data', (bytes) => this.#onData(bytes));
    socket.on('end', () => this.#onEnd());
    socket.on('error', (error) => this.#onBroken(messageOf(error)));
    socket.on('close', () => this.#onBroken('closed'));
  }

  isUsable(): boolean {
    return this.#isOpen && this.#underWay === undefined;
  }

  send(request: WireRequest): Promise<WireOutcome> {
    return new Promise((resolve) => {
      if (!this.isUsable()) throw new Error('a connection that is closed or busy was given a request');
      const timer = setTimeout(() => {
        this.#settle({ stage: 'timeout', error: `no whole answer within ${request.timeoutMs} ms` });
        this.#isOpen = false;
        this.#socket.destroy();
      }, request.timeoutMs);
      this.#underWay = { settle: resolve, timer };
      this.#socket.write(renderRequest(request));
    });
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.end();
  }

  #onData(bytes: Buffer): void {
    if (this.#underWay === undefined) {
      if (this.#isOpen) this.#events.closedWhileIdle?.('unasked bytes');
      this.#isOpen = false;
      this.#socket.destroy();
      return;
    }
    try {
      const answer = this.#parser.push(bytes);
      if (answer === undefined) return;
      if (!answer.keepsAlive) this.close();
      this.#settle({
        status: answer.status,
        body: answer.body,
        setCookies: answer.headers.get('set-cookie') ?? [],
      });
    } catch (error) {
      if (!(error instanceof MalformedResponse)) throw error;
      this.#isOpen = false;
      this.#socket.destroy();
      this.#settle({ stage: 'wrong', error: error.message });
    }
  }

  #onEnd(): void {
    if (this.#underWay === undefined) {
      if (this.#isOpen) this.#events.closedWhileIdle?.('fin');
    } else {
      const answer = this.#parser.end();
      if (answer) this.#settle({ status: answer.status, body: answer.body, setCookies: [] });
      else this.#onBroken('the other side closed');
    }
    this.#isOpen = false;
  }

  #onBroken(error: string): void {
    if (this.#underWay !== undefined) {
      this.#settle({ stage: this.#parser.isInsideAnswer ? 'cut' : 'unanswered', error });
    } else if (this.#isOpen) {
      this.#events.closedWhileIdle?.('reset');
    }
    this.#isOpen = false;
  }

  #settle(outcome: WireOutcome): void {
    const underWay = this.#underWay;
    if (underWay === undefined) return;
    this.#underWay = undefined;
    clearTimeout(underWay.timer);
    underWay.settle(outcome);
  }
}

function renderRequest({ id, path, host, cookie, method = 'POST' }: WireRequest): string {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${host}`,
    `X-Request-Id: ${id}`,
    ...(cookie === undefined ? [] : [`Cookie: ${cookie}`]),
    'Content-Type: text/plain',
    `Content-Length: ${id.length}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${id}`;
}
