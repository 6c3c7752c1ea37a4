import type { ContainerRuntime } from '../../adapters/runtime/port.ts';

/** One pull an image at a time, however many pods want it, and few at once. */
export interface ImagePuller {
  /** Resolves when the image is there; rejects with ImagePullFailed. `onProgress` is called with words like `12 of 40 MB`. */
  pull(image: string, onProgress: (words: string) => void): Promise<void>;
  stop(): void;
}

const pullsAtOnce = 4;
const megabyte = 1_000_000;

export function createImagePuller(runtime: ContainerRuntime): ImagePuller {
  const abort = new AbortController();
  const running = new Map<string, { done: Promise<void>; listeners: ((words: string) => void)[] }>();
  const waiting: (() => void)[] = [];
  let active = 0;

  const run = async (image: string, tell: (words: string) => void): Promise<void> => {
    if (active >= pullsAtOnce) await new Promise<void>((resolve) => waiting.push(resolve));
    active++;
    try {
      await runtime.pull(
        image,
        ({ currentBytes, totalBytes }) =>
          tell(`${Math.round(currentBytes / megabyte)} of ${Math.round(totalBytes / megabyte)} MB`),
        abort.signal,
      );
    } finally {
      active--;
      waiting.shift()?.();
    }
  };

  return {
    pull(image, onProgress) {
      const shared = running.get(image);
      if (shared) {
        shared.listeners.push(onProgress);
        return shared.done;
      }
      const listeners = [onProgress];
      const done = run(image, (words) => {
        for (const listener of listeners) listener(words);
      }).finally(() => running.delete(image));
      running.set(image, { done, listeners });
      return done;
    },
    stop: () => abort.abort(),
  };
}
