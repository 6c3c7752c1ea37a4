import type { Clock } from '../../lib/clock.ts';
import type { Histogram } from '../../lib/metrics.ts';
import type { Kind } from '../../resources/kind.ts';
import type { Token } from '../../resources/kinds.ts';
import type { ApiObject } from '../../resources/object.ts';
import type { Store } from '../../store/port.ts';
import type { WatchCache } from '../cache/watch-cache.ts';
import type { ObjectCodec } from './object-codec.ts';

/** In whose name and how an operation runs. */
export interface Call {
  readonly grid: string;
  /** Who owns what is written, in `managedFields`; absent: a part of Flotilla itself. See ADR 0015. */
  readonly fieldManager?: string;
  /** Everything is checked and answered as if, nothing is written. */
  readonly isDryRun?: boolean;
  /** Asked with the object that would be written, and what is there now; throws ApiError to refuse. */
  readonly admit?: (object: ApiObject, old: ApiObject | undefined) => void;
  /** Asked right before anything is written. Throws when who asked has gone: what it takes for failed must not happen later. */
  readonly confirm?: () => Promise<void> | undefined;
  /** Sentences for the person that asks; they do not stop the operation. */
  readonly warn?: (sentence: string) => void;
}

/** A Token at its creation: what is stored, and what its maker is told this one time. */
export type TokenIssuer = (token: Token) => { readonly stored: Token; readonly answered: Token };

/** What a new object gets because of others: a pod from its service account. Throws ApiError to refuse. */
export type Completer = (call: Call, kind: Kind, object: ApiObject) => Promise<ApiObject>;

/** What all operations of the registry work with. */
export interface RegistryContext {
  readonly store: Store;
  readonly cache: WatchCache;
  readonly codec: ObjectCodec;
  readonly clock: Clock;
  /** Absent: Tokens cannot be created here. */
  readonly tokenIssuer: TokenIssuer | undefined;
  readonly complete: Completer | undefined;
  readonly commitSeconds: Histogram | undefined;
}
