import { Socket } from 'node:net';

export interface ConnectOptions {
  readonly host: string;
  readonly port: number;
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** A paused connection: not a byte of it is read yet, so that it can be handed to another process. Rejects with Node's error. */
export function connectTcp({ host, port, timeoutMs, signal }: ConnectOptions): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = new Socket({ allowHalfOpen: true });
    const done = (error?: Error) => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
      socket.off('error', done);
      if (!error) return resolve(socket);
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const abort = () => done(new Error('given up'));
    const timer = setTimeout(() => done(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })), timeoutMs);
    socket.once('error', done);
    socket.once('connect', () => done());
    socket.pause();
    signal?.addEventListener('abort', abort, { once: true });
    if (signal?.aborted) return abort();
    socket.connect({ host, port });
  });
}
