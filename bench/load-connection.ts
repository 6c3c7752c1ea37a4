import type { IncomingHttpHeaders } from 'node:http';
import { type ClientHttp2Session, connect } from 'node:http2';

export interface LoadConnectionOptions {
  readonly url: string;
  readonly caCertificate: string;
  readonly token?: string;
}

export interface LoadAnswer {
  readonly status: number;
  readonly bytes: number;
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
}

export interface Watch {
  stop(): void;
}

/** One HTTP/2 connection that costs its own process as little as possible: the load must not be the limit. */
export interface LoadConnection {
  request(
    method: string,
    path: string,
    body?: string | Buffer,
    headers?: Readonly<Record<string, string>>,
  ): Promise<LoadAnswer>;
  /** Resolves when the server has accepted it. `onData` gets the bytes as they come. */
  watch(path: string, onData: (chunk: Buffer) => void): Promise<Watch>;
  isClosed(): boolean;
  close(): void;
  /** Without a word to the server. */
  destroy(): void;
}

const requestTimeoutMs = 60_000;

export async function openLoadConnection(options: LoadConnectionOptions): Promise<LoadConnection> {
  const session = connect(options.url, {
    ca: options.caCertificate,
    settings: { initialWindowSize: 1 << 20, enablePush: false },
    maxSendHeaderBlockLength: 1 << 20,
  });
  await new Promise<void>((resolve, reject) => {
    session.once('connect', () => {
      session.setLocalWindowSize(16 << 20);
      resolve();
    });
    session.once('error', reject);
  });
  session.on('error', () => {}); // each request tells it
  const authorization: Record<string, string> =
    options.token === undefined ? {} : { authorization: `Bearer ${options.token}` };
  return {
    request: (method, path, body, headers = {}) =>
      send(session, { ':method': method, ':path': path, ...authorization, ...headers }, body),
    watch: (path, onData) =>
      new Promise((resolve, reject) => {
        const stream = session.request({ ':path': path, ...authorization });
        stream.on('response', (answer) => {
          if (answer[':status'] === 200) resolve({ stop: () => stream.close(8) });
          else reject(new Error(`watch: status ${answer[':status']}`));
        });
        stream.on('data', onData);
        stream.on('error', reject);
      }),
    isClosed: () => session.closed || session.destroyed,
    close: () => session.close(),
    destroy: () => session.socket.destroy(),
  };
}

function send(session: ClientHttp2Session, headers: Record<string, string>, body: string | Buffer | undefined) {
  return new Promise<LoadAnswer>((resolve, reject) => {
    const stream = session.request(body === undefined ? headers : { 'content-type': 'application/json', ...headers }, {
      endStream: body === undefined,
    });
    const chunks: Buffer[] = [];
    let status = 0;
    let answerHeaders: IncomingHttpHeaders = {};
    let bytes = 0;
    stream.on('response', (answer) => {
      status = answer[':status'] ?? 0;
      answerHeaders = answer;
    });
    stream.on('data', (chunk: Buffer) => {
      bytes += chunk.byteLength;
      chunks.push(chunk);
    });
    stream.on('end', () => {
      const body = chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks);
      resolve({ status, bytes, body, headers: answerHeaders });
    });
    stream.on('error', reject);
    stream.on('close', () => reject(new Error(`the stream was closed with code ${stream.rstCode}`)));
    stream.setTimeout(requestTimeoutMs, () => stream.close());
    if (body !== undefined) stream.end(body);
  });
}
