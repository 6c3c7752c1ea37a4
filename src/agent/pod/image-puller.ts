import type { ContainerRuntime } from '../../adapters/runtime/port.ts';
import { FlotillaError } from '../../lib/errors.ts';

/** One pull an image at a time, however many pods want it, and few at once. */
export interface ImagePuller {
  /**
   * Resolves when the image is there; rejects with ImagePullFailed, or with Canceled once `signal` fires. A pull that
   * nobody waits for any more is given up. `onProgress` is called with words like `12 of 40 MB`.
   */
  pull(image: string, onProgress: (words: string) => void, signal: AbortSignal): Promise<void>;
  stop(): void;
}

interface SharedPull {
  readonly done: Promise<void>;
  readonly abort: AbortController;
  readonly listeners: Set<(words: string) => void>;
}

const pullsAtOnce = 4;
const megabyte = 1_000_000;

export function createImagePuller(runtime: ContainerRuntime): ImagePuller {
  const running = new Map<string, SharedPull>();
  const waiting = new Set<() => void>();
  let active = 0;

  const run = async (image: string, tell: (words: string) => void, signal: AbortSignal): Promise<void> => {
    if (active >= pullsAtOnce) await turn(signal);
    if (signal.aborted) throw canceled(image);
    active++;
    try {
      await runtime.pull(
        image,
        ({ currentBytes, totalBytes }) =>
          tell(`${Math.round(currentBytes / megabyte)} of ${Math.round(totalBytes / megabyte)} MB`),
        signal,
      );
    } finally {
      active--;
      const [next] = waiting;
      next?.();
    }
  };
  const turn = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const go = () => {
        waiting.delete(go);
        signal.removeEventListener('abort', go);
        resolve();
      };
      waiting.add(go);
      signal.addEventListener('abort', go, { once: true });
    });

  const share = (image: string): SharedPull => {
    const known = running.get(image);
    if (known) return known;
    const listeners: SharedPull['listeners'] = new Set();
    const abort = new AbortController();
    const tell = (words: string) => {
      for (const listener of listeners) listener(words);
    };
    const shared: SharedPull = { done: run(image, tell, abort.signal), abort, listeners };
    const end = () => {
      if (running.get(image) === shared) running.delete(image);
    };
    shared.done.then(end, end);
    running.set(image, shared);
    return shared;
  };

  return {
    async pull(image, onProgress, signal) {
      const shared = share(image);
      const left = Promise.withResolvers<never>();
      const leave = () => {
        shared.listeners.delete(onProgress);
        if (shared.listeners.size === 0) {
          running.delete(image); // who comes now begins anew
          shared.abort.abort();
        }
        left.reject(canceled(image));
      };
      shared.listeners.add(onProgress);
      signal.addEventListener('abort', leave, { once: true });
      try {
        if (signal.aborted) leave();
        await Promise.race([shared.done, left.promise]);
      } finally {
        signal.removeEventListener('abort', leave);
        shared.listeners.delete(onProgress);
      }
    },
    stop() {
      for (const shared of running.values()) shared.abort.abort();
    },
  };
}

function canceled(image: string): FlotillaError {
  return new FlotillaError('Canceled', `pull of image "${image}" canceled`);
}
