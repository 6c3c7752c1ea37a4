/** How a request's connection was come by. */
export const connectionKinds = ['h1-keep-alive', 'h1-new', 'h1-idle', 'h2', 'h2-new', 'h2-idle'] as const;
export type ConnectionKind = (typeof connectionKinds)[number];

/**
 * How far a request came that was not answered with 200 and its own id:
 * `connect`: no connection, nothing was sent · `unanswered`: sent, and the connection ended without a byte of an answer · `cut`: an answer
 * that is not whole · `status`: a whole one that is not 200 · `wrong`: 200, and not what was asked for · `timeout`: none in time ·
 * `refused`: HTTP/2 said in so many words that it was not processed (a GOAWAY below its stream, or REFUSED_STREAM: RFC 9113 §8.7).
 */
export type FailureStage = 'connect' | 'unanswered' | 'cut' | 'status' | 'wrong' | 'timeout' | 'refused';

export interface WireRequest {
  readonly id: string;
  readonly path: string;
  /** Host header, server name and `:authority`. */
  readonly host: string;
  readonly cookie?: string;
  /** Default POST. */
  readonly method?: 'GET' | 'POST';
  /** From being sent to its last byte. */
  readonly timeoutMs: number;
}

export type WireOutcome =
  | { readonly status: number; readonly body: string; readonly setCookies: readonly string[] }
  | WireFailure;

export interface WireFailure {
  /**
   * `unsent`: the other side had said that it takes no more, and that was read before a byte of the request was written:
   * nothing has left this process, so it is not asked twice when it is asked elsewhere.
   */
  readonly stage: Exclude<FailureStage, 'status'> | 'unsent';
  /** In the words of the kernel, or of the protocol. */
  readonly error: string;
}

/** One request at a time on HTTP/1.1, as many as one likes on HTTP/2. Nothing is ever sent twice. */
export interface WireConnection {
  /** May be given (another) request now. */
  isUsable(): boolean;
  /** Never rejects. */
  send(request: WireRequest): Promise<WireOutcome>;
  /** Ends it; what is under way may finish. */
  close(): void;
}

export interface WireTarget {
  readonly address: string;
  readonly port: number;
}

/** Within this a connection, TLS included, is there. */
export const connectTimeoutMs = 10_000;

export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? `${error.code}: ` : '';
  return error.message.startsWith(code.slice(0, -2)) ? error.message : `${code}${error.message}`;
}
