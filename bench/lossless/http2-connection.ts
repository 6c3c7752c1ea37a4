// HTTP/2 over TLS. Node's client sends each stream once; it never asks again.
import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from 'node:http2';
import { connect as connectTls } from 'node:tls';
import {
  connectTimeoutMs,
  messageOf,
  type WireConnection,
  type WireFailure,
  type WireOutcome,
  type WireRequest,
  type WireTarget,
} from './outcome.ts';

export interface Http2Options {
  readonly target: WireTarget;
  /** SNI. Who it is is not checked, it is told. */
  readonly serverName: string;
  /** Fingerprint of the certificate that was shown. */
  readonly onCertificate?: (fingerprint: string) => void;
  readonly onGoaway?: () => void;
}

/** Never rejects. */
export function openHttp2(options: Http2Options): Promise<WireConnection | WireFailure> {
  const { target, serverName } = options;
  return new Promise((resolve) => {
    const socket = connectTls({
      ...{ host: target.address, port: target.port, servername: serverName },
      ...{ ALPNProtocols: ['h2'], rejectUnauthorized: false },
    });
    socket.setNoDelay(true);
    const session = connect(`https://${serverName}`, {
      createConnection: () => socket,
      settings: { enablePush: false },
    });
    const fail = (error: string) => {
      clearTimeout(timer);
      session.destroy();
      resolve({ stage: 'connect', error });
    };
    const timer = setTimeout(() => fail(`no connection within ${connectTimeoutMs} ms`), connectTimeoutMs);
    session.on('error', (error) => fail(messageOf(error))); // later on each stream tells it
    session.once('close', () => fail('closed'));
    session.once('goaway', () => options.onGoaway?.());
    // Not before its settings have come: a listener that is about to close may finish TLS and say nothing more.
    session.once('remoteSettings', () => {
      clearTimeout(timer);
      options.onCertificate?.(socket.getPeerX509Certificate()?.fingerprint256 ?? 'none');
      resolve(new Http2Connection(session));
    });
  });
}

class Http2Connection implements WireConnection {
  readonly #session: ClientHttp2Session;
  /** The last stream that the other side has taken or will take. */
  #lastStream: number | undefined;

  constructor(session: ClientHttp2Session) {
    this.#session = session;
    session.on('goaway', (_code, lastStream) => {
      this.#lastStream = lastStream;
    });
  }

  /** After a GOAWAY no new stream may be opened (RFC 9113 §6.8). */
  isUsable(): boolean {
    return !this.#session.closed && !this.#session.destroyed;
  }

  send(request: WireRequest): Promise<WireOutcome> {
    if (!this.isUsable()) return Promise.resolve({ stage: 'unsent', error: 'the connection has closed meanwhile' });
    return new Promise((resolve) => {
      const stream = this.#session.request({
        ':method': request.method ?? 'POST',
        ':path': request.path,
        ':scheme': 'https',
        ':authority': request.host,
        'x-request-id': request.id,
        'content-type': 'text/plain',
        'content-length': String(request.id.length),
        ...(request.cookie === undefined ? {} : { cookie: request.cookie }),
      });
      listen(stream, request, (outcome) => {
        const isRefused = 'stage' in outcome && outcome.stage === 'refused';
        resolve(isRefused ? { stage: 'refused', error: `stream ${stream.id}, GOAWAY: ${this.#lastStream}` } : outcome);
      });
      stream.end(request.id);
    });
  }

  close(): void {
    this.#session.close();
  }
}

/** RFC 9113 §6.2 */
const headersFrame = 1;

function listen(stream: ClientHttp2Stream, request: WireRequest, settle: (outcome: WireOutcome) => void): void {
  let status: number | undefined;
  let setCookies: readonly string[] = [];
  let body = '';
  let isWhole = false;
  let isUnsent = false;
  let error = 'the stream was closed';
  const timer = setTimeout(() => {
    settle({ stage: 'timeout', error: `no whole answer within ${request.timeoutMs} ms` });
    stream.close(constants.NGHTTP2_CANCEL);
  }, request.timeoutMs);
  stream.setEncoding('utf8');
  stream.on('response', (headers) => {
    status = headers[':status'];
    setCookies = headers['set-cookie'] ?? [];
  });
  stream.on('data', (text: string) => {
    body += text;
  });
  stream.on('end', () => {
    isWhole = status !== undefined;
  });
  stream.on('error', (cause) => {
    error = messageOf(cause);
  });
  // Its head could not be written, since a GOAWAY came first.
  stream.on('frameError', (type) => {
    isUnsent ||= type === headersFrame;
  });
  // The one event that always comes, and comes last.
  stream.on('close', () => {
    clearTimeout(timer);
    const code = stream.rstCode ?? constants.NGHTTP2_NO_ERROR;
    if (isUnsent) settle({ stage: 'unsent', error });
    else if (code === constants.NGHTTP2_REFUSED_STREAM) settle({ stage: 'refused', error });
    else if (isWhole && code === constants.NGHTTP2_NO_ERROR && status !== undefined)
      settle({ status, body, setCookies });
    else settle({ stage: status === undefined ? 'unanswered' : 'cut', error: `${error} (code ${code})` });
  });
}
