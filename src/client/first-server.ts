import { FlotillaError, messageOf } from '../lib/errors.ts';

export interface FirstServerOptions<T> {
  readonly servers: readonly string[];
  /** Throws FlotillaError Unavailable when this one does not answer; anything else ends the search. */
  readonly open: (server: string) => Promise<T>;
  /** What came after the first is not wanted. */
  readonly discard: (late: T) => void;
  /** A server silent for so long does not keep the next from being asked. Default 250. */
  readonly staggerMs?: number;
}

/**
 * The first server that answers, asked in order: each gets a moment alone, a failure passes on at once (after RFC 8305). So
 * a dead server costs nothing and a silent one a quarter of a second. Throws Unavailable with what each of them said.
 */
export function firstServer<T>({ servers, open, discard, staggerMs = 250 }: FirstServerOptions<T>): Promise<T> {
  if (servers.length === 0) return Promise.reject(new FlotillaError('BadUsage', 'no server is known'));
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const left = [...servers];
  const failures: FlotillaError[] = [];
  let running = 0;
  let isDone = false;
  let timer: NodeJS.Timeout | undefined;

  const finish = (settle: () => void): void => {
    isDone = true;
    clearTimeout(timer);
    settle();
  };
  const next = (): void => {
    clearTimeout(timer);
    const server = left.shift();
    if (server === undefined) {
      if (running === 0) finish(() => reject(nobodyAnswers(failures)));
      return;
    }
    running += 1;
    if (left.length > 0) timer = setTimeout(next, staggerMs);
    open(server).then(
      (opened) => {
        running -= 1;
        if (isDone) discard(opened);
        else finish(() => resolve(opened));
      },
      (error: unknown) => {
        running -= 1;
        if (isDone) return;
        if (!(error instanceof FlotillaError) || error.code !== 'Unavailable') return finish(() => reject(error));
        failures.push(error);
        next();
      },
    );
  };
  next();
  return promise;
}

function nobodyAnswers(failures: readonly FlotillaError[]): FlotillaError {
  return new FlotillaError('Unavailable', `no server answers: ${failures.map(messageOf).join('; ')}`, {
    retryable: failures.some((failure) => failure.retryable),
    hint: failures.find((failure) => failure.hint)?.hint ?? 'see that a server runs and can be reached from here',
    cause: failures[0],
  });
}
