import { type ErrorCode, FlotillaError } from '../lib/errors.ts';
import type { Condition } from './port.ts';

/**
 * What the main thread and the worker of the SQLite store say to each other. One batch carries many messages; the bytes
 * of all values of a batch lie in one transferred buffer, in the order in which the messages name their lengths.
 */
export interface Batch<Message> {
  readonly messages: readonly Message[];
  readonly bytes: Uint8Array<ArrayBuffer>;
}

export type Request =
  | {
      readonly id: number;
      readonly type: 'commit';
      readonly conditions: readonly Condition[];
      readonly operations: readonly WireOperation[];
    }
  | { readonly id: number; readonly type: 'get'; readonly key: string }
  | {
      readonly id: number;
      readonly type: 'list';
      readonly prefix: string;
      readonly atRevision?: number;
      readonly startAfter?: string;
      readonly limit: number;
    }
  /** At most `limit` changes, or those of one revision when they are more. */
  | {
      readonly id: number;
      readonly type: 'history';
      readonly prefix: string;
      readonly afterRevision: number;
      readonly limit: number;
    }
  | { readonly id: number; readonly type: 'compact'; readonly revision: number }
  | { readonly id: number; readonly type: 'close' };

export interface WireOperation {
  readonly key: string;
  /** Length of the value; -1: delete. */
  readonly valueBytes: number;
  /** 0: for ever. */
  readonly ttlSeconds: number;
}

export interface WireEntry {
  readonly key: string;
  readonly modRevision: number;
  readonly createRevision: number;
  readonly valueBytes: number;
}

/** What an operation found before it. */
export interface WirePrevious {
  readonly modRevision: number;
  readonly createRevision: number;
  readonly valueBytes: number;
}

export interface WireChange {
  readonly key: string;
  readonly revision: number;
  readonly createRevision: number;
  /** -1: a delete. */
  readonly valueBytes: number;
  /** Its bytes follow the value's. */
  readonly previous?: WirePrevious;
}

export type Reply =
  | {
      readonly id: number;
      readonly type: 'committed';
      readonly revision: number;
      readonly previous: readonly (WirePrevious | null)[];
    }
  | { readonly id: number; readonly type: 'conflict'; readonly revision: number }
  | {
      readonly id: number;
      readonly type: 'entries';
      readonly revision: number;
      readonly entries: readonly WireEntry[];
      readonly more: boolean;
    }
  /** `done`: there is nothing newer. */
  | {
      readonly id: number;
      readonly type: 'history';
      readonly changes: readonly WireChange[];
      readonly upTo: number;
      readonly done: boolean;
    }
  | { readonly id: number; readonly type: 'done' }
  | { readonly id: number; readonly type: 'compacted'; readonly compactRevision: number }
  | { readonly id: number; readonly type: 'failed'; readonly error: WireError };

/** First word of the worker, and its last one when the file cannot be used any more. */
export type Notice =
  | {
      readonly notice: 'opened';
      readonly revision: number;
      readonly ttls: readonly { readonly key: string; readonly modRevision: number; readonly ttlSeconds: number }[];
    }
  | { readonly notice: 'dead'; readonly error: WireError };

export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly hint?: string;
}

export function toWireError(error: FlotillaError): WireError {
  const { code, message, retryable, hint } = error;
  return { code, message, retryable, ...(hint === undefined ? {} : { hint }) };
}

export function fromWireError({ code, message, ...options }: WireError): FlotillaError {
  return new FlotillaError(code, message, options);
}

/** One buffer for many values. */
export function packBytes(values: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0;
  for (const value of values) length += value.byteLength;
  const bytes = new Uint8Array(length);
  let offset = 0;
  for (const value of values) {
    bytes.set(value, offset);
    offset += value.byteLength;
  }
  return bytes;
}

/** Takes the values of a batch out of its buffer, one after the other, without copying. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  next(length: number): Uint8Array {
    const from = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(from, this.#offset);
  }
}
